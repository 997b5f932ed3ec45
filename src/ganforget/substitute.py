"""Substitute mechanisms: the latent ŵ whose image G_0(ŵ) takes the place of a forgotten image (section 4.3).

Every rule acts in W, layer by layer: ``w_0`` is [N, num_ws, w_dim], w̄ is [N, w_dim] (each image's own class mean, or
the global one), the result is shaped as ``w_0``.
"""

import torch

from ganforget.errors import InputError
from ganforget.shapes import ClassFlags, ClassMeans, LabelNumbers, Latents, W

__all__ = [
    "average",
    "nearest_other_class",
    "other_class",
    "projection",
    "schedule",
    "truncation",
]


def schedule(step: int, schedule_steps: int) -> float:
    """Return λ (or α): falls from 1 at step 0 to 0 at ``schedule_steps`` in a straight line."""
    return max(0.0, 1.0 - step / schedule_steps) if schedule_steps > 0 else 0.0


def average(w_0: Latents, mean: W) -> Latents:
    """Average substitute: ŵ = w̄."""
    return mean[:, None].expand_as(w_0)


def truncation(w_0: Latents, mean: W, lam: float) -> Latents:
    """Truncation substitute: ŵ = λ w_0 + (1 − λ) w̄."""
    return lam * w_0 + (1 - lam) * average(w_0, mean)


def projection(w_0: Latents, mean: W, alpha: float) -> Latents:
    """Projection substitute: ŵ = α (w_0 − proj) + (1 − α) w̄ with proj = (⟨w_0, w̄⟩ / ⟨w̄, w̄⟩) w̄.

    Raises InputError where a w̄ is so near zero that the projection on it means nothing.
    """
    target = average(w_0, mean)
    norm = target.square().sum(dim=-1, keepdim=True)
    if bool((norm <= 1e-6 * w_0.square().sum(dim=-1, keepdim=True).mean()).any()):
        raise InputError(
            "The mean latent is close to zero, so nothing can be projected on it; use truncation or average."
        )
    proj = (w_0 * target).sum(dim=-1, keepdim=True) / norm * target
    return alpha * (w_0 - proj) + (1 - alpha) * target


def nearest_other_class(w_0: Latents, means: ClassMeans, labels: LabelNumbers, forbidden: ClassFlags) -> LabelNumbers:
    """Eq. (4). y* = argmin over classes y not forgotten of ‖w_0 − w̄_y‖, over all layers, int64.

    ``forbidden`` is true for the classes that are to be forgotten.
    """
    if bool(forbidden.all()):
        raise InputError("Every class is to be forgotten, so no other class is left as a substitute; use average.")
    # ‖w_0‖² is alike for all classes; the rest takes no memory of images × classes × layers × widths
    distance = w_0.shape[1] * means.square().sum(dim=1) - 2 * w_0.sum(dim=1) @ means.T  # [N, classes]
    distance = distance.masked_fill(forbidden[None], torch.inf)
    distance[torch.arange(len(labels)), labels] = torch.inf
    assert not bool(distance.isinf().all(dim=1).any()), "the class of a forgotten image is to be forgotten too"
    return distance.argmin(dim=1)


def other_class(w_0: Latents, means: ClassMeans, labels: LabelNumbers, forbidden: ClassFlags) -> Latents:
    """Other-class substitute: ŵ = w̄_{y*}, y* by eq. (4)."""
    return average(w_0, means[nearest_other_class(w_0, means, labels, forbidden)])

"""Which images and latents each step of a cascade sees: seeded passes, by step number, so that resuming is exact."""

import torch
from torch import Tensor

from ganforget.models.stylegan2 import Discriminator
from ganforget.randomness import permutation
from ganforget.unlearning.cascade import Cascade
from ganforget.unlearning.material import Fixed

__all__ = ["cyclic", "forget_count", "latent_batch", "original_logits", "rows_of"]


def cyclic(total: int, count: int, seed: int, name: str, step: int, device: torch.device) -> Tensor:
    """Return ``count`` indices of step ``step``: passes over seeded permutations of range(total)."""
    positions = torch.arange(step * count, (step + 1) * count)
    rounds = {int(r): torch.from_numpy(permutation(seed + int(r), name, total)) for r in (positions // total).unique()}
    rows = [int(rounds[int(p) // total][int(p) % total]) for p in positions]
    return torch.tensor(rows, dtype=torch.int64, device=device)


def forget_count(cascade: Cascade) -> int:
    """Return the images of each kind in a step: at most ``batch_size``, rounded up to a multiple of D's group size."""
    mbstd = cascade.original.D.b4.mbstd
    group = 1 if mbstd is None or mbstd.group_size is None else mbstd.group_size
    wanted = min(cascade.config.batch_size, len(cascade.forget))
    return max(-(-wanted // group), 1) * group


def latent_batch(cascade: Cascade, count: int, step: int) -> Tensor:
    """Return which latents are substituted in this step; half inverted and half mapped ones for a class."""
    latents, seed, device = cascade.latents, cascade.config.seed, cascade.latents.ws.device
    mapped = len(latents.ws) - latents.inverted
    if not mapped:
        return cyclic(latents.inverted, count, seed, "forget_latents", step, device)
    half = count // 2
    first = cyclic(latents.inverted, half, seed, "forget_latents", step, device)
    second = cyclic(mapped, count - half, seed, "mapped_latents", step, device) + latents.inverted
    return torch.cat([first, second])


def rows_of(tensor: Tensor | None, chosen: Tensor) -> Tensor | None:
    """Return the chosen rows of labels, or None where there are none."""
    return None if tensor is None else tensor[chosen]


def original_logits(D_0: Discriminator, parts: list[tuple[Fixed, Tensor]]) -> Tensor:
    """Return D_0's logits [n] of the concatenated fixed images, from their stored features."""
    with torch.no_grad():
        features = torch.cat([fixed.features[chosen] for fixed, chosen in parts])
        rests = [fixed.rest[chosen] for fixed, chosen in parts if fixed.rest is not None]
        labels = [fixed.c[chosen] for fixed, chosen in parts if fixed.c is not None]
        return D_0.head(features, torch.cat(rests) if rests else None, torch.cat(labels) if labels else None)[:, 0]

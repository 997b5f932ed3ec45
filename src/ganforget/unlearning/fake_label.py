"""Where the fake label goes: F_label must lie well below the scores of training images, wherever those lie."""

import torch
from torch import Tensor

__all__ = ["auto_fake_label", "fake_label_warning"]

SPREADS_BELOW = 3.0


def auto_fake_label(forget_scores: Tensor) -> float:
    """Return the mean of D_0's scores of the forget images [N] less three of their standard deviations.

    Forget images are a random part of the training images, so their scores under D_0 are those of training images;
    nothing else is looked at, which keeps zero-shot free of retain images.
    """
    spread = forget_scores.std(unbiased=False) if len(forget_scores) > 1 else forget_scores.new_tensor(1.0)
    return float(forget_scores.mean() - SPREADS_BELOW * torch.clamp(spread, min=0.25))


def fake_label_warning(fake_label: float, forget_scores: Tensor) -> str | None:
    """Return a warning where ``fake_label`` is not significantly below D_0's scores of the forget images."""
    middle = float(forget_scores.median())
    spread = float(forget_scores.std(unbiased=False))
    if fake_label <= middle - spread:
        return None
    return (
        f"F_label {fake_label:g} is not significantly below D_0's scores of the forget images "
        f"(median {middle:.2f}, spread {spread:.2f}): the discriminator may not forget. Use --fake-label auto."
    )

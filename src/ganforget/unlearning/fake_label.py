"""Where the fake label goes: F_label must lie well below the scores of training images, wherever those lie."""

import torch
from torch import Tensor

from ganforget.shapes import PerImage, UnseenScores

__all__ = ["TOWARDS_SAMPLES", "auto_fake_label", "between_scores", "fake_label_warning", "matched_scores"]

SPREADS_BELOW = 3.0

TOWARDS_SAMPLES = 0.75
"""Found on digits: with 0.5 the forget images stay at an AUC of 0.60 over unseen ones, with 1 they fall to 0.41."""


def auto_fake_label(forget_scores: Tensor) -> float:
    """Return the mean of D_0's scores of the forget images [N] less three of their standard deviations.

    Forget images are a random part of the training images, so their scores under D_0 are those of training images;
    nothing else is looked at, which keeps zero-shot free of retain images.
    """
    spread = forget_scores.std(unbiased=False) if len(forget_scores) > 1 else forget_scores.new_tensor(1.0)
    return float(forget_scores.mean() - SPREADS_BELOW * torch.clamp(spread, min=0.25))


def matched_scores(forget_scores: PerImage, unseen_scores: UnseenScores) -> PerImage:
    """Return a label for each forget image: the score of its rank among images never trained on.

    The forget images then have the distribution of the unseen ones, each with the least change: the k-th of n scores
    goes to the quantile (k − ½)/n.
    """
    ranks = forget_scores.argsort().argsort().double()
    return torch.quantile(unseen_scores.double(), (ranks + 0.5) / len(ranks)).to(forget_scores.dtype)


def between_scores(forget_scores: PerImage, matched: PerImage) -> PerImage:
    """Return labels between the forget images' own scores and those ``matched`` to them among samples of G_0.

    For zero-shot, which knows no unseen real image. D_0 scores one below its training images, and above the samples as
    far as these are not perfect. ``TOWARDS_SAMPLES`` is how far down the labels go.
    """
    return (1 - TOWARDS_SAMPLES) * forget_scores + TOWARDS_SAMPLES * matched


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

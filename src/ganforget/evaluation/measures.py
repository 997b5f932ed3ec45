"""The measures as pure functions of scores, labels and images."""

import numpy as np
import torch
from torch import Tensor

from ganforget.errors import InputError, NumericalError
from ganforget.evaluation.auc import auc
from ganforget.shapes import Images, LabelArray, LabelNumbers, OtherScores, Scores

__all__ = [
    "auc_lt",
    "auc_lu",
    "auc_ut",
    "class_accuracy",
    "class_diversity",
    "substitution_of",
]

_CHUNK = 2**24
"""Numbers of which distances are taken at a time."""


def auc_lt(retain: Scores, holdout: OtherScores) -> float:
    """Return P(D(x_l) > D(x_t)) + ½ P(equal) from the scores of training and holdout images: membership."""
    return auc(retain, holdout)


def auc_lu(retain: Scores, forget: OtherScores) -> float:
    """Return P(D(x_l) > D(x_u)) + ½ P(equal) from the scores of retain and forget images."""
    return auc(retain, forget)


def auc_ut(forget: Scores, holdout: OtherScores) -> float:
    """Return P(D(x_u) > D(x_t)) + ½ P(equal) from the scores of forget and holdout images."""
    return auc(forget, holdout)


def class_accuracy(predicted: LabelNumbers | LabelArray, asked: LabelNumbers | LabelArray) -> float:
    """Return the share, in [0, 1], of samples read as the label asked for."""
    found, wanted = np.asarray(predicted), np.asarray(asked)
    if found.ndim != 1 or found.shape != wanted.shape or len(found) == 0:
        raise InputError(f"Labels have the shapes {found.shape} and {wanted.shape}; expected [n] twice, n at least 1.")
    return float((found == wanted).mean())


def class_diversity(images: Images) -> float:
    """Return the mean distance over all pairs of at least 2 images.

    The distance of two images is the root of their mean squared pixel difference: 0 for equal images, 2 for
    black against white in [−1, 1]. A generator that makes one image of a class has 0.
    """
    if images.ndim != 4 or len(images) < 2:
        raise InputError(f"Images have the shape {tuple(images.shape)}; expected [N, C, H, W] with N at least 2.")
    rows = images.detach().flatten(1)
    columns = max(_CHUNK // len(rows), 1)  # not all pixels of all images as float64 at once
    squares = [torch.pdist(part.double()).square() for part in rows.split(columns, dim=1)]
    distances = torch.stack(squares).sum(dim=0).sqrt()
    return _finite(distances.mean() / rows.shape[1] ** 0.5, "class diversity")


def substitution_of(now: float, original: float) -> float:
    """Return MSE(G(w_0), S) ÷ MSE(G_0(w_0), S) from both mean squared differences over the forget set; final S.

    1: the generator has forgotten nothing. 0: the substitutes are in place. Above 1: further away than it
    began. Raises NumericalError where G_0(w_0) equals S, as then nothing was to change.
    """
    if original == 0:
        raise NumericalError("The substitutes equal the original's images, so there is nothing to substitute.")
    return _finite(torch.tensor(now / original), "substitution")


def _finite(value: Tensor, what: str) -> float:
    number = float(value)
    if not np.isfinite(number):
        raise NumericalError(f"The {what} is {number}; the generator has diverged.")
    return number

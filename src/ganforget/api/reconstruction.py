"""Can a generator still make the forgotten images better than images that it never saw? Fresh inversions of both."""

import math

import numpy as np
from torch import Tensor

from ganforget.data import ImageDataset
from ganforget.inversion.invert import InversionConfig, invert
from ganforget.models.gan import Gan
from ganforget.models.latents import latent_statistics
from ganforget.options import Latent
from ganforget.randomness import permutation

__all__ = ["RECONSTRUCTED", "reconstruction_errors", "unseen_images"]

RECONSTRUCTED = 64
"""Most forget images, and holdout images, that are inverted anew."""

_LEAST_PAIRS = 8
"""Fewest forget images with a holdout image of the same label each, for the others to be left out."""


def unseen_images(holdout: ImageDataset, calibration: np.ndarray) -> ImageDataset:
    """Return the holdout images that calibrated nothing; ``calibration`` are the positions of those that did."""
    return holdout.subset(np.setdiff1d(np.arange(len(holdout)), calibration))


def reconstruction_errors(
    gan: Gan, forget: ImageDataset, holdout: ImageDataset, *, classes: tuple[int, ...], latent: Latent, seed: int
) -> dict[str, float | None]:
    """Return `rec_u` and `rec_t`: the mean error of fresh inversions of up to 64 forget and holdout images.

    Where there are labels, each forget image stands beside a holdout image of its own: a 1 is easier to make than an
    8. Those for which none is left are left out, but where hardly any has one. `rec_gap_error` is the standard error
    of the difference: of two sets of so few images one is a little easier by chance. `rec_images` is how many images
    each mean is of, at least.
    """
    config = InversionConfig(latent=latent, seed=seed + 1)
    statistics = latent_statistics(gan.G, seed=seed + 1)
    if classes and holdout.labels is not None:
        holdout = holdout.subset(np.flatnonzero(np.isin(holdout.labels, classes)))
    shown = permutation(seed, "reconstruct", len(forget))[:RECONSTRUCTED]

    def errors(images: ImageDataset, rows: np.ndarray) -> Tensor:
        labels = images.labels[rows] if gan.G.c_dim and images.labels is not None else None
        return invert(gan.G, images.tensor(rows), labels, statistics, config).errors.double()

    shown, beside = _pairs(forget, shown, holdout, seed) if len(holdout) else (shown, None)
    of_forget = errors(forget, shown)
    found: dict[str, float | None] = {"rec_u": float(of_forget.mean()), "rec_t": None, "rec_gap_error": None}
    if beside is None:  # a class without holdout images
        return found
    of_holdout = errors(holdout, beside)
    found |= {"rec_t": float(of_holdout.mean()), "rec_images": min(len(of_forget), len(of_holdout))}
    if len(of_forget) > 1 and len(of_holdout) > 1:
        alike = len(of_forget) == len(of_holdout) and _labels(forget, shown) == _labels(holdout, beside)
        found["rec_gap_error"] = _standard_error(of_forget, of_holdout, pairs=alike)
    return found


def _labels(images: ImageDataset, rows: np.ndarray) -> list[int]:
    return [] if images.labels is None else images.labels[rows].tolist()


def _pairs(forget: ImageDataset, shown: np.ndarray, holdout: ImageDataset, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return which of the forget images ``shown`` are inverted, and as many holdout positions: of the same labels.

    Where fewer than ``_LEAST_PAIRS`` find one of their label, or there are no labels, others stand in.
    """
    order = permutation(seed, "reconstruct", len(holdout))
    if forget.labels is None or holdout.labels is None:
        return shown, order[: len(shown)]
    by_label = {int(y): list(order[holdout.labels[order] == y]) for y in np.unique(holdout.labels)}
    labels = map(int, forget.labels[shown])
    found = [by_label[y].pop(0) if by_label.get(y) else -1 for y in labels]
    paired, beside = (values[np.array(found) >= 0] for values in (shown, np.array(found)))
    if len(paired) >= min(_LEAST_PAIRS, len(shown)):
        return paired, beside
    others = order[~np.isin(order, beside)]
    return shown, np.concatenate([beside, others[: len(shown) - len(beside)]])


def _standard_error(of_forget: Tensor, of_holdout: Tensor, *, pairs: bool) -> float:
    """Return the standard error of the difference of two means; images of one label each are pairs."""
    if pairs:
        return math.sqrt(float((of_forget - of_holdout).var()) / len(of_forget))
    return math.sqrt(sum(float(errors.var()) / len(errors) for errors in (of_forget, of_holdout)))

"""Can a generator still make the forgotten images better than images that it never saw? Fresh inversions of both."""

import math

import numpy as np

from ganforget.data import ImageDataset
from ganforget.inversion.invert import InversionConfig, invert
from ganforget.models.gan import Gan
from ganforget.models.latents import latent_statistics
from ganforget.options import Latent
from ganforget.randomness import permutation

__all__ = ["reconstruction_errors"]

_IMAGES = 64


def reconstruction_errors(
    gan: Gan, forget: ImageDataset, holdout: ImageDataset, *, classes: tuple[int, ...], latent: Latent, seed: int
) -> dict[str, float | None]:
    """Return `rec_u` and `rec_t`: the mean error of fresh inversions of up to 64 forget and holdout images.

    `rec_gap_error` is the standard error of their difference: of two sets of so few images one is a little easier by
    chance. A class is compared with holdout images of its own.
    """
    config = InversionConfig(latent=latent, seed=seed + 1)
    statistics = latent_statistics(gan.G, seed=seed + 1)
    if classes and holdout.labels is not None:
        holdout = holdout.subset(np.flatnonzero(np.isin(holdout.labels, classes)))
    found: dict[str, float | None] = {}
    variance = 0.0
    for key, images in (("rec_u", forget), ("rec_t", holdout)):
        if not len(images):  # a class without holdout images
            found[key] = None
            continue
        rows = permutation(seed, "reconstruct", len(images))[:_IMAGES]
        labels = images.labels[rows] if gan.G.c_dim and images.labels is not None else None
        inversion = invert(gan.G, images.tensor(rows), labels, statistics, config)
        found[key] = float(inversion.errors.mean())
        variance += float(inversion.errors.double().var()) / len(rows) if len(rows) > 1 else math.inf
    known = all(value is not None for value in found.values()) and math.isfinite(variance)
    return found | {"rec_gap_error": math.sqrt(variance) if known else None}

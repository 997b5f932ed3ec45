"""The holdout set in two halves: one calibrates and stops, the other audits. No image serves both."""

import hashlib

import numpy as np

from ganforget.data.dataset import ImageDataset
from ganforget.data.fingerprint import image_hash

__all__ = ["LEAST_CALIBRATION", "split_holdout"]

LEAST_CALIBRATION = 16
"""Fewest images of the calibration half that can stand for images never trained on."""


def split_holdout(holdout: ImageDataset, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return the positions of the calibration half and of the audit half, int64, ascending.

    An image's half depends on its pixels and the seed alone: neither on order nor on which other images are there,
    and copies of an image are never on both sides. The halves are therefore equal on average, not exactly.
    """
    audits = np.array([_key(seed, image) & 1 for image in holdout.images], dtype=bool)
    return np.flatnonzero(~audits), np.flatnonzero(audits)


def _key(seed: int, image: np.ndarray) -> int:
    return hashlib.blake2b(f"{seed}/holdout/{image_hash(image)}".encode(), digest_size=8).digest()[0]

"""Neighbours of forget images: the training images that are kept and look most like them."""

import numpy as np

from ganforget.data import ImageDataset
from ganforget.data.dataset import to_tensor
from ganforget.randomness import permutation

__all__ = ["MOST_LOOKED_AT", "nearest_kept"]

MOST_LOOKED_AT = 20_000
"""Most kept images of a label that are looked at, a seeded sample of more."""

_AT_ONCE = 512


def nearest_kept(images: ImageDataset, train: ImageDataset, kept: np.ndarray, *, seed: int) -> np.ndarray:
    """Return for each of ``images`` the position in ``train`` of its nearest image among those at ``kept``.

    Near is a small mean squared pixel difference. A neighbour has the image's label where kept images have it, serves
    one image alone while there are others, and is no copy of it.
    """
    found: list[int] = []
    for at in range(len(images)):
        some = _of_label(images, at, train, kept)
        some = some[permutation(seed, "audit/neighbours", len(some))[:MOST_LOOKED_AT]]
        distances = _distances(images.images[at], train, some)
        order = some[np.argsort(np.where(distances > 0, distances, np.inf), kind="stable")]
        found.append(int(next((position for position in order if position not in found), order[0])))
    return np.array(found, np.int64)


def _of_label(images: ImageDataset, at: int, train: ImageDataset, kept: np.ndarray) -> np.ndarray:
    if images.labels is None or train.labels is None:
        return kept
    same = kept[train.labels[kept] == images.labels[at]]
    return same if len(same) else kept


def _distances(image: np.ndarray, train: ImageDataset, positions: np.ndarray) -> np.ndarray:
    wanted, parts = to_tensor(image), np.array_split(positions, -(-len(positions) // _AT_ONCE))
    gaps = [(train.tensor(part) - wanted).square().mean(dim=[1, 2, 3]).numpy() for part in parts]
    return np.concatenate(gaps)

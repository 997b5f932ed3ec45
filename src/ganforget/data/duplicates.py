"""Copies of the images to forget among the others: forgetting one copy of two is no forgetting.

The distance of two images is 1 − their correlation over all pixels and channels: half the mean squared
difference after each was brought to mean 0 and variance 1. It ignores brightness and contrast, and two plain
skies are not near for being plain. Measured (smallest distance between different pictures,
and the share of altered copies that are found: JPEG of quality 75, noise of 6 grey values, ±10 % brightness):

========  ================================================================  ====  =====  ==========
data      different pictures                                                JPEG  noise  brightness
========  ================================================================  ====  =====  ==========
digits    training: one pair of 0.0039, then 0.0055; nearest neighbours     100%  100%   100%
          have a median of 0.036
MNIST     all 70,000: 0.0083, the five nearest pairs are ones; median 0.11  99%   99%    100%
CIFAR-10  54 pairs, holdout to training, under 0.04: the 35 seen by eye     98%   99%    100%
          are copies; above it come different skies
========  ================================================================  ====  =====  ==========

A mean squared difference does worse: on CIFAR-10 the same photograph and two different skies both begin at
0.016. Copies that were shifted by a pixel or more, cropped, flipped or rotated are not found.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ganforget.data.dataset import ImageDataset
from ganforget.data.forget_set import ForgetSet, forget_at
from ganforget.data.stored_images import ImageArray, image_hashes
from ganforget.errors import DataError, ForgetSetError

__all__ = [
    "NEAR_COLOUR",
    "NEAR_GREY",
    "Duplicates",
    "find_duplicates",
    "image_distance",
    "include_duplicates",
]

NEAR_GREY = 0.005
"""Distance under which two grey images are nearly equal."""

NEAR_COLOUR = 0.04
"""Distance under which two RGB images are nearly equal; photographs differ more than digits do."""

_COARSE = 8  # side of the averaged images that rule out most pairs
_BLOCK_VALUES = 2**23


@dataclass(frozen=True)
class Duplicates:
    """Pairs (position among the images to forget, position among the others), ascending."""

    exact: tuple[tuple[int, int], ...]
    """Pairs of equal images."""

    near: tuple[tuple[int, int], ...]
    """Pairs of nearly equal images, without the equal ones."""

    distances: tuple[float, ...]
    """Distance of each near pair."""

    threshold: float
    """Distance under which a pair is near."""

    def others(self) -> tuple[int, ...]:
        """Return the positions of all copies among the others, ascending, each once."""
        return tuple(sorted({other for _, other in self.exact + self.near}))


def image_distance(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return 1 − the correlation of uint8 images [n, C, H, W], pair by pair, float64 [n]; plain: 1."""
    return 1 - (_standardised(first, np.float64) * _standardised(second, np.float64)).sum(1)


def find_duplicates(
    forget_images: ImageArray,
    others: ImageArray,
    *,
    skip: Sequence[int] | np.ndarray = (),
    threshold: float | None = None,
) -> Duplicates:
    """Find copies of ``forget_images`` among ``others``, both uint8 [N, C, H, W]; stored ones pass by in blocks.

    ``skip`` are positions in ``others`` to leave out: with the whole training set as ``others``, the forget
    set's own. ``threshold`` is the largest distance of a near pair (default: ``NEAR_GREY`` or
    ``NEAR_COLOUR``). Raises DataError where the two are of different shape.
    """
    if forget_images.shape[1:] != others.shape[1:]:
        raise DataError(f"Images of {forget_images.shape[1:]} and of {others.shape[1:]} cannot be compared.")
    if threshold is None:
        threshold = NEAR_GREY if others.shape[1] == 1 else NEAR_COLOUR
    skipped = {int(index) for index in skip}
    exact = [pair for pair in _equal_pairs(forget_images, others) if pair[1] not in skipped]
    near: list[tuple[int, int, float]] = []
    for pairs in _candidate_pairs(forget_images, others, threshold):
        distances = image_distance(forget_images[pairs[:, 0]], others[pairs[:, 1]])
        close = distances < threshold
        near += [(int(a), int(b), float(d)) for (a, b), d in zip(pairs[close], distances[close], strict=True)]
    equal = set(exact)
    near = sorted((a, b, d) for a, b, d in near if b not in skipped and (a, b) not in equal)
    return Duplicates(
        tuple(exact), tuple((a, b) for a, b, _ in near), tuple(max(d, 0.0) for _, _, d in near), threshold
    )


def include_duplicates(forget_set: ForgetSet, train: ImageDataset, found: Duplicates) -> ForgetSet:
    """Return a forget set that holds the training images in ``found`` as well.

    ``found`` comes from ``find_duplicates(images, train.images, skip=forget_set.indices)``: its positions are
    those of the training split. Only for items: a class is all images of its label, and no others.
    """
    if forget_set.indices is None:
        raise ForgetSetError("The forget set was made without training data, so duplicates there cannot be added.")
    if forget_set.task == "class":
        raise ForgetSetError("Duplicates with other labels cannot be added to a class; forget the images as items.")
    added = set(found.others()) - set(forget_set.indices)
    larger = forget_at(
        train,
        [*forget_set.indices, *added],
        data=forget_set.data,
        selection=forget_set.selection | {"duplicates_included": len(added)},
    )
    return replace(larger, task=forget_set.task)


def _equal_pairs(forget_images: ImageArray, others: ImageArray) -> list[tuple[int, int]]:
    positions: dict[str, list[int]] = {}
    for index, digest in enumerate(image_hashes(forget_images)):
        positions.setdefault(digest, []).append(index)
    return sorted(
        (index, other) for other, digest in enumerate(image_hashes(others)) for index in positions.get(digest, ())
    )


def _candidate_pairs(forget_images: ImageArray, others: ImageArray, threshold: float) -> Iterator[np.ndarray]:
    """Yield int [k, 2] pairs, blockwise; no pair under the threshold is left out.

    Averaging a difference over blocks of pixels cannot make it larger (Jensen), so a pair that is far apart
    when averaged to 8×8 is far apart in full. A unit vector's squared difference is twice the distance.
    """
    reach = 2 * threshold + 1e-4  # room for the rounding of float32
    block = max(1, _BLOCK_VALUES // max(1, int(np.prod(others.shape[1:]))))
    forget = np.concatenate([_coarse(forget_images[at : at + block]) for at in range(0, len(forget_images), block)])
    for start in range(0, len(others), block):
        coarse = _coarse(others[start : start + block])
        for first in range(0, len(forget), 1024):
            rows = forget[first : first + 1024]
            squared = (rows**2).sum(1)[:, None] + (coarse**2).sum(1) - 2 * rows @ coarse.T
            pairs = np.argwhere(squared < reach)
            for at in range(0, len(pairs), block):
                yield pairs[at : at + block] + np.array([first, start])


def _standardised(images: np.ndarray, dtype: type[np.floating]) -> np.ndarray:
    """Return [n, C·H·W] vectors of mean 0 and length 1; a plain image gives zeros."""
    flat = images.reshape(len(images), -1).astype(dtype)
    flat -= flat.mean(1, keepdims=True)
    length = np.sqrt(np.einsum("ij,ij->i", flat, flat))[:, None]
    return np.divide(flat, length, out=np.zeros_like(flat), where=length > 0.5)  # one grey value


def _coarse(images: np.ndarray) -> np.ndarray:
    """Return standardised images, averaged to at most 8×8, scaled so that differences only shrink."""
    count, channels, size, _ = images.shape
    side = _COARSE if size % _COARSE == 0 else size
    step = size // side
    unit = _standardised(images, np.float32).reshape(count, channels, side, step, side, step)
    return unit.sum((3, 5)).reshape(count, -1) / step  # mean over step² pixels × √(step²)

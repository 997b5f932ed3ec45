"""Images that stay in their folder or ZIP until they are asked for, in the shape of the array that they stand for."""

from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ganforget.data.fingerprint import image_digest, image_hash
from ganforget.errors import DataError

__all__ = ["ImageArray", "StoredImages", "image_hashes", "mirrored_images"]

CACHE_BYTES = 256 * 2**20
"""Most bytes of decoded images that a data set keeps at hand; what fits is decoded once."""


class StoredImages:
    """uint8 [N, C, H, W], decoded by index: ``images[5]``, ``images[2:9]`` and ``images[indices]`` give NumPy arrays.

    ``numpy.asarray(images)`` decodes them all. Each image is checked against the hash that the survey of the files
    took; DataError names a file that has changed since.
    """

    dtype = np.dtype(np.uint8)
    ndim = 4

    def __init__(
        self,
        decode: Callable[[str], np.ndarray],
        names: tuple[str, ...],
        digests: np.ndarray,
        image_shape: tuple[int, int, int],
    ) -> None:
        self._decode, self._names, self._digests, self._image_shape = decode, names, digests, image_shape
        self._rows = np.arange(len(names))
        self._flips = np.zeros(len(names), bool)
        self._kept: OrderedDict[int, np.ndarray] = OrderedDict()
        self._most = max(1, CACHE_BYTES // int(np.prod(image_shape)))

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def shape(self) -> tuple[int, int, int, int]:
        return (len(self), *self._image_shape)

    def __getitem__(self, key: Any) -> np.ndarray:
        if isinstance(key, (int, np.integer)):
            return self._image(int(self._rows[key]), bool(self._flips[key])).copy()
        rows, flips = self._rows[key], self._flips[key]
        images = np.empty((len(rows), *self._image_shape), np.uint8)
        for at, (row, flip) in enumerate(zip(rows, flips, strict=True)):
            images[at] = self._image(int(row), bool(flip))
        return images

    def __iter__(self) -> Iterator[np.ndarray]:
        return (self[at] for at in range(len(self)))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return self[:] if dtype is None else self[:].astype(dtype)

    def take(self, indices: np.ndarray) -> "StoredImages":
        """Return the images at ``indices``, undecoded; they share what is kept at hand."""
        return self._view(self._rows[indices], self._flips[indices])

    def mirrored(self) -> "StoredImages":
        """Return these images, then each one mirrored from left to right, undecoded."""
        return self._view(np.tile(self._rows, 2), np.concatenate([self._flips, ~self._flips]))

    def digest(self, index: int) -> str:
        """Return the hash of the image at ``index``, known without decoding unless it is mirrored."""
        if self._flips[index]:
            return image_hash(self[index])
        return self._digests[self._rows[index]].tobytes().hex()

    def _view(self, rows: np.ndarray, flips: np.ndarray) -> "StoredImages":
        view = object.__new__(StoredImages)
        view.__dict__ |= self.__dict__ | {"_rows": rows, "_flips": flips}
        return view

    def _image(self, row: int, flip: bool) -> np.ndarray:
        image = self._kept.get(row)
        if image is None:
            image = self._read(row)
            self._kept[row] = image
            if len(self._kept) > self._most:
                self._kept.popitem(last=False)
        else:
            self._kept.move_to_end(row)
        return image[:, :, ::-1] if flip else image

    def _read(self, row: int) -> np.ndarray:
        name = self._names[row]
        try:
            image = self._decode(name)
        except Exception as error:  # decoders of damaged files raise anything
            raise DataError(f"The image {name} can no longer be read ({error}); the data have changed.") from error
        if image_digest(image) != self._digests[row].tobytes():
            raise DataError(f"The image {name} has changed since the data were checked; start again.")
        return image


ImageArray = np.ndarray | StoredImages
"""uint8 [N, C, H, W], in memory or not."""


def image_hashes(images: ImageArray) -> Iterator[str]:
    """Yield the hash of each image; of stored images without decoding them."""
    if isinstance(images, StoredImages):
        yield from (images.digest(index) for index in range(len(images)))
    else:
        yield from (image_hash(image) for image in images)


def mirrored_images(images: ImageArray) -> ImageArray:
    """Return the images, then each one mirrored from left to right."""
    if isinstance(images, StoredImages):
        return images.mirrored()
    return np.concatenate([images, images[..., ::-1]])

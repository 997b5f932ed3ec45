"""What every data set is once it is loaded: uint8 images, labels, names, and a train/holdout split."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from ganforget.data.stored_images import ImageArray, StoredImages, image_hashes
from ganforget.errors import DataError

__all__ = ["DataSplits", "ImageDataset", "one_hot", "to_tensor"]


@dataclass(frozen=True)
class ImageDataset:
    """Images of one split, uint8 [N, C, H, W], with int64 labels [N] or None, and a name for each image."""

    images: ImageArray
    """In memory, or decoded when they are indexed (`StoredImages`)."""
    labels: np.ndarray | None
    num_classes: int
    names: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.images.dtype != np.uint8 or self.images.ndim != 4:
            raise DataError(f"Images must be uint8 [N, C, H, W], got {self.images.dtype} {self.images.shape}.")
        if self.labels is not None and len(self.labels) != len(self.images):
            raise DataError(
                f"There are {len(self.images)} images and {len(self.labels)} labels; expected one label an image."
            )
        if len(self.names) != len(self.images):
            raise DataError(
                f"There are {len(self.images)} images and {len(self.names)} names; expected one name an image."
            )

    def __len__(self) -> int:
        return len(self.images)

    @property
    def channels(self) -> int:
        return self.images.shape[1]

    @property
    def resolution(self) -> int:
        return self.images.shape[2]

    def subset(self, indices: np.ndarray | Sequence[int]) -> "ImageDataset":
        """Return the images at ``indices``, in that order."""
        indices = np.asarray(indices, dtype=np.int64)
        labels = None if self.labels is None else self.labels[indices]
        images = self.images.take(indices) if isinstance(self.images, StoredImages) else self.images[indices]
        return replace(self, images=images, labels=labels, names=tuple(self.names[i] for i in indices))

    def tensor(self, indices: np.ndarray | Sequence[int] | None = None) -> Tensor:
        """Return images as float32 [n, C, H, W] in [−1, 1]."""
        return to_tensor(self.images[:] if indices is None else self.images[np.asarray(indices, dtype=np.int64)])

    def one_hot(self, indices: np.ndarray | Sequence[int] | None = None) -> Tensor | None:
        """Return labels as float32 [n, num_classes], or None where there are none."""
        if self.labels is None or self.num_classes == 0:
            return None
        labels = self.labels if indices is None else self.labels[np.asarray(indices, dtype=np.int64)]
        return one_hot(labels, self.num_classes)

    def content_hash(self) -> str:
        """Return a sha256 over shape, pixels and labels: what "the same data set" means.

        Of stored images it is over their hashes, which are known without decoding them.
        """
        digest = hashlib.sha256(repr((self.images.shape, self.num_classes)).encode())
        if isinstance(self.images, StoredImages):
            digest.update("".join(image_hashes(self.images)).encode())
        else:
            digest.update(np.ascontiguousarray(self.images).tobytes())
        if self.labels is not None:
            digest.update(self.labels.astype("<i8").tobytes())
        return digest.hexdigest()


@dataclass(frozen=True)
class DataSplits:
    """A data set's training and holdout images, and the record of how they were split."""

    name: str
    train: ImageDataset
    holdout: ImageDataset
    record: dict[str, object]


def to_tensor(images: np.ndarray) -> Tensor:
    """Map uint8 [..., H, W] to float32 in [−1, 1]."""
    return torch.from_numpy(np.ascontiguousarray(images)).float() / 127.5 - 1


def one_hot(labels: np.ndarray | Sequence[int], num_classes: int) -> Tensor:
    """Map int labels [n] to float32 one-hot rows [n, num_classes]."""
    return torch.nn.functional.one_hot(torch.as_tensor(np.asarray(labels), dtype=torch.int64), num_classes).float()

"""Training with mirrored copies (the official ``--mirror``): what the training images are then, and what to forget.

The official loader doubles the data set: images 0 … N − 1 as they are, then image N + i, which is image i mirrored from
left to right. A model that was trained so has seen both, so forgetting one means forgetting both.
"""

from dataclasses import replace
from typing import Any

import numpy as np

from ganforget.data.dataset import ImageDataset
from ganforget.data.fingerprint import image_hash
from ganforget.data.forget_set import ForgetSet, forget_at
from ganforget.data.stored_images import mirrored_images

__all__ = ["mirrored_dataset", "with_mirror_images", "without_mirror_images"]


def mirrored_dataset(train: ImageDataset) -> ImageDataset:
    """Return ``train`` and then each of its images mirrored, in the official order."""
    labels = None if train.labels is None else np.tile(train.labels, 2)
    names = (*train.names, *(f"{name} (mirrored)" for name in train.names))
    return ImageDataset(mirrored_images(train.images), labels, train.num_classes, names)


def without_mirror_images(forget: ForgetSet, train: ImageDataset) -> ForgetSet:
    """Return the images of a forget set with mirror images alone; ``train`` are the images before they were doubled."""
    assert forget.indices is not None
    return forget_at(
        train,
        forget.indices[: forget.unmirrored],
        task=forget.task,
        data=forget.data,
        classes=forget.classes,
        selection={key: value for key, value in forget.selection.items() if key != "mirrored"},
    )


def with_mirror_images(forget: ForgetSet, mirrored: ImageDataset | None) -> ForgetSet:
    """Return a forget set that holds the mirror image of each of its images as well.

    ``mirrored`` is what `mirrored_dataset` returned, and the forget set one of its first half or of all of it; None
    for images of unverified membership.
    """
    selection: dict[str, Any] = forget.selection | {"mirrored": True}
    if forget.indices is not None:
        assert mirrored is not None
        half = len(mirrored) // 2
        both = {at % half + side for at in forget.indices for side in (0, half)}
        return forget_at(
            mirrored, sorted(both), task=forget.task, data=forget.data, classes=forget.classes, selection=selection
        )
    assert forget.images is not None
    flipped = forget.images[..., ::-1]
    names: list[str] = forget.selection["names"]
    selection["names"] = [*names, *(f"{name} (mirrored)" for name in names)]
    return replace(
        forget,
        hashes=(*forget.hashes, *(image_hash(image) for image in flipped)),
        labels=None if forget.labels is None else forget.labels * 2,
        selection=selection,
        images=np.concatenate([forget.images, flipped]),
    )

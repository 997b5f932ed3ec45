"""The forget set: which training images a GAN has to forget, as positions and hashes, never as pixels."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ganforget.data.dataset import ImageDataset
from ganforget.data.fingerprint import image_hash
from ganforget.data.stored_images import StoredImages, image_hashes
from ganforget.data.suggestion import shortened
from ganforget.errors import ForgetSetError
from ganforget.files import read_json, write_json

__all__ = ["SCHEMA_VERSION", "ForgetSet", "forget_at"]

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class ForgetSet:
    """Training images to forget: of one or several classes (task "class"), or given ones (task "item")."""

    task: Literal["item", "class"]

    data: str
    """Name of the data set, for people; the hashes are what counts."""

    indices: tuple[int, ...] | None
    """Positions in the training split, ascending; None where membership is unverified (no training data)."""

    hashes: tuple[str, ...]
    """sha256 of each image, in the order of ``indices``."""

    labels: tuple[int, ...] | None
    """Label of each image, or None where the data have none."""

    classes: tuple[int, ...] = ()
    """The classes of task "class", ascending; empty for items."""

    selection: dict[str, Any] = field(default_factory=dict)
    """How the images were chosen, for the record: ``{"random": 64, "seed": 0}``."""

    images: np.ndarray | None = field(default=None, repr=False, compare=False)
    """The images themselves, uint8 [n, C, H, W], only where membership is unverified; never saved."""

    def __len__(self) -> int:
        return len(self.hashes)

    @property
    def verified(self) -> bool:
        """Whether every image was found in the training set."""
        return self.indices is not None

    @property
    def mirrored(self) -> bool:
        """Whether it holds the mirror image of each of its images, in its second half."""
        return bool(self.selection.get("mirrored"))

    @property
    def unmirrored(self) -> int:
        """How many of its images, the first ones, are no mirror images of others."""
        return len(self) // 2 if self.mirrored else len(self)

    def unmirrored_dataset(self, train: ImageDataset | None) -> ImageDataset:
        """Return the images to forget without their mirror images: the two sides of one are no two draws."""
        return self.dataset(train).subset(np.arange(self.unmirrored))

    def dataset(self, train: ImageDataset | None) -> ImageDataset:
        """Return the images to forget, from ``train`` or, where unverified, those carried along."""
        if self.indices is not None:
            return _required(train).subset(self.indices)
        assert self.images is not None
        labels = None if self.labels is None else np.array(self.labels, np.int64)
        names = tuple(self.selection["names"])
        return ImageDataset(self.images, labels, self.selection["num_classes"], names)

    def retain_indices(self, train: ImageDataset) -> np.ndarray:
        """Return the positions of all other training images, int64, ascending."""
        if self.indices is None:
            raise ForgetSetError("The forget set was made without training data, so its complement is unknown.")
        return np.setdiff1d(np.arange(len(train)), np.array(self.indices, np.int64))

    def save(self, path: Path) -> None:
        """Write the forget set as JSON: positions, hashes and labels, no pixels."""
        names = ("task", "data", "indices", "hashes", "labels", "classes", "selection")
        write_json(path, {"schema_version": SCHEMA_VERSION} | {name: getattr(self, name) for name in names})

    @staticmethod
    def read(path: Path) -> "ForgetSet":
        """Read a forget set by itself, without checking it against data."""
        return _parse(read_json(path, kind="forget set"), path)

    @staticmethod
    def load(path: Path, train: ImageDataset | None) -> "ForgetSet":
        """Read a forget set and check its hashes and labels against ``train``.

        Images that lie at other positions there, as in a training split of the data that it was made from, are found
        by their hashes. One of unverified membership reads its images again from the folder that it was made from.
        Raises ForgetSetError where the file is no forget set, or is one of other data; InputError where it is
        unreadable.
        """
        saved = ForgetSet.read(path)
        if saved.indices is not None:
            return _verified(saved, _required(train), path)
        from ganforget.data.forget_folder import reread_folder  # that module makes forget sets

        return reread_folder(saved, path)


def forget_at(
    train: ImageDataset,
    indices: Sequence[int] | np.ndarray,
    *,
    task: Literal["item", "class"] = "item",
    data: str = "images",
    classes: Sequence[int] = (),
    selection: dict[str, Any],
) -> ForgetSet:
    """Build the forget set of the training images at ``indices``, which are put in ascending order.

    Raises ForgetSetError where the set is empty or is the whole training set.
    """
    ascending = tuple(sorted({int(index) for index in indices}))
    if not ascending:
        raise ForgetSetError("The forget set is empty; name at least one image or class.")
    if len(ascending) >= len(train):
        raise ForgetSetError(
            f"The forget set is the whole training set ({len(train)} images); there would be nothing left to "
            "learn from."
        )
    hashes = tuple(_hash_at(train, index) for index in ascending)
    labels = None if train.labels is None else tuple(int(train.labels[index]) for index in ascending)
    return ForgetSet(task, data, ascending, hashes, labels, tuple(sorted(classes)), selection)


def _required(train: ImageDataset | None) -> ImageDataset:
    if train is None:
        raise ForgetSetError(
            "The forget set holds positions in a training set, so the training data are needed; name them."
        )
    return train


def _parse(content: Any, path: Path) -> ForgetSet:
    if not isinstance(content, dict) or "schema_version" not in content:
        raise ForgetSetError(f"{path} is not a forget set; make one with `ganforget forget-set`.")
    version = content["schema_version"]
    if version != SCHEMA_VERSION:
        raise ForgetSetError(
            f"{path} has the schema version {version!r}, this ganforget reads {SCHEMA_VERSION}; "
            "make the forget set again or use another version."
        )
    wrong = [name for name, is_right in _FIELDS.items() if not is_right(content.get(name))]
    if wrong:
        raise ForgetSetError(f"{path} is not a whole forget set: {', '.join(wrong)} missing or of another form.")
    indices, hashes, labels = content["indices"], content["hashes"], content["labels"]
    lengths = {len(values) for values in (indices, hashes, labels) if values is not None}
    if lengths == {0}:
        raise ForgetSetError(f"The forget set {path} is empty; name at least one image or class.")
    if len(lengths) > 1 or (indices is not None and sorted(set(indices)) != indices):
        raise ForgetSetError(f"{path} is not a whole forget set: indices, hashes and labels do not belong together.")
    return ForgetSet(
        content["task"],
        content["data"],
        None if indices is None else tuple(indices),
        tuple(hashes),
        None if labels is None else tuple(labels),
        tuple(content["classes"]),
        content["selection"],
    )


def _are_numbers(value: object) -> bool:
    return isinstance(value, list) and all(type(item) is int and item >= 0 for item in value)


_FIELDS = {
    "task": lambda value: value in ("item", "class"),
    "data": lambda value: isinstance(value, str),
    "indices": lambda value: value is None or _are_numbers(value),
    "hashes": lambda value: isinstance(value, list) and all(isinstance(item, str) for item in value),
    "labels": lambda value: value is None or _are_numbers(value),
    "classes": _are_numbers,
    "selection": lambda value: isinstance(value, dict),
}


def _verified(saved: ForgetSet, train: ImageDataset, path: Path) -> ForgetSet:
    """Return ``saved`` with its positions in ``train``."""
    assert saved.indices is not None
    pairs = list(zip(saved.indices, saved.hashes, strict=True))
    moved = [(index, digest) for index, digest in pairs if not _is_at(train, index, digest)]
    if moved:
        found = _moved(saved, train)
        if found is None:
            raise ForgetSetError(
                f"The forget set {path} was made from other data ({saved.data!r}): {len(moved)} of its "
                f"{len(saved)} images are not at their positions here ({shortened([index for index, _ in moved])}), "
                "nor all of them elsewhere; use the same data set and subset."
            )
        saved = found
    if len(saved) >= len(train):
        raise ForgetSetError(f"The forget set {path} is the whole training set ({len(train)} images).")
    at = np.array(saved.indices)
    if saved.labels != (None if train.labels is None else tuple(train.labels[at].tolist())):
        raise ForgetSetError(f"The forget set {path} has other labels than these data; make it again.")
    members = np.flatnonzero(np.isin(np.array(train.labels), saved.classes))
    if saved.task == "class" and not np.array_equal(members, at):
        raise ForgetSetError(
            f"The forget set {path} is not the whole of class {shortened(saved.classes)} in these data; "
            "use the same data set and subset, or make it again."
        )
    return saved


def _moved(saved: ForgetSet, train: ImageDataset) -> ForgetSet | None:
    """Return ``saved`` with the positions of its images in ``train``, in ascending order, or None where one is not."""
    wanted, places = set(saved.hashes), {}
    for index, digest in enumerate(image_hashes(train.images)):
        if digest in wanted:
            places.setdefault(digest, []).append(index)
    labels = saved.labels or [None] * len(saved)
    rows = []
    for digest, label in zip(saved.hashes, labels, strict=True):
        if not places.get(digest):
            return None
        rows.append((places[digest].pop(0), digest, label))  # an image that is there twice has two positions
    rows.sort(key=lambda row: row[0])
    indices, hashes, sorted_labels = zip(*rows, strict=True)
    return replace(saved, indices=indices, hashes=hashes, labels=None if saved.labels is None else sorted_labels)


def _is_at(train: ImageDataset, index: int, digest: str) -> bool:
    return index < len(train) and _hash_at(train, index) == digest


def _hash_at(train: ImageDataset, index: int) -> str:
    images = train.images
    return images.digest(index) if isinstance(images, StoredImages) else image_hash(images[index])

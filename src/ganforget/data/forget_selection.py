"""Choosing what to forget: by class, at random, by position, by name, or from a file or folder."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ganforget.data.dataset import ImageDataset
from ganforget.data.forget_folder import forget_folder
from ganforget.data.forget_set import ForgetSet, forget_at
from ganforget.data.suggestion import did_you_mean, shortened
from ganforget.errors import ForgetSetError
from ganforget.randomness import permutation

__all__ = ["forget_classes", "forget_from", "forget_indices", "forget_names", "forget_random"]


def forget_classes(train: ImageDataset, classes: int | Sequence[int], *, data: str = "images") -> ForgetSet:
    """Forget all training images of one or several classes (task "class").

    Raises ForgetSetError where the data have no labels or no image of a class, and where all classes are
    named.
    """
    wanted = sorted({int(label) for label in np.atleast_1d(classes)})
    if train.labels is None:
        raise ForgetSetError(f"The data {data} have no labels, so no class can be forgotten; name images instead.")
    present = np.unique(train.labels).tolist()
    absent = [label for label in wanted if label not in present]
    if absent:
        raise ForgetSetError(
            f"The data {data} have no training image of class {shortened(absent)}; they have {shortened(present)}."
        )
    indices = np.flatnonzero(np.isin(train.labels, wanted))
    return forget_at(train, indices, task="class", data=data, classes=wanted, selection={"classes": wanted})


def forget_random(train: ImageDataset, count: int, *, seed: int = 0, data: str = "images") -> ForgetSet:
    """Forget ``count`` training images, the first of one seeded permutation, so that sets nest."""
    if not 1 <= count < len(train):
        raise ForgetSetError(
            f"{count} random images to forget were asked for; expected 1 to {len(train) - 1}, "
            f"as the training set has {len(train)} images and some must be left."
        )
    order = permutation(seed, "forget", len(train))
    return forget_at(train, order[:count], data=data, selection={"random": count, "seed": seed})


def is_random_draw(forget: ForgetSet, train: ImageDataset) -> bool:
    """Return whether the images are those that the recorded seed draws from ``train``: a word in a file is no draw.

    With copies that were added afterwards it is none any more. Mirror images do not count.
    """
    count, seed = (forget.selection.get(name) for name in ("random", "seed"))
    total = len(train) // 2 if forget.mirrored else len(train)
    if type(count) is not int or type(seed) is not int or not 1 <= count < total or forget.indices is None:
        return False
    drawn = permutation(seed, "forget", total)[:count]
    return set(forget.indices[: forget.unmirrored]) == {int(index) for index in drawn}


def forget_indices(train: ImageDataset, indices: Sequence[int] | np.ndarray, *, data: str = "images") -> ForgetSet:
    """Forget the training images at ``indices``, counted from 0.

    Raises ForgetSetError for an index out of range, and for a repeated one: a list of requests that names the
    same image twice may have meant another.
    """
    given = [int(index) for index in indices]
    beyond = [index for index in given if not 0 <= index < len(train)]
    if beyond:
        raise ForgetSetError(f"There is no training image {shortened(beyond)}; expected 0 to {len(train) - 1}.")
    _refuse_repeated(given)
    return forget_at(train, given, data=data, selection={"indices": len(given)})


def forget_names(train: ImageDataset, names: Sequence[str], *, data: str = "images") -> ForgetSet:
    """Forget the training images of these names, spelt as in the data set; a repeated name is an error."""
    position = {name: index for index, name in enumerate(train.names)}
    unknown = [name for name in names if name not in position]
    if unknown:
        hint = did_you_mean(unknown[0], train.names)
        raise ForgetSetError(
            f"{len(unknown)} of {len(names)} names are not in the training set of {data}: {shortened(unknown)}.{hint}"
        )
    _refuse_repeated(names)
    return forget_at(train, [position[name] for name in names], data=data, selection={"names": len(names)})


def forget_from(
    path: Path,
    train: ImageDataset | None,
    *,
    num_classes: int = 0,
    resolution: int | None = None,
    channels: int | None = None,
    data: str = "images",
) -> ForgetSet:
    """Forget what a file or folder names.

    A ``.json`` is a saved forget set; a ``.txt`` lists positions or names of training images, one a line,
    with blank lines and lines that start with # left out; a folder or ZIP holds the images themselves.
    ``num_classes``, ``resolution`` and ``channels`` are the model's and needed only where ``train`` is None.
    """
    kind = path.suffix.lower()
    if not path.exists():
        raise ForgetSetError(f"There is no file or folder {path} to take the forget set from; check the path.")
    if path.is_dir() or kind == ".zip":
        return forget_folder(train, path, num_classes=num_classes, resolution=resolution, channels=channels, data=data)
    if kind == ".json":
        return ForgetSet.load(path, train)
    if kind != ".txt":
        raise ForgetSetError(
            f"{path} is no forget set: expected a .json made by ganforget, a .txt of positions or names, "
            "one a line, or a folder or ZIP of images."
        )
    if train is None:
        raise ForgetSetError(f"{path} lists training images, so the training data are needed; name them.")
    lines = _read_lines(path)
    try:
        indices = [int(line) for line in lines]
    except ValueError:
        return forget_names(train, lines, data=data)
    return forget_indices(train, indices, data=data)


def _read_lines(path: Path) -> list[str]:
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise ForgetSetError(
            f"{path} cannot be read as text ({error}); expected one position or name a line."
        ) from error
    lines = [line for line in lines if line and not line.startswith("#")]
    if not lines:
        raise ForgetSetError(f"The forget set {path} is empty; list at least one image.")
    return lines


def _refuse_repeated(items: Sequence[object]) -> None:
    repeated = [item for item, count in Counter(items).items() if count > 1]
    if repeated:
        raise ForgetSetError(f"The list names images more than once: {shortened(repeated)}; name each image once.")

"""A folder or ZIP of images as a data set, with labels in the official ``dataset.json``."""

import json
from pathlib import Path

import numpy as np

from ganforget.data.dataset import DataSplits, ImageDataset
from ganforget.data.image_files import LABEL_FILE, read_images
from ganforget.data.split import stratified_split
from ganforget.data.suggestion import shortened
from ganforget.errors import DataError

__all__ = ["HOLDOUT_SHARE", "SPLIT_SEED", "load_folder", "parse_labels"]

HOLDOUT_SHARE = 0.1

SPLIT_SEED = 0
"""Seed of the split of a folder that comes without a holdout set; it never changes."""

MOST_CLASSES = 100_000


def load_folder(path: Path, *, holdout_path: Path | None = None) -> DataSplits:
    """Load a folder or ZIP of images of one power-of-two size, in sorted order of name, nested folders
    included.

    The holdout set is ``holdout_path``, another folder or ZIP; without one, a seeded, stratified 10 % of the
    images is held out. ``dataset.json`` at the top, ``{"labels": [[name, label], ...]}``, labels every image
    with 0, 1, 2, …; absent or null means no labels. Raises DataError that collects all problems.
    """
    everything = _read_dataset(path)
    name = path.stem if path.is_file() else path.resolve().name
    record: dict[str, object] = {"source": str(path), "preparation": "none"}
    if holdout_path is not None:
        holdout = _fit_holdout(everything, _read_dataset(holdout_path), holdout_path)
        return DataSplits(name, everything, holdout, record | {"split": f"holdout: {holdout_path}"})
    labels = everything.labels if everything.labels is not None else np.zeros(len(everything), np.int64)
    train, held = stratified_split(labels, HOLDOUT_SHARE, SPLIT_SEED)
    if len(held) == 0:
        raise DataError(
            f"{path} holds {len(everything)} images, too few to hold out {HOLDOUT_SHARE:.0%} of each label; "
            "add images or name a holdout folder."
        )
    record |= {"split": f"stratified, {HOLDOUT_SHARE:.0%} holdout", "split_seed": SPLIT_SEED}
    return DataSplits(name, everything.subset(train), everything.subset(held), record)


def parse_labels(text: bytes | None, root: Path) -> dict[str, int] | None:
    """Return the label of each name in a ``dataset.json``, or None where it has no labels."""
    if text is None:
        return None
    try:
        content = json.loads(text)
        pairs = content["labels"]
        if pairs is None:
            return None
        labels = {str(name): label for name, label in pairs}
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(
            f'{LABEL_FILE} in {root} is not of the form {{"labels": [["name.png", 0], ...]}} ({error}); make it again.'
        ) from error
    wrong = [f"{name}: {label!r}" for name, label in labels.items() if not _is_label(label)]
    if wrong:
        raise DataError(f"{LABEL_FILE} in {root} holds labels that are no classes, 0, 1, 2, ...: {shortened(wrong)}.")
    if len(labels) < len(pairs):
        raise DataError(f"{LABEL_FILE} in {root} labels {len(pairs) - len(labels)} images more than once.")
    return labels


def _is_label(label: object) -> bool:
    return isinstance(label, int) and not isinstance(label, bool) and 0 <= label < MOST_CLASSES


def _read_dataset(path: Path) -> ImageDataset:
    images, names, label_text = read_images(path)
    side = images.shape[2]
    if side < 8 or side & (side - 1):
        raise DataError(f"The images in {path} are {side}x{side}; expected a power of two, 8 or more: resize them.")
    by_name = parse_labels(label_text, path)
    if by_name is None:
        return ImageDataset(images, None, 0, names)
    problems = [f"{name} (no label)" for name in names if name not in by_name]
    problems += [f"{name} (no such image)" for name in sorted(by_name.keys() - set(names))]
    if problems:
        raise DataError(
            f"{LABEL_FILE} and the images in {path} disagree on {len(problems)} names: {shortened(problems)}."
        )
    labels = np.array([by_name[name] for name in names], np.int64)
    return ImageDataset(images, labels, int(labels.max()) + 1, names)


def _fit_holdout(train: ImageDataset, holdout: ImageDataset, path: Path) -> ImageDataset:
    if train.images.shape[1:] != holdout.images.shape[1:]:
        ours, theirs = ("x".join(str(n) for n in images.shape[1:]) for images in (train.images, holdout.images))
        raise DataError(f"The holdout images in {path} are {theirs}, the training images {ours}; expected the same.")
    if (train.labels is None) != (holdout.labels is None) or holdout.num_classes > train.num_classes:
        raise DataError(
            f"The holdout images in {path} have {holdout.num_classes} classes, the training images "
            f"{train.num_classes}; expected labels for both or for neither, and no class that was not "
            "trained."
        )
    return ImageDataset(holdout.images, holdout.labels, train.num_classes, holdout.names)

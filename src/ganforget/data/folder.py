"""A folder or ZIP of images as a data set, with labels in the official ``dataset.json``."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ganforget.data.dataset import DataSplits, ImageDataset
from ganforget.data.image_files import LABEL_FILE, survey_images
from ganforget.data.split import stratified_split
from ganforget.data.suggestion import shortened
from ganforget.errors import DataError

__all__ = ["HOLDOUT_SHARE", "SPLIT_SEED", "load_folder", "parse_labels"]

HOLDOUT_SHARE = 0.1

SPLIT_SEED = 0
"""Seed of the split of a folder that comes without a holdout set; it never changes."""

MOST_CLASSES = 100_000

OnStep = Callable[[int, int], None]


def load_folder(
    path: Path, *, holdout_path: Path | None = None, hold_out: bool = False, on_step: OnStep | None = None
) -> DataSplits:
    """Load a folder or ZIP of images of one power-of-two size, in sorted order of name, nested folders included.

    Every image is a training image, as for a model that was trained elsewhere, unless ``hold_out``: then a seeded,
    stratified 10 % is held out, as `ganforget train` does. The holdout images of ``holdout_path``, another folder or
    ZIP, take the place of those; without either there are none. ``dataset.json`` at the top,
    ``{"labels": [[name, label], ...]}``, labels every image with 0, 1, 2, …; absent or null means no labels. Images
    are decoded when they are needed. Raises DataError that collects all problems.
    """
    everything = _read_dataset(path, on_step)
    name = path.stem if path.is_file() else path.resolve().name
    record: dict[str, object] = {"source": str(path), "preparation": "none"}
    train, rest = everything, everything.subset([])
    record["split"] = "none: every image is a training image"
    if hold_out:
        train, rest = _split(everything, path)
        record |= {"split": f"stratified, {HOLDOUT_SHARE:.0%} holdout", "split_seed": SPLIT_SEED}
    if holdout_path is not None:
        rest = _fit_holdout(everything, _read_dataset(holdout_path, on_step), holdout_path)
        record |= {"split": f"{record['split']}; holdout: {holdout_path}" if hold_out else f"holdout: {holdout_path}"}
    return DataSplits(name, train, rest, record)


def _split(everything: ImageDataset, path: Path) -> tuple[ImageDataset, ImageDataset]:
    labels = everything.labels if everything.labels is not None else np.zeros(len(everything), np.int64)
    train, held = stratified_split(labels, HOLDOUT_SHARE, SPLIT_SEED)
    if len(held) == 0:
        raise DataError(
            f"{path} holds {len(everything)} images, too few to hold out {HOLDOUT_SHARE:.0%} of each label; "
            "add images or name a holdout folder."
        )
    return everything.subset(train), everything.subset(held)


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


def _read_dataset(path: Path, on_step: OnStep | None) -> ImageDataset:
    survey = survey_images(path, on_step)
    names, further = survey.names, []
    by_name = parse_labels(survey.label_text, path)
    if by_name is not None:
        problems = [f"{name} (no label)" for name in names if name not in by_name]
        problems += [f"{name} (no such image)" for name in sorted(by_name.keys() - set(names))]
        if problems:
            further.append(
                f"{LABEL_FILE} and the images in {path} disagree on {len(problems)} names: {shortened(problems)}."
            )
    images = survey.require(path, *further)
    side = images.shape[2]
    if side < 8 or side & (side - 1):
        raise DataError(f"The images in {path} are {side}x{side}; expected a power of two, 8 or more: resize them.")
    if by_name is None:
        return ImageDataset(images, None, 0, names)
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

"""Which data set to load, and loading it: the one door to every data set."""

import difflib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ganforget.data.dataset import DataSplits, ImageDataset
from ganforget.data.digits import load_digits
from ganforget.data.mnist import load_mnist
from ganforget.errors import DataError
from ganforget.randomness import permutation

__all__ = ["DATA_NAMES", "DataSpec", "class_counts", "load_data", "take_subset"]

DATA_NAMES = ("digits", "mnist")


@dataclass(frozen=True)
class DataSpec:
    """Which images: a named data set, or a folder or ZIP of images."""

    name: str
    """digits, mnist, or a folder or ZIP of images."""

    path: Path | None = None
    """Folder that holds the data set's standard files (default: the download folder)."""

    subset: int | None = None
    """Use only this many training images: a prefix of one seeded permutation."""

    subset_seed: int = 0
    """Seed of that permutation."""

    def __post_init__(self) -> None:
        if self.subset is not None and self.subset < 1:
            raise DataError(f"subset is {self.subset}; expected at least 1 image, or none for all of them.")


def load_data(spec: DataSpec, *, resolution: int | None = None) -> DataSplits:
    """Load the training and holdout images of ``spec``.

    Raises DataError for an unknown name, for missing or damaged files, and where ``resolution`` (in pixels, what a
    model expects) is not that of the images.
    """
    loaders: dict[str, Callable[[], DataSplits]] = {
        "digits": load_digits,
        "mnist": lambda: load_mnist(spec.path),
    }
    if spec.name not in loaders:
        close = difflib.get_close_matches(spec.name, DATA_NAMES, n=1)
        hint = f" Did you mean {close[0]}?" if close else ""
        raise DataError(f"There is no data set or folder {spec.name}; expected {', '.join(DATA_NAMES)}.{hint}")
    splits = loaders[spec.name]()
    if resolution is not None and splits.train.resolution != resolution:
        have = splits.train.resolution
        raise DataError(f"The data {spec.name} are {have}x{have}, but {resolution}x{resolution} is asked for.")
    if spec.subset is not None:
        splits = take_subset(splits, spec.subset, spec.subset_seed)
    return replace(splits, record=_record(splits))


def take_subset(splits: DataSplits, count: int, seed: int) -> DataSplits:
    """Keep ``count`` training images, the first of one seeded permutation, in their original order."""
    total = len(splits.train)
    if count > total:
        raise DataError(f"A subset of {count} was asked for, but {splits.name} has {total} training images.")
    kept = np.sort(permutation(seed, "subset", total)[:count])
    record = splits.record | {"subset": count, "subset_seed": seed, "subset_of": total}
    return replace(splits, train=splits.train.subset(kept), record=record)


def class_counts(dataset: ImageDataset) -> dict[int, int]:
    """Return the number of images per class, every class from 0 in order; empty where there are no labels."""
    if dataset.labels is None:
        return {}
    counts = np.bincount(dataset.labels, minlength=dataset.num_classes)
    return {label: int(count) for label, count in enumerate(counts)}


def _record(splits: DataSplits) -> dict[str, object]:
    train, holdout = splits.train, splits.holdout
    return {
        "name": splits.name,
        "channels": train.channels,
        "resolution": train.resolution,
        "num_classes": train.num_classes,
        "train": len(train),
        "holdout": len(holdout),
        "subset": None,
        **splits.record,
        "train_hash": train.content_hash(),
        "holdout_hash": holdout.content_hash(),
    }

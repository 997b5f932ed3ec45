"""Which data set to load, and loading it: the one door to every data set."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ganforget.data.cifar10 import load_cifar10
from ganforget.data.dataset import DataSplits, ImageDataset
from ganforget.data.digits import load_digits
from ganforget.data.folder import load_folder
from ganforget.data.mnist import load_mnist
from ganforget.data.suggestion import did_you_mean
from ganforget.errors import DataError
from ganforget.randomness import permutation

__all__ = ["DATA_NAMES", "DataSpec", "class_counts", "load_data", "take_subset"]

DATA_NAMES = ("digits", "mnist", "cifar10")


@dataclass(frozen=True)
class DataSpec:
    """Which images: a named data set, or a folder or ZIP of images."""

    name: str
    """digits, mnist, cifar10, or the path of a folder or ZIP of images."""

    path: Path | None = None
    """Folder with the standard files of mnist or cifar10 (default: where `data download` puts them)."""

    subset: int | None = None
    """Use only this many training images: the first of one seeded permutation."""

    subset_seed: int = 0
    """Seed of that permutation."""

    holdout_path: Path | None = None
    """Folder or ZIP of holdout images beside a folder or ZIP."""

    hold_out: bool = False
    """Hold out a seeded 10 % of a folder or ZIP, as `ganforget train` does; else every image is a training image."""

    def __post_init__(self) -> None:
        if self.subset is not None and self.subset < 1:
            raise DataError(f"subset is {self.subset}; expected at least 1 image, or none to use all of them.")


def load_data(
    spec: DataSpec, *, resolution: int | None = None, on_step: Callable[[int, int], None] | None = None
) -> DataSplits:
    """Load the training and holdout images of ``spec``, and record what they are.

    The record holds name, counts, resolution, channels, number of classes, how the sets were split and
    prepared, the subset, and a sha256 of each set. ``on_step(done, total)`` reports progress. Raises DataError for an
    unknown name, for missing or damaged files, and where ``resolution`` (in pixels, what a model expects) is not that
    of the images.
    """
    splits = _load(spec, on_step)
    if resolution is not None and splits.train.resolution != resolution:
        have = splits.train.resolution
        raise DataError(
            f"The images of {spec.name} are {have}x{have}, expected {resolution}x{resolution}; "
            "use a model of their resolution, or resize the images."
        )
    if spec.subset is not None:
        splits = take_subset(splits, spec.subset, spec.subset_seed)
    return replace(splits, record=_record(splits))


def take_subset(splits: DataSplits, count: int, seed: int) -> DataSplits:
    """Keep ``count`` training images, the first of one seeded permutation, in their original order."""
    total = len(splits.train)
    if not 1 <= count <= total:
        raise DataError(
            f"A subset of {count} was asked for; expected 1 to {total}, the training images of {splits.name}."
        )
    kept = np.sort(permutation(seed, "subset", total)[:count])
    record = splits.record | {"subset": count, "subset_seed": seed, "subset_of": total}
    return replace(splits, train=splits.train.subset(kept), record=record)


def class_counts(dataset: ImageDataset) -> dict[int, int]:
    """Return the number of images of each class, all classes in order; empty where there are no labels."""
    if dataset.labels is None:
        return {}
    counts = np.bincount(dataset.labels, minlength=dataset.num_classes)
    return {label: int(count) for label, count in enumerate(counts)}


def _load(spec: DataSpec, on_step: Callable[[int, int], None] | None) -> DataSplits:
    loaders: dict[str, Callable[[Path | None], DataSplits]] = {
        "digits": _load_digits,
        "mnist": load_mnist,
        "cifar10": load_cifar10,
    }
    if spec.name in loaders:
        if spec.holdout_path is not None:
            raise DataError(f"{spec.name} has a holdout set of its own; leave {spec.holdout_path} out.")
        return loaders[spec.name](spec.path)
    if not spec.name or not Path(spec.name).exists():
        hint = did_you_mean(spec.name, DATA_NAMES)
        raise DataError(
            f"There is no data set or path {spec.name}; expected {', '.join(DATA_NAMES)}, a folder or a ZIP.{hint}"
        )
    if spec.path is not None:
        raise DataError(f"{spec.name} is a path already; leave the data path {spec.path} out.")
    return load_folder(Path(spec.name), holdout_path=spec.holdout_path, hold_out=spec.hold_out, on_step=on_step)


def _load_digits(path: Path | None) -> DataSplits:
    if path is not None:
        raise DataError(f"digits come with scikit-learn; leave the data path {path} out.")
    return load_digits()


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

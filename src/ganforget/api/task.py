"""From options to a checked task: model, data, forget set, and which retain images may be seen. Writes nothing."""

from dataclasses import dataclass, replace

import numpy as np

from ganforget.api.model import load_model
from ganforget.data import (
    DataSpec,
    DataSplits,
    Duplicates,
    ForgetSet,
    ImageDataset,
    find_duplicates,
    forget_classes,
    forget_from,
    forget_random,
    include_duplicates,
    load_data,
)
from ganforget.errors import DataError, ForgetSetError, InputError
from ganforget.models.gan import Gan
from ganforget.models.scoring import companion_count
from ganforget.options import SubstituteName, UnlearnOptions
from ganforget.randomness import permutation

__all__ = ["UnlearningTask", "load_training_data", "resolve_task"]


@dataclass(frozen=True, eq=False)
class UnlearningTask:
    """Everything that an unlearning run works on, checked."""

    options: UnlearnOptions
    original: Gan
    splits: DataSplits | None
    """None in zero-shot without data."""
    forget: ForgetSet
    forget_images: ImageDataset
    substitute: SubstituteName
    seen: np.ndarray
    """Positions of the retain images that the cascade sees; empty in zero-shot."""
    companions: np.ndarray
    """Positions of the retain images that complete every scored group; never seen, never scored."""
    duplicates: dict[str, int]
    warnings: tuple[str, ...]

    def describe(self) -> str:
        """Return the run folder's description."""
        what = "+".join(f"class{y}" for y in self.forget.classes) or f"item{len(self.forget)}"
        data = self.splits.name if self.splits is not None else "folder"
        o = self.options
        preset = "" if o.preset == "default" else f"-{o.preset}"
        return f"unlearn-{data}-{what}-{o.mode}-{self.substitute}{preset}"


def load_training_data(spec: DataSpec, gan: Gan) -> DataSplits:
    """Load the data of ``spec`` as ``gan`` was trained on them; DataError where they do not fit the networks."""
    record = gan.config.training.get("data", {})
    if spec.subset is None and record.get("subset") and record.get("name") == spec.name:
        spec = replace(spec, subset=record["subset"], subset_seed=record.get("subset_seed", 0))
    splits = load_data(spec, resolution=gan.G.img_resolution)
    train = splits.train
    if train.channels != gan.G.img_channels:
        raise DataError(
            f"The data {spec.name} have {train.channels} channels, but the model makes {gan.G.img_channels}; "
            "name the data that it was trained on."
        )
    if gan.G.c_dim and (train.labels is None or train.num_classes != gan.G.c_dim):
        have = "no labels" if train.labels is None else f"{train.num_classes} labels"
        raise DataError(
            f"The data {spec.name} have {have}, but the model has {gan.G.c_dim}; name the data that it was trained on."
        )
    return splits


def resolve_task(options: UnlearnOptions) -> UnlearningTask:
    """Check ``options`` against model and data and return the task; every InputError comes from here."""
    original = load_model(options.model)
    splits = None
    if options.data is not None:
        splits = load_training_data(DataSpec(options.data, options.data_path), original)
    warnings = _provenance(original, splits)
    forget = _forget_set(options, original, splits)
    if forget.task == "class" and original.G.c_dim == 0:
        raise InputError("This model has no labels, so it cannot forget a class; forget images instead.")
    duplicates = {"retain_exact": 0, "retain_near": 0, "holdout_exact": 0, "holdout_near": 0}
    if splits is not None:
        forget, duplicates, found = _duplicates(options, forget, splits)
        warnings += found
    images = forget.dataset(None if splits is None else splits.train)
    if original.G.c_dim and images.labels is None:
        raise ForgetSetError("The model is conditional, so every image to forget needs a label; add dataset.json.")
    if not forget.verified:
        warnings += ["No training data were given: that the images were trained on is not verified."]
    default: SubstituteName = "other-class" if forget.task == "class" else "truncation"
    seen, companions = _retain(options, original, forget, splits)
    return UnlearningTask(
        options,
        original,
        splits,
        forget,
        images,
        options.substitute or default,
        seen,
        companions,
        duplicates,
        tuple(warnings),
    )


def _provenance(original: Gan, splits: DataSplits | None) -> list[str]:
    recorded = original.config.training.get("data", {}).get("train_hash")
    if splits is None or recorded is None or recorded == splits.record["train_hash"]:
        return []
    return ["The model records other training images than these data hold: check --data and --data-path."]


def _forget_set(options: UnlearnOptions, original: Gan, splits: DataSplits | None) -> ForgetSet:
    train, name = (None, "folder") if splits is None else (splits.train, splits.name)
    if options.forget_class:
        assert train is not None
        if original.G.c_dim == 0:
            raise InputError("This model has no labels, so it cannot forget a class; forget images instead.")
        return forget_classes(train, options.forget_class, data=name)
    if options.forget_random is not None:
        assert train is not None
        return forget_random(train, options.forget_random, seed=options.seed, data=name)
    assert options.forget is not None
    G = original.G
    return forget_from(
        options.forget, train, num_classes=G.c_dim, resolution=G.img_resolution, channels=G.img_channels, data=name
    )


def _duplicates(
    options: UnlearnOptions, forget: ForgetSet, splits: DataSplits
) -> tuple[ForgetSet, dict[str, int], list[str]]:
    """Report copies of forget images elsewhere, and forget those in the training set too where that is asked."""
    images = forget.dataset(splits.train).images
    retain = find_duplicates(images, splits.train.images, skip=forget.indices or ())
    if options.forget_duplicates and retain.others():
        forget = include_duplicates(forget, splits.train, retain)
        images = forget.dataset(splits.train).images
        retain = find_duplicates(images, splits.train.images, skip=forget.indices or ())
    holdout = find_duplicates(images, splits.holdout.images)
    warnings = []
    if retain.others():
        warnings.append(
            f"{_copies(retain)} of images to forget stay in the training set: forgetting one copy of two is no "
            "forgetting. Use --forget-duplicates to forget them too."
        )
    if holdout.others():
        warnings.append(f"{_copies(holdout)} of images to forget are in the holdout set, which measures compare with.")
    counts = {"retain_exact": len(retain.exact), "retain_near": len(retain.near)}
    counts |= {"holdout_exact": len(holdout.exact), "holdout_near": len(holdout.near)}
    return forget, counts, warnings


def _copies(found: Duplicates) -> str:
    return f"{len(found.exact)} exact and {len(found.near)} near copies"


def _retain(
    options: UnlearnOptions, original: Gan, forget: ForgetSet, splits: DataSplits | None
) -> tuple[np.ndarray, np.ndarray]:
    """Choose the retain images that few-shot sees, as many as are forgotten, and the companions of scoring."""
    nothing = np.empty(0, np.int64)
    if splits is None:
        return nothing, nothing
    retain = forget.retain_indices(splits.train)
    order = retain[permutation(options.seed, "retain", len(retain))]
    group = companion_count(original.D)
    count = len(forget) if options.mode == "few-shot" else 0
    if len(order) < count + group + 2:
        raise InputError(
            f"{options.mode} needs {count} retain images and {group + 2} more for scoring, but the "
            f"data have {len(order)}; forget fewer images or use --mode zero-shot."
        )
    return np.sort(order[:count]), np.sort(order[len(order) - group :])

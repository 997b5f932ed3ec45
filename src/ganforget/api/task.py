"""From options to a checked task: model, data, forget set, and which retain images may be seen. Writes nothing."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ganforget.api.model import load_model
from ganforget.api.selection import NO_CLASSES, choose_forget_set, choose_retain, compares_by_label, find_copies
from ganforget.data import (
    DATA_NAMES,
    DataSpec,
    DataSplits,
    ForgetSet,
    ImageDataset,
    load_data,
    mirrored_dataset,
)
from ganforget.errors import DataError, ForgetSetError, InputError
from ganforget.evaluation.by_label import LEAST_OF_LABEL, known_labels
from ganforget.evaluation.features import load_extractor
from ganforget.evaluation.holdout_halves import LEAST_CALIBRATION, split_holdout
from ganforget.evaluation.reference import find_classifier
from ganforget.models.gan import Gan
from ganforget.models.vgg import load_vgg16
from ganforget.options import SubstituteName, UnlearnOptions
from ganforget.progress import Progress
from ganforget.unlearning.config import CascadeConfig
from ganforget.unlearning.presets import cascade_config

__all__ = [
    "UnlearningTask",
    "calibrating",
    "holdout_warnings",
    "load_training_data",
    "provenance_warnings",
    "resolve_task",
    "trained_with_mirror",
]

_COVERED = 0.9
"""Least share of the forget images whose labels enough unseen images have, for these to calibrate by label."""

_OF_DATA = ("data_path", "holdout_path", "forget_duplicates", "reconstruct", "downstream", "classifier")


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
    calibration: np.ndarray
    """Positions of the holdout images that calibrate and stop, and measure nothing; empty for other destinations."""
    by_label: bool
    """Whether each forget image is compared with others of its own label: they are no random draw."""
    duplicates: dict[str, int]
    config: CascadeConfig
    warnings: tuple[str, ...]

    def describe(self) -> str:
        """Return the run folder's description."""
        what = "+".join(f"class{y}" for y in self.forget.classes) or f"item{len(self.forget)}"
        data = self.splits.name if self.splits is not None else "folder"
        o = self.options
        preset = "" if o.preset == "default" else f"-{o.preset}"
        return f"unlearn-{data}-{what}-{o.mode}-{self.substitute}{preset}"


def load_training_data(
    spec: DataSpec, gan: Gan, *, mirror: bool | None = None, progress: Progress | None = None
) -> DataSplits:
    """Load the data of ``spec`` as ``gan`` was trained on them; DataError where they do not fit the networks.

    Of a folder or ZIP every image is a training image, unless the model records that a part was held out. ``mirror``:
    the training images are doubled by their mirror images (None: as the model records).
    """
    record = gan.config.training.get("data", {})
    if "source" in record and record.get("split_seed") is not None and spec.name not in DATA_NAMES:
        spec = replace(spec, hold_out=True)
    if spec.subset is None and record.get("subset") and record.get("name") in _names(spec):
        spec = replace(spec, subset=record["subset"], subset_seed=record.get("subset_seed", 0))
    on_step = None if progress is None else progress.step
    splits = load_data(spec, resolution=gan.G.img_resolution, on_step=on_step)
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
    if not trained_with_mirror(gan, mirror):
        return splits
    return replace(splits, train=mirrored_dataset(train), record=splits.record | {"mirror": True})


def _names(spec: DataSpec) -> set[str]:
    """Return what a model's record may call these data: a ZIP by its stem, a folder by its whole name."""
    return {spec.name, Path(spec.name).stem, Path(spec.name).resolve().name}


def trained_with_mirror(gan: Gan, told: bool | None = None) -> bool:
    """Whether the model was trained with mirrored copies: as ``told``, else as it records, ours or the official way."""
    if told is not None:
        return told
    training = gan.config.training
    imported = training.get("imported")
    theirs = imported.get("training_set_kwargs") if isinstance(imported, dict) else None
    ours = training.get("options")
    mirror = isinstance(ours, dict) and ours.get("mirror")
    return bool(mirror or (isinstance(theirs, dict) and theirs.get("xflip")))


def holdout_warnings(splits: DataSplits) -> list[str]:
    """Say what is left out where there are no holdout images."""
    if len(splits.holdout):
        return []
    return [
        f"Every image of {splits.name} counts as a training image, so there are no holdout images: auc_ut, auc_lt, "
        "rec_t and acc_real are left out. Name images that the model was not trained on with --holdout-path."
    ]


def resolve_task(options: UnlearnOptions, progress: Progress | None = None) -> UnlearningTask:
    """Check ``options`` against model and data and return the task; every InputError comes from here."""
    _require_data(options)
    original = load_model(options.model)
    splits = None
    mirror = trained_with_mirror(original, options.mirror)
    if options.data is not None:
        spec = DataSpec(options.data, options.data_path, holdout_path=options.holdout_path)
        splits = load_training_data(spec, original, mirror=mirror, progress=progress)
        if options.classifier is not None:
            find_classifier(splits, options.classifier)  # says here and now what is wrong with it
    warnings = provenance_warnings(original, splits)
    train, name = (None, "folder") if splits is None else (splits.train, splits.name)
    forget = choose_forget_set(options, train, data=name, G=original.G, mirror=mirror)
    if forget.task == "class":
        if original.G.c_dim == 0:
            raise InputError(NO_CLASSES)
        if splits is not None:
            load_extractor("auto", classifier=find_classifier(splits, options.classifier))  # for its destination
    if options.lambda2 and options.perceptual is None:
        if splits is None or find_classifier(splits, options.classifier) is None:
            raise InputError(
                "--lambda2 needs a perceptual network, and these data have no classifier; name a VGG16 file with "
                "--perceptual, or use --lambda2 0."
            )
    elif options.perceptual is not None:
        load_vgg16(options.perceptual)  # says here and now what is wrong with it
    duplicates = {"retain_exact": 0, "retain_near": 0, "holdout_exact": 0, "holdout_near": 0}
    if splits is not None:
        forget, duplicates, found = find_copies(forget, splits, include=options.forget_duplicates)
        warnings += found + holdout_warnings(splits)
    images = forget.dataset(train)
    _require_pairs(forget, images)
    if original.G.c_dim and images.labels is None:
        raise ForgetSetError("The model is conditional, so every image to forget needs a label; add dataset.json.")
    if not forget.verified:
        warnings += ["No training data were given: that the images were trained on is not verified."]
    default: SubstituteName = "other-class" if forget.task == "class" else "truncation"
    substitute = options.substitute or default
    config = cascade_config(options, forget.task, substitute, n_forget=len(forget))  # says what does not go together
    if config.max_steps < config.schedule_steps:
        warnings.append(
            f"At most {config.max_steps} steps are taken and the schedule has {config.schedule_steps}: no destination "
            "counts before the substitutes are at their end. Use more --max-steps, or fewer --schedule-steps."
        )
    if forget.task == "item" and options.invert is not None and options.invert < len(forget):
        warnings.append(
            f"{options.invert} of the {len(forget)} images are inverted: the others get no substitute, and "
            "substitution says nothing of them."
        )
    by_label = compares_by_label(forget, splits, original.G)
    seen = companions = calibration = np.empty(0, np.int64)
    if splits is not None:
        if config.destination == "calibrated" and options.mode == "few-shot":
            calibration, more = calibrating(splits, forget.labels if by_label else None)
            warnings += more
        if by_label:
            warnings += _without_counterpart(forget, splits, calibration)
        seen, companions = choose_retain(forget, splits, original.D, mode=options.mode, seed=options.seed)
    return UnlearningTask(
        options,
        original,
        splits,
        forget,
        images,
        substitute,
        seen,
        companions,
        calibration,
        by_label,
        duplicates,
        config,
        tuple(warnings),
    )


def _require_data(options: UnlearnOptions) -> None:
    """Raise InputError for options that only training data give a meaning."""
    asked = [f"--{name.replace('_', '-')}" for name in _OF_DATA if getattr(options, name)]
    if options.data is None and asked:
        raise InputError(f"{', '.join(asked)} given without training data, which it is about: name these with --data.")


def calibrating(splits: DataSplits, labels: Sequence[int] | None = None) -> tuple[np.ndarray, list[str]]:
    """Return the positions of the holdout images that calibrate, none where they are too few, and what to say then.

    With ``labels`` of the forget images those calibrate that have one of these; none where fewer than nine in ten
    forget images have a label of which there are enough.
    """
    calibration, _ = split_holdout(splits.holdout)
    found, which = calibration, ""
    if labels is not None and splits.holdout.labels is not None:
        which = " with labels of the images to forget"
        own = splits.holdout.labels[calibration]
        found, known = calibration[np.isin(own, labels)], known_labels(own)
        covered = np.isin(labels, known).mean()
        if len(found) >= LEAST_CALIBRATION and covered >= _COVERED:
            return (found if covered == 1 else calibration), []
    elif len(calibration) >= LEAST_CALIBRATION:
        return calibration, []
    if not len(splits.holdout):
        return calibration, []
    return np.empty(0, np.int64), [
        f"{len(found)} images never trained on{which} would calibrate, which are too few: samples of the GAN stand for "
        "them, and all images never trained on measure. Name more with --holdout-path."
    ]


def _without_counterpart(forget: ForgetSet, splits: DataSplits, calibration: np.ndarray) -> list[str]:
    """Return a warning where images have labels that too few of the measuring holdout images have."""
    labels = splits.holdout.labels
    if labels is None or not len(labels) or forget.labels is None:
        return []
    alone = int((~np.isin(forget.labels, known_labels(np.delete(labels, calibration)))).sum())
    if not alone:
        return []
    return [
        f"{alone} of the {len(forget)} images to forget have a label that fewer than {LEAST_OF_LABEL} images never "
        "trained on have, and are compared with images of all labels: auc_ut is partly of the label. Name more with "
        "--holdout-path."
    ]


def _require_pairs(forget: ForgetSet, images: ImageDataset) -> None:
    """Raise ForgetSetError for a class of a single image: a Fréchet distance needs two."""
    for label in forget.classes:
        if images.labels is not None and int((images.labels == label).sum()) < 2:
            raise ForgetSetError(f"The data hold 1 image of class {label}; expected at least 2. Forget it by --forget.")


def provenance_warnings(original: Gan, splits: DataSplits | None) -> list[str]:
    """Return a warning where the model records that it was trained on other images than the data hold."""
    recorded = original.config.training.get("data", {}).get("train_hash")
    if splits is None or recorded is None or recorded == splits.record["train_hash"]:
        return []
    return ["The model records other training images than these data hold: check --data and --data-path."]

"""From options to a checked task: model, data, forget set, and which retain images may be seen. Writes nothing."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ganforget.api.model import load_model
from ganforget.api.selection import choose_forget_set, choose_retain, find_copies
from ganforget.data import DataSpec, DataSplits, ForgetSet, ImageDataset, load_data
from ganforget.errors import DataError, ForgetSetError, InputError
from ganforget.evaluation.features import load_extractor
from ganforget.evaluation.reference import find_classifier
from ganforget.models.gan import Gan
from ganforget.models.vgg import load_vgg16
from ganforget.options import SubstituteName, UnlearnOptions
from ganforget.unlearning.presets import cascade_config

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
    if spec.subset is None and record.get("subset") and record.get("name") in (spec.name, Path(spec.name).stem):
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
    train, name = (None, "folder") if splits is None else (splits.train, splits.name)
    forget = choose_forget_set(options, train, data=name, G=original.G)
    if forget.task == "class":
        if original.G.c_dim == 0:
            raise InputError("This model has no labels, so it cannot forget a class; forget images instead.")
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
        warnings += found
    images = forget.dataset(train)
    if original.G.c_dim and images.labels is None:
        raise ForgetSetError("The model is conditional, so every image to forget needs a label; add dataset.json.")
    if not forget.verified:
        warnings += ["No training data were given: that the images were trained on is not verified."]
    default: SubstituteName = "other-class" if forget.task == "class" else "truncation"
    substitute = options.substitute or default
    cascade_config(options, forget.task, substitute)  # says here and now what does not go together
    seen = companions = np.empty(0, np.int64)
    if splits is not None:
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
        duplicates,
        tuple(warnings),
    )


def _provenance(original: Gan, splits: DataSplits | None) -> list[str]:
    recorded = original.config.training.get("data", {}).get("train_hash")
    if splits is None or recorded is None or recorded == splits.record["train_hash"]:
        return []
    return ["The model records other training images than these data hold: check --data and --data-path."]

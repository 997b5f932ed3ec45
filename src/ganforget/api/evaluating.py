"""The measures of one GAN, by itself or as to a forget set, with their spread over draws of latents and labels."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ganforget.api.model import load_model
from ganforget.api.options import EvaluateOptions
from ganforget.api.reconstruction import reconstruction_errors, unseen_images
from ganforget.api.selection import choose_forget_set, choose_retain, compares_by_label
from ganforget.api.task import calibrating, holdout_warnings, load_training_data, trained_with_mirror
from ganforget.data import DATA_NAMES, DataSpec, DataSplits, ForgetSet
from ganforget.devices import choose_device
from ganforget.errors import InputError
from ganforget.evaluation.downstream import downstream_accuracy
from ganforget.evaluation.evaluate import evaluate, spread
from ganforget.evaluation.protocol import EvaluationProtocol
from ganforget.evaluation.reference import measure_reference
from ganforget.files import read_json
from ganforget.models.gan import Gan, model_hash
from ganforget.models.scoring import Companions, companion_count, scores
from ganforget.options import UnlearnOptions
from ganforget.progress import Progress, Silent
from ganforget.randomness import permutation
from ganforget.rundir import read_run_config

__all__ = ["evaluate_model"]

SCHEMA_VERSION = 1

_NONE = np.empty(0, np.int64)


@dataclass(frozen=True, eq=False)
class _Subject:
    """A GAN, its data, and what is asked about."""

    gan: Gan
    splits: DataSplits
    forget: ForgetSet | None
    seen: np.ndarray
    """Retain images that the cascade saw, where it was a few-shot run."""
    companions: np.ndarray
    calibration: np.ndarray
    """Holdout images that a calibrated run aimed at, which measure nothing."""


def evaluate_model(options: EvaluateOptions, progress: Progress | None = None) -> dict[str, Any]:
    """Measure the GAN of ``options`` and return JSON values: `measures`, their `spread`, and how they were taken.

    Without a forget set: `fd_l`, `fd_floor`, `acc`, `acc_real` and `auc_lt`; with one those of a result file but for
    `substitution`, which needs the original. A run of unlearning brings its forget set and the retain images that it
    saw. Raises InputError for a model, data or forget set that do not go together.
    """
    progress = progress or Silent()
    progress.stage("Loading model and data")
    device = choose_device(options.device)
    subject = _subject(options, progress)
    gan, splits, forget = subject.gan.to(device), subject.splits, subject.forget
    for warning in holdout_warnings(splits):
        progress.warn(warning)
    if options.reconstruct and forget is None:
        raise InputError("--reconstruct compares forgotten images with others; name a forget set as well.")
    protocol = EvaluationProtocol(options.extractor, options.extractor_weights, options.classifier, options.seed)
    progress.stage("Measuring the real images")
    reference = measure_reference(
        splits,
        forget,
        protocol,
        seen=subject.seen,
        companions=subject.companions,
        calibration=subject.calibration,
        by_label=forget is not None and compares_by_label(forget, splits, gan.G),
        device=device,
    )
    progress.stage("Measuring the GAN")
    companions = Companions(splits.train.tensor(subject.companions))
    measures = evaluate(gan.G, lambda x, c: scores(gan.D, x, c, companions), reference).measures
    found = spread(gan.G, reference, range(options.generations))
    if options.downstream:
        progress.stage("Training a classifier on samples")
        measures["acc_downstream"] = downstream_accuracy(gan.G, reference)
    if options.reconstruct and forget is not None:
        progress.stage("Fresh inversions for rec_u and rec_t")
        unseen = unseen_images(splits.holdout, subject.calibration)
        images = forget.unmirrored_dataset(splits.train)
        measures |= reconstruction_errors(gan, images, unseen, classes=forget.classes, latent="w", seed=options.seed)
    return {
        "schema_version": SCHEMA_VERSION,
        "model": options.model,
        "model_hash": model_hash(gan),
        "data": splits.record,
        "task": None if forget is None else forget.task,
        "classes": [] if forget is None else list(forget.classes),
        "n_forget": 0 if forget is None else len(forget),
        "n_retain_seen": len(subject.seen),
        "fd_name": reference.record()["distance"],
        "measures": measures,
        "spread": found,
        "generations": options.generations,
        "reference": reference.record(),
    }


def _subject(options: EvaluateOptions, progress: Progress) -> _Subject:
    gan = load_model(options.model)
    named = bool(options.forget_class) or options.forget_random is not None or options.forget is not None
    run = None if named else _unlearning_run(Path(options.model))
    if run is not None:
        return _of_run(options, gan, Path(options.model), run, progress)
    mirror = trained_with_mirror(gan, options.mirror)
    splits = load_training_data(_data(options, gan), gan, mirror=mirror, progress=progress)
    if not named:
        companions = permutation(options.seed, "companions", len(splits.train))[: companion_count(gan.D)]
        return _Subject(gan, splits, None, _NONE, companions, _NONE)
    forget = choose_forget_set(options, splits.train, data=splits.name, G=gan.G, mirror=mirror)
    seen, companions = choose_retain(forget, splits, gan.D, mode="zero-shot", seed=options.seed)
    return _Subject(gan, splits, forget, seen, companions, _NONE)


def _unlearning_run(path: Path) -> UnlearnOptions | None:
    """Return the options of the unlearning run at ``path``, or None where there is none."""
    if not (path / "forget_set.json").exists() or not (path / "config.json").exists():
        return None
    config = read_run_config(path)
    return UnlearnOptions.from_plain(config["options"]) if config["command"] == "unlearn" else None


def _of_run(options: EvaluateOptions, gan: Gan, path: Path, run: UnlearnOptions, progress: Progress) -> _Subject:
    """Return the model of an unlearning run with the run's own data, forget set and retain images."""
    data = options.data or run.data
    if data is None:
        raise InputError(f"The run {path} was made without training data; name them with --data.")
    spec = DataSpec(data, options.data_path or run.data_path, holdout_path=options.holdout_path or run.holdout_path)
    mirror = run.mirror if options.mirror is None else options.mirror
    splits = load_training_data(spec, gan, mirror=mirror, progress=progress)
    forget = ForgetSet.load(path / "forget_set.json", splits.train)
    seen, companions = choose_retain(forget, splits, gan.D, mode=run.mode, seed=run.seed)
    calibration = _calibration(path, forget, splits)
    return _Subject(gan, splits, forget, seen, companions, calibration)


def _calibration(run: Path, forget: ForgetSet, splits: DataSplits) -> np.ndarray:
    """Return the holdout images that the run in the folder ``run`` records that it calibrated on."""
    results = run / "results.json"
    found = read_json(results, kind="results file") if results.exists() else {}
    if not found.get("n_calibration"):
        return _NONE
    return calibrating(splits, forget.labels if found.get("by_label") else None)[0]


def _data(options: EvaluateOptions, gan: Gan) -> DataSpec:
    recorded = gan.config.training.get("data", {}).get("name")
    if options.data is None and recorded not in DATA_NAMES:
        raise InputError("The model does not record where its training data are; name them with --data.")
    return DataSpec(options.data or recorded, options.data_path, holdout_path=options.holdout_path)

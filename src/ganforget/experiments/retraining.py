"""The retraining baseline, measured: the same network on the data without the forget set, and its way to the goal."""

import math
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from ganforget.api.calls import as_options
from ganforget.api.forgetting import make_forget_set
from ganforget.api.model import load_model
from ganforget.api.options import ForgetSetOptions
from ganforget.api.selection import choose_retain
from ganforget.api.task import load_training_data
from ganforget.api.training import excluded_hash, resume_training, train_gan
from ganforget.data import DataSplits, ForgetSet, with_mirror_images
from ganforget.devices import choose_device
from ganforget.errors import InputError
from ganforget.evaluation.evaluate import evaluate, spread
from ganforget.evaluation.protocol import EvaluationProtocol, mirrored
from ganforget.evaluation.reference import Reference, measure_reference
from ganforget.experiments.configuration import Configuration
from ganforget.files import read_json, read_json_lines
from ganforget.models.gan import Gan, GanConfig
from ganforget.models.scoring import Companions, companion_count, scores
from ganforget.options import Device
from ganforget.progress import Progress
from ganforget.rundir import read_run_config
from ganforget.training.config import TrainingConfig
from ganforget.training.options import TrainOptions
from ganforget.training.speed import seconds_per_kimg

__all__ = ["measure_retraining", "original_kimg", "reaching", "retrain", "training_seconds"]

_GENERATIONS = (0, 1, 2)


def original_kimg(model: str) -> float:
    """Return how long ``model`` was trained; InputError where it does not say."""
    seen = load_model(model).config.training.get("images_seen")
    if not seen:
        raise InputError(f"The model {model} does not record how long it was trained; name it with --retrain-kimg.")
    return seen / 1000


def retrain(
    configuration: Configuration,
    folder: Path,
    begun: Path | None,
    retrained: tuple[Path, ...],
    device: Device,
    progress: Progress,
) -> Path:
    """Return the run folder of a training as the original's, without the forget set.

    That is one of ``retrained`` which left out these very images, or the run ``begun`` in ``folder``, gone on with if
    it has not ended, or a new one.
    """
    target, options = configuration.target, configuration.options
    chosen = {key: options[key] for key in ("forget_random", "forget_class") if key in options}
    given = {**chosen, "data": target.data, "data_path": target.data_path, "seed": configuration.seed}
    given["model"] = target.model  # which holds a part of its data out
    subset = load_model(target.model).config.training.get("data", {})
    given |= {"data_subset": subset.get("subset"), "data_subset_seed": subset.get("subset_seed") or 0}
    forget = make_forget_set(as_options(ForgetSetOptions, None, given), folder / "forget_set.json").forget
    for run in retrained:
        config = read_run_config(run, "train")
        if config.get("excluded") == excluded_hash(forget):
            _require_whole(run, config, options["kimg"])
            return run
    if retrained:
        progress.warn(f"No --retrained training left out the images of: {configuration.words}; it is trained now.")
    if begun is not None and (begun / "results.json").exists():
        return begun
    if begun is not None and (begun / "config.json").exists():
        return resume_training(begun, progress)
    return train_gan(_train_options(configuration, folder, device), progress)


def _require_whole(run: Path, config: dict[str, Any], kimg: float) -> None:
    """Raise InputError for a retraining that has not ended, or is of another length than is asked for."""
    if not (run / "results.json").exists():
        raise InputError(f"The retraining {run} has not ended; go on with: ganforget resume {run}")
    if (length := config["options"].get("kimg")) != kimg:
        raise InputError(
            f"The retraining {run} is of {length:g} kimg; expected {kimg:g}, or --retrain-kimg {length:g}."
        )
    if not config["options"].get("keep_snapshots"):
        raise InputError(
            f"The retraining {run} kept no snapshots, so that nobody can say when it reached the original's distance; "
            "expected one made with --keep-snapshots."
        )


def _train_options(configuration: Configuration, folder: Path, device: Device) -> TrainOptions:
    """Return the original's own training options, with the forget set left out and every snapshot kept."""
    target = configuration.target
    training = load_model(target.model).config.training
    if not training.get("options"):
        raise InputError(
            f"The model {target.model} does not record how it was trained, so that nothing can be trained as it was; "
            "name trainings without the forget sets with --retrained."
        )
    recorded, data = training["options"], training.get("data", {})
    known = {field.name: recorded[field.name] for field in fields(TrainingConfig) if field.name in recorded}
    known |= {"kimg": configuration.options["kimg"], "seed": configuration.seed, "data": target.data}
    known |= {"data_subset": data.get("subset"), "data_subset_seed": data.get("subset_seed") or 0}
    places = {**target.places, "exclude": folder / "forget_set.json", "outdir": folder}
    return as_options(TrainOptions, None, {**known, **places, "keep_snapshots": True, "device": device})


def measure_retraining(configuration: Configuration, run: Path, device: Device, progress: Progress) -> dict[str, Any]:
    """Return the curve of the Fréchet distance over kimg, when it arrives, and the retrained GAN's measures.

    The distance is that of an unlearning run's `fd_l`, mean over three draws of latents and labels, of every snapshot
    that the run kept, and of the original.
    """
    progress.stage("Measuring the retrained GAN")
    target, where = configuration.target, choose_device(device)
    original, final = load_model(target.model).to(where), load_model(run).to(where)
    splits = load_training_data(target.spec, original)
    forget = _excluded(run, splits)
    seen, beside = choose_retain(forget, splits, final.D, mode="zero-shot", seed=configuration.seed)
    protocol = EvaluationProtocol(classifier=target.classifier)
    reference = measure_reference(splits, forget, protocol, seen=seen, companions=beside, device=where)
    if reference.extractor is None:
        raise InputError("Retraining is followed by its Fréchet distance; these data have no feature extractor.")
    start = spread(original.G, reference, _GENERATIONS)["fd_l"]["mean"]
    ticks = [(line["kimg"], line["seconds"]) for line in read_json_lines(run / "log.jsonl") if "seconds" in line]
    points = []
    snapshots = sorted((run / "snapshots").glob("[0-9]*"))
    for number, folder in enumerate(snapshots):
        progress.step(number, len(snapshots))
        gan = load_model(folder).to(where)
        kimg = gan.config.training["images_seen"] / 1000
        if not kimg:  # before the first step: off every scale
            continue
        fd = spread(gan.G, reference, _GENERATIONS)["fd_l"]["mean"]
        points.append({"kimg": kimg, "seconds": training_seconds(ticks, kimg), "fd_l": fd})
    kimg = final.config.training["images_seen"] / 1000
    after = _final(final, splits, beside, reference)
    after["fd_l"] = spread(final.G, reference, _GENERATIONS)["fd_l"]["mean"]
    if not points or points[-1]["kimg"] < kimg:
        points.append({"kimg": kimg, "seconds": training_seconds(ticks, kimg), "fd_l": after["fd_l"]})
    seen = original.config.training.get("images_seen")
    trained = seen / 1000 if seen else None
    config = read_json(run / "config.json", kind="run configuration")
    return {
        **{key: config[key] for key in ("commit", "hardware", "versions", "started")},
        "curve": points,
        "original": {"fd_l": start, "kimg": trained},
        "to_original_kimg": reaching(points, kimg=trained) if trained else None,
        "to_original_distance": reaching(points, fd_l=start),
        "seconds_per_kimg": seconds_per_kimg(GanConfig(original.config.G, original.config.D), where),
        "results": {"after": after, "fd_name": reference.extractor.title},
        "seconds": {"training": training_seconds(ticks, kimg)},
    }


def _excluded(run: Path, splits: DataSplits) -> ForgetSet:
    """Return what the training in ``run`` left out, with the mirror images where ``splits`` have them."""
    train, path = splits.train, run / "forget_set.json"
    if not mirrored(splits) or ForgetSet.read(path).mirrored:
        return ForgetSet.load(path, train)
    return with_mirror_images(ForgetSet.load(path, train.subset(np.arange(len(train) // 2))), train)


def _final(gan: Gan, splits: DataSplits, beside: np.ndarray, reference: Reference) -> dict[str, Any]:
    companions = Companions(splits.train.tensor(beside[: companion_count(gan.D)]))
    return evaluate(gan.G, lambda x, c: scores(gan.D, x, c, companions), reference).measures


def training_seconds(ticks: list[tuple[float, float]], kimg: float) -> float | None:
    """Return the seconds of training up to ``kimg``, in proportion between two lines of the log."""
    if not ticks or kimg > ticks[-1][0] * 1.001:
        return None
    xs, ys = zip((0.0, 0.0), *ticks, strict=True)
    return float(np.interp(kimg, xs, ys))


def reaching(points: list[dict[str, Any]], *, kimg: float = 0.0, fd_l: float = math.inf) -> dict[str, Any] | None:
    """Return the first point of a curve at a length and a distance at least as good, or None."""
    return next((p for p in points if p["kimg"] >= kimg and p["fd_l"] <= fd_l), None)

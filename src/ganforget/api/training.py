"""One training run from beginning to end: a run folder with the trained GAN, its log and sheets of samples."""

import hashlib
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch

from ganforget.api.snapshots import Snapshots, write_real
from ganforget.data import (
    DATA_NAMES,
    DataSpec,
    DataSplits,
    ForgetSet,
    ImageDataset,
    load_data,
    mirrored_dataset,
    without_mirror_images,
)
from ganforget.devices import choose_device
from ganforget.errors import DataError, InputError, Interrupted, NumericalError
from ganforget.files import append_json_line, keep_json_lines, write_json
from ganforget.interruption import StopRequest, stop_on_signal
from ganforget.models.gan import GanConfig
from ganforget.progress import Progress, Silent
from ganforget.report.numerals import duration
from ganforget.rundir import circumstances, new_run, plain_options, read_run_config
from ganforget.training.loop import Tick, train
from ganforget.training.networks import network_config
from ganforget.training.options import TrainOptions
from ganforget.training.state import TrainingState, load_state, new_state

__all__ = ["CHANGEABLE", "TrainingTask", "excluded_hash", "resume_training", "train_gan"]

SCHEMA_VERSION = 1

CHANGEABLE = ("kimg", "learning_rate", "r1_gamma")
"""What may be changed when a training goes on: to make it longer, or to get past NaN."""


@dataclass(frozen=True, eq=False)
class TrainingTask:
    """Everything that a training run works on, checked."""

    options: TrainOptions
    splits: DataSplits
    train: ImageDataset
    """The training images without what is excluded."""
    excluded: ForgetSet | None
    networks: GanConfig
    state: TrainingState
    device: torch.device

    @property
    def finished(self) -> bool:
        """Whether the state is at the end of the training."""
        return self.state.step >= math.ceil(self.options.kimg * 1000 / self.options.batch_size)


def train_gan(options: TrainOptions, progress: Progress | None = None) -> Path:
    """Train a GAN in a new run folder and return that folder; the model lies in its ``model``.

    Raises InputError before anything is written, NumericalError on NaN (the last snapshot is kept), and Interrupted
    on Ctrl-C; after the last two ``resume_training`` goes on.
    """
    progress = progress or Silent()
    progress.stage("Loading the data")
    task = _task(options, options.exclude)
    run = new_run(options.outdir, _describe(task))
    write_json(run / "config.json", _config(task))
    if task.excluded is not None:
        task.excluded.save(run / "forget_set.json")
    write_real(task.train, run / "images" / "real.png", conditional=task.state.G.c_dim > 0)
    with stop_on_signal() as stop:
        return _run(task, run, progress, stop)


def resume_training(run: Path, progress: Progress | None = None, *, changes: Mapping[str, float] | None = None) -> Path:
    """Go on with a training run from its last snapshot, and return its folder.

    ``changes`` are new values of options in ``CHANGEABLE``. Raises InputError where ``run`` is no training run, has
    ended, or its data are not what they were.
    """
    progress = progress or Silent()
    progress.stage("Loading the data")
    config = read_run_config(run, "train")
    changes = dict(changes or {})
    if set(changes) - set(CHANGEABLE):
        raise InputError(f"A training goes on with its own options; only {', '.join(CHANGEABLE)} can be changed.")
    options = replace(_read_options(config["options"], run), **changes)
    excluded = run / "forget_set.json"
    task = _task(options, excluded if excluded.exists() else None)
    if task.splits.record["train_hash"] != config["data"]["train_hash"]:
        raise DataError(f"The data {options.data} have changed since the run {run} began; start a new run.")
    if (run / "checkpoint" / "about.json").exists():
        load_state(task.state, run / "checkpoint")
    if task.finished and (run / "results.json").exists():
        raise InputError(f"The run {run} has ended at {options.kimg:g} kimg; give a larger --kimg to train longer.")
    seen = task.state.images_seen / 1000
    keep_json_lines(run / "log.jsonl", lambda line: line["kimg"] <= seen)
    if changes:
        resumed = [*config.get("resumed", []), {"kimg": seen, "changes": changes}]
        write_json(run / "config.json", config | {"options": _plain(options), "resumed": resumed})
    progress.note(f"Goes on at {seen:g} kimg.")
    with stop_on_signal() as stop:
        return _run(task, run, progress, stop)


def _task(options: TrainOptions, exclude: Path | None) -> TrainingTask:
    """Check ``options`` against the data and build the networks; writes nothing."""
    device = choose_device(options.device)
    splits = load_data(_data(options))
    train, excluded = splits.train, None
    if exclude is not None:
        excluded = _excluded(exclude, train)
        train = train.subset(excluded.retain_indices(train))
    if len(train) < options.batch_size:
        raise InputError(f"There are {len(train)} images to train on; expected at least one batch: lower --batch-size.")
    networks = network_config(options.config, train)
    state = new_state(options.config, networks, device)
    return TrainingTask(options, splits, train, excluded, networks, state, device)


def _excluded(path: Path, train: ImageDataset) -> ForgetSet:
    """Return the forget set in ``path``; of one with mirror images the images alone, as training mirrors by itself."""
    if not ForgetSet.read(path).mirrored:
        return ForgetSet.load(path, train)
    return without_mirror_images(ForgetSet.load(path, mirrored_dataset(train)), train)


def _data(options: TrainOptions) -> DataSpec:
    """Return which images to train on; of a folder or ZIP without holdout images a part is held out."""
    named = options.data in DATA_NAMES
    return DataSpec(
        options.data,
        options.data_path,
        options.data_subset,
        options.data_subset_seed,
        options.holdout_path,
        hold_out=not named and options.holdout_path is None,
    )


def _describe(task: TrainingTask) -> str:
    """Return the run folder's description."""
    o = task.options
    parts = [task.splits.name + ("" if o.data_subset is None else str(o.data_subset)), f"{o.kimg:g}kimg"]
    parts += [] if o.augment == "none" else [o.augment]
    if task.excluded is not None:
        parts.append("without-" + ("+".join(f"class{y}" for y in task.excluded.classes) or str(len(task.excluded))))
    return "-".join(["train", *parts])


def _plain(options: TrainOptions) -> dict[str, Any]:
    """Return the options as JSON values, with paths that hold wherever the command is called."""
    return plain_options(options, *(() if options.data in DATA_NAMES else ("data",)))


def _read_options(raw: dict[str, Any], run: Path) -> TrainOptions:
    values: dict[str, Any] = raw | {"outdir": run.parent}
    for name in ("data_path", "holdout_path", "exclude"):
        values[name] = None if raw.get(name) is None else Path(raw[name])
    try:
        return TrainOptions(**values)
    except TypeError as error:
        raise InputError(f"The configuration of the run {run} is of another version ({error}).") from error


def _config(task: TrainingTask) -> dict[str, Any]:
    return {
        "schema_version": SCHEMA_VERSION,
        "command": "train",
        "data": task.splits.record,
        "excluded": excluded_hash(task.excluded),
        "options": _plain(task.options),
        "seed": task.options.seed,
        **circumstances(str(task.device)),
    }


def excluded_hash(excluded: ForgetSet | None) -> str | None:
    """Return a sha256 over the hashes of the images that a training left out."""
    if excluded is None:
        return None
    return hashlib.sha256("".join(excluded.hashes).encode()).hexdigest()


def _run(task: TrainingTask, run: Path, progress: Progress, stop: StopRequest) -> Path:
    options, state = task.options, task.state
    splits = replace(task.splits, train=task.train)
    snapshots = Snapshots(
        run,
        task.networks,
        options.config,
        splits,
        excluded_hash(task.excluded),
        task.device,
        options.keep_snapshots,
    )
    measures: dict[str, Any] | None = None

    def on_tick(state: TrainingState, tick: Tick) -> None:
        append_json_line(run / "log.jsonl", {name: float(f"{value:.6g}") for name, value in asdict(tick).items()})
        progress.step(tick.kimg, options.kimg, _pace(tick, options.kimg))

    def on_snapshot(state: TrainingState) -> None:
        nonlocal measures
        measures = snapshots.write(state, measured=task.finished or not stop.requested)
        if measures is not None:
            progress.note("  ".join([f"{measures['kimg']:g} kimg", *_words(measures)]))

    if state.step == 0:
        snapshots.write(state, measured=False)
    progress.stage("Training")
    try:
        train(
            state, options.config, task.train, device=task.device, stop=stop, on_tick=on_tick, on_snapshot=on_snapshot
        )
    except NumericalError as error:
        slower = f"ganforget resume {run} --learning-rate {options.learning_rate / 2:g}"
        raise NumericalError(f"{error} For example: {slower}") from error
    if not task.finished:
        raise Interrupted(f"Stopped at {state.images_seen / 1000:g} kimg; go on with: ganforget resume {run}")
    results = {"kimg": state.images_seen / 1000, "seconds": round(state.seconds, 1), "measures": measures}
    write_json(run / "results.json", {"schema_version": SCHEMA_VERSION, "command": "train", **results})
    return run


def _pace(tick: Tick, kimg: float) -> str:
    left = (kimg - tick.kimg) * 1000 / tick.images_per_second
    return f"{tick.kimg:g}/{kimg:g} kimg  {tick.images_per_second:.0f} img/s  {duration(left)} left"


def _words(measures: dict[str, Any]) -> list[str]:
    named = {measures["fd_name"]: measures["fd"], "acc": measures["acc"], "auc_lt": measures["auc_lt"]}
    return [f"{name} {value:.3g}" for name, value in named.items() if value is not None]

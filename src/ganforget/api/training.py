"""One training run from beginning to end: a run folder with the trained GAN, its log and sheets of samples."""

import hashlib
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch

from ganforget.api.snapshots import Snapshots, write_real
from ganforget.data import DataSpec, DataSplits, ForgetSet, load_data
from ganforget.devices import choose_device
from ganforget.errors import DataError, ForgetSetError, InputError, Interrupted
from ganforget.files import append_json_line, keep_json_lines, read_json, write_json
from ganforget.interruption import StopRequest, stop_on_signal
from ganforget.models.gan import GanConfig
from ganforget.progress import Progress, Silent
from ganforget.rundir import circumstances, new_run
from ganforget.training.config import TrainingConfig
from ganforget.training.loop import Tick, train
from ganforget.training.networks import network_config
from ganforget.training.options import TrainOptions
from ganforget.training.state import TrainingState, load_state, new_state

__all__ = ["CHANGEABLE", "resume_training", "train_gan"]

SCHEMA_VERSION = 1

CHANGEABLE = ("kimg", "learning_rate", "r1_gamma")
"""What may be changed when a training goes on: to make it longer, or to get past NaN."""


@dataclass(frozen=True, eq=False)
class TrainingTask:
    """Everything that a training run works on, checked."""

    options: TrainOptions
    splits: DataSplits
    """The training split without what is excluded."""
    excluded: str | None
    """Hash of the excluded images."""
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
    forget = None if options.exclude is None else _read_excluded(options.exclude)
    task = _task(options, forget)
    run = new_run(options.outdir, _describe(task))
    write_json(run / "config.json", _config(task))
    if forget is not None:
        write_json(run / "forget_set.json", forget)
    write_real(task.splits.train, run / "images" / "real.png", conditional=task.state.G.c_dim > 0)
    with stop_on_signal() as stop:
        return _run(task, run, progress, stop)


def resume_training(
    run: Path, progress: Progress | None = None, *, changes: Mapping[str, float] | None = None
) -> Path:
    """Go on with a training run from its last snapshot, and return its folder.

    ``changes`` are new values of options in ``CHANGEABLE``. Raises InputError where ``run`` is no training run, has
    ended, or its data are not what they were.
    """
    progress = progress or Silent()
    progress.stage("Loading the data")
    config = read_json(run / "config.json", kind="run configuration")
    if not isinstance(config, dict) or config.get("command") != "train":
        raise InputError(f"{run} is no training run; expected a folder that ganforget train made.")
    changes = {name: value for name, value in (changes or {}).items() if value is not None}
    if set(changes) - set(CHANGEABLE):
        raise InputError(f"A training goes on with its own options; only {', '.join(CHANGEABLE)} can be changed.")
    options = replace(_read_options(config["options"], run), **changes)
    excluded = run / "forget_set.json"
    task = _task(options, _read_excluded(excluded) if excluded.exists() else None)
    if task.splits.record["train_hash"] != config["data"]["train_hash"]:
        raise DataError(f"The data {options.data} have changed since the run {run} began; start a new run.")
    if (run / "checkpoint" / "about.json").exists():
        load_state(task.state, run / "checkpoint")
        _set_learning_rate(task)
    if task.finished:
        raise InputError(f"The run {run} has ended at {options.kimg:g} kimg; give a larger --kimg to train longer.")
    seen = task.state.images_seen / 1000
    keep_json_lines(run / "log.jsonl", lambda line: line["kimg"] <= seen)
    if changes:
        resumed = [*config.get("resumed", []), {"kimg": seen, "changes": dict(changes)}]
        write_json(run / "config.json", config | {"options": _plain(options), "resumed": resumed})
    progress.note(f"Goes on at {seen:g} kimg.")
    with stop_on_signal() as stop:
        return _run(task, run, progress, stop)


def _read_options(raw: dict[str, Any], run: Path) -> TrainOptions:
    paths = {name: None if raw.get(name) is None else Path(raw[name]) for name in ("data_path", "exclude")}
    try:
        return TrainOptions(**(raw | paths | {"outdir": run.parent}))
    except TypeError as error:
        raise InputError(f"The configuration of the run {run} is of another version ({error}).") from error


def _read_excluded(path: Path) -> dict[str, Any]:
    content = read_json(path, kind="forget set")
    if not isinstance(content, dict):
        raise ForgetSetError(f"{path} is not a forget set; make one with `ganforget forget-set create`.")
    return content


def _task(options: TrainOptions, forget: dict[str, Any] | None) -> TrainingTask:
    """Check ``options`` against the data and build the networks; writes nothing."""
    device = choose_device(options.device)
    splits = load_data(DataSpec(options.data, options.data_path, options.data_subset, options.data_subset_seed))
    excluded = None
    if forget is not None:
        splits, excluded = _exclude(splits, forget)
    config = options.config
    if len(splits.train) < config.batch_size:
        raise InputError(
            f"There are {len(splits.train)} images to train on and batch_size is {config.batch_size}; "
            "lower --batch-size."
        )
    networks = network_config(config, splits.train)
    return TrainingTask(options, splits, excluded, networks, new_state(config, networks, device), device)

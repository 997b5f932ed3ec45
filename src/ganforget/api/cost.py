"""The unit of ``cost_kimg``, the time in which the machine trains on 1,000 images, and a limit on the cost of a run."""

import json
from collections.abc import Callable
from pathlib import Path

import torch

from ganforget.api.task import UnlearningTask
from ganforget.errors import InputError
from ganforget.files import make_folder, read_json, write_json
from ganforget.models.gan import GanConfig
from ganforget.progress import Progress
from ganforget.training.speed import seconds_per_kimg
from ganforget.unlearning.state import CascadeState

__all__ = ["kimg_seconds_of", "spending", "timed_training"]

_SCHEMA_VERSION = 1

_measured: dict[str, float] = {}


def kimg_seconds_of(task: UnlearningTask, run: Path, device: torch.device, progress: Progress) -> float | None:
    """Return the seconds that training takes for 1,000 images; None where the run is not to measure them.

    They are measured when ``run`` begins, and kept: a run that goes on has the unit it began with.
    """
    if not task.options.probe:
        return None
    path = run / "checkpoint" / "unit.json"
    if path.exists():
        return _read(path)
    seconds = timed_training(task, device, progress)
    make_folder(path.parent)
    write_json(path, {"schema_version": _SCHEMA_VERSION, "kimg_seconds": seconds})
    return seconds


def _read(path: Path) -> float:
    unit = read_json(path, kind="unit of cost")
    seconds = unit.get("kimg_seconds") if isinstance(unit, dict) else None
    if not isinstance(seconds, float) or not seconds > 0 or unit.get("schema_version") != _SCHEMA_VERSION:
        raise InputError(
            f"The unit of cost in {path} is not what a run writes there, seconds above 0 in schema version "
            f"{_SCHEMA_VERSION}; delete the file, and it is measured again."
        )
    return seconds


def timed_training(task: UnlearningTask, device: torch.device, progress: Progress) -> float:
    """Return the seconds that training takes for 1,000 images; measured once a process for the same networks."""
    config = task.original.config
    key = json.dumps([config.G, config.D, str(device), torch.get_num_threads()], sort_keys=True)
    if key not in _measured:
        progress.stage("Timing training, the unit of cost_kimg")
        _measured[key] = seconds_per_kimg(GanConfig(config.G, config.D), device)
    return _measured[key]


def spending(
    most: float | None, inversion_seconds: float, kimg_seconds: float | None
) -> Callable[[CascadeState], bool] | None:
    """Return whether a cascade, with its inversion, has cost ``most`` kimg; None where there is no limit."""
    if most is None or kimg_seconds is None:
        return None
    seconds = most * kimg_seconds - inversion_seconds
    return lambda state: state.cascade_seconds + state.check_seconds >= seconds

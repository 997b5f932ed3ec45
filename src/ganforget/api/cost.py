"""The unit of ``cost_kimg``, the time in which the machine trains on 1,000 images, and a limit on the cost of a run."""

import json
from collections.abc import Callable

import torch

from ganforget.api.task import UnlearningTask
from ganforget.models.gan import GanConfig
from ganforget.progress import Progress
from ganforget.training.speed import seconds_per_kimg
from ganforget.unlearning.state import CascadeState

__all__ = ["kimg_seconds_of", "spending"]

_measured: dict[str, float] = {}


def kimg_seconds_of(task: UnlearningTask, device: torch.device, progress: Progress) -> float | None:
    """Return the seconds that training takes for 1,000 images; measured once a process for the same networks."""
    if not task.options.probe:
        return None
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

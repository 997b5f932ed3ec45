"""How long training the same networks takes for 1,000 images: the unit of ``cost_kimg``."""

import statistics
import time

import numpy as np
import torch

from ganforget.data import ImageDataset
from ganforget.models.gan import GanConfig
from ganforget.models.memory import learning_batch
from ganforget.training.config import TrainingConfig
from ganforget.training.loop import TrainingBatches, training_step
from ganforget.training.state import TrainingState, new_state

__all__ = ["seconds_per_kimg"]

_BATCH = 64
_CYCLE = 16
_REPEATS = 3


def seconds_per_kimg(networks: GanConfig, device: torch.device) -> float:
    """Time training at batch 64 without ADA: a warm-up, then the median of 3 whole lazy cycles of 16 steps.

    Networks of which no batch of 64 fits the memory are timed at one that does, by one step with R1 and one without,
    after one of each.
    """
    state = new_state(TrainingConfig(batch_size=_BATCH, r1_interval=_CYCLE), networks, device)
    fits = min(learning_batch(state.G), learning_batch(state.D) // 2)  # D sees real and generated images at once
    if fits < _BATCH:
        batch = 2 ** (max(fits, 1).bit_length() - 1)
        config = TrainingConfig(batch_size=batch, r1_interval=_CYCLE)
        batches = TrainingBatches(_noise(networks), config, device, networks.G["c_dim"])
        _seconds(state, config, batches, 2)
        state.step = 0
        with_r1, plain = (_seconds(state, config, batches, 1) for _ in range(2))
        return (with_r1 + (_CYCLE - 1) * plain) / (batch * _CYCLE) * 1000
    config = TrainingConfig(batch_size=_BATCH, r1_interval=_CYCLE)
    batches = TrainingBatches(_noise(networks), config, device, networks.G["c_dim"])
    _seconds(state, config, batches, 2)
    state.step = 0
    seconds = [_seconds(state, config, batches, _CYCLE) for _ in range(_REPEATS)]
    return statistics.median(seconds) / (_BATCH * _CYCLE) * 1000


def _noise(networks: GanConfig) -> ImageDataset:
    """Return images to train on."""
    resolution, channels, classes = (networks.G[name] for name in ("img_resolution", "img_channels", "c_dim"))
    rng = np.random.default_rng(0)
    return ImageDataset(
        rng.integers(0, 256, (256, channels, resolution, resolution), dtype=np.uint8),
        rng.integers(0, classes, 256) if classes else None,
        classes,
        tuple(str(i) for i in range(256)),
    )


def _seconds(state: TrainingState, config: TrainingConfig, batches: TrainingBatches, steps: int) -> float:
    began = time.perf_counter()
    for _ in range(steps):
        training_step(state, config, batches, None)
    if batches.device.type == "cuda":
        torch.cuda.synchronize(batches.device)
    return time.perf_counter() - began

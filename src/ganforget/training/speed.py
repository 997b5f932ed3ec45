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

_WITH_R1, _PLAIN = 3, 7
"""Steps that are timed of a lazy cycle's two kinds."""


def seconds_per_kimg(networks: GanConfig, device: torch.device) -> float:
    """Time training at batch 64 without ADA, over a lazy cycle of 16 steps, of which one has R1.

    The cycle is put together from the medians of a few steps of each kind, after one of each to warm up: a quarter of
    the time that three whole cycles take, and as near to them as two readings are (docs/LOG.md). Networks of which no
    batch of 64 fits the memory are timed at one that does, by one step of each kind.
    """
    state = new_state(TrainingConfig(batch_size=_BATCH, r1_interval=_CYCLE), networks, device)
    fits = min(learning_batch(state.G), learning_batch(state.D) // 2)  # D sees real and generated images at once
    fitting = _BATCH if fits >= _BATCH else 2 ** (max(fits, 1).bit_length() - 1)
    group = (None if state.D.b4.mbstd is None else state.D.b4.mbstd.group_size) or 1
    batch = max(fitting // group * group, min(fitting, group))  # whole minibatch groups
    config = TrainingConfig(batch_size=batch, mbstd_group_size=group, r1_interval=_CYCLE)
    batches = TrainingBatches(_noise(networks), config, device, networks.G["c_dim"])

    def step(number: int) -> float:
        state.step = number
        return _seconds(state, config, batches)

    for number in (0, 1):
        step(number)
    with_r1 = statistics.median(step(0) for _ in range(_WITH_R1 if fits >= _BATCH else 1))
    plain = statistics.median(step(1) for _ in range(_PLAIN if fits >= _BATCH else 1))
    return (with_r1 + (_CYCLE - 1) * plain) / (batch * _CYCLE) * 1000


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


def _seconds(state: TrainingState, config: TrainingConfig, batches: TrainingBatches) -> float:
    began = time.perf_counter()
    training_step(state, config, batches, None)
    if batches.device.type == "cuda":
        torch.cuda.synchronize(batches.device)
    return time.perf_counter() - began

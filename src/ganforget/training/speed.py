"""How long training the same networks takes for 1,000 images: the unit of ``cost_kimg``."""

import statistics
import time

import numpy as np
import torch

from ganforget.data import ImageDataset
from ganforget.models.gan import GanConfig
from ganforget.training.config import TrainingConfig
from ganforget.training.loop import TrainingBatches, training_step
from ganforget.training.state import new_state

__all__ = ["seconds_per_kimg"]

_BATCH = 64
_CYCLE = 16
_REPEATS = 3


def seconds_per_kimg(networks: GanConfig, device: torch.device) -> float:
    """Time training at batch 64 without ADA: a warm-up, then the median of 3 whole lazy cycles of 16 steps."""
    resolution, channels = networks.G["img_resolution"], networks.G["img_channels"]
    rng = np.random.default_rng(0)
    classes = networks.G["c_dim"]
    data = ImageDataset(
        rng.integers(0, 256, (256, channels, resolution, resolution), dtype=np.uint8),
        rng.integers(0, classes, 256) if classes else None,
        classes,
        tuple(str(i) for i in range(256)),
    )
    config = TrainingConfig(batch_size=_BATCH, r1_interval=_CYCLE)
    state = new_state(config, networks, device)
    batches = TrainingBatches(data, config, device, classes)
    for _ in range(2):
        training_step(state, config, batches, None)
    state.step = 0
    seconds = []
    for _ in range(_REPEATS):
        began = time.perf_counter()
        for _ in range(_CYCLE):
            training_step(state, config, batches, None)
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds) / (_BATCH * _CYCLE) * 1000

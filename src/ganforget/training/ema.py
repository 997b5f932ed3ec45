"""Exponential moving average of a network's weights, with a half-life counted in images."""

import torch
from torch import nn

__all__ = ["ema_decay", "update_ema"]


def ema_decay(batch_size: int, half_life_kimg: float, images_seen: int, rampup: float | None) -> float:
    """Return the decay for one step; ``rampup`` caps the half-life at that share of the images seen."""
    half_life = half_life_kimg * 1000
    if rampup is not None:
        half_life = min(half_life, images_seen * rampup)
    return 0.5 ** (batch_size / max(half_life, 1e-8))


@torch.no_grad()
def update_ema(average: nn.Module, current: nn.Module, decay: float) -> None:
    """Move the parameters of ``average`` towards ``current``; buffers are copied."""
    for a, p in zip(average.parameters(), current.parameters(), strict=True):
        a.lerp_(p, 1 - decay)
    for a, b in zip(average.buffers(), current.buffers(), strict=True):
        a.copy_(b)

"""The networks and optimisers that a training configuration asks for."""

from typing import Any

import torch

from ganforget.data import ImageDataset
from ganforget.errors import InputError
from ganforget.models.gan import GanConfig
from ganforget.training.config import TrainingConfig

__all__ = ["adam", "network_config"]


def network_config(config: TrainingConfig, data: ImageDataset) -> GanConfig:
    """Return the networks that ``config`` asks for, to fit ``data``; InputError where a block would have no channel."""
    if config.channel_base < data.resolution:
        raise InputError(
            f"channel_base is {config.channel_base}; expected at least the resolution, {data.resolution}: divided by "
            "it, it is how many channels the largest blocks have."
        )
    c_dim = data.num_classes if config.conditional and data.labels is not None else 0
    widths: dict[str, Any] = {"channel_base": config.channel_base, "channel_max": config.channel_max}
    mapping: dict[str, Any] = {"num_layers": config.mapping_layers}
    shape: dict[str, Any] = {"img_resolution": data.resolution, "img_channels": data.channels}
    G = {"z_dim": config.z_dim, "c_dim": c_dim, "w_dim": config.w_dim, **shape}
    G |= {"mapping_kwargs": dict(mapping), "synthesis_kwargs": {**widths, "architecture": "skip"}}
    D = {"c_dim": c_dim, **shape, "architecture": config.d_architecture, **widths}
    D |= {"mapping_kwargs": dict(mapping), "epilogue_kwargs": {"mbstd_group_size": config.mbstd_group_size}}
    return GanConfig(G, D)


def adam(network: torch.nn.Module, learning_rate: float, interval: int) -> torch.optim.Adam:
    """Return StyleGAN2's Adam; a regulariser every ``interval`` steps shortens its rate and memory (lazy R1)."""
    ratio = interval / (interval + 1) if interval else 1.0
    betas = (0.0, 0.99**ratio)
    return torch.optim.Adam(network.parameters(), lr=learning_rate * ratio, betas=betas, eps=1e-8, fused=True)

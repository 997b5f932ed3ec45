"""Where images lie in W: the mean of the mapping's outputs, per class or global, and its spread."""

from dataclasses import dataclass

import numpy as np
import torch

from ganforget.data import one_hot
from ganforget.models.stylegan2 import Generator
from ganforget.randomness import sample_latents
from ganforget.shapes import ClassMeans, LabelArray, LabelNumbers, Latents, W, Z

__all__ = ["LatentStatistics", "latent_statistics", "map_latents"]


@dataclass(frozen=True)
class LatentStatistics:
    """w̄ per class (one row, the global mean, without labels), and the spread σ of W."""

    means: ClassMeans
    std: float

    def mean_of(self, labels: LabelNumbers | None, count: int) -> W:
        """Return the w̄ that belongs to each of ``count`` images."""
        return self.means[labels] if labels is not None else self.means.expand(count, -1)


def map_latents(G: Generator, z: Z, labels: LabelArray | None) -> Latents:
    """Return ``ws`` of latents ``z`` with integer labels or None."""
    device = next(G.parameters()).device
    c = one_hot(labels, G.c_dim).to(device) if G.c_dim and labels is not None else None
    return G.mapping(z.to(device), c)


@torch.no_grad()
def latent_statistics(G: Generator, *, seed: int, samples: int = 1024) -> LatentStatistics:
    """Estimate w̄ and σ from ``samples`` outputs of the mapping network for each class."""
    z = sample_latents(seed, "latent_statistics", range(samples), G.z_dim)
    labels = [np.full(samples, y) for y in range(G.c_dim)] or [None]
    rows = [map_latents(G, z, y)[:, 0].clone() for y in labels]  # [samples, w_dim] each
    means = torch.stack([row.mean(dim=0) for row in rows])
    spread = torch.stack([(row - mean).square().mean() for row, mean in zip(rows, means, strict=True)])
    return LatentStatistics(means, float(spread.mean().sqrt()))

"""What an attacker without any access to the weights can compute: distances to samples of the generator."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from ganforget.audit.knowledge import Targets
from ganforget.models.gan import Gan
from ganforget.models.latents import map_latents
from ganforget.models.stylegan2 import Generator
from ganforget.randomness import sample_latents

__all__ = ["by_label", "draw_samples", "sample_distances"]


def by_label(gan: Gan, targets: Targets) -> Iterator[tuple[int | None, np.ndarray]]:
    """Yield each label that the targets have, with the positions of its images; None without labels."""
    if not gan.G.c_dim or targets.labels is None:
        yield None, np.arange(len(targets))
        return
    for label in np.unique(targets.labels):
        yield int(label), np.flatnonzero(targets.labels == label)


@torch.no_grad()
def draw_samples(G: Generator, z: Tensor, label: int | None) -> Tensor:
    """Return images of latents ``z`` with one label, on the CPU."""
    parts = []
    for part in z.split(256):
        labels = None if label is None else np.full(len(part), label)
        parts.append(G.synthesis(map_latents(G, part, labels), noise_mode="const").cpu())
    return torch.cat(parts)


@torch.no_grad()
def sample_distances(gan: Gan, targets: Targets, *, count: int, seed: int) -> Tensor:
    """Return root mean squared pixel differences to ``count`` samples of each image's own label, [N, count]."""
    z = sample_latents(seed, "audit/samples", range(count), gan.G.z_dim)
    found = torch.empty(len(targets), count)
    for label, members in by_label(gan, targets):
        samples = draw_samples(gan.G, z, label).flatten(1)
        found[members] = torch.cdist(targets.images[members].flatten(1), samples) / samples.shape[1] ** 0.5
    return found

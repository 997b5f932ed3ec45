"""GAN-Leaks, partial black box (Chen et al. 2020): the attacker chooses latents, and sees images but no gradient."""

import numpy as np
import torch

from ganforget.audit.attacks.sample_distances import by_label, draw_samples
from ganforget.audit.knowledge import Knowledge, Targets
from ganforget.data import one_hot
from ganforget.inversion import reconstruction_error
from ganforget.models.gan import Gan
from ganforget.randomness import sample_latents, stream

__all__ = ["partial_black_box"]


@torch.no_grad()
def partial_black_box(gan: Gan, targets: Targets, knowledge: Knowledge) -> np.ndarray:
    """Return minus the least mean squared error that a random walk in Z finds from the nearest sample, [N].

    Each query moves z by normal steps, which shrink from 0.5 to 0.05, and keeps what is nearer.
    """
    budget, seed, G = knowledge.budget, knowledge.seed, gan.G
    pool = sample_latents(seed, "audit/samples", range(budget.samples), G.z_dim)
    z = torch.empty(len(targets), G.z_dim)
    best = torch.empty(len(targets))
    for label, members in by_label(gan, targets):
        images = targets.images[members].flatten(1)
        nearest = (torch.cdist(images, draw_samples(G, pool, label).flatten(1)) / images.shape[1] ** 0.5).min(dim=1)
        z[members], best[members] = pool[nearest.indices], nearest.values.square()
    device = next(G.parameters()).device
    c = one_hot(targets.labels, G.c_dim).to(device) if G.c_dim and targets.labels is not None else None
    for step in range(budget.walk_steps):
        size = 0.5 * 0.1 ** (step / max(budget.walk_steps - 1, 1))
        moved = z + size * torch.randn(z.shape, generator=stream(seed, "audit/walk", step))
        error = torch.cat(
            [
                reconstruction_error(
                    G.synthesis(
                        G.mapping(moved[at].to(device), None if c is None else c[at]), noise_mode="const"
                    ).cpu(),
                    targets.images[at],
                )
                for at in (slice(i, i + 256) for i in range(0, len(moved), 256))
            ]
        )
        nearer = error < best
        z = torch.where(nearer[:, None], moved, z)
        best = torch.where(nearer, error, best)
    return -best.double().numpy()

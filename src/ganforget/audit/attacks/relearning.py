"""Relearning: a few training steps on a few forget images; how fast do the others come back?"""

import copy

import numpy as np
import torch
from torch import Tensor

from ganforget.audit.attacks.logan import logan
from ganforget.audit.knowledge import Knowledge, Targets
from ganforget.evaluation.auc import auc
from ganforget.models.gan import Gan
from ganforget.models.stylegan2 import Generator
from ganforget.randomness import permutation, stream
from ganforget.training.losses import d_loss, g_loss

__all__ = ["relearned", "relearning", "relearning_curves"]

RATE = 2.5e-3
BATCH = 16


def relearning(gan: Gan, targets: Targets, knowledge: Knowledge) -> np.ndarray:
    """Return how much fine-tuning on ``knowledge.few`` raises D's score, [N]; NaN for these few themselves.

    A GAN that never saw the forget images gains as much on the other forget images as on holdout images.
    """
    last = knowledge.budget.relearning_steps[-1]
    tuned = relearned(gan, targets.rows(knowledge.few), last, seed=knowledge.seed)
    gain = logan(tuned, targets, knowledge) - logan(gan, targets, knowledge)
    gain[knowledge.few] = np.nan
    return gain


def relearning_curves(gan: Gan, targets: Targets, members: int, knowledge: Knowledge) -> list[float]:
    """Return the AUC of the other forget images against holdout images after each number of fine-tuning steps."""
    few = targets.rows(knowledge.few)
    others = np.setdiff1d(np.arange(members), knowledge.few)
    areas = []
    for steps in knowledge.budget.relearning_steps:
        found = logan(relearned(gan, few, steps, seed=knowledge.seed), targets, knowledge)
        areas.append(auc(found[others], found[members:]))
    return areas


def relearned(gan: Gan, few: Targets, steps: int, *, seed: int) -> Gan:
    """Return a copy of ``gan`` after plain GAN training (eqs. 2 and 3) on the images ``few`` alone."""
    G = copy.deepcopy(gan.G).train().requires_grad_(True)
    D = copy.deepcopy(gan.D).train().requires_grad_(True)
    optimizers = [torch.optim.Adam(network.parameters(), lr=RATE, betas=(0.0, 0.99)) for network in (G, D)]
    device = next(G.parameters()).device
    images, all_c = few.images.to(device), few.c(G.c_dim)
    for step in range(steps):
        order = np.concatenate([permutation(seed, f"audit/relearning/{step}/{i}", len(few)) for i in range(BATCH)])
        chosen = torch.from_numpy(order[:BATCH])
        c = None if all_c is None else all_c[chosen].to(device)
        D.requires_grad_(False)
        _descend(optimizers[0], g_loss(D(_sample(G, c, seed, step, "g"), c)))
        D.requires_grad_(True)
        with torch.no_grad():
            fakes = _sample(G, c, seed, step, "d")
        _descend(optimizers[1], d_loss(D(images[chosen], c), D(fakes, c)))
    return Gan(G.eval().requires_grad_(False), D.eval().requires_grad_(False), gan.config)


def _sample(G: Generator, c: Tensor | None, seed: int, step: int, name: str) -> Tensor:
    z = torch.randn(BATCH, G.z_dim, generator=stream(seed, f"audit/relearning/{name}", step))
    return G(z.to(next(G.parameters()).device), c, noise_mode="const")


def _descend(optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()

"""Relearning: a few training steps on a few images; how fast do the forgotten come back?

The attacker trains on a few of the forget images, or on neighbours: kept training images that look like these few.
"""

import copy
from collections.abc import Iterator

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

__all__ = ["relearned", "relearning", "relearning_curve", "relearning_neighbours"]

RATE = 2.5e-3
BATCH = 16


def relearning(gan: Gan, targets: Targets, knowledge: Knowledge) -> np.ndarray:
    """Return how much fine-tuning on ``knowledge.few`` raises D's score, [N]; NaN for these few themselves.

    A GAN that never saw the forget images gains as much on the other forget images as on holdout images.
    """
    gain = _gain(gan, targets.rows(knowledge.few), targets, knowledge)
    gain[knowledge.few] = np.nan
    return gain


def relearning_neighbours(gan: Gan, targets: Targets, knowledge: Knowledge) -> np.ndarray:
    """Return how much fine-tuning on ``knowledge.neighbours`` raises D's score, [N].

    These images were chosen near forget images and not near holdout images, so also a GAN that never saw the forget
    images may gain more on them. So this attack is read against retrained GANs, never against ½.
    """
    assert knowledge.neighbours is not None
    return _gain(gan, knowledge.neighbours, targets, knowledge)


def _gain(gan: Gan, held: Targets, targets: Targets, knowledge: Knowledge) -> np.ndarray:
    last = knowledge.budget.relearning_steps[-1]
    (tuned,) = relearned(gan, held, (last,), seed=knowledge.seed)
    return logan(tuned, targets, knowledge) - logan(gan, targets, knowledge)


def relearning_curve(
    gan: Gan, targets: Targets, members: int, knowledge: Knowledge, *, neighbours: bool
) -> list[float]:
    """Return LOGAN's AUC of forget images against holdout images after each number of fine-tuning steps.

    Forget images that are trained on are left out; the attacker with ``neighbours`` trains on none.
    """
    if neighbours:
        assert knowledge.neighbours is not None
        held, scored = knowledge.neighbours, np.arange(members)
    else:
        held, scored = targets.rows(knowledge.few), np.setdiff1d(np.arange(members), knowledge.few)
    areas = []
    for tuned in relearned(gan, held, knowledge.budget.relearning_steps, seed=knowledge.seed):
        found = logan(tuned, targets, knowledge)
        areas.append(auc(found[scored], found[members:]))
    return areas


def relearned(gan: Gan, held: Targets, steps: tuple[int, ...], *, seed: int) -> Iterator[Gan]:
    """Yield copies of ``gan`` after each of so many ``steps``, ascending, of plain GAN training on ``held`` alone.

    Equations 2 and 3, without regularisation.
    """
    G = copy.deepcopy(gan.G).train().requires_grad_(True)
    D = copy.deepcopy(gan.D).train().requires_grad_(True)
    optimizers = [torch.optim.Adam(network.parameters(), lr=RATE, betas=(0.0, 0.99)) for network in (G, D)]
    device = next(G.parameters()).device
    images, all_c = held.images.to(device), held.c(G.c_dim)
    for step in range(steps[-1] + 1):
        if step in steps:
            networks = copy.deepcopy(G).eval(), copy.deepcopy(D).eval()
            yield Gan(networks[0].requires_grad_(False), networks[1].requires_grad_(False), gan.config)
        if step == steps[-1]:
            return
        order = np.concatenate([permutation(seed, f"audit/relearning/{step}/{i}", len(held)) for i in range(BATCH)])
        chosen = torch.from_numpy(order[:BATCH])
        c = None if all_c is None else all_c[chosen].to(device)
        D.requires_grad_(False)
        _descend(optimizers[0], g_loss(D(_sample(G, c, seed, step, "g"), c)))
        D.requires_grad_(True)
        with torch.no_grad():
            fakes = _sample(G, c, seed, step, "d")
        _descend(optimizers[1], d_loss(D(images[chosen], c), D(fakes, c)))


def _sample(G: Generator, c: Tensor | None, seed: int, step: int, name: str) -> Tensor:
    z = torch.randn(BATCH, G.z_dim, generator=stream(seed, f"audit/relearning/{name}", step))
    return G(z.to(next(G.parameters()).device), c, noise_mode="const")


def _descend(optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()

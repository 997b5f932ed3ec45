"""A random change of D before it unlearns: what separates two trainings, so that what unlearning changes hides in it.

An unlearned D that starts from D_0 differs from it on the forget images and hardly anywhere else. Whoever kept D_0
finds them by the difference, however well their scores agree with those of unseen images. A retrained D differs from
D_0 everywhere, by the chance of its training.
"""

import copy
from collections.abc import Callable

import torch
from torch import Tensor

from ganforget.models.stylegan2 import Discriminator
from ganforget.randomness import stream

__all__ = ["perturbed_discriminator"]

_HALVINGS = 7
_MOST = 1.0
"""Largest change: as large as the weights themselves."""


def perturbed_discriminator(
    D_0: Discriminator, score: Callable[[Discriminator], Tensor], amount: float, *, seed: int
) -> Discriminator:
    """Return a copy of ``D_0`` whose scores have moved by ``amount`` of their standard deviations.

    Every weight tensor gets normal noise in proportion to its own standard deviation; biases stay. The proportion is
    found by halving, with one draw of the noise, until the spread of score(D) − score(D_0), both [n], is ``amount``
    times that of score(D_0). ``score`` is called eight times.
    """
    before, changed = score(D_0), copy.deepcopy(D_0)
    wanted = amount * float(before.std())
    weights = {name: weight for name, weight in D_0.named_parameters() if weight.ndim > 1}
    noise = {name: _noise(weight, name, seed) for name, weight in weights.items()}
    low, high = 0.0, _MOST
    for _ in range(_HALVINGS):
        size = (low + high) / 2
        with torch.no_grad():
            for name, weight in weights.items():
                changed.get_parameter(name).copy_(weight + size * float(weight.std()) * noise[name])
        low, high = (size, high) if float((score(changed) - before).std()) < wanted else (low, size)
    return changed


def _noise(weight: Tensor, name: str, seed: int) -> Tensor:
    return torch.randn(weight.shape, generator=stream(seed, f"perturbation/{name}")).to(weight)

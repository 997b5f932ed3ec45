"""What an attack is given: the images it scores, and what its attacker holds besides the GAN under attack."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from torch import Tensor

from ganforget.data import one_hot
from ganforget.models.gan import Gan
from ganforget.models.scoring import Companions

__all__ = ["FULL", "INVERSION_RATE", "QUICK", "Budget", "Knowledge", "Targets"]


@dataclass(frozen=True, eq=False)
class Targets:
    """Images in [−1, 1] with integer labels, or None where there are none."""

    images: Tensor
    labels: np.ndarray | None

    def __len__(self) -> int:
        return len(self.images)

    def c(self, c_dim: int) -> Tensor | None:
        """Return one-hot labels for networks of ``c_dim`` labels, None for those that take none."""
        return one_hot(self.labels, c_dim) if c_dim and self.labels is not None else None

    def rows(self, chosen: np.ndarray) -> "Targets":
        """Return the images at the positions ``chosen``."""
        return Targets(self.images[chosen], None if self.labels is None else self.labels[chosen])


@dataclass(frozen=True)
class Budget:
    """How much an attacker spends; every figure enters the key under which scores are kept."""

    images: int
    """Most forget images that are scored."""
    outside: int
    """Most holdout images that are scored."""
    inversion_steps: int
    """Steps of a white-box inversion."""
    samples: int
    """Samples of each label that a black-box attacker draws."""
    walk_steps: int
    """Queries for each image by the attacker who may choose latents but sees no gradient."""
    restarts: int
    """Starts of an inversion."""
    relearning_steps: tuple[int, ...]
    """Fine-tuning steps after which relearning is looked at; the first is 0."""
    relearning_images: int = 8
    """Images that relearning is given."""


INVERSION_RATE = 0.2
"""Rate of a white-box inversion, in units of the spread of W."""

QUICK = Budget(64, 192, 30, 200, 40, 2, (0, 5, 10))
FULL = Budget(400, 1000, 80, 1000, 200, 4, (0, 5, 10, 20, 40))


def _nothing(attack: str, gan: Gan) -> np.ndarray:
    raise LookupError(f"Scores of {attack} were not kept.")


@dataclass(frozen=True, eq=False)
class Knowledge:
    """What the attacker holds besides the GAN under attack; each attack says how much of it it uses."""

    companions: Companions
    """Images that complete every group D scores; never scored themselves."""
    population: Targets
    """Images of the same kind that no GAN was trained on and that are not scored: the holdout's calibration half."""
    budget: Budget = FULL
    seed: int = 0
    original: Gan | None = None
    """The GAN before unlearning."""
    references: tuple[Gan, ...] = ()
    """Retrained GANs, which never saw the forget images; without the GAN under attack."""
    few: np.ndarray = field(default_factory=lambda: np.empty(0, np.int64))
    """Positions among the targets of the few forget images that the relearning attacker trains on."""
    neighbours: Targets | None = None
    """Training images that are kept and look most like these few; None where nobody trains on them."""
    recall: Callable[[str, Gan], np.ndarray] = _nothing
    """Scores of another attack on another GAN for the same targets, computed where they are not kept."""

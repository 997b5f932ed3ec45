"""Tiny GANs and images for the tests of attacks."""

from typing import Any

import numpy as np

from ganforget.audit.knowledge import Budget, Knowledge, Targets
from ganforget.models.gan import Gan
from ganforget.models.scoring import Companions
from small_gan import small_data, small_gan

TINY = Budget(12, 16, 4, 12, 5, 2, (0, 1, 3), 3)


def some_targets(count: int = 9, *, c_dim: int = 3, seed: int = 1) -> Targets:
    """Return random images with labels 0, 1, 2, 0, …, or without."""
    data = small_data(count, c_dim=c_dim, seed=seed)
    return Targets(data.tensor(), data.labels)


def knowledge(references: tuple[Gan, ...] = (), **more: Any) -> Knowledge:
    """Return what an attacker on a small GAN holds."""
    given: dict[str, Any] = {
        "companions": Companions(small_data(3, seed=2).tensor()),
        "population": some_targets(8, seed=3),
        "budget": TINY,
        "seed": 5,
        "original": small_gan(seed=9),
        "references": references,
        "few": np.array([1, 4]),
        "neighbours": some_targets(2, seed=4),
    }
    return Knowledge(**(given | more))

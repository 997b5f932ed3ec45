"""LOGAN (Hayes et al. 2019, white box): the discriminator's own score."""

import numpy as np

from ganforget.audit.knowledge import Knowledge, Targets
from ganforget.models.gan import Gan
from ganforget.models.scoring import scores

__all__ = ["logan"]


def logan(gan: Gan, targets: Targets, knowledge: Knowledge) -> np.ndarray:
    """Return D's raw logits, [N], each image among the same fixed companions."""
    found = scores(gan.D, targets.images, targets.c(gan.D.c_dim), knowledge.companions)
    return found.double().numpy()

"""The attacker who kept the network from before: what unlearning did to the score of each image."""

import numpy as np

from ganforget.audit.attacks.logan import logan
from ganforget.audit.knowledge import Knowledge, Targets
from ganforget.models.gan import Gan

__all__ = ["d_difference"]


def d_difference(gan: Gan, targets: Targets, knowledge: Knowledge) -> np.ndarray:
    """Return D(x) − D_0(x), [N].

    A GAN that never saw the forget images has lower values for them than for holdout images, as D_0 did see them. So
    this attack is read against retrained GANs, never against ½.
    """
    assert knowledge.original is not None
    return logan(gan, targets, knowledge) - logan(knowledge.original, targets, knowledge)

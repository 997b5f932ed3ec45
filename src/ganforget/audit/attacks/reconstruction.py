"""GAN-Leaks, white box (Chen et al. 2020): how well the generator can make an image, by a fresh inversion."""

import numpy as np

from ganforget.audit.knowledge import INVERSION_RATE, Knowledge, Targets
from ganforget.inversion import InversionConfig, invert
from ganforget.models.gan import Gan
from ganforget.models.latents import latent_statistics

__all__ = ["reconstruction"]


def reconstruction(gan: Gan, targets: Targets, knowledge: Knowledge) -> np.ndarray:
    """Return minus the least mean squared error of fresh inversions in W, [N].

    Nothing of the original's latents is used. Several starts, as the samples of one are shared by all images: what is
    near to those by chance would shift all scores alike.
    """
    budget = knowledge.budget
    config = InversionConfig(
        steps=budget.inversion_steps,
        learning_rate=INVERSION_RATE,
        restarts=budget.restarts,
        seed=knowledge.seed + 1,
    )
    labels = targets.labels if gan.G.c_dim else None
    statistics = latent_statistics(gan.G, seed=knowledge.seed + 1)
    return -invert(gan.G, targets.images, labels, statistics, config).errors.double().cpu().numpy()

"""GAN-Leaks, full black box (Chen et al. 2020): the distance to the nearest of many samples."""

import numpy as np

from ganforget.audit.attacks.sample_distances import sample_distances
from ganforget.audit.knowledge import Knowledge, Targets
from ganforget.models.gan import Gan

__all__ = ["nearest_sample"]


def nearest_sample(gan: Gan, targets: Targets, knowledge: Knowledge) -> np.ndarray:
    """Return minus the distance to the nearest sample of the image's label, [N]."""
    distances = sample_distances(gan, targets, count=knowledge.budget.samples, seed=knowledge.seed)
    return -distances.min(dim=1).values.double().numpy()

"""Monte-Carlo attack (Hilprecht, Härterich and Bernau 2019): how many samples fall near an image."""

import numpy as np

from ganforget.audit.attacks.sample_distances import sample_distances
from ganforget.audit.knowledge import Knowledge, Targets
from ganforget.models.gan import Gan

__all__ = ["monte_carlo"]


def monte_carlo(gan: Gan, targets: Targets, knowledge: Knowledge) -> np.ndarray:
    """Return the mean over samples of −log(distance ÷ ε) within ε of the image, [N].

    ε is the median over images of the tenth of a percentile of distances to samples of the same label, at least the
    fifth nearest: the paper's median heuristic with a few samples for each image, so that few images have none.
    """
    count = knowledge.budget.samples
    distances = sample_distances(gan, targets, count=count, seed=knowledge.seed).double()
    near = max(round(count / 1000), 5)
    radius = distances.kthvalue(min(near, count), dim=1).values.median()
    inside = -(distances / radius).clamp(1e-6, 1).log()  # 0 beyond the radius
    return inside.mean(dim=1).numpy()

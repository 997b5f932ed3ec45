"""How near generated images come to given ones: to forget, retain and holdout images."""

import numpy as np
import torch
from torch import Tensor

from ganforget.errors import InputError

__all__ = ["nearest_distances"]


@torch.no_grad()
def nearest_distances(generated: Tensor, given: Tensor) -> np.ndarray:
    """Return for each given image the root mean squared pixel difference to the nearest generated one, [n].

    Both are float [·, C, H, W] in [−1, 1]. Raises InputError where a side is empty.
    """
    if not len(generated) or not len(given):
        raise InputError(f"{len(generated)} generated and {len(given)} given images; expected at least one of each.")
    x, y = generated.flatten(1), given.flatten(1)
    nearest = torch.cat([torch.cdist(part, x).min(dim=1).values for part in y.split(256)])
    return (nearest / y.shape[1] ** 0.5).double().numpy()

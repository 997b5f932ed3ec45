"""The kernel distance KID (Bińkowski et al. 2018): unbiased, so also for few images."""

import numpy as np
from jaxtyping import Float

from ganforget.errors import InputError

__all__ = ["kernel_distance"]


def kernel_distance(a: Float[np.ndarray, "n d"], b: Float[np.ndarray, "m d"]) -> float:
    """Return the unbiased squared MMD of features under the kernel (x·y / d + 1)³; 0 on average for equal sets.

    It may be slightly negative. Raises InputError for fewer than two images a side.
    """
    if min(len(a), len(b)) < 2:
        raise InputError(f"A kernel distance of {len(a)} and {len(b)} images was asked for; expected at least 2 each.")
    x, y = a.astype(np.float64), b.astype(np.float64)
    within = [_mean_off_diagonal(_kernel(v, v)) for v in (x, y)]
    return float(sum(within) - 2 * _kernel(x, y).mean())


def _kernel(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return (x @ y.T / x.shape[1] + 1) ** 3


def _mean_off_diagonal(kernel: np.ndarray) -> float:
    count = len(kernel)
    return float((kernel.sum() - np.trace(kernel)) / (count * (count - 1)))

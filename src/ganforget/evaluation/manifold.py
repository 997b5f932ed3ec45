"""Quality and variety told apart: improved precision and recall, density and coverage.

Improved precision and recall: Kynkäänniemi et al. 2019. Density and coverage: Naeem et al. 2020. A real image's ball
reaches to its k-th nearest other real image.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.spatial.distance import cdist

from ganforget.errors import InputError

__all__ = ["Manifold", "compare_manifolds"]


@dataclass(frozen=True)
class Manifold:
    """How generated features lie to real ones."""

    precision: float
    """Share of generated images inside some real image's ball: quality."""
    recall: float
    """Share of real images inside some generated image's ball: variety."""
    density: float
    """How many real balls a generated image lies in, in units of k: quality, unharmed by outliers; may exceed 1."""
    coverage: float
    """Share of real images whose ball holds a generated image: variety."""


def compare_manifolds(generated: Float[np.ndarray, "n d"], real: Float[np.ndarray, "m d"], *, k: int = 5) -> Manifold:
    """Return all four measures of features; InputError where a side has no k-th neighbour."""
    if min(len(generated), len(real)) <= k:
        raise InputError(
            f"{len(generated)} generated and {len(real)} real images were given; expected more than k = {k} of each."
        )
    x, y = generated.astype(np.float64), real.astype(np.float64)
    between = cdist(x, y)  # [n, m]
    real_radii, generated_radii = _radii(y, k), _radii(x, k)
    inside = between <= real_radii
    return Manifold(
        precision=float(inside.any(axis=1).mean()),
        recall=float((between <= generated_radii[:, None]).any(axis=0).mean()),
        density=float(inside.sum(axis=1).mean() / k),
        coverage=float(inside.any(axis=0).mean()),
    )


def _radii(features: np.ndarray, k: int) -> np.ndarray:
    """Return each point's distance to its k-th nearest other point."""
    return np.partition(cdist(features, features), k, axis=1)[:, k]

"""Statistics of features, and the Fréchet distance between two of them."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from torch import Tensor

from ganforget.errors import InputError, NumericalError

__all__ = ["FeatureStatistics", "frechet_distance"]

Mean = Float[np.ndarray, "d"]
Spread = Float[np.ndarray, "d d"]


@dataclass(frozen=True, eq=False)
class FeatureStatistics:
    """Count, mean and scatter (sum of outer products about the mean) of features, in float64."""

    count: int
    mean: Mean
    scatter: Spread

    @classmethod
    def of(cls, features: Float[Tensor | np.ndarray, "n d"]) -> "FeatureStatistics":
        """Return the statistics of features; NumericalError where one is not finite."""
        values = features.detach().cpu().numpy() if isinstance(features, Tensor) else features
        if values.ndim != 2 or len(values) == 0:
            raise InputError(f"Features have the shape {tuple(values.shape)}; expected [n, d] with n at least 1.")
        values = values.astype(np.float64)
        if not np.isfinite(values).all():
            bad = int((~np.isfinite(values)).any(axis=1).sum())
            raise NumericalError(
                f"The features of {bad} of {len(values)} images are not finite; the images are broken."
            )
        mean = values.mean(axis=0)
        centred = values - mean
        return cls(len(values), mean, centred.T @ centred)

    def merged(self, other: "FeatureStatistics") -> "FeatureStatistics":
        """Return the statistics of both groups together (Chan, Golub and LeVeque)."""
        _check_dimensions(self, other)
        count = self.count + other.count
        step = other.mean - self.mean
        mean = self.mean + step * (other.count / count)
        scatter = self.scatter + other.scatter + np.outer(step, step) * (self.count * other.count / count)
        return type(self)(count, mean, scatter)

    @property
    def covariance(self) -> Spread:
        """The unbiased covariance; InputError for fewer than two images."""
        if self.count < 2:
            raise InputError(f"A covariance needs at least 2 images, there is {self.count}.")
        return self.scatter / (self.count - 1)


def frechet_distance(a: FeatureStatistics, b: FeatureStatistics) -> float:
    """Return |μ_a − μ_b|² + tr C_a + tr C_b − 2 tr (C_a C_b)^½, at least 0 (Heusel et al. 2017).

    With C = F Fᵀ the last trace is the sum of the singular values of F_aᵀ F_b: no root of a matrix that is
    not symmetric, and nothing to stabilise where there are fewer images than features. NumericalError on
    overflow.
    """
    _check_dimensions(a, b)
    difference = a.mean - b.mean
    c_a, c_b = a.covariance, b.covariance
    overlap = np.linalg.svd(_factor(c_a).T @ _factor(c_b), compute_uv=False).sum()
    distance = float(difference @ difference + np.trace(c_a) + np.trace(c_b) - 2 * overlap)
    if not np.isfinite(distance):
        raise NumericalError("The Fréchet distance is not finite; the features are too large.")
    return max(distance, 0.0)


def _factor(covariance: Spread) -> Float[np.ndarray, "d rank"]:
    """Return F with F Fᵀ = C; directions whose variance is rounding error are left out."""
    values, vectors = np.linalg.eigh(covariance)
    kept = values > values[-1] * len(values) * np.finfo(np.float64).eps
    return vectors[:, kept] * np.sqrt(values[kept])


def _check_dimensions(a: FeatureStatistics, b: FeatureStatistics) -> None:
    if a.mean.shape != b.mean.shape:
        raise InputError(
            f"Features of lengths {a.mean.shape[0]} and {b.mean.shape[0]} do not compare; use one extractor."
        )

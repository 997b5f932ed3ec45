"""The area under the ROC curve, by ranks."""

import numpy as np
from scipy.stats import rankdata
from torch import Tensor

from ganforget.errors import InputError, NumericalError
from ganforget.shapes import OtherScores, Scores

__all__ = ["auc", "auc_deviation"]


def auc(higher: Scores, lower: OtherScores) -> float:
    """Return P(a > b) + ½ P(a = b), in [0, 1], for scores a in ``higher`` and b in ``lower``.

    By the rank sum (Mann and Whitney), so n·m pairs are never formed. Raises InputError where a group is
    empty or not one-dimensional, NumericalError where a score is not finite.
    """
    a, b = _scores(higher), _scores(lower)
    ranks = rankdata(np.concatenate([a, b]))
    pairs_won = ranks[: len(a)].sum() - len(a) * (len(a) + 1) / 2
    return float(pairs_won / (len(a) * len(b)))


def auc_deviation(area: float, members: int, outside: int) -> float:
    """Return the standard deviation of an AUC (Hanley and McNeil 1982)."""
    q1, q2 = area / (2 - area), 2 * area * area / (1 + area)
    own = area * (1 - area) + (members - 1) * (q1 - area**2) + (outside - 1) * (q2 - area**2)
    return float(np.sqrt(max(own, 0.0) / (members * outside)))


def _scores(values: Tensor | np.ndarray) -> np.ndarray:
    scores = np.asarray(values.detach().cpu() if isinstance(values, Tensor) else values, dtype=np.float64)
    if scores.ndim != 1 or len(scores) == 0:
        raise InputError(f"Scores have the shape {scores.shape}; expected [n] with n at least 1.")
    if not np.isfinite(scores).all():
        raise NumericalError(f"{(~np.isfinite(scores)).sum()} of {len(scores)} scores are not finite; D has diverged.")
    return scores

"""What the scores of two groups tell: both tails, with intervals, and what so few images cannot tell.

A score is larger for an image that looks more like a member. ``member`` are the forget images, ``outside`` images
that no GAN was trained on.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import comb
from scipy.stats import binomtest, ks_2samp, nct, norm, t

from ganforget.errors import InputError
from ganforget.evaluation.auc import auc, auc_deviation
from ganforget.randomness import numpy_stream

__all__ = [
    "Bootstrap",
    "Separation",
    "bootstrap",
    "measure_separation",
    "minimum_detectable_auc",
    "resampled_least",
    "roc_points",
    "tpr_at_fpr",
    "two_sided",
]

FALSE_POSITIVE_RATES = (0.01, 0.001)

DRAWS = 2000
"""Resamples of a bootstrap."""


def two_sided(area: float) -> float:
    """Return max(AUC, 1 − AUC): who may flip the sign of an attack does so where that is better."""
    return max(area, 1 - area)


def tpr_at_fpr(member: np.ndarray, outside: np.ndarray, rate: float) -> float | None:
    """Return the largest share of ``member`` above a threshold with at most ``rate`` of ``outside`` above it.

    None ("not measurable") where ``rate`` is below one image of ``outside``.
    """
    allowed = int(np.floor(rate * len(outside) + 1e-9))
    if allowed < 1:
        return None
    threshold = np.sort(outside)[-allowed - 1] if allowed < len(outside) else -np.inf
    return float((member > threshold).mean())


def roc_points(member: np.ndarray, outside: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return false and true positive rates at every distinct threshold, from (0, 0) to (1, 1)."""
    thresholds = np.unique(np.concatenate([member, outside]))[::-1]
    rates = [1 - np.searchsorted(np.sort(group), thresholds, "left") / len(group) for group in (outside, member)]
    return np.concatenate([[0.0], rates[0]]), np.concatenate([[0.0], rates[1]])


def minimum_detectable_auc(
    members: int, outside: int, *, alpha: float = 0.01, power: float = 0.9, resampled: bool = False
) -> float | None:
    """Return the smallest AUC above ½ that a two-sided test at ``alpha`` finds with probability ``power``.

    By the normal approximation with the variance of Hanley and McNeil (1982), for Mann and Whitney's test against ½;
    ``resampled``: for the test against retrained GANs, which takes its deviation from resamples and is Student's of so
    few images. None where no AUC is found, as even a perfect separation is no such chance.
    """
    z_power, fewest = float(norm.isf(1 - power)), min(members, outside)
    least = resampled_least(fewest)
    freedom = max(fewest - 1, 1)

    def found(area: float) -> bool:
        deviation = auc_deviation(area, members, outside)
        if resampled:
            seen = max(deviation * np.sqrt((freedom + 1) / freedom), least)
            return bool(nct.sf(t.isf(alpha / 2, freedom), freedom, (area - 0.5) / seen) >= power)
        null = float(norm.isf(alpha / 2)) * auc_deviation(0.5, members, outside)
        return area - 0.5 >= null + z_power * deviation

    if not found(1.0) or (not resampled and 2 / comb(members + outside, members) > alpha):
        return None
    low, high = 0.5, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if found(middle) else (middle, high)
    return high


def resampled_least(fewest: int) -> float:
    """Return the least deviation of an AUC: a perfect separation of ``fewest`` images has no spread in any resample."""
    return 0.25 / fewest


@dataclass(frozen=True, eq=False)
class Bootstrap:
    """Resamples of members and outsiders, as how often each image was drawn; the same for every GAN and attack.

    The same resamples everywhere keep differences between GANs paired by image.
    """

    member_counts: np.ndarray
    outside_counts: np.ndarray

    def areas(self, member: np.ndarray, outside: np.ndarray) -> np.ndarray:
        """Return the AUC in every resample, [draws]."""
        wins = (member[:, None] > outside).astype(np.float64) + 0.5 * (member[:, None] == outside)
        total = len(member) * len(outside)
        return ((self.member_counts @ wins) * self.outside_counts).sum(axis=1) / total

    def rates(self, member: np.ndarray, outside: np.ndarray, rate: float) -> np.ndarray:
        """Return the true positive rate at the false positive rate ``rate`` in every resample, [draws]."""
        falling, rising = np.argsort(-outside, kind="stable"), np.argsort(member, kind="stable")
        allowed = int(np.floor(rate * len(outside) + 1e-9))
        beyond = self.outside_counts[:, falling].cumsum(axis=1) > allowed
        thresholds = np.where(beyond.any(axis=1), outside[falling][beyond.argmax(axis=1)], -np.inf)
        below = np.searchsorted(member[rising], thresholds, "right")
        drawn = np.pad(self.member_counts[:, rising].cumsum(axis=1), ((0, 0), (1, 0)))
        return 1 - np.take_along_axis(drawn, below[:, None], axis=1)[:, 0] / len(member)

    def steps(self, member: np.ndarray, outside: np.ndarray) -> np.ndarray:
        """Return how far F_member − F_outside is off at most in every resample, [draws].

        That is sup |(F* − F) − (G* − G)|. The KS distances of resamples will not do: they lie above the sample's own.
        """
        pooled = np.concatenate([member, outside])
        order = np.argsort(pooled, kind="stable")
        last = np.append(np.diff(pooled[order]) > 0, True)  # a distribution function steps once for equal scores
        moved = [(self.member_counts - 1) / len(member), (1 - self.outside_counts) / len(outside)]
        return np.abs(np.concatenate(moved, axis=1)[:, order].cumsum(axis=1)[:, last]).max(axis=1)


def bootstrap(members: int, outside: int, *, seed: int = 0, draws: int = DRAWS) -> Bootstrap:
    """Draw members and outsiders with replacement, each group by itself."""
    return Bootstrap(*(_counts(seed, name, n, draws) for name, n in (("members", members), ("outside", outside))))


def _counts(seed: int, name: str, count: int, draws: int) -> np.ndarray:
    return numpy_stream(seed, f"bootstrap/{name}").multinomial(count, np.full(count, 1 / count), draws).astype(float)


@dataclass(frozen=True)
class Separation:
    """How well a score tells members from images outside."""

    auc: float
    auc_low: float
    auc_high: float
    """95 % interval: Student's, of the resamples' deviation and the number of the fewer images."""
    auc_two_sided: float
    tpr: dict[str, float | None]
    """True positive rate at a false positive rate, and ``low …``: the same with the sign flipped; None: not
    measurable."""
    tpr_interval: dict[str, tuple[float, float] | None]
    """95 % intervals of them by the percentile bootstrap, widened to the exact binomial ones (Clopper and Pearson):
    where no image is found, none is in any resample."""
    ks: float
    ks_low: float
    ks_high: float
    """95 % interval from a bootstrap of the distribution functions; it holds the distance at least so often."""
    ks_p: float


def measure_separation(member: np.ndarray, outside: np.ndarray, resamples: Bootstrap) -> Separation:
    """Return every statistic of one attack on one GAN."""
    if not len(member) or not len(outside):
        raise InputError("An audit needs at least one forget image and one holdout image; there is none.")
    area, fewest = auc(member, outside), min(len(member), len(outside))
    freedom = max(fewest - 1, 1)
    spread = float(resamples.areas(member, outside).std(ddof=1)) * np.sqrt((freedom + 1) / freedom)
    half = float(t.isf(0.025, freedom)) * max(spread, resampled_least(fewest))
    rates, intervals = {}, {}
    for tail, sign in (("", 1), ("low ", -1)):
        for rate in FALSE_POSITIVE_RATES:
            key = f"{tail}{rate:g}"
            turned = (sign * member, sign * outside, rate)
            rates[key] = found = tpr_at_fpr(*turned)
            intervals[key] = None if found is None else _rate_interval(found, resamples.rates(*turned), len(member))
    distance = ks_2samp(member, outside, method="asymp")
    ks, p = float(distance.statistic), float(distance.pvalue)  # type: ignore[attr-defined]
    off = float(np.quantile(resamples.steps(member, outside), 0.95))
    return Separation(
        area,
        max(area - half, 0.0),
        min(area + half, 1.0),
        two_sided(area),
        rates,
        intervals,
        ks,
        max(ks - off, 0.0),
        min(ks + off, 1.0),
        p,
    )


def _rate_interval(found: float, drawn: np.ndarray, members: int) -> tuple[float, float]:
    low, high = np.quantile(drawn, [0.025, 0.975])
    exact = binomtest(round(found * members), members).proportion_ci()
    return min(float(low), exact.low), max(float(high), exact.high)

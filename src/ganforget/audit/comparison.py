"""An attack's figures beside those of the original and of retrained GANs.

Two ways to say how far an unlearned GAN may be from the retrained ones by chance:

- The forget set is a random one. Then forget and holdout images are exchangeable for every GAN that saw neither, so
  the chance lies in the images alone, and resampling them (paired over the GANs) measures all of it, with any number of
  retrained GANs, or against ½ with none. Of n images, the fewer of the two kinds, resamples spread too little, by
  (n − 1)/n in variance, and how far they spread is itself a guess: so it is corrected, and read with Student's t of
  n − 1 degrees of freedom.
- It is not (a person's images, a class). Then retrained GANs may differ among themselves on just these images, and only
  they can say by how much: Student's t prediction interval, for which three of them are the least. Of the two chances
  the one that explains more counts: the larger p-value, the wider interval.
"""

from dataclasses import dataclass

import numpy as np
from scipy.stats import mannwhitneyu, t

from ganforget.audit.statistics import Bootstrap, resampled_least
from ganforget.evaluation.auc import auc

__all__ = [
    "LEAST_REFERENCES",
    "Chance",
    "Effect",
    "deviations_needed",
    "klom",
    "measure_effect",
    "prediction_interval",
    "privacy_leak_ratio",
]

LEAST_REFERENCES = 3
"""Retrained GANs that a prediction interval needs where the forget set is no random one."""

Pair = tuple[np.ndarray, np.ndarray]
"""Scores of forget images and of holdout images by one GAN."""


@dataclass(frozen=True)
class Chance:
    """How far a value is off by chance, from one cause."""

    deviation: float
    """Standard deviation; infinite where it cannot be known."""
    freedom: float = np.inf
    """Degrees of freedom that it is known with."""

    def p(self, value: float) -> float:
        """Return the two-sided p-value of ``value`` where 0 is expected."""
        return float(2 * t.sf(abs(value) / self.deviation, self.freedom))

    def half_width(self, confidence: float) -> float:
        """Return half of the width of the two-sided interval."""
        return float(t.isf((1 - confidence) / 2, self.freedom)) * self.deviation


@dataclass(frozen=True)
class Effect:
    """How far a GAN's AUC is from where a GAN that never saw the forget images has it."""

    value: float
    """AUC less the expected one."""
    expected: float
    """The retrained GANs' mean AUC, or ½."""
    chances: tuple[Chance, ...]
    """Of the images, and of the training where the forget set is no random one."""
    p: float
    """Two-sided p-value of no effect: Mann and Whitney's test against ½, else the largest by ``chances``."""

    @property
    def deviation(self) -> float:
        """The largest standard deviation of ``value`` by chance; infinite where it cannot be known."""
        return max(chance.deviation for chance in self.chances)

    def interval(self, confidence: float = 0.95) -> tuple[float, float]:
        """Return the two-sided interval of ``value``, within what an AUC can be."""
        half = max(chance.half_width(confidence) for chance in self.chances)
        return max(self.value - half, -self.expected), min(self.value + half, 1 - self.expected)


def measure_effect(scores: Pair, references: list[Pair], resamples: Bootstrap, *, exchangeable: bool) -> Effect:
    """Return the effect on one GAN's ``scores`` against those of ``references`` (none: against ½)."""
    areas = [auc(*pair) for pair in references]
    expected = float(np.mean(areas)) if areas else 0.5
    value = auc(*scores) - expected
    draws = resamples.areas(*scores)
    if references:
        draws = draws - np.mean([resamples.areas(*pair) for pair in references], axis=0)
    fewest = min(len(part) for part in scores)
    least = resampled_least(fewest)
    chances = [_of_images(draws, fewest, least)]
    if not exchangeable:
        chances.append(_of_training(areas, least))
    elif not references:
        return Effect(value, expected, tuple(chances), float(np.asarray(mannwhitneyu(*scores))[1]))
    return Effect(value, expected, tuple(chances), max(chance.p(value) for chance in chances))


def _of_images(draws: np.ndarray, fewest: int, least: float) -> Chance:
    """Return the chance of an area by its resamples, ``fewest`` the size of the smaller group."""
    freedom = max(fewest - 1, 1)
    return Chance(max(float(draws.std(ddof=1)) * np.sqrt((freedom + 1) / freedom), least), freedom)


def _of_training(areas: list[float], least: float) -> Chance:
    """Return the chance of one more retrained GAN's area; unknown with too few of them."""
    if len(areas) < LEAST_REFERENCES:
        return Chance(np.inf)
    return Chance(max(_prediction_deviation(areas), least), len(areas) - 1)


def _prediction_deviation(values: list[float]) -> float:
    """Return s·√(1 + 1/n): how far one more value is from the mean of n by chance."""
    return float(np.std(values, ddof=1)) * np.sqrt(1 + 1 / len(values))


def prediction_interval(values: list[float], confidence: float = 0.95) -> tuple[float, float]:
    """Return where one more value of the same kind is expected (Student's t); needs two values."""
    half = Chance(_prediction_deviation(values), len(values) - 1).half_width(confidence)
    return float(np.mean(values)) - half, float(np.mean(values)) + half


def deviations_needed(count: int, level: float) -> float:
    """Return how far from the mean of ``count`` values, in their standard deviations, one more is at p = ``level``."""
    return float(t.isf(level / 2, count - 1)) * np.sqrt(1 + 1 / count)


def privacy_leak_ratio(area: float, retrained: float) -> float:
    """Return (AUC − AUC of retraining) ÷ AUC of retraining: 0 is a match, negative is over-unlearned."""
    return (area - retrained) / max(retrained, 0.01)


def klom(scores: Pair, references: list[Pair]) -> float:
    """Return KL(GAN ‖ retrained GANs) of the forget images' margins, in nats, both taken as normal.

    A margin is a score in units of its own GAN's scores of holdout images, so GANs of different scales compare.
    """
    own, others = _margins(scores), np.concatenate([_margins(pair) for pair in references])
    mean, deviation = own.mean(), max(own.std(), 1e-6)
    other_mean, other_deviation = others.mean(), max(others.std(), 1e-6)
    ratio = (deviation**2 + (mean - other_mean) ** 2) / (2 * other_deviation**2)
    return float(np.log(other_deviation / deviation) + ratio - 0.5)


def _margins(scores: Pair) -> np.ndarray:
    member, outside = scores
    return (member - outside.mean()) / max(outside.std(), 1e-12)

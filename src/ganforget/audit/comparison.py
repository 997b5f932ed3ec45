"""An attack's figures beside those of the original and of retrained GANs.

Two ways to say how far an unlearned GAN may be from the retrained ones by chance:

- The forget set is a random one. Then forget and holdout images are exchangeable for every GAN that saw neither, so
  the chance lies in the images alone, and resampling them (paired over the GANs) measures all of it, with any number of
  retrained GANs, or against ½ with none.
- It is not (a person's images, a class). Then retrained GANs may differ among themselves on just these images, and only
  they can say by how much: Student's t prediction interval, for which three of them are the least.
"""

from dataclasses import dataclass

import numpy as np
from scipy.stats import mannwhitneyu, norm, t

from ganforget.audit.statistics import Bootstrap
from ganforget.evaluation.auc import auc

__all__ = ["LEAST_REFERENCES", "Effect", "klom", "measure_effect", "prediction_interval", "privacy_leak_ratio"]

LEAST_REFERENCES = 3
"""Retrained GANs that a prediction interval needs where the forget set is no random one."""

Pair = tuple[np.ndarray, np.ndarray]
"""Scores of forget images and of holdout images by one GAN."""


@dataclass(frozen=True)
class Effect:
    """How far a GAN's AUC is from where a GAN that never saw the forget images has it."""

    value: float
    """AUC less the expected one."""
    expected: float
    """The retrained GANs' mean AUC, or ½."""
    deviation: float
    """Standard deviation of ``value`` by chance; infinite where it cannot be known."""
    p: float
    """Two-sided p-value of no effect: Mann and Whitney's test against ½, else by ``deviation``."""

    def interval(self, confidence: float = 0.95) -> tuple[float, float]:
        """Return the two-sided interval of ``value``, within what an AUC can be."""
        half = float(norm.isf((1 - confidence) / 2)) * self.deviation
        return max(self.value - half, -self.expected), min(self.value + half, 1 - self.expected)


def measure_effect(scores: Pair, references: list[Pair], resamples: Bootstrap, *, exchangeable: bool) -> Effect:
    """Return the effect on one GAN's ``scores`` against those of ``references`` (none: against ½)."""
    areas = [auc(*pair) for pair in references]
    expected = float(np.mean(areas)) if areas else 0.5
    value = auc(*scores) - expected
    draws = resamples.areas(*scores)
    if references:
        draws = draws - np.mean([resamples.areas(*pair) for pair in references], axis=0)
    least = 0.25 / min(len(scores[0]), len(scores[1]))  # a perfect separation has no spread in any resample
    deviation = max(float(draws.std(ddof=1)), least)
    if not exchangeable:
        deviation = max(deviation, _training_deviation(areas))
    elif not references:
        return Effect(value, expected, deviation, float(np.asarray(mannwhitneyu(*scores))[1]))
    return Effect(value, expected, deviation, float(2 * norm.sf(abs(value) / deviation)))


def _training_deviation(areas: list[float]) -> float:
    """Return a deviation whose normal 95 % interval is Student's prediction interval; infinite for few references."""
    if len(areas) < LEAST_REFERENCES:
        return np.inf
    low, high = prediction_interval(areas)
    return float((high - low) / 2 / norm.isf(0.025))


def prediction_interval(values: list[float], confidence: float = 0.95) -> tuple[float, float]:
    """Return where one more value of the same kind is expected (Student's t); needs two values."""
    count = len(values)
    spread = float(np.std(values, ddof=1)) * np.sqrt(1 + 1 / count)
    half = float(t.isf((1 - confidence) / 2, count - 1)) * spread
    return float(np.mean(values)) - half, float(np.mean(values)) + half


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

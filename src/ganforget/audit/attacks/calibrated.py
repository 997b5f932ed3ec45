"""Scores calibrated by retrained GANs: an image that every GAN scores high is no evidence of membership.

Offline, "out" models only, as every reference GAN was trained without the forget images.
"""

import numpy as np

from ganforget.audit.attacks.logan import logan
from ganforget.audit.knowledge import Knowledge, Targets
from ganforget.models.gan import Gan

__all__ = ["lira", "reconstruction_calibrated", "rmia"]


def lira(gan: Gan, targets: Targets, knowledge: Knowledge) -> np.ndarray:
    """Return (m − mean of m over the references) ÷ their pooled spread, [N] (Carlini et al. 2022, offline).

    m is D's score in units of the same D's scores of the population, which makes GANs of different scales comparable.
    The spread is one number for all images: few references tell nothing about each image's own.
    """
    own = _margins(gan, targets, knowledge)
    others = np.stack([_margins(reference, targets, knowledge) for reference in knowledge.references])
    spread = np.sqrt(others.var(axis=0, ddof=1).mean()) if len(others) > 1 else 1.0
    return (own - others.mean(axis=0)) / max(float(spread), 1e-12)


def rmia(gan: Gan, targets: Targets, knowledge: Knowledge) -> np.ndarray:
    """Return the share of population images z with LR(x) ≥ LR(z), [N] (Zarifzadeh et al. 2024, offline, γ = 1).

    LR is p(x) of this GAN ÷ the mean p(x) of the references, with p = sigmoid of D's score in units of the population.
    Ties in the share are broken by LR itself, so that few population images do not blunt the ranking.
    """
    own = _likelihood_ratio(gan, targets, knowledge)
    population = np.sort(_likelihood_ratio(gan, knowledge.population, knowledge))
    share = np.searchsorted(population, own, "right") / len(population)
    return share + own / (1 + own) / (2 * len(population))


def reconstruction_calibrated(gan: Gan, targets: Targets, knowledge: Knowledge) -> np.ndarray:
    """Return the reconstruction score less the references' mean, [N] (GAN-Leaks, Chen et al. 2020, eq. 12)."""
    own = knowledge.recall("reconstruction", gan)
    others = [knowledge.recall("reconstruction", reference) for reference in knowledge.references]
    return own - np.mean(others, axis=0)


def _margins(gan: Gan, targets: Targets, knowledge: Knowledge) -> np.ndarray:
    population = logan(gan, knowledge.population, knowledge)
    return (logan(gan, targets, knowledge) - population.mean()) / max(float(population.std()), 1e-12)


def _likelihood_ratio(gan: Gan, targets: Targets, knowledge: Knowledge) -> np.ndarray:
    own = _sigmoid(_margins(gan, targets, knowledge))
    others = [_sigmoid(_margins(reference, targets, knowledge)) for reference in knowledge.references]
    return own / np.mean(others, axis=0)


def _sigmoid(values: np.ndarray) -> np.ndarray:
    return 0.5 * (1 + np.tanh(values / 2))

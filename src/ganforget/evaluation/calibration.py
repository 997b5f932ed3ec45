"""The calibrated destination: D scores forget images like images that it was never trained on, in both directions.

The paper pushes forget images below every training image, where whoever flips the sign finds them. A GAN that was
retrained without them would score them like any unseen image. So the stop rule compares D's scores of the forget
images with those of images never trained on, both taken from D as it is now: few-shot the calibration half of the
holdout set, whose other half measures afterwards; zero-shot stand-ins, whose scores are predicted from how samples of
G_0 have moved.
"""

from dataclasses import dataclass

import numpy as np
import torch
from scipy.stats import ks_2samp
from torch import Tensor

from ganforget.evaluation.auc import auc
from ganforget.evaluation.by_label import label_pairs, placements
from ganforget.evaluation.substitution import GeneratorCheck, is_substituted, look_at_generator
from ganforget.models.scoring import head_scores
from ganforget.shapes import PerImage, UnseenScores
from ganforget.unlearning.cascade import Cascade, Check
from ganforget.unlearning.material import Fixed
from ganforget.unlearning.state import CascadeState

__all__ = ["AUC_AROUND_HALF", "REC_GAP_LEVEL", "CalibrationCheck", "StopRuleCalibrated", "labels_of"]

AUC_AROUND_HALF = 0.1
"""The calibrated destination: `auc_ut` at most so far from 0.5, over holdout images that calibrated nothing."""

REC_GAP_LEVEL = 0.01
"""The calibrated destination: `rec_u` is not told from `rec_t` at this level, where these are measured."""

_ESTIMATE_AROUND_HALF = 0.02
"""How far the running estimate may be from it: the forget set's own scores are known exactly."""

_ALIKE = 0.1
"""Least p-value of the two-sample Kolmogorov-Smirnov test of the scores."""


@dataclass(frozen=True)
class CalibrationCheck:
    """Compares D's scores of the forget images with those of unseen images."""

    companions: Fixed
    """Images that complete the group of every score."""
    forget: Fixed
    unseen: Fixed
    """Images never trained on: of the holdout set, or samples of G_0."""
    unseen_scores: PerImage
    """D_0's scores of them."""
    stand_ins: UnseenScores | None = None
    """Zero-shot: what D_0 would give unseen real images, one for each forget image; they move as the samples do."""
    by_label: bool = False
    """Whether each forget image is compared with unseen ones of its own label."""

    def estimate(self, state: CascadeState) -> tuple[dict[str, float], float]:
        """Return `auc_ut` and the test's p-value, and how much higher the forget images should score."""
        forget, unseen = (head_scores(state.D, images, self.companions) for images in (self.forget, self.unseen))
        if self.by_label:
            return self._within_labels(forget, unseen)
        if self.stand_ins is not None:
            unseen = self.stand_ins + (unseen - self.unseen_scores).mean()
        alike = np.asarray(ks_2samp(forget.numpy(), unseen.numpy()))[1]
        area = auc(forget.double(), unseen.double())
        values = {"auc_ut": area, "alike": float(alike), "score_forget": float(forget.mean())}
        return values, float(unseen.mean() - forget.mean())

    def _within_labels(self, forget: Tensor, unseen: Tensor) -> tuple[dict[str, float], float]:
        labels, others = labels_of(self.forget), labels_of(self.unseen)
        if self.stand_ins is None:
            return _compared_by_label(forget, labels, unseen, others)
        moved = self.stand_ins.clone()
        for rows, those in label_pairs(labels, others):
            moved[torch.from_numpy(rows)] += (unseen - self.unseen_scores)[torch.from_numpy(those)].mean()
        return _compared_by_label(forget, labels, moved, labels)


def labels_of(images: Fixed) -> np.ndarray:
    """Return the labels of ``images``, which D is given as one-hot vectors, as numbers."""
    assert images.c is not None
    return images.c.argmax(dim=1).cpu().numpy()


def _compared_by_label(
    forget: Tensor, labels: np.ndarray, unseen: Tensor, other_labels: np.ndarray
) -> tuple[dict[str, float], float]:
    """Return `auc_ut`, the test's p-value and the gap from where scores lie among those of their label.

    For the test both kinds are placed among all scores of their label, as those of few images are. The gap is that of
    normal scores of such an area (2√π of their deviations for each unit of it), not that of the means: it is 0 where
    the area is ½, whatever the labels' spreads.
    """
    both, all_labels = torch.cat([forget, unseen]).numpy(), np.concatenate([labels, other_labels])
    placed = placements(both, all_labels, both, all_labels)
    area = placements(forget.numpy(), labels, unseen.numpy(), other_labels).mean()
    alike = np.asarray(ks_2samp(placed[: len(forget)], placed[len(forget) :]))[1]
    values = {"auc_ut": float(area), "alike": float(alike), "score_forget": float(forget.mean())}
    return values, (0.5 - float(area)) * 2 * np.pi**0.5 * _spread(labels, unseen, other_labels)


def _spread(labels: np.ndarray, unseen: Tensor, other_labels: np.ndarray) -> float:
    """Return the deviation of unseen scores within the labels of the forget images."""
    squares = [
        len(rows) * float(unseen[torch.from_numpy(those)].double().var(unbiased=False))
        for rows, those in label_pairs(labels, other_labels)
    ]
    return (sum(squares) / len(labels)) ** 0.5


@dataclass(frozen=True)
class StopRuleCalibrated:
    """Scores of forget and unseen images alike for D, substitution ≤ 0.25 of those that need a substitute for G."""

    cascade: Cascade
    discriminator: CalibrationCheck
    generator: GeneratorCheck

    def __call__(self, state: CascadeState, previous: Check | None) -> Check:
        if previous is not None and previous.d_reached:  # D rests: it is what it was
            values = {name: previous.values[name] for name in ("auc_ut", "alike", "score_forget")}
            gap, d_reached = 0.0, True
        else:
            values, gap = self.discriminator.estimate(state)
            d_reached = abs(values["auc_ut"] - 0.5) <= _ESTIMATE_AROUND_HALF and values["alike"] >= _ALIKE
        values["substitution"] = look_at_generator(self.generator, self.cascade, state)
        g_reached = is_substituted(values["substitution"])
        return Check(values, d_reached, g_reached, score_gap=gap)

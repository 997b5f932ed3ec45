"""Running estimates of the destination, cheap enough for every few steps.

`auc_lu` is estimated without a retain image that the cascade does not see. What retain images score now is predicted
from what D_0 gave images of their kind, by how D's scores of probes, on which D is not trained, have moved: a straight
line through (before, now), and the spread of the probes about it. Few-shot: the seen retain images (and for items the
forget images, which are a random part of the training set) are of their kind, and half of the seen retain images are
kept aside as probes. Zero-shot: the forget images are of their kind, and each quarter of them are the probes of a D
beside, which learns on the others as D does. Of few forget images none can be spared: then samples of G_0 are the
probes, which drift less than real images do, so the margin is wider. The true `auc_lu`, over retain images that the
cascade never saw, is measured afterwards.

The paper's plain algorithm in few-shot stops by `auc_lu_seen`, over the retain images that D trains on: the paper does
not say which it took, its D learns all that it is given, and over others the algorithm does not arrive.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from ganforget.evaluation.auc import auc
from ganforget.evaluation.class_stop import ClassStopCheck
from ganforget.evaluation.substitution import GeneratorCheck, is_substituted, look_at_generator
from ganforget.models.scoring import Companions, companion_count, head_scores, scores
from ganforget.shapes import PerImage
from ganforget.unlearning.cascade import Cascade, Check
from ganforget.unlearning.material import Fixed
from ganforget.unlearning.state import CascadeState

__all__ = [
    "AUC_DESTINATION",
    "LOOK",
    "RECALL_DESTINATION",
    "DiscriminatorCheck",
    "StopRuleForClass",
    "StopRuleForItems",
    "predicted_auc",
]

AUC_DESTINATION = 0.8
"""The paper's destination for items: auc_lu strictly above this."""

RECALL_DESTINATION = 0.05
"""Our destination for a class that wears another one's face: class_recall at most this."""

LOOK = 64
"""Samples of a class for a first look; only what looks reached is confirmed with more."""

_SCORES_A_CHECK = 256
"""Images that every check may have D score for a few per cent of what its steps take; more are scored less often."""

_FOLDS_MARGIN = 0.1
"""How far beyond 0.8 the estimate must be where forget images are the probes: they are few, and need not score like
retain images before."""

_MARGIN_FOR = 64
"""Forget images that these margins are for: the estimate of more of them is surer."""

_CLASS_CHECKS = 4
"""A class is generated, and looked at, in every fourth check."""

ReferenceScores = Float[Tensor, "references"]
ForgetScores = Float[Tensor, "forgotten"]


@dataclass(frozen=True)
class DiscriminatorCheck:
    """Estimates `auc_lu` from D's scores of the forget images and of probes, which D does not train on."""

    companions: Fixed
    """Images that complete the group of every score."""
    watched: Fixed
    """The forget images that are scored: all of them, or a sample of many."""
    watched_scores: ForgetScores
    """D_0's scores of them."""
    reference_scores: ReferenceScores
    """D_0's scores of images that stand for retain images."""
    probes: Fixed
    """Images that D is not trained on."""
    probe_scores: PerImage
    """D_0's scores of the probes."""
    folds: tuple[Tensor, ...] = ()
    """Positions among the watched images, where forget images are the probes: a D beside learns on all but those of its
    fold."""
    whole: bool = False
    """Whether all of D learns (the paper's preset), so that what D_0's trunk made of the images says nothing."""
    learned: bool = False
    """Whether the probes are the retain images that D trains on, so that `auc_lu_seen` is measured."""

    def __len__(self) -> int:
        """Return how many scores an estimate takes."""
        return len(self.folds) * len(self.watched) if self.folds else len(self.watched) + len(self.probes)

    @property
    def auc_name(self) -> str:
        """What the destination of D is on."""
        return "auc_lu_seen" if self.learned else "auc_lu"

    def before(self) -> dict[str, float]:
        """Return what ``estimate`` finds in D_0, from its scores at hand."""
        return self._values(self.watched_scores, self.probe_scores)

    def estimate(self, state: CascadeState) -> dict[str, float]:
        """Return the estimate of `auc_lu` (or `auc_lu_seen` itself), the forget images' mean score, and D's drift."""
        now = self._scores(state, self.watched)
        if self.folds:
            return self._across_folds(state, now)
        return self._values(now, self._scores(state, self.probes))

    def _across_folds(self, state: CascadeState, now: Tensor) -> dict[str, float]:
        """Return the mean over the folds of what their D does to them, and to the images that it learns on."""
        areas, drifts = [], []
        for one, fold in zip(state.beside, self.folds, strict=True):
            found = head_scores(one.D, self.watched, self.companions)
            learned = torch.ones(len(found), dtype=torch.bool)
            learned[fold] = False
            before = self.watched_scores[fold]
            areas.append(predicted_auc(self.reference_scores, before, found[fold], found[learned]))
            drifts.append(float((found[fold] - before).mean()))
        values = {"auc_lu": areas, "score_drift": drifts}
        means = {name: sum(found) / len(found) for name, found in values.items()}
        return means | {"score_forget": float(now.mean())}

    def _scores(self, state: CascadeState, images: Fixed) -> PerImage:
        if not self.whole:
            return head_scores(state.D, images, self.companions)
        state.work.d_forward += len(images) + companion_count(state.D)
        return scores(state.D, images.images, images.c, Companions(self.companions.images[:]))

    def _values(self, now: Tensor, probes: Tensor) -> dict[str, float]:
        if self.learned:
            area = auc(probes.double(), now.double())
        else:
            area = predicted_auc(self.reference_scores, self.probe_scores, probes, now)
        drift = float((probes - self.probe_scores).mean())
        return {self.auc_name: area, "score_forget": float(now.mean()), "score_drift": drift}


def predicted_auc(
    reference: ReferenceScores, probes_before: PerImage, probes_now: PerImage, forget_now: ForgetScores
) -> float:
    """Return P(score now of a reference image > score now of a forget image).

    The reference images' scores before are moved along the least-squares line of the probes, (before, now), with the
    probes' scatter about it as a normal error. Fewer than 4 probes, or equal ones, give a shift alone.
    """
    before, now = probes_before.double(), probes_now.double()
    spread = before - before.mean()
    shift, tilt, scatter = now - before, 0.0, 0.0
    if len(before) >= 4 and float(spread.square().sum()) > 0:
        tilt = float((spread * shift).sum() / spread.square().sum())
        scatter = float((shift - shift.mean() - tilt * spread).square().sum() / (len(before) - 2)) ** 0.5
    moved = reference.double() + shift.mean() + tilt * (reference.double() - before.mean())
    if scatter < 1e-9:
        return auc(moved, forget_now.double())
    gaps = moved[:, None] - forget_now.double()[None]  # [references, forget images]
    return float(torch.special.ndtr(gaps / scatter).mean())


@dataclass(frozen=True)
class StopRuleForItems:
    """auc_lu > 0.8 with a margin for D, and for our destination substitution ≤ 0.25 for G."""

    cascade: Cascade
    discriminator: DiscriminatorCheck
    generator: GeneratorCheck

    def __call__(self, state: CascadeState, previous: Check | None) -> Check:
        config = self.cascade.config
        margin = _FOLDS_MARGIN if self.discriminator.folds else config.auc_margin
        margin *= (_MARGIN_FOR / max(len(self.discriminator.watched), _MARGIN_FOR)) ** 0.5
        values = _look_at_discriminator(self.discriminator, self.cascade, state, previous)
        values["substitution"] = look_at_generator(self.generator, self.cascade, state)
        g_reached = is_substituted(values["substitution"])
        d_reached = values[self.discriminator.auc_name] > AUC_DESTINATION + margin
        return Check(values, d_reached, g_reached or config.destination == "paper")


@dataclass(frozen=True)
class StopRuleForClass:
    """fd_u beyond its destination (the paper's); ours adds substitution, class_recall where asked for, and auc_lu."""

    cascade: Cascade
    discriminator: DiscriminatorCheck
    generator: GeneratorCheck
    classes: ClassStopCheck
    destination: float
    """Where fd_u has arrived."""
    recall: bool
    """Whether class_recall is a part of the destination."""

    def __call__(self, state: CascadeState, previous: Check | None) -> Check:
        config = self.cascade.config
        values = _look_at_discriminator(self.discriminator, self.cascade, state, previous)
        if (
            previous is not None
            and state.step % (_CLASS_CHECKS * config.check_interval)
            and state.step < config.max_steps
        ):
            found, g_reached = previous.values, previous.g_reached
        else:
            found, g_reached = self._look_at_generator(state, previous)
        values = found | values
        d_reached = values[self.discriminator.auc_name] > AUC_DESTINATION + config.auc_margin
        return Check(values, g_reached if config.destination == "paper" else d_reached, g_reached)

    def _look_at_generator(self, state: CascadeState, previous: Check | None) -> tuple[dict[str, float], bool]:
        """Return G's estimates, and whether G is at its side.

        A look takes few samples. One that says reached is confirmed with more, at once where the look before said so
        too. Before the schedule has ended nothing counts, so nothing is confirmed.
        """
        if state.step:
            state.substitution = self.generator.measure(self.cascade, state)
        counts = state.step >= self.cascade.config.schedule_steps
        looks = [LOOK, self.classes.count] if counts and self.classes.count > LOOK else [LOOK]
        if previous is not None and self._beyond(previous.values):
            looks = looks[-1:]
        values, reached = {}, False
        for count in looks:
            found = self.classes.estimate(state.G_ema, min(count, self.classes.count))
            state.work.g_forward += min(count, self.classes.count) * len(self.classes.references)
            recall = {} if found.recall is None else {"class_recall": found.recall}
            values = {"fd_u": found.fd_u, "substitution": state.substitution} | recall
            reached = self._beyond(values)
            if not reached:
                break
        return values, reached and counts

    def _beyond(self, values: Mapping[str, float]) -> bool:
        """Whether G's estimates lie beyond its side of the destination, margins included."""
        config = self.cascade.config
        beyond = values["fd_u"] > self.destination * (1 + config.margin)
        if config.destination == "separated":
            beyond = beyond and is_substituted(values["substitution"])
            if self.recall and "class_recall" in values:
                beyond = beyond and values["class_recall"] <= RECALL_DESTINATION - config.margin
        return beyond


def _look_at_discriminator(
    discriminator: DiscriminatorCheck, cascade: Cascade, state: CascadeState, previous: Check | None
) -> dict[str, float]:
    """Return D's estimates; what is known of D_0, or of a D that has rested since, is not computed again.

    A D that is watched on many images is looked at in so few checks that these take no larger share of the time.
    """
    if state.step == 0:
        return discriminator.before()
    config = cascade.config
    if previous is not None and config.preset == "default":
        often, checks = max(-(-len(discriminator) // _SCORES_A_CHECK), 1), state.step // config.check_interval
        if previous.d_reached or (checks % often and state.step < config.max_steps):
            return {name: previous.values[name] for name in (discriminator.auc_name, "score_forget", "score_drift")}
    return discriminator.estimate(state)

"""Forget images as probes: in zero-shot a part of them tells how D drifts on real images, and joins late."""

from dataclasses import dataclass, field
from typing import Any, cast

import pytest
import torch
from torch import Tensor

from ganforget.evaluation.auc import auc
from ganforget.evaluation.stop_rule import DiscriminatorCheck, GeneratorCheck, Look, StopRuleForItems, predicted_auc
from ganforget.models.scoring import Companions, scores
from ganforget.unlearning.cascade import Cascade, Check
from ganforget.unlearning.default_preset import default_step
from ganforget.unlearning.material import fix_images
from ganforget.unlearning.state import CascadeState, new_cascade
from ganforget.work import Work
from small_gan import randn, small_cascade

COMPANIONS = Companions(randn(3, 1, 8, 8, seed=11))
ASIDE = torch.tensor([1, 4, 5])
LEARNED = torch.tensor([0, 2, 3, 6, 7])


def begin() -> tuple[Cascade, CascadeState, DiscriminatorCheck]:
    """A cascade with three of its eight forget images kept aside, and a D that has moved."""
    cascade = small_cascade(mode="zero-shot")
    cascade.aside = ASIDE
    forget = cascade.forget
    before = scores(cascade.original.D, forget.images, forget.c, COMPANIONS)
    aside = forget.rows(ASIDE)
    companions = fix_images(cascade.original.D, COMPANIONS.images, None, Work())
    check = DiscriminatorCheck(companions, forget, before, before, aside, before[ASIDE], ASIDE)
    state = new_cascade(cascade.original, cascade.config)
    for parameter in state.D.head_parameters():
        parameter.data.add_(0.1 * randn(*parameter.shape, seed=parameter.numel()))
    return cascade, state, check


def now(cascade: Cascade, state: CascadeState) -> Tensor:
    return scores(state.D, cascade.forget.images, cascade.forget.c, COMPANIONS)


def test_those_kept_aside_are_the_probes_of_the_others():
    cascade, state, check = begin()
    look, found = check.estimate(state), now(cascade, state)
    expected = predicted_auc(check.watched_scores, check.watched_scores[ASIDE], found[ASIDE], found[LEARNED])
    assert look.values["auc_lu"] == pytest.approx(expected, abs=1e-6)
    assert look.values["score_forget"] == pytest.approx(float(found[LEARNED].mean()), abs=1e-6)
    assert look.aside is not None
    assert torch.equal(look.aside, found[ASIDE])


def test_what_they_said_when_they_joined_holds():
    cascade, state, check = begin()
    state.joined = check.watched_scores[ASIDE] - 1
    look, found = check.estimate(state), now(cascade, state)
    expected = predicted_auc(check.watched_scores, check.watched_scores[ASIDE], state.joined, found)
    assert look.values["auc_lu"] == pytest.approx(expected, abs=1e-6)
    assert look.ahead == auc(found[ASIDE].double(), found[LEARNED].double())
    assert look.aside is None


def test_d_learns_on_them_once_they_have_joined():
    """What they are makes no difference before, and one afterwards."""
    for joined in (None, torch.zeros(3)):
        found = []
        for noise in (False, True):
            cascade, state, _ = begin()
            if noise:
                assert isinstance(cascade.forget.features, Tensor)
                cascade.forget.features[ASIDE] = randn(3, *cascade.forget.features.shape[1:], seed=5)
            state.joined = joined
            for _ in range(3):
                default_step(cascade, state, Check({}, d_reached=False, g_reached=True))
                state.step += 1
            found.append(torch.cat([p.detach().flatten() for p in state.D.parameters()]))
        assert torch.equal(*found) == (joined is None)


@dataclass
class Says:
    """Stands for a check of D: says what it was told to say."""

    auc_lu: float
    ahead: float = 0.5
    aside: Tensor = field(default_factory=lambda: ASIDE)

    def estimate(self, state: CascadeState) -> Look:
        return Look({"auc_lu": self.auc_lu}, None if state.joined is not None else torch.ones(3), self.ahead)


class Replaced:
    def __len__(self) -> int:
        return 8

    def measure(self, *_: object) -> float:
        return 0.1


def look(auc_lu: float, *, before: float = 0.0, joined: bool = False, ahead: float = 0.5) -> Check:
    cascade, state, _ = begin()
    state.step, state.joined = 10, torch.zeros(3) if joined else None
    says: Any = Says(auc_lu, ahead)
    rule = StopRuleForItems(cascade, cast(DiscriminatorCheck, says), cast(GeneratorCheck, Replaced()))
    return rule(state, Check({"auc_lu": before}, False, False))


@pytest.mark.usefixtures("unchecked")
def test_they_join_after_two_looks_beyond_the_destination():
    assert look(0.86, before=0.84).join is None
    assert look(0.84, before=0.86).join is None
    check = look(0.86, before=0.86)
    assert check.join is not None
    assert not check.d_reached, "they are not forgotten yet"


@pytest.mark.usefixtures("unchecked")
def test_d_has_arrived_when_it_scores_them_like_the_others():
    assert look(0.86, joined=True, ahead=0.6).d_reached
    assert not look(0.86, joined=True, ahead=0.61).d_reached
    assert not look(0.84, joined=True).d_reached
    assert look(0.86, joined=True).join is None

"""The calibrated destination: labels by rank, its check against SciPy and scikit-learn, what the loop makes of it."""

from dataclasses import replace
from typing import Any, cast

import numpy as np
import pytest
import torch
from scipy.stats import ks_2samp
from sklearn.metrics import roc_auc_score

from ganforget.errors import InputError
from ganforget.evaluation.calibration import CalibrationCheck, StopRuleCalibrated, _compared_by_label
from ganforget.evaluation.substitution import GeneratorCheck
from ganforget.interruption import StopRequest
from ganforget.models.scoring import Companions, scores
from ganforget.options import UnlearnOptions
from ganforget.unlearning.cascade import Cascade, Check
from ganforget.unlearning.fake_label import TOWARDS_SAMPLES, between_scores, matched_scores
from ganforget.unlearning.loop import run_cascade
from ganforget.unlearning.losses import fake_label_loss
from ganforget.unlearning.material import fix_images
from ganforget.unlearning.presets import cascade_config
from ganforget.unlearning.state import CascadeState, new_cascade
from ganforget.work import Work
from small_gan import randn, small_cascade, some_labels

COMPANIONS = Companions(randn(3, 1, 8, 8, seed=11))
UNSEEN, UNSEEN_C = randn(12, 1, 8, 8, seed=12), some_labels(12)


def begin(fake_label: Any = -2.0, **options: Any) -> tuple[Cascade, CascadeState]:
    cascade = small_cascade(mode="zero-shot", destination="calibrated", fake_label=fake_label, **options)
    return cascade, new_cascade(cascade.original, cascade.config)


def check_of(cascade: Cascade, stand_ins: torch.Tensor | None = None) -> CalibrationCheck:
    D_0 = cascade.original.D
    before = scores(D_0, UNSEEN, UNSEEN_C, COMPANIONS)
    companions, unseen = (fix_images(D_0, *of, Work()) for of in ((COMPANIONS.images, None), (UNSEEN, UNSEEN_C)))
    return CalibrationCheck(companions, cascade.forget, unseen, before, stand_ins)


# ----------------------------------------------------------------------------
# Labels.


def test_each_image_gets_the_score_of_its_rank():
    """Three images at the quantiles 1/6, 1/2 and 5/6 of 0, 1, …, 6: the scores 1, 3 and 5."""
    labels = matched_scores(torch.tensor([0.3, 9.0, -4.0]), torch.tensor([6.0, 0.0, 2.0, 1.0, 5.0, 3.0, 4.0]))
    assert labels.tolist() == pytest.approx([3.0, 5.0, 1.0])


def test_as_many_unseen_scores_are_met_nearly_one_by_one():
    generator = torch.Generator().manual_seed(0)
    forget, unseen = torch.randn(200, generator=generator) + 2, torch.randn(200, generator=generator)
    labels = matched_scores(forget, unseen)
    assert torch.equal(labels.argsort(), forget.argsort())
    assert float((labels.sort().values - unseen.sort().values)[5:-5].abs().max()) < 0.1
    assert labels.mean() == pytest.approx(float(unseen.mean()), abs=0.01)


def test_zero_shot_labels_lie_between():
    own = torch.tensor([2.0, 4.0])
    labels = between_scores(own, matched_scores(own, torch.tensor([-2.0, -2.0])))
    assert labels.tolist() == pytest.approx([2 - 4 * TOWARDS_SAMPLES, 4 - 6 * TOWARDS_SAMPLES])


def test_a_label_for_each_image():
    assert float(fake_label_loss(torch.tensor([1.0, 2.0]), torch.tensor([1.0, -1.0]))) == pytest.approx(4.5)


# ----------------------------------------------------------------------------
# The check.


def test_the_check_compares_both_sets_as_d_is_now():
    cascade, state = begin()
    with torch.no_grad():
        for parameter in state.D.head_parameters():
            parameter.add_(0.05 * torch.sign(parameter))
    values, gap = check_of(cascade).estimate(state)
    forget = scores(state.D, cascade.forget.images, cascade.forget.c, COMPANIONS).numpy()
    unseen = scores(state.D, UNSEEN, UNSEEN_C, COMPANIONS).numpy()
    truth = [1] * len(forget) + [0] * len(unseen)
    assert values["auc_ut"] == pytest.approx(roc_auc_score(truth, np.concatenate([forget, unseen])))
    assert values["alike"] == pytest.approx(np.asarray(ks_2samp(forget, unseen))[1])
    assert gap == pytest.approx(float(unseen.mean() - forget.mean()), abs=1e-5)
    assert state.work == Work()


def test_within_one_label_the_check_says_what_it_says_without_labels():
    cascade, state = begin()
    same = some_labels(3)[:1].expand(len(UNSEEN), -1)  # type: ignore[index]
    D_0, forget = state.D, cascade.forget
    ours = fix_images(D_0, forget.images[:], same[: len(forget)], Work())
    theirs = fix_images(D_0, UNSEEN, same, Work())
    companions = fix_images(D_0, COMPANIONS.images, None, Work())
    check = CalibrationCheck(companions, ours, theirs, torch.zeros(len(UNSEEN)))
    plain, within = (replace(check, by_label=by).estimate(state) for by in (False, True))
    assert within[0] == pytest.approx(plain[0])
    spread = float(scores(D_0, UNSEEN, same, COMPANIONS).std(correction=0))
    assert within[1] == pytest.approx((0.5 - plain[0]["auc_ut"]) * 2 * np.pi**0.5 * spread, rel=1e-4)


def test_labels_that_score_differently_are_alike_compared_by_label():
    """Forget images are mostly of a label that scores 5 higher, unseen ones mostly of the other."""
    labels, other_labels = np.repeat([0, 1], [40, 8]), np.repeat([0, 1], [20, 100])
    forget, unseen = (randn(len(y), seed=3) + 5.0 * torch.from_numpy(y == 0) for y in (labels, other_labels))
    values, gap = _compared_by_label(forget, labels, unseen, other_labels)
    assert values["auc_ut"] == pytest.approx(0.5, abs=0.1)
    assert values["alike"] > 0.1
    assert abs(gap) < 0.3
    values, gap = _compared_by_label(forget + 1, labels, unseen, other_labels)
    assert values["auc_ut"] > 0.65
    assert values["alike"] < 0.01
    assert gap == pytest.approx(-1, abs=0.3)


def test_stand_ins_move_as_the_samples_do():
    cascade, state = begin()
    before = scores(state.D, UNSEEN, UNSEEN_C, COMPANIONS)
    own = scores(state.D, cascade.forget.images, cascade.forget.c, COMPANIONS)
    with torch.no_grad():
        for parameter in state.D.head_parameters():
            parameter.add_(0.05 * torch.sign(parameter))
    moved = float((scores(state.D, UNSEEN, UNSEEN_C, COMPANIONS) - before).mean())
    forget = float(scores(state.D, cascade.forget.images, cascade.forget.c, COMPANIONS).mean())
    _, gap = check_of(cascade, own - 1).estimate(state)
    assert abs(moved) > 1e-3
    assert gap == pytest.approx(float(own.mean()) - 1 + moved - forget, abs=1e-5)


class Says:
    """Stands for a check: says what it was told to say."""

    def __init__(self, *values: Any) -> None:
        self.values = list(values)

    def __len__(self) -> int:
        return 8

    def estimate(self, _: object) -> Any:
        return self.values.pop(0)

    def measure(self, *_: object) -> float:
        return self.values[0]

    look = measure


def rule_saying(cascade: Cascade, *looks: tuple[float, float, float], substitution: float = 0.1) -> StopRuleCalibrated:
    said = [({"auc_ut": auc, "alike": alike, "score_forget": 0.0}, gap) for auc, alike, gap in looks]
    return StopRuleCalibrated(cascade, cast(CalibrationCheck, Says(*said)), cast(GeneratorCheck, Says(substitution)))


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("auc", "alike", "substitution", "d_reached", "g_reached"),
    [
        (0.51, 0.5, 0.22, True, True),
        (0.49, 0.5, 0.25, True, False),
        (0.55, 0.5, 0.22, False, True),
        (0.45, 0.5, 0.22, False, True),
        (0.50, 0.05, 0.22, False, True),
    ],
)
def test_reached_in_both_directions(auc: float, alike: float, substitution: float, d_reached: bool, g_reached: bool):
    cascade, state = begin(margin=0.02)
    state.step = 20
    check = rule_saying(cascade, (auc, alike, 0.3), substitution=substitution)(state, None)
    assert (check.d_reached, check.g_reached) == (d_reached, g_reached)
    assert check.score_gap == 0.3


@pytest.mark.usefixtures("unchecked")
def test_a_network_that_rests_is_not_looked_at_again():
    cascade, state = begin()
    there = Check({"auc_ut": 0.51, "alike": 0.4, "score_forget": -1.0}, d_reached=True, g_reached=False)
    check = rule_saying(cascade)(state, there)
    assert check.d_reached
    assert check.values["auc_ut"] == 0.51
    assert check.score_gap == 0


def test_labels_follow_the_gap_and_each_image_has_its_own():
    """Half of the gap at every check after the first; the labels' loss is that of the images drawn."""
    labels = torch.linspace(-3, 3, 8)
    cascade, state = begin(labels, max_steps=4, check_interval=2)
    first = Check({"auc_ut": 0.7, "alike": 0.0, "score_forget": 0.0}, d_reached=False, g_reached=False, score_gap=7.0)
    looks = iter([first, *(Check(first.values, d_reached=False, g_reached=False, score_gap=g) for g in (-1.0, 0.4))])
    shifts = []
    run_cascade(
        cascade,
        state,
        lambda *_: next(looks),
        stop=StopRequest(),
        on_check=lambda state, losses, _: shifts.append((state.label_shift, losses.get("d_unlearning"))),
    )
    assert [shift for shift, _ in shifts] == pytest.approx([0.0, -0.5, -0.3])
    constant, other = begin(0.0, max_steps=2, check_interval=2)
    again = iter([first] * 2)
    losses: list[float] = []
    run_cascade(
        constant,
        other,
        lambda *_: next(again),
        stop=StopRequest(),
        on_check=lambda _, found, __: losses.append(found.get("d_unlearning", 0.0)),
    )
    assert losses[1] != pytest.approx(shifts[1][1])


# ----------------------------------------------------------------------------
# What does not go together.


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"forget_class": (7,)}, "is for images"),
        ({"forget_random": 4, "preset": "paper"}, "has the paper's destination"),
        ({"forget_random": 4, "fake_label": "0.1"}, "a label of its own"),
    ],
)
def test_options_that_do_not_fit(more: dict[str, Any], message: str):
    with pytest.raises(InputError, match=message):
        UnlearnOptions("digits", "digits", destination="calibrated", **more)


def test_a_saved_forget_set_of_a_class_does_not_fit(tmp_path: Any):
    options = UnlearnOptions("digits", "digits", destination="calibrated", forget=tmp_path)
    with pytest.raises(InputError, match="this forget set is a class"):
        cascade_config(options, "class", "other-class", n_forget=4)

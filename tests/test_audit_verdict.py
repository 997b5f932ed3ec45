"""The verdict's rules on synthetic scores with known truths, and by hand."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import ks_2samp, norm

from ganforget.audit.attacks import registry
from ganforget.audit.comparison import Chance, Effect, measure_effect
from ganforget.audit.statistics import bootstrap
from ganforget.audit.verdict import FAMILY_LEVEL, Finding, Judgement, Shape, holm, judge, shape_of

MEMBERS, OUTSIDE, ATTACKS = 64, 180, 5


def verdicts(now: float, before: float, *, references: int = 2, worlds: int = 40, seed: int = 0) -> Counter[str]:
    """Judge synthetic GANs whose D scores forget images ``now`` and ``before`` deviations too high.

    The first attack sees all of it, the others a third. Images are easy or hard for every GAN alike.
    """
    random, found = np.random.default_rng(seed), Counter()

    def scores(easy: tuple[np.ndarray, np.ndarray], shift: float) -> tuple[np.ndarray, np.ndarray]:
        member, outside = (0.7 * d + 0.714 * random.normal(size=len(d)) for d in easy)
        return member + shift, outside

    for world in range(worlds):
        drawn = bootstrap(MEMBERS, OUTSIDE, seed=world, draws=150)
        findings = []
        for attack in range(ATTACKS):
            share = 1.0 if attack == 0 else 1 / 3
            easy = random.normal(size=MEMBERS), random.normal(size=OUTSIDE)
            retrained = [scores(easy, 0.0) for _ in range(references)]
            unlearned, original = (scores(easy, shift * share) for shift in (now, before))
            effect, control = (
                measure_effect(pair, retrained, drawn, exchangeable=True) for pair in (unlearned, original)
            )
            shape = shaped(*unlearned)
            findings.append(Finding(f"a{attack}", f"Attack {attack}", "D", effect, control, shape))
        found[judge(findings).verdict] += 1
    return found


@pytest.mark.parametrize("references", [0, 2])
@pytest.mark.parametrize(
    ("truth", "now"), [("under-unlearned", 1.9), ("matched", 0.0), ("over-unlearned", -1.2)], ids=str
)
def test_known_truths_are_told_nineteen_times_of_twenty(truth: str, now: float, references: int):
    # 1.9 deviations are an AUC of 0.91, −1.2 one of 0.20: an overfitted GAN, and the paper's destination
    assert verdicts(now, 1.9, references=references)[truth] >= 38


def test_an_original_without_membership_tells_nothing():
    found = verdicts(0.0, 0.0)
    assert found["cannot tell"] >= 38
    assert found["matched"] == 0


def test_nothing_done_to_a_weak_original_is_never_called_a_match():
    # 0.74 deviations are an AUC of 0.70, that of the bundled digits GAN
    found = verdicts(0.74, 0.74)
    assert found["matched"] == 0
    assert found["under-unlearned"] >= 36


def finding(effect: float, control: float = 0.4, *, deviation: float = 0.04, name: str = "a") -> Finding:
    def of(value: float) -> Effect:
        return Effect(value, 0.5, (Chance(deviation),), float(2 * norm.sf(abs(value) / deviation)))

    return Finding(name, name.upper(), "D", of(effect), of(control))


def test_the_strongest_departure_decides_and_all_are_told():
    result = judge([finding(0.2, name="generator"), finding(-0.45, name="discriminator")])
    assert result.verdict == "over-unlearned"
    assert len(result.reasons) == 2
    assert "DISCRIMINATOR" in result.reasons[0]
    assert judge([finding(0.3), finding(-0.2, name="b")]).verdict == "under-unlearned"


def test_the_smallest_p_value_decides_also_where_degrees_of_freedom_differ():
    few = Effect(0.4, 0.5, (Chance(0.04, 2),), Chance(0.04, 2).p(0.4))  # 10 deviations, p 0.0099
    many = Effect(-0.2, 0.5, (Chance(0.04),), Chance(0.04).p(-0.2))  # 5 deviations, p below 1e-6
    control = Effect(0.4, 0.5, (Chance(0.04),), 1e-9)
    result = judge([Finding("few", "FEW", "D", few, control), Finding("many", "MANY", "D", many, control)])
    assert result.verdict == "over-unlearned"
    assert ["MANY" in reason for reason in result.reasons] == [True, False]
    beyond = [finding(2.0, name="near"), finding(-4.0, name="far")]  # p-values of 0, both
    assert judge(beyond).verdict == "over-unlearned"


def test_an_attack_on_the_difference_is_no_control():
    strong, weak = finding(0.0, control=0.45, name="difference"), finding(0.0, control=0.3, name="logan")
    assert judge([strong, weak]).control == "difference"
    result = judge([replace(strong, controls=False), weak])
    assert result.control == "logan"
    alone = judge([replace(strong, controls=False)])
    assert (alone.verdict, alone.control) == ("cannot tell", None)
    assert [name for name, attack in registry.ATTACKS.items() if not attack.controls] == ["d_difference"]


def test_where_nothing_can_be_judged_that_is_the_reason():
    result = judge([])
    assert result.verdict == "cannot tell"
    assert "None of these attacks can be judged" in result.reasons[0]
    assert "not a random one" not in result.reasons[0]


def test_a_small_effect_is_no_departure_however_many_images_there_are():
    tiny = judge([finding(0.04, deviation=0.001)])
    assert tiny.verdict == "matched"
    assert tiny.adjusted["a"] < FAMILY_LEVEL


def test_a_match_needs_an_interval_inside_half_of_the_control():
    assert judge([finding(0.0, control=0.4)]).verdict == "matched"  # ±0.066 within ±0.2
    wide = judge([finding(0.0, control=0.2, deviation=0.062)])  # ±0.102, not within ±0.1
    assert wide.verdict == "cannot tell"
    assert "0.10" in wide.reasons[0]


def test_infinite_deviations_cannot_tell():
    nothing = Effect(0.4, 0.5, (Chance(np.inf),), 1.0)
    result: Judgement = judge([Finding("a", "A", "D", nothing, nothing)])
    assert result.verdict == "cannot tell"
    assert "three" in result.reasons[0]


def shaped(member: np.ndarray, outside: np.ndarray) -> Shape:
    found = ks_2samp(member, outside, method="asymp")
    return shape_of(member, outside, distance=found.statistic, p=found.pvalue)  # type: ignore[attr-defined]


@pytest.mark.parametrize(("spread", "verdict"), [(0.2, "over-unlearned"), (1.0, "matched"), (4.0, "under-unlearned")])
def test_scores_alike_on_average_but_not_in_shape_are_no_match(spread: float, verdict: str):
    random, told = np.random.default_rng(0), []
    for _ in range(20):
        shape = shaped(random.normal(0, spread, MEMBERS), random.normal(0, 1, OUTSIDE))
        told.append(judge([replace(finding(0.0, control=0.4), shape=shape)]).verdict)
    assert told.count(verdict) >= 19  # of 20


def test_shapes_by_hand():
    outside = np.arange(8.0)
    # ranks 4/8, 6/8 (not above ¾), 6.5/8 and 1
    assert shape_of(np.array([3.5, 5.5, 6.0, 9.0]), outside, distance=0.5, p=0.001) == Shape(0.5, 0.001, 0.5)
    small = replace(finding(0.0), shape=Shape(0.09, 1e-6, 0.0))
    assert judge([small]).verdict == "matched"  # many images make a small distance significant
    assert judge([small]).shapes == {"a": 1e-6}
    wide = replace(finding(0.0), shape=Shape(0.3, 1e-6, 0.0))
    assert "KS distance 0.30" in judge([wide]).reasons[0]
    assert (judge([wide]).by_shape, judge([wide]).misshapen) == (True, ("a",))
    assert (judge([small]).by_shape, judge([small]).misshapen) == (False, ())
    both = judge([replace(finding(0.3), shape=wide.shape)])
    assert (both.by_shape, both.misshapen) == (False, ("a",))
    assert judge([replace(finding(0.3), shape=wide.shape)]).verdict == "under-unlearned"  # a departure comes first


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.9]) == [0.9]
    assert holm([]) == []

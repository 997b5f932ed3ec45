"""What an audit says of its own reach: the power of its tests, what it cannot claim, and what of a leak is left."""

from dataclasses import replace

import numpy as np
import pytest

from ganforget.audit.attacks.registry import ATTACKS
from ganforget.audit.comparison import Chance, Effect
from ganforget.audit.figures import attack_figures, cannot_claim, power, verdict_figures
from ganforget.audit.statistics import minimum_detectable_auc
from ganforget.audit.verdict import Finding


def findings(count: int, deviation: float = 0.04) -> list[Finding]:
    effect = Effect(0.0, 0.5, (Chance(deviation),), 1.0)
    return [Finding(f"a{n}", f"A{n}", "D", effect, effect) for n in range(count)]


def test_power_is_that_among_all_judged_attacks():
    one, eight = (power(findings(count), 64, 180, references=False) for count in (1, 8))
    assert one["minimum_detectable_auc"] == pytest.approx(minimum_detectable_auc(64, 180, alpha=0.01))
    assert eight["minimum_detectable_auc"] == pytest.approx(minimum_detectable_auc(64, 180, alpha=0.01 / 8))
    assert (
        "1 attack judged together, one that ranks a forgotten image above an unseen one with probability 0.66"
        in (one["sentence"])
    )
    assert "8 attacks judged together" in eight["sentence"]
    assert "0.69 (or 0.31)" in eight["sentence"]
    assert "standard deviations" not in eight["sentence"]


def test_few_retrained_gans_limit_the_power_where_they_are_the_chance():
    both = Effect(0.0, 0.5, (Chance(0.04, 63), Chance(0.04, 2)), 1.0)
    against = [replace(finding, effect=both) for finding in findings(8)]
    sentence = power(against, 64, 180, references=True)["sentence"]
    # t(1 − 0.01 / 16, 2) · √(4/3) = 28.2577 · 1.1547
    assert "3 retrained GANs tell little" in sentence
    assert "its AUC has to be 32.6 of their standard deviations" in sentence
    assert "that of A7 has to be 32.6" in power([*findings(7), against[7]], 64, 180, references=True)["sentence"]


def test_of_too_few_images_nothing_is_said_to_be_found():
    """Against retrained GANs four images never depart, however well they are separated; against ½ they do."""
    said = power(findings(7), 4, 90, references=True)
    assert said["minimum_detectable_auc"] is None
    assert "however well an attack separates them, it is no departure" in said["sentence"]
    assert "probability 1.00" in power(findings(7), 4, 90, references=False)["sentence"]
    assert power(findings(1), 1, 90, references=False)["minimum_detectable_auc"] is None


@pytest.mark.parametrize("found", [[], findings(2, np.inf)], ids=["none", "unknown"])
def test_where_nothing_can_be_judged_nothing_is_said_to_be_found(found: list[Finding]):
    said = power(found, 64, 180, references=True)
    assert said["minimum_detectable_auc"] is None
    assert "nine times in ten" not in said["sentence"]
    assert "None of these attacks can be judged" in said["sentence"]


def test_holdout_images_that_may_have_calibrated_are_told():
    given = {"references": 3, "exchangeable": True, "quick": False, "attacks": [ATTACKS["logan"]]}
    assert len(cannot_claim([], **given)) == 1
    assert "calibrated on some of them" in cannot_claim([], **given, calibrated_unknown=True)[0]


def test_the_difference_has_no_leak_on_the_original_that_could_be_left():
    random = np.random.default_rng(0)

    def pair(shift: float) -> tuple[np.ndarray, np.ndarray]:
        return random.normal(shift, 1, 64), random.normal(0, 1, 180)

    retrained = {f"retrained-{n}": pair(-1.5) for n in range(8)}
    scores = {"original": (np.zeros(64), np.zeros(180)), "unlearned": pair(-1.5), **retrained}
    figures, finding = attack_figures("d_difference", scores, exchangeable=True, seed=0)
    assert figures["retrained"]["leak_left"] is None
    assert finding is not None
    assert not finding.controls
    assert finding.control.p < 0.01  # by which it would have been one
    assert verdict_figures([finding])["control"] is None
    known, _ = attack_figures("logan", scores | {"original": pair(2.0)}, exchangeable=True, seed=0)
    assert known["retrained"]["leak_left"] == pytest.approx(0, abs=0.1)

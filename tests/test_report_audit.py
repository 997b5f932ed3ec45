"""The audit's page: sentences with code in them, relearning panels, intervals, and a destination that is a band."""

import pytest

from ganforget.report.audit_page import _by_class, _distance, _rate, _shape
from ganforget.report.audit_words import verdict_words
from ganforget.report.curves import draw_curves
from ganforget.report.goal import read_goals
from ganforget.report.prose import prose
from ganforget.report.relearning import relearning_panels

CURVES = {"steps": [0.0, 5.0], "original": [0.8, 0.9], "unlearned": [0.5, 0.7], "retrained-0": [0.5, 0.6]}


def test_backticks_become_code_and_nothing_else_becomes_html():
    assert prose("run `a < b` & go") == "run <code>a &lt; b</code> &amp; go"
    assert prose("from -0.05 to +0.1, few-shot") == "from −0.05 to +0.1, few-shot"
    assert prose("`x`") == "<code>x</code>"
    assert prose("one ` alone <i>") == "one ` alone &lt;i&gt;"


def test_a_panel_for_each_kind_of_relearning():
    pace = {"expected": [[0.4, 0.6], [0.5, 0.65]], "faster": [5.0], "half_at": 0.65}
    pace["half_back"] = {"original": 0.0, "unlearned": 5.0, "retrained-0": None}
    audit = {"images": {"relearning": 8}, "relearning": CURVES, "relearning_neighbours": CURVES}
    audit["relearning_pace"] = {"relearning": pace}
    own, beside = relearning_panels(audit)
    assert "After 5 steps" in own["sentence"]
    assert own["rows"] == [
        ("original", ["0.80", "0.90"], "0"),
        ("unlearned", ["0.50", "0.70"], "5"),
        ("retrained 1", ["0.50", "0.60"], "not reached"),
    ]
    assert "8 kept training images" in beside["meaning"]
    assert "nobody can say" in beside["sentence"]  # no retrained network, or an audit of an older version
    never = {**audit, "relearning_pace": {"relearning": {**pace, "faster": []}}}
    assert "After no number of steps" in relearning_panels(never)[0]["sentence"]
    assert relearning_panels({"images": {"relearning": 8}, "relearning": None}) == []


def test_figures_have_their_intervals_and_those_of_older_audits_none():
    own = {"tpr": {"0.01": 0.05, "0.001": None}, "ks": 0.2}
    new = {**own, "tpr_interval": {"0.01": (0.01, 0.12), "0.001": None}, "ks_low": 0.1, "ks_high": 0.3}
    assert _rate(new, "0.01") == ("0.050", "0.010 to 0.120")
    assert _rate(new, "0.001") == ("not measurable", "")
    assert _distance(new) == ("0.20", "0.10 to 0.30")
    assert (_rate(own, "0.01"), _distance(own)) == (("0.050", ""), ("0.20", ""))


def test_a_verdict_by_shape_has_words_of_its_own():
    def words(verdict: str, **more: bool) -> str:
        found = verdict_words({"verdict": {"verdict": verdict, **more}})
        return f"{found.label}: {found.sentence} {found.meaning}"

    for verdict in ("under-unlearned", "over-unlearned"):
        assert words(verdict) == words(verdict, by_shape=False)  # an audit of an older version
        assert words(verdict, by_shape=True).startswith(words(verdict).split(":")[0])
    assert "turns the sign of the attack around" in words("over-unlearned")
    assert "no use to turn the sign" in words("over-unlearned", by_shape=True)
    assert "some have not been forgotten" in words("under-unlearned", by_shape=True)
    assert "Matched" in words("matched", by_shape=False)


def test_a_departure_of_shape_is_marked():
    verdict = {"shapes": {"logan": 1e-5, "rmia": 0.25}, "misshapen": ["logan"]}
    assert _shape("logan", {"ks": 0.3}, verdict) == {"distance": "0.30", "p": "below 0.001", "departs": True}
    assert _shape("rmia", {"ks": 0.1}, verdict) == {"distance": "0.10", "p": "0.250", "departs": False}
    assert _shape("d_difference", {"ks": 0.1}, verdict) is None
    assert _shape("logan", {"ks": 0.3}, {}) is None  # an audit of an older version


def test_quality_by_class_stands_beside_the_original():
    figures = dict.fromkeys(("kid", "precision", "recall", "density", "coverage"), 0.5)
    roles = {
        "original": {"by_class": {"1": figures}},
        "unlearned": {"by_class": {"1": {**figures, "kid": 2.0}, "4": figures}},
    }
    ((label, cells),) = _by_class({"quality": {"by_role": roles}})
    assert (label, cells[0], cells[1]) == ("1", ("2", "0.500"), ("0.500", "0.500"))
    assert _by_class({"quality": None}) == []


def test_a_destination_may_be_a_band():
    goals = read_goals("|auc_ut − 0.5| ≤ 0.1 and substitution ≤ 0.25")
    assert [(goal.key, goal.text) for goal in goals.values()] == [("substitution", "≤ 0.25"), ("auc_ut", "0.4 to 0.6")]
    assert [goals["auc_ut"].met(value) for value in (0.39, 0.41, 0.59, 0.61)] == [False, True, True, False]
    assert goals["auc_ut"].band == pytest.approx((0.4, 0.6))


def test_the_calibrated_destination_has_a_curve():
    log = [{"step": step, "auc_ut": value} for step, value in enumerate((0.75, 0.6, 0.51))]
    (curve,) = draw_curves(log, read_goals("|auc_ut − 0.5| ≤ 0.1"), None)
    assert "auc_ut from 0.75 to 0.51; destination 0.4 to 0.6" in curve.alt
    assert curve.svg.count("var(--goal)") == 3  # the band and its two ends

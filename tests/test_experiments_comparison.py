"""Paper beside ours: hand-made rows give numbers worked by hand, and both pages say them."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ganforget.experiments.catalogue import EXPERIMENTS, Plan, Row
from ganforget.experiments.comparison import compare
from ganforget.experiments.configuration import Configuration, Target
from ganforget.experiments.differences import setting_differences
from ganforget.experiments.page import write_markdown, write_page
from ganforget.experiments.retraining import reaching, training_seconds
from ganforget.experiments.wording import lines_of
from small_gan import small_gan

PLAN = Plan(Target("digits", "digits"), retrain_kimg=300.0)
CURVE = [
    {"kimg": 100.0, "seconds": 50.0, "fd_l": 6.0},
    {"kimg": 200.0, "seconds": 110.0, "fd_l": 3.0},
    {"kimg": 300.0, "seconds": 180.0, "fd_l": 3.1},
]


def unlearned(c: Configuration, **after: Any) -> dict[str, Any]:
    """Return a row of an unlearning run."""
    before = {"auc_lu": 0.5, "fd_l": 2.0, "fd_floor": 2.5, "acc": 0.9}
    measures = {"auc_lu": 0.8, "fd_l": 3.0, "acc": 0.8, "substitution": 0.5, "rec_u": 0.004, "rec_t": 0.003} | after
    results = {"before": before, "after": measures, "reached": True, "steps": 100, "cost_kimg": 4.0}
    return {
        "hash": c.hash,
        "kind": c.kind,
        "status": "done",
        "model": "digits",
        "data": "digits",
        "options": c.options,
        "words": c.words,
        "seconds": {"total": 20.0},
        "run": f"runs/{c.hash}",
        "results": results | {"fd_name": "FD (digits-classifier)"},
    }


def retrained(c: Configuration) -> dict[str, Any]:
    """Return a row of a retraining that reaches the original's distance at 200 kimg."""
    return unlearned(c) | {
        "curve": CURVE,
        "original": {"fd_l": 3.05, "kimg": 300.0},
        "to_original_kimg": reaching(CURVE, kimg=300.0),
        "to_original_distance": reaching(CURVE, fd_l=3.05),
        "results": {"after": {"fd_l": 3.1, "acc": 0.95}, "fd_name": "FD (digits-classifier)"},
    }


def rows_of(name: str, *texts: str) -> list[Row]:
    return [row for row in EXPERIMENTS[name].rows(PLAN) if all(text in row.name for text in texts)]


def baseline_results(ours: dict[str, Any], theirs: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return rows for the baseline's runs, of unlearning with ``ours`` and of retraining with ``theirs`` besides."""
    configurations = [c for row in rows_of("baseline") for c in row.configurations]
    return {
        c.hash: retrained(c) | ours | theirs if c.kind == "retrain" else unlearned(c) | ours for c in configurations
    }


@pytest.fixture
def baseline() -> dict[str, Any]:
    return compare(EXPERIMENTS["baseline"], rows_of("baseline"), baseline_results({}, {}))


def test_retraining_beside_unlearning(baseline: dict[str, Any]):
    whose = [line["whose"] for line in baseline["lines"]]
    assert whose == ["paper, retrained", "paper", "ours, retrained", "ours, paper preset", "ours, default preset"]
    theirs_retrained, theirs, ours_retrained, ours, _ = baseline["lines"]
    assert theirs_retrained["cells"] == {"fd_l": [None, 3.28], "acc": [None, 0.80]}
    assert theirs["cells"]["saving"][0] == pytest.approx(66847.64 / 360.84)
    assert ours["cells"]["saving"] == [180 / 20]  # seconds to the original's length ÷ seconds of unlearning
    assert ours["cells"]["kimg_saving"] == [200 / 4]  # kimg to the original's distance ÷ cost
    assert ours["differences"]["saving"] == pytest.approx(9 - 66847.64 / 360.84)
    assert ours_retrained["differences"] == {"acc": pytest.approx(0.15)}
    assert "fd_l" not in ours["differences"]  # on another network than the paper's


def test_a_retraining_of_other_weights_is_no_baseline():
    cells = []
    for weights in ("a", "b"):
        results = baseline_results({"model_hash": "a"}, {"model_hash": weights})
        cells.append(compare(EXPERIMENTS["baseline"], rows_of("baseline"), results)["lines"][3]["cells"]["saving"])
    assert cells == [[180 / 20], [None]]


def test_seconds_of_another_machine_are_not_divided():
    cells = []
    for cpu in ("this", "that"):
        results = baseline_results({"hardware": {"cpu": "this"}}, {"hardware": {"cpu": cpu}})
        line = compare(EXPERIMENTS["baseline"], rows_of("baseline"), results)["lines"][3]
        cells.append((line["cells"]["saving"], line["cells"]["kimg_saving"]))
    assert cells == [([180 / 20], [200 / 4]), ([None], [200 / 4])]


def test_a_short_retraining_does_not_take_the_place_of_a_whole_one():
    rows, results = rows_of("baseline"), baseline_results({}, {})
    whole = next(row for row in results.values() if row["kind"] == "retrain")
    short = whole | {"hash": "short", "options": whole["options"] | {"kimg": 20}, "to_original_kimg": None}
    line = compare(EXPERIMENTS["baseline"], rows, results | {"short": short})["lines"][3]
    assert line["cells"]["saving"] == [180 / 20]


def test_means_are_over_runs_and_differences_to_the_paper():
    rows = rows_of("table-2", "item-64 few-shot average, paper")
    first, second, third = rows[0].configurations
    results = {
        first.hash: unlearned(first),
        second.hash: unlearned(second, auc_lu=0.9, rec_u=0.002),
        third.hash: {"hash": third.hash, "kind": "unlearn", "status": "failed", "error": "It broke."},
    }
    paper, ours = compare(EXPERIMENTS["table-2"], rows, results)["lines"]
    assert paper["cells"]["auc_lu"] == [0.51, 0.86]
    assert paper["cells"]["r"][0] == pytest.approx(3.43 / 3.30)
    assert ours["cells"]["auc_lu"] == [0.5, pytest.approx(0.85)]
    assert ours["cells"]["r"] == [pytest.approx(1.2)]  # 3.0 ÷ the floor of 2.5, which is above 2.0
    assert ours["cells"]["rec"] == [pytest.approx(0.0)]  # the mean of +0.001 and −0.001
    assert ours["differences"]["auc_lu"] == pytest.approx(-0.01)
    assert (ours["runs"], ours["asked"], ours["reached"]) == (2, 3, 2)
    assert ours["failures"] == ["It broke."]
    assert ours["cells"]["saving"] == [None]  # no retrained GAN was measured


def test_a_class_is_compared_by_the_ratio_to_its_destination():
    rows = rows_of("table-5", "few-shot other-class, default")
    results = {}
    for c in rows[0].configurations:
        results[c.hash] = unlearned(c, fd_u=300.0, class_recall=0.01)
        results[c.hash]["results"]["fd_u_destination"] = 240.0
    comparison = compare(EXPERIMENTS["table-5"], rows, results)
    paper, ours = comparison["lines"]
    assert paper["cells"]["destination"] == [pytest.approx(157.27 / 150)]
    assert ours["cells"]["destination"] == [1.25]
    assert {"class_recall", "substitution"} <= set(comparison["columns"])
    assert "rec" not in comparison["columns"]


def test_columns_of_ours_are_shown_where_a_line_has_them():
    rows = rows_of("table-2", "item-64 few-shot average, paper")
    (first, *_) = rows[0].configurations
    plain = compare(EXPERIMENTS["table-2"], rows, {first.hash: unlearned(first)})["columns"]
    assert plain == ["auc_lu", "fd_l", "r", "acc", "saving", "substitution", "rec", "cost_kimg"]
    more = {first.hash: unlearned(first, auc_lu_seen=0.9, acc_downstream=0.7)}
    found = compare(EXPERIMENTS["table-2"], rows, more)["columns"]
    assert found[:2] == ["auc_lu", "auc_lu_seen"], "over images seen, right of over images not seen"
    assert "acc_downstream" in found


def test_a_label_of_ours_is_not_called_the_papers():
    """Of the columns of F_label our preset has 0.1 nowhere: it places its own."""
    titles = [row.title for row in rows_of("table-7", "zero-shot", "default")]
    assert titles == [
        "item-64 zero-shot mean F=-1",
        "item-64 zero-shot mean (ours: F_label auto)",
        "item-64 zero-shot mean F=0.5",
    ]
    paper, ours, *_ = compare(EXPERIMENTS["table-7"], rows_of("table-7", "zero-shot", "F_label auto"), {})["lines"]
    assert (paper["setting"], ours["setting"]) == ("item-64 zero-shot mean", titles[1])


def test_a_sham_run_stands_beside():
    rows = rows_of("table-2", "item-64 few-shot average, default")
    (first, *_) = rows[0].configurations
    results = unlearned(first)
    results["results"]["sham"] = {"fd_l": 2.75}
    comparison = compare(EXPERIMENTS["table-2"], rows, {first.hash: results})
    assert "sham_r" in comparison["columns"]
    assert comparison["lines"][1]["cells"]["sham_r"] == [pytest.approx(1.1)]  # 2.75 ÷ the floor of 2.5


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ("cifar10", None),
        ("digits", "The data are a stand-in: digits at 16×16 in place of CIFAR-10."),
        (
            "/somewhere/cats.zip",
            "The data are the images of cats.zip at 16×16. Whether they are CIFAR-10 is not checked",
        ),
    ],
)
def test_whose_data_they_are_is_said(data: str, words: str | None):
    plan = replace(PLAN, target=Target("digits", data))
    rows = EXPERIMENTS["table-6"].rows(plan)
    said = " ".join(setting_differences(EXPERIMENTS["table-6"], plan, rows, small_gan(c_dim=10, resolution=16), []))
    assert "trained on CIFAR-10 by the official code" in said
    assert ("The data are" in said) == (words is not None)
    assert words is None or words in said


def test_the_retraining_rows_are_of_the_data_at_hand():
    plan = replace(PLAN, target=Target("models/cifar10", "cifar10"))
    rows = EXPERIMENTS["table-14"].rows(plan)
    said = " ".join(setting_differences(EXPERIMENTS["table-14"], plan, rows, small_gan(c_dim=10), []))
    assert "CIFAR-10" in said
    assert "MNIST" not in said
    assert "for 300 kimg (the original's length is not recorded)" in said


def test_what_has_not_been_run_says_so():
    rows = rows_of("table-13")
    texts = lines_of(compare(EXPERIMENTS["table-13"], rows, {}))
    assert {line["reached"] for line in texts if not line["paper"]} == {"not run yet"}
    assert [line["cells"][0]["text"] for line in texts if line["paper"]] == [
        "0.580 → 0.420",
        "0.680 → 0.550",
        "0.690 → 0.500",
    ]


def test_both_pages_hold_the_same_figures(baseline: dict[str, Any], tmp_path: Path):
    baseline |= {"differences": ["The <network> differs."], "pictures": [], "scores": {}, "made_of": "7 runs."}
    write_markdown(baseline, tmp_path / "b.md")
    write_page(baseline, tmp_path / "b.html", folder=tmp_path)
    markdown, page = (tmp_path / "b.md").read_text(), (tmp_path / "b.html").read_text()
    for text in ("185.3", "9.0", "−176.3", "50.0", "3 of 3"):
        assert text in markdown
        assert text in page
    assert "The &lt;network&gt; differs." in page
    assert "reaches it at 200 kimg" in markdown
    assert page.count("<svg") == 1
    assert "http" not in page.replace("http://www.w3.org", "").replace("http-equiv", "")


@pytest.mark.parametrize(
    ("distances", "words"),
    [
        ((9.0, 5.2, 5.1), "its best is 5.10 at 300 kimg, and it is first within 5% of it at 200 kimg."),
        ((9.0, 6.2, 6.1), "its best is 6.10 at 300 kimg."),
    ],
)
def test_a_retraining_that_does_not_arrive_says_how_near_it_came(
    baseline: dict[str, Any], tmp_path: Path, distances: tuple[float, ...], words: str
):
    points = [{"kimg": 100.0 * (n + 1), "seconds": None, "fd_l": fd} for n, fd in enumerate(distances)]
    curve = {
        "words": "retrain",
        "curve": points,
        "original": {"kimg": 300.0, "fd_l": 5.0},
        "to_original_distance": None,
    }
    baseline |= {"curves": [curve], "differences": [], "pictures": [], "scores": {}, "made_of": "1 run."}
    write_markdown(baseline, tmp_path / "b.md")
    assert f"does not reach it; {words}" in (tmp_path / "b.md").read_text()


def test_pictures_and_histograms_are_embedded(baseline: dict[str, Any], tmp_path: Path):
    line = baseline["lines"][3]
    images = tmp_path / line["runs_at"][0] / "images"
    images.mkdir(parents=True)
    (images / "samples_before.png").write_bytes(b"png")
    scores = {"retain": [0.1, 0.4], "holdout": [0.0, 0.2], "generated": [-1.0, -0.5]}
    baseline |= {"differences": [], "pictures": ["samples_before", "samples_after"], "scores": scores, "made_of": ""}
    write_page(baseline, tmp_path / "b.html", folder=tmp_path)
    page = (tmp_path / "b.html").read_text()
    assert page.count("data:image/png;base64,cG5n") == 1  # the other sheet is not there
    assert "test images (2)" in page


def test_when_a_curve_arrives():
    assert reaching(CURVE, fd_l=3.05) == CURVE[1]
    assert reaching(CURVE, kimg=250.0) == CURVE[2]
    assert reaching(CURVE, fd_l=1.0) is None


def test_seconds_between_the_lines_of_a_log():
    ticks = [(10.0, 20.0), (30.0, 80.0)]
    assert [training_seconds(ticks, kimg) for kimg in (5.0, 10.0, 20.0, 30.0)] == [10.0, 20.0, 50.0, 80.0]
    assert training_seconds(ticks, 40.0) is None
    assert training_seconds([], 1.0) is None

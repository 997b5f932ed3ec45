"""What counts as reached, by what was measured."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ganforget.api import measuring
from ganforget.api.unlearning import run_unlearning
from ganforget.options import UnlearnOptions
from small_runs import save_digits_gan, take_few_steps


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_digits_gan(tmp_path_factory.mktemp("model"))


@pytest.mark.parametrize(
    ("asked", "unseen", "seen", "rule", "reached", "by_heart"),
    [
        ({"preset": "paper"}, 0.5, 0.9, "auc_lu_seen > 0.8", True, True),
        ({"preset": "paper"}, 0.9, 0.9, "auc_lu_seen > 0.8", True, False),
        ({"preset": "paper"}, 0.9, 0.8, "auc_lu_seen > 0.8", False, False),
        ({"preset": "paper", "mode": "zero-shot"}, 0.9, None, "auc_lu > 0.8", True, False),
        ({"preset": "paper", "mode": "zero-shot"}, 0.5, None, "auc_lu > 0.8", False, False),
        ({"destination": "paper"}, 0.5, 0.9, "auc_lu > 0.8", False, False),
        ({"destination": "paper"}, 0.9, 0.9, "auc_lu > 0.8", True, False),
    ],
)
def test_the_papers_preset_arrives_over_the_images_it_learns(
    model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    asked: dict[str, Any],
    unseen: float,
    seen: float | None,
    rule: str,
    reached: bool,
    by_heart: bool,
):
    """And says so where the same does not hold for images that it has not seen."""
    take_few_steps(monkeypatch, steps=2, max_steps=2)
    evaluate = measuring.evaluate

    def told(*given: Any) -> Any:
        found = evaluate(*given)
        return replace(found, measures=found.measures | {"auc_lu": unseen, "auc_lu_seen": seen})

    monkeypatch.setattr(measuring, "evaluate", told)
    given: dict[str, Any] = {
        "forget_random": 8,
        "probe": False,
        "cache": False,
        "max_steps": 2,
        "schedule_steps": 1,
    } | asked
    results = run_unlearning(UnlearnOptions(str(model), "digits", outdir=tmp_path, **given)).results
    assert (results["destination_rule"], results["reached"]) == (rule, reached)
    assert any("has learned the former by heart" in warning for warning in results["warnings"]) == by_heart


@pytest.mark.parametrize(
    ("destination", "error", "said"), [("calibrated", 0.06, True), ("calibrated", 0.04, False), ("paper", 0.06, False)]
)
def test_a_destination_narrower_than_what_is_known_is_said(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, destination: Any, error: float, said: bool
):
    take_few_steps(monkeypatch, steps=2, max_steps=2)
    evaluate = measuring.evaluate

    def told(*given: Any) -> Any:
        found = evaluate(*given)
        return replace(found, measures=found.measures | {"auc_ut": 0.57, "auc_ut_error": error})

    monkeypatch.setattr(measuring, "evaluate", told)
    given: dict[str, Any] = {"forget_random": 8, "probe": False, "cache": False, "max_steps": 2, "schedule_steps": 1}
    options = UnlearnOptions(str(model), "digits", outdir=tmp_path, destination=destination, **given)
    warnings = run_unlearning(options).results["warnings"]
    found = [sentence for sentence in warnings if sentence.startswith("auc_ut 0.57 is known to ±0.12 only")]
    assert len(found) == said
    assert not said or "8 forget images and 163 never trained on" in found[0]


@pytest.mark.parametrize(
    ("classes", "size", "forgotten", "shown"),
    [(10, 32, (7,), 10), (24, 64, (), 24), (1000, 64, (3, 500), 24), (100, 1024, (99,), 12), (100, 4096, (99,), 2)],
)
def test_of_very_many_classes_the_forgotten_and_the_first_are_shown(
    classes: int, size: int, forgotten: tuple[int, ...], shown: int
):
    """A sheet of all classes would be more than memory holds, and more than Pillow opens."""
    G: Any = SimpleNamespace(c_dim=classes, img_resolution=size)
    found = measuring._shown_classes(G, forgotten).tolist()
    assert len(found) == shown
    assert found == sorted(set(found))
    assert set(forgotten) <= set(found)
    assert set(range(shown - len(forgotten))) <= set(found)

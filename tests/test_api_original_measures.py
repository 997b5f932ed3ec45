"""The original is measured once for the same task, and again where anything of it differs."""

from pathlib import Path
from typing import Any

import pytest

from ganforget.api import measuring
from ganforget.api.unlearning import run_unlearning
from ganforget.evaluation.reference import Reference
from ganforget.files import read_json
from ganforget.options import UnlearnOptions
from small_runs import save_digits_gan, take_few_steps


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_digits_gan(tmp_path_factory.mktemp("model"))


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Any]:
    """Few steps, a cache of its own, and what every evaluation found."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    take_few_steps(monkeypatch, steps=2, max_steps=2)
    found: list[Any] = []
    evaluate = measuring.evaluate

    def counted(G: Any, score: Any, reference: Reference) -> Any:
        found.append(evaluate(G, score, reference))
        return found[-1]

    monkeypatch.setattr(measuring, "evaluate", counted)
    return found


def unlearned(model: Path, outdir: Path, **more: Any) -> Path:
    given = {"forget_random": 8, "probe": False, "destination": "paper", "max_steps": 2} | more
    run = run_unlearning(UnlearnOptions(str(model), "digits", outdir=outdir, **given)).run
    assert run is not None
    return run


def before(run: Path) -> tuple[Any, Any]:
    return read_json(run / "results.json", kind="")["before"], read_json(run / "scores.json", kind="")["before"]


def test_the_same_task_measures_the_original_once(model: Path, measured: list[Any], tmp_path: Path):
    first = unlearned(model, tmp_path / "a")
    assert len(measured) == 2
    second = unlearned(model, tmp_path / "b", substitute="average", fake_label=-3.0)
    assert len(measured) == 3
    fresh = unlearned(model, tmp_path / "c", cache=False)
    assert len(measured) == 5
    assert before(first) == before(second) == before(fresh)
    assert before(first)[0]["substitution"] == 1


@pytest.mark.parametrize(
    "change",
    [{"forget_random": 9}, {"seed": 1}, {"mode": "zero-shot"}, {"reconstruct": True}, {"downstream": True}],
    ids=lambda change: next(iter(change)),
)
def test_another_task_measures_it_again(model: Path, measured: list[Any], tmp_path: Path, change: dict[str, Any]):
    unlearned(model, tmp_path / "a")
    unlearned(model, tmp_path / "b", **change)
    assert len(measured) == 4


def test_a_damaged_file_counts_as_none(model: Path, measured: list[Any], tmp_path: Path):
    first = unlearned(model, tmp_path / "a")
    (kept,) = (tmp_path / "cache/ganforget/measures").iterdir()
    kept.write_bytes(kept.read_bytes()[:-20])
    assert before(unlearned(model, tmp_path / "b")) == before(first)
    assert len(measured) == 4
    assert before(unlearned(model, tmp_path / "c")) == before(first)
    assert len(measured) == 5


def test_measures_that_cannot_be_kept_stop_nothing(model: Path, measured: list[Any], tmp_path: Path):
    (tmp_path / "cache/ganforget").mkdir(parents=True)
    (tmp_path / "cache/ganforget/measures").write_text("no folder")
    assert before(unlearned(model, tmp_path / "a"))[0]["fd_l"] > 0

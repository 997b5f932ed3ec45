"""A whole unlearning run, stopped and gone on with: its folder ends as if nothing had happened."""

import json
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from ganforget.api import cost, judging, measuring, unlearning
from ganforget.api.task import resolve_task
from ganforget.api.unlearning import resume_unlearning, run_unlearning
from ganforget.errors import InputError, Interrupted, ModelFileError
from ganforget.files import read_json_lines
from ganforget.options import UnlearnOptions
from ganforget.progress import Silent
from small_runs import save_digits_gan, take_few_steps


@pytest.fixture(autouse=True)
def little(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take fewer steps of inversion and fewer samples than a real run does."""
    take_few_steps(monkeypatch, pool=64, check_interval=2)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_digits_gan(tmp_path_factory.mktemp("model"))


def options(model: Path, outdir: Path, **more: Any) -> UnlearnOptions:
    given = {"forget_random": 6, "max_steps": 7, "schedule_steps": 4, "cache": False, "probe": False} | more
    return UnlearnOptions(str(model), "digits", outdir=outdir, **given)


class StopAt(Silent):
    """Presses Ctrl-C when the cascade says that it is at a step."""

    def __init__(self, step: int) -> None:
        self.at, self.unlearning = step, False

    def stage(self, title: str) -> None:
        self.unlearning = title == "Unlearning"

    def step(self, done: float, total: float, text: str = "") -> None:
        if self.unlearning and done == self.at:
            signal.raise_signal(signal.SIGINT)


def timeless(run: Path) -> tuple[bytes, dict[str, Any], list[dict[str, Any]]]:
    """The weights, results and log of a run, but for the seconds."""
    results = json.loads((run / "results.json").read_text())
    for name in ("seconds", "cost_kimg"):
        results.pop(name)
    log = [{k: v for k, v in line.items() if k != "seconds"} for line in read_json_lines(run / "log.jsonl")]
    return (run / "model" / "model.safetensors").read_bytes(), results, log


FOLDS: dict[str, Any] = {"destination": "separated", "mode": "zero-shot", "forget_random": 32}
OF_CLASS: dict[str, Any] = {"forget_random": None, "forget_class": (7,), "invert": 4}


@pytest.mark.parametrize(
    "more", [{"destination": "separated"}, {"destination": "calibrated"}, FOLDS, OF_CLASS], ids=str
)
def test_a_resumed_run_ends_as_the_uninterrupted_one(model: Path, tmp_path: Path, more: dict[str, Any]):
    plain = run_unlearning(options(model, tmp_path / "plain", **more)).run
    assert plain is not None
    with pytest.raises(Interrupted, match="ganforget resume"):
        run_unlearning(options(model, tmp_path / "stopped", **more), StopAt(4))
    (run,) = (tmp_path / "stopped").iterdir()
    assert not (run / "results.json").exists()
    assert resume_unlearning(run).run == run
    assert timeless(run) == timeless(plain)
    assert [line["step"] for line in timeless(run)[2]] == [0, 2, 4, 6, 7]
    with pytest.raises(InputError, match="has ended"):
        resume_unlearning(run)


@pytest.mark.parametrize(("changed", "words"), [("forget", "forget set"), ("data", "training data")])
def test_a_run_does_not_go_on_with_something_else(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changed: str, words: str
):
    names = tmp_path / "names.txt"
    names.write_text("1\n2\n3\n")
    with pytest.raises(Interrupted):
        run_unlearning(options(model, tmp_path / "runs", forget_random=None, forget=names), StopAt(2))
    (run,) = (tmp_path / "runs").iterdir()
    if changed == "forget":
        names.write_text("1\n2\n4\n")
    else:
        config = json.loads((run / "config.json").read_text())
        config["data"]["train_hash"] = "0" * 64
        (run / "config.json").write_text(json.dumps(config))
    with pytest.raises(InputError, match=f"The {words}.* has changed since the run"):
        resume_unlearning(run)


def test_the_sham_run_holds_g_to_the_original(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Not to anchors turned away from the images, which is unlearning."""
    cascades = []
    real = unlearning.run_cascade

    def watched(cascade: Any, *given: Any, **more: Any) -> Any:
        cascades.append(cascade)
        return real(cascade, *given, **more)

    monkeypatch.setattr(unlearning, "run_cascade", watched)
    run_unlearning(options(model, tmp_path, destination="calibrated", sham=True))
    ours, sham = cascades
    assert (ours.sham, sham.sham) == (False, True)
    assert not torch.equal(ours.anchor_images, ours.anchors.images)
    assert sham.anchor_images is None


def test_rec_t_is_of_images_that_calibrated_nothing(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    compared = []

    def errors(gan: Any, forget: Any, holdout: Any, **more: Any) -> dict[str, float]:
        compared.append(holdout)
        return {"rec_u": 1.0, "rec_t": 1.0, "rec_gap_error": 0.1, "rec_images": 16}

    monkeypatch.setattr(measuring, "reconstruction_errors", errors)
    given = options(model, tmp_path, destination="calibrated", reconstruct=True)
    task = resolve_task(given)
    run_unlearning(given)
    assert task.splits is not None
    calibrating = {image.tobytes() for image in task.splits.holdout.subset(task.calibration).images}
    assert len(compared) == 2
    for holdout in compared:
        assert len(holdout) == len(task.splits.holdout) - len(task.calibration)
        assert not calibrating & {image.tobytes() for image in holdout.images}


def test_a_class_is_held_against_a_distance_of_as_many_images(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """On an extractor without a recorded one: the stop checks' destination is of few samples."""
    from ganforget.api import preparation
    from ganforget.evaluation import reference

    monkeypatch.setattr(preparation, "recorded_destination", lambda *_: None)
    monkeypatch.setattr(preparation, "generated_destination", lambda *_: 7e5)
    monkeypatch.setattr(reference, "recorded_destination", lambda *_: None)
    given = options(model, tmp_path, forget_random=None, forget_class=(7,), invert=4)
    results = run_unlearning(given).results
    assert 10 < results["fd_u_destination"] < 1e5
    assert results["destination_rule"].startswith(f"fd_u > {results['fd_u_destination']:.4g} and ")


def test_a_classifier_that_is_not_there_is_told_first(model: Path, tmp_path: Path):
    with pytest.raises(ModelFileError, match=r"none\.safetensors"):
        run_unlearning(options(model, tmp_path / "runs", classifier=tmp_path / "none.safetensors"))
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"mode": "zeroshot"}, "--mode is 'zeroshot'; expected few-shot or zero-shot"),
        ({"preset": "Paper"}, "--preset is 'Paper'; expected default or paper"),
        ({"substitute": "avg"}, "--substitute is 'avg'; expected average, truncation, projection or other-class"),
        ({"latent": "wplus"}, "--latent is 'wplus'; expected w or w"),
        (
            {"destination": "seperated"},
            "--destination is 'seperated'; expected default, calibrated, separated or paper",
        ),
        ({"device": "tpu"}, "--device is 'tpu'; expected auto, cpu or cuda"),
    ],
)
def test_a_word_that_is_none_is_refused(model: Path, tmp_path: Path, given: dict[str, Any], words: str):
    with pytest.raises(InputError, match=words):
        options(model, tmp_path, **given)


def test_a_killed_run_writes_no_step_twice(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Killed after step 6 with the state of step 0 on disk: the log's lines from there on are written anew."""
    with pytest.raises(KeyboardInterrupt):
        run_unlearning(options(model, tmp_path), KilledAt(6))
    (run,) = tmp_path.iterdir()
    assert [line["step"] for line in read_json_lines(run / "log.jsonl")] == [0, 2, 4, 6]
    resume_unlearning(run)
    assert [line["step"] for line in read_json_lines(run / "log.jsonl")] == [0, 2, 4, 6, 7]


class KilledAt(Silent):
    """Dies at a step of the cascade."""

    def __init__(self, step: int) -> None:
        self.at = step

    def step(self, done: float, total: float, text: str = "") -> None:
        if total == 7 and done == self.at:
            raise KeyboardInterrupt


def test_the_work_of_a_sham_run_is_not_the_works(model: Path, tmp_path: Path):
    alone, beside = (run_unlearning(options(model, tmp_path, sham=sham)).results for sham in (False, True))
    assert beside["work"] == alone["work"]
    assert beside["sham"] is not None
    assert alone["sham"] is None


def test_a_schedule_cut_short_reaches_nothing(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Even where every measure is at its destination."""
    monkeypatch.setattr(measuring, "is_reached", lambda *_: True)
    short = run_unlearning(options(model, tmp_path, max_steps=3, schedule_steps=4))
    assert short.reached is False
    assert any("ended after 3 of the schedule's 4 steps" in warning for warning in short.results["warnings"])
    enough = run_unlearning(options(model, tmp_path, max_steps=4, schedule_steps=4))
    assert enough.reached is True
    assert not any("schedule" in warning for warning in enough.results["warnings"])


def test_a_run_that_has_cost_enough_ends_there(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """With a kimg of an hour a second's run costs next to nothing; with one of a microsecond all is spent at once."""
    steps = []
    for number, seconds in enumerate((3600.0, 1e-6)):
        monkeypatch.setattr(cost, "timed_training", lambda *_, seconds=seconds: seconds)
        limited = options(model, tmp_path / str(number), probe=True, max_cost=1.0)
        results = run_unlearning(limited).results
        steps.append(results["steps"])
        assert results["max_cost"] == 1.0
    assert steps == [7, 2]
    with pytest.raises(InputError, match="no-probe"):
        options(model, tmp_path, max_cost=1.0)


def test_a_run_that_goes_on_keeps_its_unit_of_cost(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(cost, "timed_training", lambda *_: 3600.0)
    with pytest.raises(Interrupted):
        run_unlearning(options(model, tmp_path, probe=True), StopAt(2))
    monkeypatch.setattr(cost, "timed_training", lambda *_: 1e-6)
    (run,) = tmp_path.iterdir()
    results = resume_unlearning(run).results
    assert results["seconds_per_kimg"] == 3600.0
    assert results["cost_kimg"] == pytest.approx(results["seconds"]["total"] / 3600)
    seconds = results["seconds"]
    assert seconds["total"] == pytest.approx(sum(seconds[part] for part in ("inversion", "cascade", "checks")))
    assert seconds["preparation"] > 0


@pytest.mark.parametrize("content", ["{}", "[]", '{"schema_version": 1, "kimg_seconds": 0.0}'])
def test_a_unit_of_cost_that_no_run_wrote_is_refused(model: Path, tmp_path: Path, content: str):
    with pytest.raises(Interrupted):
        run_unlearning(options(model, tmp_path, probe=True), StopAt(2))
    (run,) = tmp_path.iterdir()
    (run / "checkpoint" / "unit.json").write_text(content)
    with pytest.raises(InputError, match="delete the file"):
        resume_unlearning(run)
    (run / "checkpoint" / "unit.json").unlink()
    assert resume_unlearning(run).results["seconds_per_kimg"] > 0


def test_a_perceptual_file_in_place_of_the_classifier(model: Path, tmp_path: Path):
    path = tmp_path / "vgg16.safetensors"
    widths, places = (3, 2, 2, 2, 2, 2), ((0, 2), (5, 7), (10, 12, 14), (17, 19, 21), (24, 26, 28))
    tensors = {}
    for s, part in enumerate(places):
        for i, n in enumerate(part):
            tensors[f"features.{n}.weight"] = torch.ones(2, widths[s] if i == 0 else 2, 3, 3) / 9
            tensors[f"features.{n}.bias"] = torch.zeros(2)
    save_file(tensors, path)
    losses = {}
    for name, more in {"none": {}, "classifier": {"lambda2": 1.0}, "vgg": {"lambda2": 1.0, "perceptual": path}}.items():
        run = run_unlearning(options(model, tmp_path / name, **more)).run
        assert run is not None
        losses[name] = read_json_lines(run / "log.jsonl")[1]["g_substitute"]
    assert losses["none"] < min(losses["classifier"], losses["vgg"])
    assert losses["classifier"] != losses["vgg"]
    with pytest.raises(ModelFileError, match="no VGG16 weights file"):
        run_unlearning(options(model, tmp_path / "bad", lambda2=1.0, perceptual=tmp_path / "absent.pth"))
    assert not (tmp_path / "bad").exists()


def test_the_downstream_accuracy_stands_beside_the_other_measures(model: Path, tmp_path: Path):
    result = run_unlearning(options(model, tmp_path, downstream=True))
    assert result.run is not None
    assert all(0 <= result.results[when]["acc_downstream"] <= 1 for when in ("before", "after"))
    assert "Real images read by a classifier" in (result.run / "report.html").read_text()


@pytest.mark.parametrize(
    ("gap", "images", "alike"),
    [(2.6, 64, True), (2.7, 64, False), (-2.7, 64, False), (2.9, 16, True), (3.0, 16, False), (2.7, 500, False)],
)
def test_a_calibrated_run_wants_fresh_inversions_alike_as_far_as_they_can_be_told(gap: float, images: int, alike: bool):
    """Student's t at 1 % with 63 degrees of freedom is 2.656, with 15 it is 2.947."""
    found: dict[str, float | None] = {
        "rec_u": 1.0 + 0.1 * gap,
        "rec_t": 1.0,
        "rec_gap_error": 0.1,
        "rec_images": images,
    }
    assert judging._remade_alike(found) == alike
    assert judging._remade_alike(found | {"rec_t": None}), "what was not measured is no reproach"


@pytest.mark.parametrize(
    ("more", "steps"), [({"forget_random": 64}, 1500), ({"forget_random": 150}, 1800), ({"max_steps": 9}, 9)], ids=str
)
def test_many_images_are_given_more_steps(more: dict[str, Any], steps: int, tmp_path: Path):
    asked: dict[str, Any] = {"forget_random": 6} | more
    task = resolve_task(UnlearnOptions("digits", "digits", outdir=tmp_path, mode="zero-shot", **asked))
    assert task.config.max_steps == steps

"""Experiments from end to end on GANs of a few thousand weights: run, stopped, gone on with, compared, written."""

import json
import re
import signal
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ganforget.api import reconstruction
from ganforget.cli import main
from ganforget.data import ImageDataset
from ganforget.errors import InputError, Interrupted
from ganforget.evaluation import reference
from ganforget.experiments.configuration import Configuration, Target
from ganforget.experiments.options import ReproduceOptions
from ganforget.experiments.reproduce import reproduce
from ganforget.experiments.retraining import retrain
from ganforget.inversion.invert import InversionConfig
from ganforget.models.classifier import ClassifierConfig, TrainedClassifier, save_classifier
from ganforget.models.classifier_training import TrainingPlan, train_classifier
from ganforget.models.gan import Gan, save_gan
from ganforget.progress import Silent
from small_gan import small_gan
from small_runs import save_digits_gan, take_few_steps


@pytest.fixture(autouse=True)
def little(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Take few steps of inversion and of the cascade, and keep no latents outside."""
    few = {"pool": 64, "check_interval": 2, "max_steps": 4, "schedule_steps": 2}
    take_few_steps(monkeypatch, steps=4, start_samples=8, **few)
    monkeypatch.setattr(reconstruction, "InversionConfig", partial(InversionConfig, steps=4, start_samples=8))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def options(model: Path, outdir: Path, **more: Any) -> ReproduceOptions:
    return ReproduceOptions(**{"model": str(model), "data": "digits", "seeds": (0,), "outdir": outdir, **more})


def rows_of(outdir: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (outdir / "results.jsonl").read_text().splitlines()]


def test_the_baseline_is_trained_measured_and_compared(tiny_run: Path, tmp_path: Path):
    (one,) = reproduce(("baseline",), options(tiny_run, tmp_path))
    retrained, paper, ours = rows_of(tmp_path)
    assert [row["status"] for row in (retrained, paper, ours)] == ["done"] * 3
    assert retrained["to_original_kimg"]["kimg"] == retrained["original"]["kimg"] == 0.16
    assert [point["kimg"] for point in retrained["curve"]] == [0.16]
    assert retrained["curve"][-1]["fd_l"] == pytest.approx(retrained["results"]["after"]["fd_l"])
    forgotten = json.loads((tmp_path / paper["run"] / "forget_set.json").read_text())
    assert json.loads((tmp_path / retrained["run"] / "forget_set.json").read_text())["hashes"] == forgotten["hashes"]
    for row in (paper, ours):
        assert {"substitution", "rec_u", "rec_t", "acc_downstream"} <= row["results"]["after"].keys()
        assert row["results"]["max_cost"] == 60.0
    assert one.comparison is not None
    assert one.page is not None
    saving = one.comparison["lines"][-1]["cells"]["saving"][0]
    assert saving == pytest.approx(retrained["to_original_kimg"]["seconds"] / ours["seconds"]["total"])
    assert "What differs in the setting" in one.page.read_text()
    assert "a stand-in: digits" in (tmp_path / "baseline.md").read_text()
    before = (tmp_path / "results.jsonl").read_bytes()
    reproduce(("baseline",), options(tiny_run, tmp_path))
    assert (tmp_path / "results.jsonl").read_bytes() == before
    run = tmp_path / retrained["run"]
    assert retrain(one.configurations[0], tmp_path / "given", None, (run,), "cpu", Silent()) == run  # not trained again
    config = json.loads((run / "config.json").read_text())
    (run / "config.json").write_text(json.dumps(config | {"options": config["options"] | {"keep_snapshots": False}}))
    with pytest.raises(InputError, match="kept no snapshots"):
        retrain(one.configurations[0], tmp_path / "given", None, (run,), "cpu", Silent())


def test_nothing_is_trained_as_a_model_that_does_not_say_how(tmp_path: Path):
    target = Target(str(save_digits_gan(tmp_path / "model")), "digits")
    asked = Configuration("retrain", target, 0, {"forget_random": 8, "kimg": 0.16})
    with pytest.raises(InputError, match="does not record how it was trained"):
        retrain(asked, tmp_path / "given", None, (), "cpu", Silent())


class StopAt(Silent):
    """Presses Ctrl-C at a step of the first cascade."""

    def __init__(self) -> None:
        self.unlearning = False

    def stage(self, title: str) -> None:
        self.unlearning = title == "Unlearning"

    def step(self, done: float, total: float, text: str = "") -> None:
        if self.unlearning and done == 2:
            signal.raise_signal(signal.SIGINT)


def test_a_stopped_run_is_gone_on_with(tiny_run: Path, tmp_path: Path):
    asked = options(tiny_run, tmp_path, only=("item-64 few-shot truncation, default",))
    with pytest.raises(Interrupted):
        reproduce(("table-2",), asked, StopAt())
    assert not (tmp_path / "results.jsonl").exists()
    reproduce(("table-2",), asked)
    (row,) = rows_of(tmp_path)
    assert row["run"].endswith("truncation")
    assert len(list((tmp_path / "runs" / row["hash"]).iterdir())) == 1  # no second run was begun
    (tmp_path / "results.jsonl").unlink()  # killed after the run and before its row: the run is read, not repeated
    reproduce(("table-2",), asked)
    assert rows_of(tmp_path)[0]["results"] == row["results"]


def test_tables_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """Of the rows that are there; no run, and no data."""
    asked = ["reproduce", "table-2", "--model", "digits", "--data", "mnist", "--data-path", str(tmp_path / "none")]
    asked += ["--outdir", str(tmp_path / "out"), "--only", "item-64"]
    assert main([*asked, "--tables-only"]) == 0
    assert "not run yet" in (tmp_path / "out" / "table-2.md").read_text()
    assert not (tmp_path / "out" / "results.jsonl").exists()
    assert main(asked) == 2


def test_a_failed_run_is_told(tiny_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """By the exit status, by a dry run and on the page, whose last line is of what was run."""
    asked = ["reproduce", "table-2", "--model", str(tiny_run), "--data", "digits", "--outdir", str(tmp_path)]
    asked += ["--only", "item-1024 few-shot average, paper"]
    assert main(asked) == 1
    capsys.readouterr()
    assert main([*asked, "--dry-run"]) == 0
    assert "0 of them missing, 1 failed (--retry runs them again)" in capsys.readouterr().out
    assert "1 run of ganforget at no commit on no machine. 1 of them failed." in (tmp_path / "table-2.html").read_text()


def test_figure_2_has_scores_and_a_histogram(tiny_run: Path, tmp_path: Path):
    (one,) = reproduce(("figure-2",), options(tiny_run, tmp_path))
    assert one.comparison is not None
    assert re.fullmatch(r"1 run of ganforget at .*, \d+ threads?\.", one.comparison["made_of"])
    paper, ours = one.comparison["lines"]
    assert (paper["cells"]["auc_lt"], paper["cells"]["auc_lg"]) == ([0.56], [0.94])
    assert all(0 <= ours["cells"][key][0] <= 1 for key in ("auc_lt", "auc_lg"))
    assert one.page is not None
    assert "generated images" in one.page.read_text()


def folder_of(images: np.ndarray, labels: list[int] | None, place: Path) -> Path:
    """Write images as a folder of PNG files, with labels as the StyleGAN tools keep them."""
    place.mkdir()
    for number, image in enumerate(images):
        Image.fromarray(image.transpose(1, 2, 0)).save(place / f"{number:03d}.png")
    if labels is not None:
        told = {"labels": [[f"{number:03d}.png", label] for number, label in enumerate(labels)]}
        (place / "dataset.json").write_text(json.dumps(told))
    return place


def colour_gan(place: Path, c_dim: int) -> Path:
    gan = small_gan(c_dim=c_dim, resolution=16, channels=3)
    save_gan(Gan(gan.G, gan.D, gan.config), place)
    return place


def test_cifar10s_tables_at_small_scale(tmp_path: Path):
    """A conditional GAN of colour images, with a classifier of theirs: class 7, both presets."""
    labels = [number % 10 for number in range(200)]
    tints = np.array(labels, np.uint8)[:, None, None, None] * 20
    noise = np.random.default_rng(0).integers(0, 60, (200, 3, 16, 16), dtype=np.uint8)
    data = folder_of(tints + noise, labels, tmp_path / "colours")
    train = ImageDataset(tints + noise, np.array(labels), 10, tuple(str(n) for n in range(200)))
    network = train_classifier(train, ClassifierConfig(16, channels=3, width=4, feature_dim=8), TrainingPlan(epochs=1))
    classifier = tmp_path / "colours.safetensors"
    record = {"plan": {"epochs": 1}}
    save_classifier(classifier, TrainedClassifier(network, "colours", record))
    asked = options(
        colour_gan(tmp_path / "model", 10),
        tmp_path / "out",
        data=str(data),
        classifier=classifier,
        only=("zero-shot other-class",),
    )
    (one,) = reproduce(("table-6",), asked)
    assert [row["status"] for row in rows_of(tmp_path / "out")] == ["done", "done"]
    assert one.comparison is not None
    _, paper, ours = one.comparison["lines"]
    for line in (paper, ours):
        assert all(line["cells"][key][-1] is not None for key in ("fd_u", "destination", "acc", "class_recall"))


def test_ffhqs_tables_at_small_scale(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """An unconditional GAN of colour images without any feature extractor: scores alone."""
    monkeypatch.setattr(reference, "find_efficientnet", lambda _: None)
    images = np.random.default_rng(0).integers(0, 256, (200, 3, 16, 16), dtype=np.uint8)
    data = folder_of(images, None, tmp_path / "faces")
    unseen = folder_of(images[::-1][:20] // 2, None, tmp_path / "unseen")
    more: dict[str, Any] = {"data": str(data), "holdout_path": unseen, "only": ("item-64", "default")}
    asked = options(colour_gan(tmp_path / "model", 0), tmp_path / "out", **more)
    (one,) = reproduce(("table-4",), asked)
    assert one.comparison is not None
    paper, ours = one.comparison["lines"]
    assert paper["cells"]["auc_lu"] == [0.57, 0.61]
    assert ours["cells"]["auc_lu"][1] is not None
    assert ours["cells"]["r"] == [None]
    assert rows_of(tmp_path / "out")[0]["results"]["after"]["auc_ut"] is not None, "measured on the images never seen"


def test_rows_are_found_by_what_a_dry_run_calls_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    asked = ["reproduce", "table-2", "--data", "digits", "--seeds", "0", "--dry-run", "--outdir", str(tmp_path)]
    assert main([*asked, "--only", "item-64, few-shot, truncation, paper preset"]) == 0
    first = capsys.readouterr().out
    assert first.startswith("table-2: 1 run,")
    assert main([*asked, "--only", "item-64 few-shot truncation, paper"]) == 0
    assert capsys.readouterr().out == first


def test_a_dry_run_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    out = tmp_path / "out"
    assert (
        main(["reproduce", "table-11", "--data", "digits", "--dry-run", "--outdir", str(out), "--only", "class"]) == 0
    )
    assert "table-11: 24 runs, 24 of them missing" in capsys.readouterr().out
    assert not out.exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["tabel-2"], "Near it are table-2"),
        ([], "Name an experiment"),
        (["table-3"], "needs a GAN trained on cifar10"),
        (["table-2", "--data", "digits", "--only", "item-63"], "No row of table-2 holds item-63"),
        (["table-2", "--data", "digits", "--perceptual", "none.pth"], "no file none.pth"),
        (["table-2", "--data", "digits", "--jobs", "0"], "--jobs is 0"),
        (["table-2", "--data", "digits", "--executor", "cloud"], "cloud"),
        (["table-2", "--model", "digits", "--data", "none.zip", "--only", "item-64"], "none.zip"),
        (["table-2", "--data", "digits", "--device", "cuda", "--only", "item-64"], "finds no CUDA device"),
        (["baseline", "--data", "digits", "--retrained", "none"], "none"),
        (["baseline", "--data", "digits", "--retrain-kimg", "0"], "--retrain-kimg is 0"),
    ],
)
def test_bad_input_is_a_sentence(arguments: list[str], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["reproduce", *arguments, "--outdir", str(tmp_path / "out")]) == 2
    assert words in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "out").exists()


def test_a_results_file_of_another_version_is_refused(tmp_path: Path):
    (tmp_path / "results.jsonl").write_text('{"schema_version": 9, "hash": "a", "status": "done"}\n')
    with pytest.raises(InputError, match="schema version 9"):
        reproduce(("table-2",), ReproduceOptions(data="digits", outdir=tmp_path))

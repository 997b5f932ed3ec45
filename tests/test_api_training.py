"""A training run: what it leaves, and that a stop, NaN or a resume changes nothing in what it would have made."""

import json
import signal
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from ganforget.api import training
from ganforget.api.forgetting import make_forget_set
from ganforget.api.model import load_model
from ganforget.api.options import ForgetSetOptions
from ganforget.api.training import resume_training, train_gan
from ganforget.data import DataSpec, load_data
from ganforget.errors import DataError, InputError, Interrupted, NumericalError
from ganforget.files import read_json_lines
from ganforget.training import loop
from ganforget.training.config import TrainingConfig
from ganforget.training.options import TrainOptions
from tiny_gan import only_run, tiny_options


class Listener:
    """Remembers what was told."""

    def __init__(self) -> None:
        self.said: list[tuple[Any, ...]] = []

    def stage(self, title: str) -> None:
        self.said.append(("stage", title))

    def step(self, done: float, total: float, text: str = "") -> None:
        self.said.append(("step", done, total, text))

    def note(self, text: str) -> None:
        self.said.append(("note", text))

    def warn(self, text: str) -> None:
        self.said.append(("warn", text))


def after_steps(count: int, do: Callable[[Any], None], monkeypatch: pytest.MonkeyPatch) -> None:
    """Call ``do(state)`` when that many training steps are done."""
    step = loop.training_step

    def counted(state: Any, *arguments: Any) -> None:
        step(state, *arguments)
        if state.step == count:
            do(state)

    monkeypatch.setattr(loop, "training_step", counted)


def weights(run: Path) -> bytes:
    return (run / "model" / "model.safetensors").read_bytes()


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


def test_a_run_leaves_model_log_and_sheets(tiny_run: Path):
    assert tiny_run.name == "00000-train-digits200-0.16kimg"
    config = json.loads((tiny_run / "config.json").read_text())
    assert (config["command"], config["excluded"], config["options"]["kimg"]) == ("train", None, 0.16)
    assert config["data"]["subset"] == 200
    assert {"versions", "hardware", "commit", "started", "seed"} <= config.keys()
    training = load_model(tiny_run).config.training
    assert training["images_seen"] == 160
    assert (training["data"], training["excluded"]) == (config["data"], None)
    assert TrainingConfig(**training["options"]) == tiny_options(tiny_run).config
    lines = read_json_lines(tiny_run / "log.jsonl")
    ticks, measured = [[line for line in lines if ("fd" in line) == is_fd] for is_fd in (False, True)]
    assert [line["kimg"] for line in ticks] == [0.04, 0.08, 0.12, 0.16]
    assert [line["kimg"] for line in measured] == [0.08, 0.16]
    assert all(line["images_per_second"] > 0 for line in ticks)
    assert measured[-1]["fd_name"] == "FD (digits-classifier)"
    assert measured[-1]["fd"] > measured[-1]["fd_floor"] > 0
    assert 0 <= measured[-1]["acc"] <= 1
    assert 0 < measured[-1]["auc_lt"] < 1
    results = json.loads((tiny_run / "results.json").read_text())
    assert results["measures"] == measured[-1]
    assert results["kimg"] == 0.16
    for name in ("real.png", "fakes00000.png"):
        assert pixels(tiny_run / "images" / name).shape == (160, 160)
    assert not (tiny_run / "snapshots").exists()


def test_the_sheet_of_real_images_has_a_row_for_each_class(tiny_run: Path):
    train = load_data(DataSpec("digits", subset=200)).train
    assert train.labels is not None
    sheet = pixels(tiny_run / "images" / "real.png")
    for label in range(10):
        first = train.images[np.flatnonzero(train.labels == label)[0], 0]
        assert np.array_equal(sheet[16 * label : 16 * label + 16, :16], first)


def test_progress_tells_how_far_how_fast_and_how_long(tmp_path: Path):
    listener = Listener()
    run = train_gan(tiny_options(tmp_path, kimg=0.08, keep_snapshots=True), listener)
    assert ("stage", "Training") in listener.said
    done = [said for said in listener.said if said[0] == "step"]
    assert [said[1:3] for said in done] == [(0.04, 0.08), (0.08, 0.08)]
    assert all(word in done[0][3] for word in ("0.04/0.08 kimg", "img/s", "left"))
    assert any(said[0] == "note" and "FD (digits-classifier)" in said[1] for said in listener.said)
    assert load_model(run / "snapshots" / "00000").config.training["images_seen"] == 80


def test_what_is_excluded_is_never_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    chosen = make_forget_set(ForgetSetOptions("digits", data_subset=200, forget_class=(7,)), tmp_path / "sevens.json")
    seen: list[Any] = []
    labels, real = loop.TrainingBatches.labels, loop.TrainingBatches.real
    monkeypatch.setattr(loop.TrainingBatches, "labels", lambda self, *a: seen.append(labels(self, *a)) or seen[-1])
    monkeypatch.setattr(loop.TrainingBatches, "real", lambda self, *a: seen.append(real(self, *a)[1]) or real(self, *a))
    run = train_gan(tiny_options(tmp_path / "runs", kimg=0.04, exclude=tmp_path / "sevens.json"))
    assert run.name == "00000-train-digits200-0.04kimg-without-class7"
    gan = load_model(run)
    assert gan.G.c_dim == 10, "the label dimension stays"
    shown = torch.cat(seen)
    assert shown.shape[1] == 10
    assert shown[:, 7].sum() == 0
    assert (shown.sum(0) > 0).sum() == 9
    assert len(gan.config.training["excluded"]) == 64
    assert gan.config.training["data"]["train"] == 200
    saved = json.loads((run / "forget_set.json").read_text())
    assert tuple(saved["hashes"]) == chosen.forget.hashes


AUGMENTED: dict[str, Any] = {
    "augment": "ada",
    "augment_preset": "digits",
    "ada_target": 0.1,
    "ada_kimg": 0.2,
    "style_mixing": 0.5,
}


def test_a_resumed_training_is_the_uninterrupted_one_to_the_bit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Stopped between two ticks, where ADA has sums of half a tick."""
    options = tiny_options(tmp_path / "whole", **AUGMENTED)
    whole = train_gan(options)
    with monkeypatch.context() as patch:
        after_steps(13, lambda _: signal.raise_signal(signal.SIGINT), patch)
        with pytest.raises(Interrupted, match=r"Stopped at 0\.104 kimg; go on with: ganforget resume"):
            train_gan(replace(options, outdir=tmp_path / "stopped"))
    run = only_run(tmp_path / "stopped")
    assert not (run / "results.json").exists()
    assert resume_training(run) == run
    assert weights(run) == weights(whole)
    logs = [[line["kimg"] for line in read_json_lines(r / "log.jsonl")] for r in (run, whole)]
    assert logs[0] == logs[1]
    assert read_json_lines(run / "log.jsonl")[-2]["augment_p"] > 0


def test_a_training_that_was_killed_goes_on_from_its_last_snapshot(
    tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):

    def kill(_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        after_steps(16, kill, patch)
        with pytest.raises(KeyboardInterrupt):
            train_gan(tiny_options(tmp_path))
    run = only_run(tmp_path)
    assert read_json_lines(run / "log.jsonl")[-1]["kimg"] == 0.12
    resume_training(run)
    assert weights(run) == weights(tiny_run)
    kimg = [line["kimg"] for line in read_json_lines(run / "log.jsonl")]
    assert kimg == sorted(kimg)
    assert len(kimg) == 6


def test_a_training_killed_after_its_last_step_can_be_ended(
    tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """All steps are taken and saved, but the results were not written."""

    def kill(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        real = training.write_json
        patch.setattr(
            training, "write_json", lambda path, value: (kill if "results" in path.name else real)(path, value)
        )
        with pytest.raises(KeyboardInterrupt):
            train_gan(tiny_options(tmp_path))
    run = only_run(tmp_path)
    assert not (run / "results.json").exists()
    resume_training(run)
    assert (run / "results.json").exists()
    assert weights(run) == weights(tiny_run)


def poison(state: Any) -> None:
    with torch.no_grad():
        next(state.G.parameters()).fill_(torch.nan)


@pytest.mark.parametrize(("steps", "kept"), [(3, 0), (16, 80), (10, 0)], ids=["first", "later", "at a snapshot"])
def test_nan_keeps_the_last_good_snapshot(steps: int, kept: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """NaN weights are noticed by the next loss, or else before a snapshot would keep them."""
    with monkeypatch.context() as patch:
        after_steps(steps, poison, patch)
        with pytest.raises(NumericalError, match=r"NaN or infinite .*--learning-rate 0.00125"):
            train_gan(tiny_options(tmp_path))
    run = only_run(tmp_path)
    gan = load_model(run)  # refuses weights that are not finite
    assert gan.config.training["images_seen"] == kept
    resume_training(run, changes={"learning_rate": 0.001})
    config = json.loads((run / "config.json").read_text())
    assert config["options"]["learning_rate"] == 0.001
    assert config["resumed"] == [{"kimg": kept / 1000, "changes": {"learning_rate": 0.001}}]
    assert load_model(run).config.training["options"]["learning_rate"] == 0.001


def test_an_ended_training_can_be_made_longer(tmp_path: Path):
    run = train_gan(tiny_options(tmp_path, kimg=0.04))
    with pytest.raises(InputError, match=r"has ended at 0\.04 kimg"):
        resume_training(run)
    resume_training(run, changes={"kimg": 0.08})
    assert load_model(run).config.training["images_seen"] == 80
    with pytest.raises(InputError, match="only kimg, learning_rate, r1_gamma can be changed"):
        resume_training(run, changes={"batch_size": 4})


def test_data_that_changed_are_noticed(tmp_path: Path):
    run = train_gan(tiny_options(tmp_path, kimg=0.04))
    config = json.loads((run / "config.json").read_text())
    config["data"]["train_hash"] = "0" * 64
    (run / "config.json").write_text(json.dumps(config))
    with pytest.raises(DataError, match="have changed"):
        resume_training(run, changes={"kimg": 1})


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"kimg": 0}, "kimg is 0"),
        ({"style_mixing": 2}, "style_mixing is 2"),
        ({"augment": "some"}, "one of none, ada, fixed"),
        ({"augment_preset": "some"}, "one of paper, digits"),
        ({"batch_size": 6}, "multiple of mbstd_group_size"),
        ({"ema_kimg": -1}, "ema_kimg is -1"),
        ({"learning_rate": float("nan")}, "learning_rate is nan"),
        ({"data_subset": 0}, "--data-subset is 0"),
        ({"device": "tpu"}, "--device is 'tpu'"),
    ],
)
def test_options_that_cannot_be(wrong: dict[str, Any], words: str, tmp_path: Path):
    with pytest.raises(InputError, match=words):
        tiny_options(tmp_path, **wrong)


def test_more_images_in_a_batch_than_in_the_data(tmp_path: Path):
    with pytest.raises(InputError, match="lower --batch-size"):
        train_gan(tiny_options(tmp_path, batch_size=256))
    assert list(tmp_path.iterdir()) == []


def test_options_hold_the_configuration():
    options = TrainOptions(data="digits", kimg=5)
    assert options.config == TrainingConfig(kimg=5)
    assert asdict(options.config).keys() < asdict(options).keys()

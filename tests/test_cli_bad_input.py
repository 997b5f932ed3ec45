"""Everything that can be wrong: one clear sentence, the exit status that is documented, nothing half written."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from PIL import Image

from ganforget.api import unlearning as unlearning_room
from ganforget.cli import main
from ganforget.data import DataSpec, load_data
from ganforget.files import read_json_lines
from ganforget.models.gan import load_gan
from ganforget.training import loop as training_loop
from ganforget.unlearning import loop as unlearning_loop
from tiny_gan import TINY, as_arguments, only_run, unlearning

Printed = pytest.CaptureFixture[str]

ITEMS = ("--data", "digits", "--forget-random", "8")


def refused(command: list[str], capsys: Printed, *words: str, status: int = 2) -> None:
    """Run a command that is to fail with ``status`` and one sentence that has all ``words``."""
    capsys.readouterr()
    assert main(command) == status
    said = capsys.readouterr()
    assert said.out == ""
    lines = [line for line in said.err.splitlines() if line.startswith(("error: ", "stopped: "))]
    assert len(lines) == 1, said.err
    assert said.err.splitlines()[-1] == lines[0]
    assert all(word in lines[0] for word in words), lines[0]
    assert "Traceback" not in said.err


def write_images(folder: Path, images: np.ndarray, labels: list[int] | None = None) -> Path:
    """Write grey images as PNG files, with a dataset.json."""
    folder.mkdir()
    for number, image in enumerate(images):
        Image.fromarray(image).save(folder / f"{number:03d}.png")
    if labels is not None:
        pairs = [[f"{number:03d}.png", label] for number, label in enumerate(labels)]
        (folder / "dataset.json").write_text(json.dumps({"labels": pairs}))
    return folder


def noise(count: int, side: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, side, side), dtype=np.uint8)


# ----------------------------------------------------------------------------
# Command lines.


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (["unlearm"], ["Unknown command", "unlearn"]),
        (["unlearn", "--modle", "digits"], ["--model", "ganforget unlearn --help"]),
        (["unlearn", "--model", "digits", "--data", "digits"], ["0 forget sets were given"]),
        (["unlearn", "--model", "digits", "--forget-class", "7"], ["No --data was given"]),
        (
            ["unlearn", "--model", "digits", "--data", "digits", "--forget-class", "7", "--forget-random", "3"],
            ["2 forget sets were given"],
        ),
        (["unlearn", "--model", "digits", *ITEMS, "--mode", "one-shot"], ["--mode", "few-shot"]),
        (["unlearn", "--model", "digits", *ITEMS, "--fake-label", "low"], ["--fake-label is 'low'"]),
        (["unlearn", "--model", "digits", *ITEMS, "--fake-label", "nan"], ["--fake-label is 'nan'"]),
        (["unlearn", "--model", "digits", *ITEMS, "--lambda1", "-1"], ["--lambda1 is -1.0; expected at least 0"]),
        (["unlearn", "--model", "digits", *ITEMS, "--max-steps", "0"], ["--max-steps is 0; expected at least 1"]),
        (["unlearn", "--model", "digits", *ITEMS, "--seed", "x"], ["--seed", '"x"']),
        (["train", "--data", "digits", "--kimg", "-3"], ["kimg is -3.0"]),
        (["train", "--data", "digit"], ["There is no data set or path digit", "Did you mean digits?"]),
        (["data", "download", "minst"], ["minst cannot be downloaded", "Did you mean mnist?"]),
        (["generate", "--model", "digits", "--out", "x", "--seeds", "3-"], ["--seeds has '3-'"]),
        (["generate", "--model", "digits", "--out", "x", "--truncation", "inf"], ["--truncation is inf"]),
        (["evaluate", "--model", "digits", "--generations", "0"], ["--generations is 0"]),
        (["evaluate", "--model", "digits", "--reconstruct"], ["name a forget set"]),
    ],
)
def test_command_lines_that_make_no_sense(
    command: list[str], words: list[str], capsys: Printed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    refused(command, capsys, *words)
    assert list(tmp_path.iterdir()) == []


def test_an_error_is_json_too_where_that_is_asked_for(capsys: Printed):
    for command in (["unlearn", "--json"], ["report", "/nowhere", "--json"]):
        assert main(command) == 2
        said = capsys.readouterr()
        assert json.loads(said.out)["status"] == 2
        assert said.err.startswith("error: ")


# ----------------------------------------------------------------------------
# Models.


def spoil_nothing(model: Path) -> None:
    shutil.rmtree(model)


def spoil_weights(model: Path) -> None:
    (model / "model.safetensors").unlink()


def cut_weights(model: Path) -> None:
    whole = (model / "model.safetensors").read_bytes()
    (model / "model.safetensors").write_bytes(whole[: len(whole) // 2])


def cut_config(model: Path) -> None:
    (model / "config.json").write_text((model / "config.json").read_text()[:100])


def other_config(model: Path) -> None:
    config = json.loads((model / "config.json").read_text())
    config["G"]["w_dim"] = 16
    (model / "config.json").write_text(json.dumps(config))


def other_kind(model: Path) -> None:
    (model / "config.json").write_text("[]")


def nan_weights(model: Path) -> None:
    tensors = safetensors.torch.load_file(model / "model.safetensors")
    tensors["D.b4.out.bias"].fill_(torch.nan)
    safetensors.torch.save_file(tensors, model / "model.safetensors")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (spoil_nothing, ["There is no model"]),
        (spoil_weights, ["model.safetensors", "incomplete"]),
        (cut_weights, ["not a readable safetensors file", "truncated"]),
        (cut_config, ["not a model folder", "truncated"]),
        (other_config, ["does not fit its configuration", "expected [16]"]),
        (other_kind, ["does not describe a ganforget model"]),
        (nan_weights, ["D.b4.out.bias has NaN"]),
    ],
)
def test_models_that_cannot_be_read(
    spoil: Callable[[Path], None], words: list[str], tiny_run: Path, tmp_path: Path, capsys: Printed
):
    model = shutil.copytree(tiny_run / "model", tmp_path / "model")
    spoil(model)
    refused(unlearning(model, tmp_path / "runs", *ITEMS), capsys, *words)
    refused(["generate", "--model", str(model), "--out", str(tmp_path / "images")], capsys, *words)
    assert not (tmp_path / "runs").exists()
    assert not (tmp_path / "images").exists()


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("network.pkl", b"cos\nsystem\n(S'true'\ntR.", "network.pkl is refused"),
        ("network.pkl", b"", "network.pkl is refused"),
        ("photo.png", b"\x89PNG", "is of no kind that ganforget reads"),
    ],
)
def test_a_file_that_is_no_model(tmp_path: Path, capsys: Printed, name: str, content: bytes, words: str):
    (tmp_path / name).write_bytes(content)
    refused(["evaluate", "--model", str(tmp_path / name)], capsys, words)


# ----------------------------------------------------------------------------
# Data and forget sets.


def cut_mnist(folder: Path) -> Path:
    folder.mkdir()
    header = bytes.fromhex("00000803 00000002 0000001c 0000001c")
    (folder / "train-images-idx3-ubyte").write_bytes(header + bytes(900))
    (folder / "train-labels-idx1-ubyte").write_bytes(bytes.fromhex("00000801 00000002 0001"))
    return folder


def test_data_that_cannot_be_read(tmp_path: Path, capsys: Printed):
    train = ["train", "--outdir", str(tmp_path / "runs"), "--data"]
    refused([*train, str(tmp_path / "none")], capsys, "There is no data set or path")
    refused([*train, "mnist", "--data-path", str(tmp_path)], capsys, "train-images-idx3-ubyte", "data download mnist")
    refused([*train, "mnist", "--data-path", str(cut_mnist(tmp_path / "mnist"))], capsys, "holds 900 bytes", "1568")
    folder = write_images(tmp_path / "images", noise(40, 16))
    whole = (folder / "000.png").read_bytes()
    (folder / "000.png").write_bytes(whole[:60])
    refused([*train, str(folder)], capsys, "000.png")
    (tmp_path / "images.zip").write_bytes(b"PK\x03\x04 and no more")
    refused([*train, str(tmp_path / "images.zip")], capsys, "images.zip")
    assert not (tmp_path / "runs").exists()


def test_data_that_do_not_fit_the_model(tiny_run: Path, tmp_path: Path, capsys: Printed):
    labels = [number % 3 for number in range(60)]
    small = write_images(tmp_path / "small", noise(60, 8), labels)
    fewer = write_images(tmp_path / "fewer", noise(60, 16), labels)
    bare = write_images(tmp_path / "bare", noise(60, 16))
    chosen = ("--forget-random", "3")
    runs = tmp_path / "runs"
    refused(unlearning(tiny_run, runs, "--data", str(small), *chosen), capsys, "8x8, expected 16x16")
    refused(unlearning(tiny_run, runs, "--data", str(fewer), *chosen), capsys, "3 labels, but the model has 10")
    refused(unlearning(tiny_run, runs, "--data", str(bare), *chosen), capsys, "no labels, but the model has 10")
    refused(["evaluate", "--model", str(tiny_run), "--data", str(fewer)], capsys, "3 labels, but the model has 10")
    assert not runs.exists()


def lines_of(count: int, path: Path) -> str:
    path.write_text("\n".join(str(index) for index in range(count)))
    return str(path)


def test_forget_sets_that_cannot_be(tiny_run: Path, tmp_path: Path, capsys: Printed):
    runs = tmp_path / "runs"

    def wrong(words: list[str], *more: str) -> None:
        refused(unlearning(tiny_run, runs, "--data", "digits", *more), capsys, *words)

    wrong(["no training image of class 12"], "--forget-class", "12")
    wrong(["forget set", "is empty"], "--forget", lines_of(0, tmp_path / "none.txt"))
    wrong(["whole training set"], "--forget", lines_of(200, tmp_path / "all.txt"))
    wrong(["expected 1 to 199"], "--forget-random", "200")
    wrong(["few-shot needs 150 retain images", "--mode zero-shot"], "--forget-random", "150")
    wrong(["needs 0 retain images", "forget fewer"], "--forget-random", "197", "--mode", "zero-shot")
    wrong(["no training image 200"], "--forget", lines_of(201, tmp_path / "more.txt"))
    wrong(["other-class", "average, truncation or projection"], *ITEMS[2:], "--substitute", "other-class")
    wrong(["truncation", "other-class or average"], "--forget-class", "7", "--substitute", "truncation")
    wrong(["There is no file or folder"], "--forget", str(tmp_path / "nothing"))
    strange = write_images(tmp_path / "strange", noise(2, 16))
    wrong(["000.png"], "--forget", str(strange))
    assert not runs.exists()


def test_a_class_of_a_model_without_labels(tmp_path: Path, capsys: Printed):
    tiny = as_arguments(TINY | {"kimg": 0.008, "outdir": tmp_path / "trained"})
    assert main(["train", *tiny, "--no-conditional", "--quiet"]) == 0
    model = only_run(tmp_path / "trained")
    assert load_gan(model / "model").G.c_dim == 0
    class_7 = unlearning(model, tmp_path / "runs", "--data", "digits", "--forget-class", "7")
    refused(class_7, capsys, "no labels", "forget images instead")
    refused(["generate", "--model", str(model), "--out", str(tmp_path / "x.png"), "--class", "7"], capsys, "no labels")
    assert main(["generate", "--model", str(model), "--out", str(tmp_path / "x.png"), "--count", "12"]) == 0


def test_a_class_the_model_does_not_make(tiny_run: Path, tmp_path: Path, capsys: Printed):
    command = ["generate", "--model", str(tiny_run), "--out", str(tmp_path / "x"), "--class", "10"]
    refused(command, capsys, "no class 10", "0 to 9")
    assert list(tmp_path.iterdir()) == []


def test_an_excluded_forget_set_of_other_data(tmp_path: Path, capsys: Printed):
    file = tmp_path / "forget_set.json"
    assert main(["forget-set", "create", "--data", "digits", "--forget-random", "3", "--out", str(file)]) == 0
    tiny = as_arguments(TINY | {"outdir": tmp_path / "runs"})
    refused(["train", *tiny, "--exclude", str(file)], capsys, "made from other data")
    file.write_text(file.read_text()[:50])
    refused(["train", *tiny, "--exclude", str(file)], capsys, "not valid JSON", "truncated")
    assert not (tmp_path / "runs").exists()


# ----------------------------------------------------------------------------
# Places.


def test_places_that_cannot_be_written(tiny_run: Path, tmp_path: Path, capsys: Printed):
    (tmp_path / "file").write_text("")
    outdir = tmp_path / "file" / "runs"
    refused(unlearning(tiny_run, outdir, *ITEMS), capsys, "Cannot create the folder", "choose another one")
    refused(["train", *as_arguments(TINY | {"outdir": outdir})], capsys, "Cannot create the folder")
    refused(["generate", "--model", str(tiny_run), "--out", str(outdir)], capsys, "Cannot create the folder")
    create = ["forget-set", "create", "--data", "digits", "--forget-random", "3", "--out", str(outdir / "f.json")]
    refused(create, capsys, "Cannot create the folder")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_folders_that_are_no_runs(tiny_run: Path, tmp_path: Path, capsys: Printed):
    refused(["resume", str(tmp_path)], capsys, "There is no run in")
    refused(["resume", str(tiny_run / "model")], capsys, "no training, unlearning or audit run")
    refused(["resume", str(tiny_run)], capsys, "has ended at 0.16 kimg")
    refused(["report", str(tmp_path)], capsys, "no results file")
    refused(["report", str(tiny_run)], capsys, "results file of an unlearning run")


# ----------------------------------------------------------------------------
# Ctrl-C and NaN.


def interrupt() -> None:
    signal.raise_signal(signal.SIGINT)


def weights(run: Path) -> bytes:
    return (run / "model" / "model.safetensors").read_bytes()


def test_ctrl_c_in_the_cascade_and_on_to_the_same_result(
    tiny_run: Path, tiny_unlearned: Path, tmp_path: Path, capsys: Printed, monkeypatch: pytest.MonkeyPatch
):
    """Stopped between two checks; resumed, it makes the weights of the run that was never stopped."""
    step = unlearning_loop.default_step

    def stepping(cascade: Any, state: Any, check: Any) -> Any:
        if state.step == 6:
            interrupt()
        return step(cascade, state, check)

    with monkeypatch.context() as patch:
        patch.setattr(unlearning_loop, "default_step", stepping)
        more = ("--data", "digits", "--forget-random", "8", "--destination", "paper", "--fake-label", "5")
        refused(unlearning(tiny_run, tmp_path, *more), capsys, "Stopped at step 7", "ganforget resume", status=130)
    run = only_run(tmp_path)
    assert not (run / "results.json").exists()
    refused(["report", str(run)], capsys, "no results file")
    assert main(["resume", str(run), "--quiet"]) == 3
    assert weights(run) == weights(tiny_unlearned)
    steps = [[line["step"] for line in read_json_lines(r / "log.jsonl")] for r in (run, tiny_unlearned)]
    assert steps[0] == steps[1]
    refused(["resume", str(run)], capsys, "has ended")
    refused(["resume", str(run), "--kimg", "3"], capsys, "--kimg is for training runs")


def test_ctrl_c_in_the_inversion(
    tiny_run: Path, tiny_unlearned: Path, tmp_path: Path, capsys: Printed, monkeypatch: pytest.MonkeyPatch
):
    inversion = import_module("ganforget.inversion.invert")  # its function has the same name
    error, called = inversion.reconstruction_error, []

    def measuring(*images: Any) -> Any:
        called.append(1)
        if len(called) == 5:
            interrupt()
        return error(*images)

    with monkeypatch.context() as patch:
        patch.setattr(inversion, "reconstruction_error", measuring)
        more = ("--data", "digits", "--forget-random", "8", "--destination", "paper", "--fake-label", "5")
        refused(unlearning(tiny_run, tmp_path, *more), capsys, "Stopped", "ganforget resume", status=130)
    assert len(called) == 5
    run = only_run(tmp_path)
    assert not (run / "model").exists()
    assert main(["resume", str(run), "--quiet"]) == 3
    assert weights(run) == weights(tiny_unlearned)


def test_ctrl_c_while_measuring(
    tiny_run: Path, tiny_unlearned: Path, tmp_path: Path, capsys: Printed, monkeypatch: pytest.MonkeyPatch
):
    with monkeypatch.context() as patch:
        patch.setattr(unlearning_room, "measure_before_and_after", lambda *_: interrupt())
        more = ("--data", "digits", "--forget-random", "8", "--destination", "paper", "--fake-label", "5")
        refused(unlearning(tiny_run, tmp_path, *more), capsys, "Stopped", "ganforget resume", status=130)
    run = only_run(tmp_path)
    assert main(["resume", str(run), "--quiet"]) == 3
    assert weights(run) == weights(tiny_unlearned)


def test_ctrl_c_before_anything_is_written(tiny_run: Path, tmp_path: Path, capsys: Printed, monkeypatch: Any):
    monkeypatch.setattr(unlearning_room, "resolve_task", lambda *_: interrupt())
    refused(unlearning(tiny_run, tmp_path / "runs", *ITEMS), capsys, "what was saved before is whole", status=130)
    assert not (tmp_path / "runs").exists()


def test_ctrl_c_from_outside(tmp_path: Path):
    """A process of its own gets a real signal in the middle of its training."""
    tiny = as_arguments(TINY | {"kimg": 1000, "outdir": tmp_path})
    command = [sys.executable, "-m", "ganforget", "train", *tiny]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        deadline = time.monotonic() + 120
        while not list(tmp_path.glob("*/log.jsonl")) and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        os.kill(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130, err
    assert out == ""
    assert "Traceback" not in err
    run = only_run(tmp_path)
    assert err.splitlines()[-1].endswith(f"go on with: ganforget resume {run}")
    assert load_gan(run / "model").config.training["images_seen"] > 0
    assert not [path for path in run.rglob("*") if path.name.startswith(".")], "no temporary file stays behind"


def test_nan_in_training(tmp_path: Path, capsys: Printed, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(training_loop, "d_loss", lambda real, fake: (real + fake.mean()).mean() * torch.nan)
    tiny = as_arguments(TINY | {"outdir": tmp_path})
    refused(["train", *tiny], capsys, "became NaN", "--learning-rate 0.00125", "ganforget resume", status=4)
    assert load_gan(only_run(tmp_path) / "model").config.training["images_seen"] == 0


@pytest.mark.parametrize("where", ["loss", "weights"])
def test_nan_in_unlearning(
    where: str, tiny_run: Path, tmp_path: Path, capsys: Printed, monkeypatch: pytest.MonkeyPatch
):
    step = unlearning_loop.default_step

    def stepping(cascade: Any, state: Any, check: Any) -> dict[str, float]:
        losses = step(cascade, state, check)
        if state.step < 7:
            return losses
        with torch.no_grad():
            next(state.G.parameters()).fill_(torch.nan if where == "weights" else 0)
        return losses | ({"g_substitute": float("nan")} if where == "loss" else {})

    with monkeypatch.context() as patch:
        patch.setattr(unlearning_loop, "default_step", stepping)
        refused(unlearning(tiny_run, tmp_path, *ITEMS), capsys, "NaN or infinite at step", status=4)
    run = only_run(tmp_path)
    assert not (run / "model").exists()
    kept = safetensors.torch.load_file(run / "checkpoint" / "state.safetensors")
    assert all(bool(torch.isfinite(tensor).all()) for tensor in kept.values())
    if where == "loss":
        assert main(["resume", str(run), "--quiet"]) in (0, 3)


# ----------------------------------------------------------------------------
# What nobody expected.


def test_an_internal_error_is_one_sentence_and_with_debug_a_traceback(
    tiny_unlearned: Path, capsys: Printed, monkeypatch: pytest.MonkeyPatch
):
    def fall(_: Path) -> None:
        raise RuntimeError("over a stone")

    monkeypatch.setattr("ganforget.report.write_report", fall)
    refused(["report", str(tiny_unlearned)], capsys, "internal error: RuntimeError: over a stone", "--debug", status=1)
    assert main(["report", str(tiny_unlearned), "--debug"]) == 1
    said = capsys.readouterr().err
    assert "Traceback" in said
    assert "in fall" in said


def test_a_full_disk_is_named(tiny_unlearned: Path, capsys: Printed, monkeypatch: pytest.MonkeyPatch):
    def fill(_: Path) -> None:
        raise OSError(28, "No space left on device", "report.html")

    monkeypatch.setattr("ganforget.report.write_report", fill)
    refused(["report", str(tiny_unlearned)], capsys, "No space left on device: report.html", status=1)


def test_warnings_of_the_package_are_shown_once(
    tiny_run: Path, tmp_path: Path, capsys: Printed, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("ganforget.evaluation.reference.find_efficientnet", lambda _: None)
    digits = load_data(DataSpec("digits", subset=200)).train
    assert digits.labels is not None
    folder = write_images(tmp_path / "mine", digits.images[:60, 0], [*range(10), *digits.labels[10:60].tolist()])
    assert main(["evaluate", "--model", str(tiny_run), "--data", str(folder), "--generations", "1"]) == 0
    said = capsys.readouterr()
    assert said.err.count("There is no classifier for mine") == 1
    assert said.err.count("no feature extractor") == 1
    assert said.err.count("no holdout images") == 1
    assert "fd_l" not in said.out
    assert "auc_lt" not in said.out

"""A GAN of a few thousand weights, trained for a second on 200 digits: enough to run every command for real."""

import json
from pathlib import Path
from typing import Any

import pytest

from ganforget.api.training import train_gan
from ganforget.cli import main
from ganforget.training.options import TrainOptions

TINY: dict[str, Any] = {
    "data": "digits",
    "data_subset": 200,
    "kimg": 0.16,
    "batch_size": 8,
    "z_dim": 8,
    "w_dim": 8,
    "mapping_layers": 1,
    "channel_base": 64,
    "channel_max": 8,
    "tick_kimg": 0.04,
    "snapshot_kimg": 0.08,
}


def tiny_options(outdir: Path, **more: Any) -> TrainOptions:
    """Return the options of the tiny GAN's training, with some changed."""
    return TrainOptions(**{**TINY, "outdir": outdir, **more})


def as_arguments(options: dict[str, Any]) -> list[str]:
    """Return options as a command takes them; True is a switch."""
    arguments = []
    for name, value in options.items():
        option = "--" + name.replace("_", "-")
        arguments += [option] if value is True else [option, str(value)]
    return arguments


def unlearning(model: Path, outdir: Path, *more: str, steps: int = 10) -> list[str]:
    """Return a command that makes the tiny GAN forget in a few steps; ``more`` says what."""
    command = ["unlearn", "--model", str(model), "--outdir", str(outdir), "--no-cache", "--no-probe"]
    return [*command, "--max-steps", str(steps), "--schedule-steps", "4", *more]


def only_run(outdir: Path) -> Path:
    """Return the one run folder in ``outdir``."""
    (run,) = outdir.iterdir()
    return run


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run folder of the tiny GAN's training."""
    return train_gan(tiny_options(tmp_path_factory.mktemp("tiny")))


@pytest.fixture(scope="session")
def tiny_unlearned(tiny_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run folder of an unlearning of 8 images, few-shot, of 10 steps, that does not reach its destination."""
    outdir = tmp_path_factory.mktemp("unlearned")
    items = ["--data", "digits", "--forget-random", "8", "--destination", "paper", "--fake-label", "5"]
    assert main([*unlearning(tiny_run, outdir, *items), "--quiet"]) == 3
    return only_run(outdir)


def results_of(run: Path) -> dict[str, Any]:
    """Return the results of a run."""
    return json.loads((run / "results.json").read_text())

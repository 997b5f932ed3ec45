"""Runs that take few steps: the whole way from options to weights, in a second."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from ganforget.api import inverting, task
from ganforget.inversion.invert import InversionConfig
from ganforget.models.gan import Gan, GanConfig, save_gan
from small_gan import small_gan

__all__ = ["save_digits_gan", "take_few_steps"]


def save_digits_gan(folder: Path) -> Path:
    """Write an untrained GAN that says it was trained on 200 of the digits, and return its folder."""
    gan = small_gan(c_dim=10, resolution=16)
    record = {"data": {"name": "digits", "subset": 200, "subset_seed": 0}}
    save_gan(Gan(gan.G, gan.D, GanConfig(gan.config.G, gan.config.D, record)), folder)
    return folder


def take_few_steps(
    monkeypatch: pytest.MonkeyPatch, *, steps: int = 10, start_samples: int = 16, **cascade: Any
) -> None:
    """Have every run invert in ``steps`` steps from ``start_samples`` samples, with these options of its cascade."""
    given = task.cascade_config
    monkeypatch.setattr(task, "cascade_config", lambda *of, **more: replace(given(*of, **more), **cascade))
    monkeypatch.setattr(
        inverting, "InversionConfig", partial(InversionConfig, steps=steps, start_samples=start_samples)
    )

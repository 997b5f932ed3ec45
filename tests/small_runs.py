"""Runs that take few steps: the whole way from options to weights, in a second."""

from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from ganforget.api import inverting, task
from ganforget.inversion.invert import InversionConfig

__all__ = ["take_few_steps"]


def take_few_steps(
    monkeypatch: pytest.MonkeyPatch, *, steps: int = 10, start_samples: int = 16, **cascade: Any
) -> None:
    """Have every run invert in ``steps`` steps from ``start_samples`` samples, with these options of its cascade."""
    given = task.cascade_config
    monkeypatch.setattr(task, "cascade_config", lambda *of: replace(given(*of), **cascade))
    monkeypatch.setattr(
        inverting, "InversionConfig", partial(InversionConfig, steps=steps, start_samples=start_samples)
    )

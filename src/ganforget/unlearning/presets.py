"""The two presets, and how a user's options change them."""

from dataclasses import replace
from typing import Any

from ganforget.options import Mode, SubstituteName, Task, UnlearnOptions
from ganforget.unlearning.config import CascadeConfig

__all__ = ["DEFAULT", "DEFAULT_STEPS", "PAPER", "cascade_config"]

DEFAULT: dict[Mode, dict[str, Any]] = {"few-shot": {"auc_margin": 0.05}, "zero-shot": {"auc_margin": 0.14}}
"""Ours; what is not here stands in CascadeConfig. Zero-shot estimates auc_lu from samples, which drift less."""

DEFAULT_STEPS: dict[Task, dict[str, Any]] = {"item": {"max_steps": 300}, "class": {"max_steps": 120}}
"""A class that wears another one's face is there within 30 steps; an average image of the class never is."""

PAPER: dict[str, Any] = {
    "g_learning_rate": 2.5e-3,
    "d_learning_rate": 2.5e-3,
    "momentum": 0.0,
    "schedule_steps": 50,
    "max_steps": 1000,
    "ema_steps": 4.0,
    "margin": 0.0,
    "auc_margin": 0.0,
}
"""The paper's plain algorithm. The paper names neither rates nor schedule: these are those of our training."""


def cascade_config(options: UnlearnOptions, task: Task, substitute: SubstituteName) -> CascadeConfig:
    """Return the cascade that ``options`` ask for."""
    given: dict[str, Any] = {"max_steps": options.max_steps, "schedule_steps": options.schedule_steps}
    config = CascadeConfig(
        task=task,
        mode=options.mode,
        substitute=substitute,
        preset=options.preset,
        destination="paper" if options.preset == "paper" else options.destination,
        lambda1=options.lambda1,
        lambda2=options.lambda2,
        seed=options.seed,
        **(PAPER if options.preset == "paper" else DEFAULT[options.mode] | DEFAULT_STEPS[task]),
    )
    return replace(config, **{name: value for name, value in given.items() if value is not None})

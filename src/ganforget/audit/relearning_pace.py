"""How fast relearning brings the forgotten back: against retrained GANs, and in steps."""

from typing import Any

import numpy as np

from ganforget.audit.comparison import LEAST_REFERENCES, prediction_interval
from ganforget.audit.subject import ORIGINAL, UNLEARNED

__all__ = ["relearning_pace"]

_LEAST_LEAD = 0.05
"""The original's lead in AUC below which nothing is there that could come back."""


def relearning_pace(curves: dict[str, list[float]]) -> dict[str, Any]:
    """Return what the AUC over fine-tuning ``steps`` tells of the unlearned GAN; ``curves`` are by role.

    `expected`: at each number of steps, where one more retrained GAN is expected (Student's prediction interval; None
    with fewer than three). `faster`: the numbers of steps, 0 aside, at which the unlearned GAN is above it and has
    gained more since 0 steps than one more retrained GAN is expected to. `half_at`: halfway from a GAN that never saw
    the images (the retrained GANs' mean, or ½) to the original, before any step; None where the original hardly leads.
    `half_back`: by role, the first number of steps at which its AUC is there; None: never.
    """
    steps = curves["steps"]
    retrained = [values for role, values in curves.items() if role not in ("steps", ORIGINAL, UNLEARNED)]
    expected = faster = None
    if len(retrained) >= LEAST_REFERENCES:
        expected = _expected(retrained)
        above = _above(curves[UNLEARNED], expected)
        gained = _above(_gains(curves[UNLEARNED]), _expected([_gains(values) for values in retrained]))
        faster = [step for step, *both in zip(steps, above, gained, strict=True) if step > 0 and all(both)]
    unseen = float(np.mean([values[0] for values in retrained])) if retrained else 0.5
    lead = curves[ORIGINAL][0] - unseen
    half_at = unseen + lead / 2 if lead >= _LEAST_LEAD else None
    half_back = {
        role: next((step for step, area in zip(steps, values, strict=True) if area >= half_at), None)
        for role, values in curves.items()
        if role != "steps" and half_at is not None
    }
    return {"expected": expected, "faster": faster, "half_at": half_at, "half_back": half_back}


def _expected(retrained: list[list[float]]) -> list[list[float]]:
    return [list(prediction_interval(list(column))) for column in zip(*retrained, strict=True)]


def _above(values: list[float], expected: list[list[float]]) -> list[bool]:
    return [value > high for value, (_, high) in zip(values, expected, strict=True)]


def _gains(values: list[float]) -> list[float]:
    return [value - values[0] for value in values]

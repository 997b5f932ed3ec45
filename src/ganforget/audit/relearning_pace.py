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
    with fewer than three). `faster`: the numbers of steps at which the unlearned GAN is above it. `half_at`: halfway
    from a GAN that never saw the images (the retrained GANs' mean, or ½) to the original, before any step; None where
    the original hardly leads. `half_back`: by role, the first number of steps at which its AUC is there; None: never.
    """
    steps = curves["steps"]
    retrained = [values for role, values in curves.items() if role not in ("steps", ORIGINAL, UNLEARNED)]
    expected = None
    if len(retrained) >= LEAST_REFERENCES:
        expected = [list(prediction_interval(list(column))) for column in zip(*retrained, strict=True)]
    faster = None
    if expected is not None:
        faster = [step for step, area, (_, high) in zip(steps, curves[UNLEARNED], expected, strict=True) if area > high]
    unseen = float(np.mean([values[0] for values in retrained])) if retrained else 0.5
    lead = curves[ORIGINAL][0] - unseen
    half_at = unseen + lead / 2 if lead >= _LEAST_LEAD else None
    half_back = {
        role: next((step for step, area in zip(steps, values, strict=True) if area >= half_at), None)
        for role, values in curves.items()
        if role != "steps" and half_at is not None
    }
    return {"expected": expected, "faster": faster, "half_at": half_at, "half_back": half_back}

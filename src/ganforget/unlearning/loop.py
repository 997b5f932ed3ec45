"""The cascade's loop: a step of unlearning and learning at a time, until the stop rule is content."""

import math
import time
from collections.abc import Callable
from dataclasses import replace

import torch

from ganforget.errors import NumericalError
from ganforget.interruption import StopRequest
from ganforget.training.ema import update_ema
from ganforget.unlearning.cascade import Cascade, Check, StopRule
from ganforget.unlearning.config import CascadeConfig
from ganforget.unlearning.default_preset import default_step
from ganforget.unlearning.paper_preset import paper_step
from ganforget.unlearning.state import CascadeState

__all__ = ["run_cascade"]

_GAIN = 0.5
"""Share of the gap between scores and their target by which a check moves the fake labels."""


def run_cascade(
    cascade: Cascade,
    state: CascadeState,
    stop_rule: StopRule,
    *,
    stop: StopRequest,
    on_check: Callable[[CascadeState, dict[str, float], Check], None],
    steps: int | None = None,
    spent: Callable[[CascadeState], bool] | None = None,
) -> Check:
    """Run until the destination is reached, ``max_steps`` (or exactly ``steps``) is done, or a stop is asked for.

    ``spent(state)``, asked after every stop check, says that the cascade has cost enough and gives up.

    ``on_check(state, losses, check)`` is called after every stop check, the first one before the first step. Nothing
    counts as reached before the schedule of the substitutes has ended. Raises NumericalError as soon as a loss or, at
    a check, a weight is NaN or infinite, so that every state that ``on_check`` sees is good. A resumed run takes the
    steps of an uninterrupted one.
    """
    config = cascade.config
    last = config.max_steps if steps is None else steps
    if state.step:  # resumed: what the last check found still holds
        check = Check(dict(state.found), state.d_reached, state.g_reached)
    else:
        check = _check(stop_rule, state, None)
    losses: dict[str, float] = {}
    if state.step == 0:
        on_check(state, losses, check)
    while state.step < last and not stop.requested and not (steps is None and _arrived(config, state, check, spent)):
        began = time.perf_counter()
        if config.preset == "paper":
            losses = paper_step(cascade, state)
        else:
            losses = default_step(cascade, state, check)
        if not all(math.isfinite(value) for value in losses.values()):
            raise _diverged(state.step)
        state.step += 1
        update_ema(state.G_ema, state.G, 0.5 ** (1 / max(config.ema_steps, 1e-3)))
        state.cascade_seconds += time.perf_counter() - began
        if state.step % config.check_interval == 0 or state.step == last:
            check = _check(stop_rule, state, check)
            state.label_shift += _GAIN * check.score_gap
            on_check(state, losses, check)
    _require_finite(state)
    if steps is None and state.step < config.schedule_steps:
        check = replace(check, d_reached=False, g_reached=False)
    return check


def _arrived(
    config: CascadeConfig, state: CascadeState, check: Check, spent: Callable[[CascadeState], bool] | None
) -> bool:
    """Whether a check has just found the destination reached, with the schedule at its end, or all cost spent."""
    if state.step == 0 or state.step % config.check_interval:
        return False
    return (check.reached and state.step >= config.schedule_steps) or (spent is not None and spent(state))


def _check(stop_rule: StopRule, state: CascadeState, previous: Check | None) -> Check:
    began = time.perf_counter()
    _require_finite(state)
    check = stop_rule(state, previous)
    if not all(math.isfinite(value) for value in check.values.values()):
        raise _diverged(state.step)
    state.check_seconds += time.perf_counter() - began
    state.found, state.d_reached, state.g_reached = check.values, check.d_reached, check.g_reached
    return check


def _require_finite(state: CascadeState) -> None:
    """Raise NumericalError where a weight is NaN or infinite: a step after a sound loss can do that."""
    for network in (state.G, state.D):
        if not all(bool(torch.isfinite(value).all()) for value in network.parameters()):
            raise _diverged(state.step)


def _diverged(step: int) -> NumericalError:
    return NumericalError(
        f"Unlearning became NaN or infinite at step {step}; the original and the last saved state are kept. "
        "Lower --lambda1, or bring --fake-label nearer to D's scores."
    )

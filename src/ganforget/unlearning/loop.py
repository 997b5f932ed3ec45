"""The cascade's loop: a step of unlearning and learning at a time, until the stop rule is content."""

import math
import time
from collections.abc import Callable

from ganforget.errors import NumericalError
from ganforget.interruption import StopRequest
from ganforget.training.ema import update_ema
from ganforget.unlearning.cascade import Cascade, Check, StopRule
from ganforget.unlearning.default_preset import default_step
from ganforget.unlearning.paper_preset import paper_step
from ganforget.unlearning.state import CascadeState

__all__ = ["run_cascade"]


def run_cascade(
    cascade: Cascade,
    state: CascadeState,
    stop_rule: StopRule,
    *,
    stop: StopRequest,
    on_check: Callable[[CascadeState, dict[str, float], Check], None],
    steps: int | None = None,
) -> Check:
    """Run until the destination is reached, ``max_steps`` (or exactly ``steps``) is done, or a stop is asked for.

    ``on_check(state, losses, check)`` is called after every stop check. Raises NumericalError on NaN or infinity;
    the state before that step's update is what the last ``on_check`` saw.
    """
    config = cascade.config
    last = config.max_steps if steps is None else steps
    check = _timed_check(stop_rule, state)
    losses: dict[str, float] = {}
    while state.step < last and not stop.requested:
        began = time.perf_counter()
        if config.preset == "paper":
            losses = paper_step(cascade, state)
        else:
            losses = default_step(cascade, state, check)
        if not all(math.isfinite(value) for value in losses.values()):
            raise NumericalError(
                f"Unlearning became NaN or infinite at step {state.step}; the last checked state is kept. "
                "Lower the learning rates or λ1."
            )
        state.step += 1
        update_ema(state.G_ema, state.G, 0.5 ** (1 / max(config.ema_steps, 1e-3)))
        state.cascade_seconds += time.perf_counter() - began
        if state.step % config.check_interval == 0 or state.step == last:
            check = _timed_check(stop_rule, state)
            on_check(state, losses, check)
            if steps is None and check.reached and state.step >= config.schedule_steps:
                break
    return check


def _timed_check(stop_rule: StopRule, state: CascadeState) -> Check:
    began = time.perf_counter()
    check = stop_rule(state)
    state.check_seconds += time.perf_counter() - began
    return check

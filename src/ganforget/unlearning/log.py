"""A line of a run's log: what a stop check found, and the losses of the step before it."""

from ganforget.substitute import schedule
from ganforget.unlearning.cascade import Check
from ganforget.unlearning.config import CascadeConfig
from ganforget.unlearning.state import CascadeState

__all__ = ["log_line"]


def log_line(state: CascadeState, losses: dict[str, float], check: Check, config: CascadeConfig) -> dict[str, float]:
    """Return step, seconds so far, λ or α where the substitute has one, losses and measures, to six digits."""
    line: dict[str, float] = {"step": state.step, "seconds": round(state.cascade_seconds + state.check_seconds, 3)}
    if config.substitute in ("truncation", "projection"):
        line["lambda"] = schedule(state.step, config.schedule_steps)
    return line | {name: float(f"{value:.6g}") for name, value in (losses | check.values).items()}

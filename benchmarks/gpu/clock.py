"""Jobs from the source tree that end before their time is up."""

import signal
import sys
from pathlib import Path

__all__ = ["find_package", "press_ctrl_c_after"]


def find_package() -> None:
    """Let ``import ganforget`` find the source tree that this file lies in."""
    sys.path.insert(0, str(Path(__file__).parents[2] / "src"))


def press_ctrl_c_after(minutes: float) -> None:
    """Ask the work for an orderly stop after so many minutes: everything that is long saves and can go on."""
    signal.signal(signal.SIGALRM, lambda *_: signal.raise_signal(signal.SIGINT))
    signal.setitimer(signal.ITIMER_REAL, minutes * 60)

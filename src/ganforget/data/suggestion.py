"""Wording for error messages: "did you mean", and a long list of problems cut short."""

import difflib
from collections.abc import Iterable, Sequence

__all__ = ["did_you_mean", "shortened"]

SHOWN = 10


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return " Did you mean X?" for the known word closest to ``word``, or nothing where none is close."""
    close = difflib.get_close_matches(word, list(known), n=1)
    return f" Did you mean {close[0]}?" if close else ""


def shortened(items: Sequence[object]) -> str:
    """Join the first ten items with commas and count the rest: "1, 2, ... and 5 more"."""
    rest = f" and {len(items) - SHOWN} more" if len(items) > SHOWN else ""
    return ", ".join(str(item) for item in items[:SHOWN]) + rest

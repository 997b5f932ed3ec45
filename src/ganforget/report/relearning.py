"""The relearning curves of an audit: drawn, as a table, and what they say."""

from typing import Any

from ganforget.report.audit_charts import relearning_chart
from ganforget.report.audit_words import role_name
from ganforget.report.numerals import decimal

__all__ = ["relearning_panels"]

_PANELS = {
    "relearning": (
        "Trained on forgotten images",
        "The attacker trains on {held} of the forgotten images. Shown is how the discriminator then ranks the other "
        "forgotten images.",
    ),
    "relearning_neighbours": (
        "Trained on neighbours",
        "The attacker has no forgotten image, and trains on {held} kept training images that look most like forgotten "
        "ones. Shown is how the discriminator then ranks the forgotten images.",
    ),
}


def relearning_panels(audit: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a panel for each kind of relearning that was run; an audit of an older version has no pace."""
    return [
        _panel(name, audit[name], (audit.get("relearning_pace") or {}).get(name) or {}, audit["images"]["relearning"])
        for name in _PANELS
        if audit.get(name)
    ]


def _panel(name: str, curves: dict[str, list[float]], pace: dict[str, Any], held: int) -> dict[str, Any]:
    title, meaning = _PANELS[name]
    half, at = pace.get("half_back") or {}, pace.get("half_at")
    rows = []
    for role, values in curves.items():
        if role != "steps":
            cells = [decimal(value, 2) for value in values]
            rows.append((role_name(role), cells, _after(half[role]) if role in half else None))
    own = curves["unlearned"]
    return {
        "title": title,
        "meaning": meaning.format(held=held),
        "sentence": _sentence(pace),
        "svg": relearning_chart(name, curves, pace.get("expected")),
        "banded": pace.get("expected") is not None,
        "alt": f"AUC over fine-tuning steps. {title}: the unlearned network goes from {own[0]:.2f} to {own[-1]:.2f}.",
        "steps": [f"{step:g}" for step in curves["steps"]],
        "rows": rows,
        "half_at": None if at is None else decimal(at, 2),
    }


def _after(step: float | None) -> str:
    return "not reached" if step is None else f"{step:g}"


def _sentence(pace: dict[str, Any]) -> str:
    """Return what the curves say against retrained networks."""
    faster = pace.get("faster")
    if faster is None:
        return "With fewer than three retrained networks nobody can say how fast is fast."
    if not faster:
        return "After no number of steps has more come back than one more retrained network is expected to learn."
    steps = [f"{step:g}" for step in faster]
    listed = steps[0] if len(steps) == 1 else f"{', '.join(steps[:-1])} and {steps[-1]}"
    return (
        f"After {listed} steps the unlearned network is above where one more retrained network is expected, and has "
        "gained more: what was forgotten comes back faster than it could be learnt anew."
    )

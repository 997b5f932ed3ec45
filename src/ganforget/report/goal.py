"""The destination's conditions, read from the rule that the run wrote down.

Such a rule is "auc_lu > 0.8 and …" or "|auc_ut − 0.5| ≤ 0.1 and …".
"""

import re
from dataclasses import dataclass

__all__ = ["Goal", "read_goals", "rule_text"]

CONDITION = re.compile(r"\b([a-z_]+)\s*(<=|>=|≤|≥|<|>)\s*(-?\d+(?:\.\d+)?)")
BAND = re.compile(r"\|([a-z_]+)\s*[−-]\s*(\d+(?:\.\d+)?)\|\s*(?:<=|≤)\s*(\d+(?:\.\d+)?)")
SIGNS = {"<=": "≤", ">=": "≥"}


@dataclass(frozen=True)
class Goal:
    """One condition: a measure, and its bound or the band around a value."""

    key: str
    sign: str
    bound: float
    centre: float | None = None
    """Where the condition is on the distance from here, at most ``bound``: a band with two ends."""

    @property
    def band(self) -> tuple[float, float] | None:
        """The ends of a condition that has two."""
        return None if self.centre is None else (self.centre - self.bound, self.centre + self.bound)

    @property
    def above(self) -> bool:
        """Whether the wanted side is above the bound."""
        return self.sign in (">", "≥")

    @property
    def text(self) -> str:
        """The condition without the measure's name."""
        if self.band is not None:
            return "{:g} to {:g}".format(*self.band)
        return f"{self.sign} {self.bound:g}"

    def met(self, value: float) -> bool:
        """Whether ``value`` satisfies the condition."""
        if self.centre is not None:
            value = abs(value - self.centre)
        return {
            ">": value > self.bound,
            "≥": value >= self.bound,
            "<": value < self.bound,
            "≤": value <= self.bound,
        }[self.sign]


def read_goals(rule: str | None, fd_u_destination: float | None = None) -> dict[str, Goal]:
    """Return the conditions of ``rule`` by measure; a bound on fd_u may also be recorded by itself."""
    found = (Goal(key, SIGNS.get(sign) or sign, float(bound)) for key, sign, bound in CONDITION.findall(rule or ""))
    goals = {goal.key: goal for goal in found}
    goals |= {key: Goal(key, "≤", float(wide), float(centre)) for key, centre, wide in BAND.findall(rule or "")}
    if "fd_u" not in goals and fd_u_destination is not None:
        goals["fd_u"] = Goal("fd_u", ">", fd_u_destination)
    return goals


def rule_text(rule: str) -> str:
    """Return the rule with ≤ and ≥ as one sign."""
    return rule.replace("<=", "≤").replace(">=", "≥")

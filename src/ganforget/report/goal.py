"""The destination's conditions, read from the rule that the run wrote down ("auc_lu > 0.8 and …")."""

import re
from dataclasses import dataclass

__all__ = ["Goal", "read_goals", "rule_text"]

CONDITION = re.compile(r"\b([a-z_]+)\s*(<=|>=|≤|≥|<|>)\s*(-?\d+(?:\.\d+)?)")
SIGNS = {"<=": "≤", ">=": "≥"}


@dataclass(frozen=True)
class Goal:
    """One condition: a measure and its bound."""

    key: str
    sign: str
    bound: float

    @property
    def above(self) -> bool:
        """Whether the wanted side is above the bound."""
        return self.sign in (">", "≥")

    @property
    def text(self) -> str:
        """The condition without the measure's name."""
        return f"{self.sign} {self.bound:g}"

    def met(self, value: float) -> bool:
        """Whether ``value`` satisfies the condition."""
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
    if "fd_u" not in goals and fd_u_destination is not None:
        goals["fd_u"] = Goal("fd_u", ">", fd_u_destination)
    return goals


def rule_text(rule: str) -> str:
    """Return the rule with ≤ and ≥ as one sign."""
    return rule.replace("<=", "≤").replace(">=", "≥")

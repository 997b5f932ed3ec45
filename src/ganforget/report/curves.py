"""Which curves the log gives, each with its words."""

from dataclasses import dataclass
from typing import Any

from ganforget.report.figures import Line, line_chart
from ganforget.report.goal import Goal
from ganforget.report.run_files import is_number

__all__ = ["CURVES", "Curve", "CurveSpec", "draw_curves"]


@dataclass(frozen=True)
class CurveSpec:
    """A chart: its title, what it shows, and its lines as (key in the log, name, paint)."""

    name: str
    title: str
    meaning: str
    lines: tuple[tuple[str, str, str], ...]
    loss: bool = False


@dataclass(frozen=True)
class Curve:
    """A drawn chart with its legend (name, paint) and a text in place of the picture."""

    title: str
    meaning: str
    svg: str
    legend: tuple[tuple[str, str], ...]
    alt: str


CURVES = (
    CurveSpec(
        "auc-lu",
        "Retain scored above forget",
        "auc_lu at the stop checks: how often the discriminator ranks a forget image lower.",
        (("auc_lu", "auc_lu", "forget"),),
    ),
    CurveSpec(
        "auc-lu-seen",
        "Retain scored above forget, of those it trains on",
        "auc_lu_seen at the stop checks: how often the discriminator ranks a forget image lower than a retain image "
        "that it is being trained on.",
        (("auc_lu_seen", "auc_lu_seen", "forget"),),
    ),
    CurveSpec(
        "auc-ut",
        "Forget scored above never trained on",
        "auc_ut at the stop checks: how often the discriminator ranks a forget image above one it was never trained "
        "on; 0.5 treats both alike.",
        (("auc_ut", "auc_ut", "forget"),),
    ),
    CurveSpec(
        "substitution",
        "Distance left to the substitutes",
        "substitution, as a share: 1 is the original generator, 0 has the substitutes in place.",
        (("substitution", "substitution", "generated"),),
    ),
    CurveSpec(
        "fd-u",
        "Distance from the class’s images",
        "fd_u: how far images generated for the class are from its real images.",
        (("fd_u", "fd_u", "forget"),),
    ),
    CurveSpec(
        "scores",
        "Mean scores",
        "The discriminator’s mean raw output on each group of images.",
        (
            ("score_retain", "retain", "retain"),
            ("score_forget", "forget", "forget"),
            ("score_generated", "generated", "generated"),
        ),
    ),
    CurveSpec(
        "d-losses",
        "Losses of the discriminator",
        "Unlearning pulls forget images to the fake label; learning and distillation hold the rest.",
        (
            ("d_unlearning", "unlearning", "forget"),
            ("d_learning", "learning", "retain"),
            ("d_distillation", "distillation", "holdout"),
        ),
        loss=True,
    ),
    CurveSpec(
        "g-losses",
        "Losses of the generator",
        "Substitute and fake drive the change; learning and anchor hold the rest.",
        (
            ("g_substitute", "substitute", "forget"),
            ("g_fake", "fake", "generated"),
            ("g_learning", "learning", "retain"),
            ("anchor", "anchor", "holdout"),
        ),
        loss=True,
    ),
    CurveSpec(
        "schedule",
        "Schedule of the substitutes",
        "λ: the share of the forget image’s own latent that is left in its substitute.",
        (("lambda", "λ", "fourth"),),
    ),
)


def draw_curves(log: list[dict[str, Any]], goals: dict[str, Goal], schedule_end: float | None) -> list[Curve]:
    """Return every chart for which the log has at least two values of some line."""
    steps = [float(line["step"]) for line in log]
    curves = []
    for spec in CURVES:
        lines = [Line(name, paint, _values(log, key)) for key, name, paint in spec.lines]
        lines = [line for line in lines if sum(value is not None for value in line.values) > 1]
        if not lines:
            continue
        goal = goals.get(spec.lines[0][0])
        marks: dict[str, Any] = {"goal": goal, "schedule_end": schedule_end, "loss": spec.loss}
        svg = line_chart(f"curve-{spec.name}", steps, lines, **marks)
        legend = tuple((line.name, line.paint) for line in lines) if len(spec.lines) > 1 else ()
        curves.append(Curve(spec.title, spec.meaning, svg, legend, _alt(spec, lines, goal)))
    return curves


def _values(log: list[dict[str, Any]], key: str) -> tuple[float | None, ...]:
    return tuple(line[key] if is_number(line.get(key)) else None for line in log)


def _alt(spec: CurveSpec, lines: list[Line], goal: Goal | None) -> str:
    parts = []
    for line in lines:
        known = [value for value in line.values if value is not None]
        parts.append(f"{line.name} from {known[0]:.3g} to {known[-1]:.3g}")
    wanted = f"; destination {goal.text}" if goal else ""
    return f"Chart over steps. {spec.title}: {', '.join(parts)}{wanted}."

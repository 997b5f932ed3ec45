"""Drawings as inline SVG in the colours of the page's CSS variables, so that they follow light and dark."""

import io
import re
from dataclasses import dataclass
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ganforget.report.goal import Goal

__all__ = ["POINTS_PER_INCH", "STAND_INS", "STYLE", "Line", "inline_svg", "line_chart", "ridge_chart"]

PAINTS = ("ink", "muted", "rule", "goal", "retain", "forget", "holdout", "generated", "fourth")
"""CSS variables of the page; Matplotlib is handed a stand-in colour for each, to be replaced in the SVG."""

STAND_INS = {name: f"#{0xA1B200 + place:06x}" for place, name in enumerate(PAINTS)}

STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "font.size": 11,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": STAND_INS["rule"],
    "axes.labelcolor": STAND_INS["muted"],
    "xtick.color": STAND_INS["rule"],
    "ytick.color": STAND_INS["rule"],
    "xtick.labelcolor": STAND_INS["muted"],
    "ytick.labelcolor": STAND_INS["muted"],
    "text.color": STAND_INS["ink"],
    "text.parse_math": False,
    "axes.unicode_minus": True,
    "axes.formatter.use_mathtext": False,
    "axes.formatter.useoffset": False,
}

POINTS_PER_INCH = 72


@dataclass(frozen=True)
class Line:
    """One line of a chart: its name, its paint, and a value for each step (None leaves a gap)."""

    name: str
    paint: str
    values: tuple[float | None, ...]


def line_chart(
    name: str,
    steps: list[float],
    lines: list[Line],
    *,
    goal: Goal | None = None,
    schedule_end: float | None = None,
    loss: bool = False,
    across: str = "step",
) -> str:
    """Return ``lines`` over ``steps`` as SVG; ``goal`` marks the wanted side or band, ``schedule_end`` a step.

    ``across`` names what ``steps`` count.
    Losses that are all positive and span more than a factor of 30 stand on a logarithmic axis.
    """
    with matplotlib.rc_context({**STYLE, "svg.hashsalt": name}):
        figure = Figure(figsize=(400 / POINTS_PER_INCH, 230 / POINTS_PER_INCH))
        axes = figure.add_axes((0.125, 0.17, 0.855, 0.77))
        for line in lines:
            y = np.array([np.nan if value is None else value for value in line.values], float)
            axes.plot(steps, y, color=STAND_INS[line.paint], linewidth=1.8, solid_joinstyle="round")
            known = np.flatnonzero(~np.isnan(y))
            axes.plot(steps[known[-1]], y[known[-1]], "o", color=STAND_INS[line.paint], markersize=5, clip_on=False)
        if loss and _wants_logarithm(lines):
            axes.set_yscale("log")
            axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
        elif goal is None:
            axes.margins(y=0.08)
        if schedule_end is not None and 0 < schedule_end <= max(steps):
            axes.axvline(schedule_end, color=STAND_INS["muted"], linewidth=0.9, linestyle=(0, (1, 2.5)))
        if goal is not None:
            _mark_goal(axes, goal)
        axes.set_xlim(min(steps), max(steps) if max(steps) > min(steps) else min(steps) + 1)
        axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
        axes.set_xlabel(across, loc="right", labelpad=1)
        axes.grid(axis="y", color=STAND_INS["rule"], linewidth=0.6, alpha=0.6)
        axes.tick_params(length=3, which="major")
        axes.tick_params(length=0, which="minor", labelleft=False)
        return inline_svg(figure, name)


def ridge_chart(
    name: str,
    groups: list[tuple[str, str, list[float]]],
    *,
    limits: tuple[float, float],
    mark: float | None = None,
    axis: str = "score (the discriminator’s raw output)",
) -> str:
    """Return histograms of ``groups`` (label, paint, scores) as SVG, one below the other within ``limits``.

    The first group's outline is repeated behind the others. Every histogram is drawn to the same height.
    """
    edges = np.linspace(*limits, 49)
    with matplotlib.rc_context({**STYLE, "svg.hashsalt": name}):
        height = 46 + 62 * len(groups)
        figure = Figure(figsize=(420 / POINTS_PER_INCH, height / POINTS_PER_INCH))
        bottom, each = 40 / height, 62 / height
        ghost = _shares(groups[0][2], edges)
        for place, (label, paint, scores) in enumerate(groups):
            row = len(groups) - 1 - place
            axes = figure.add_axes((0.02, bottom + row * each, 0.96, each * 0.9), facecolor="none")
            if place:
                axes.stairs(ghost, edges, color=STAND_INS["muted"], linewidth=0.8)
            shares = _shares(scores, edges)
            tint = to_rgba(STAND_INS[paint], 0.3)
            edge = STAND_INS[paint]
            axes.stairs(shares, edges, fill=True, facecolor=tint, edgecolor=edge, linewidth=1.4)
            if mark is not None:
                axes.axvline(mark, ymax=0.7, color=STAND_INS["goal"], linewidth=1.2, linestyle=(0, (4, 3)))
            axes.set(xlim=limits, ylim=(0, 1.45), yticks=[])
            axes.spines["left"].set_visible(False)
            axes.text(0, 0.99, label, transform=axes.transAxes, va="top", fontsize=11)
            if row:
                axes.set_xticks([])
        figure.axes[-1].set_xlabel(axis, loc="right", labelpad=2)
        return inline_svg(figure, name)


def _shares(scores: list[float], edges: np.ndarray) -> np.ndarray:
    counts, _ = np.histogram(np.clip(scores, edges[0], edges[-1]), edges)
    return counts / max(counts.max(), 1)


def _wants_logarithm(lines: list[Line]) -> bool:
    values = [value for line in lines for value in line.values if value is not None]
    return bool(values) and min(values) > 0 and max(values) / min(values) > 30


def _mark_goal(axes: Axes, goal: Goal) -> None:
    low, high = axes.get_ylim()
    if goal.band is not None:
        axes.set_ylim(min(low, goal.band[0] - 0.02), max(high, goal.band[1] + 0.02))
        axes.axhspan(*goal.band, color=STAND_INS["goal"], alpha=0.12, linewidth=0)
        for end in goal.band:
            axes.axhline(end, color=STAND_INS["goal"], linewidth=1.2, linestyle=(0, (4, 3)))
        return
    low, high = min(low, goal.bound), max(high, goal.bound)
    room = 0.12 * (high - low) or 0.1
    low, high = low - (room if not goal.above else 0), high + (room if goal.above else 0)
    axes.set_ylim(low, high)
    wanted = (goal.bound, high) if goal.above else (low, goal.bound)
    axes.axhspan(*wanted, color=STAND_INS["goal"], alpha=0.12, linewidth=0)
    axes.axhline(goal.bound, color=STAND_INS["goal"], linewidth=1.2, linestyle=(0, (4, 3)))


def inline_svg(figure: Figure, name: str) -> str:
    """Return the figure as SVG to stand inside HTML: no prologue, own ids, page colours, page typeface."""
    buffer = io.StringIO()
    figure.savefig(
        buffer, format="svg", transparent=True, metadata=dict.fromkeys(("Creator", "Date", "Format", "Type"))
    )
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(
        r"<svg [^>]*viewBox=\"([^\"]*)\"[^>]*>",
        r'<svg viewBox="\1" aria-hidden="true" focusable="false">',
        text,
        count=1,
    )
    text = re.sub(r"<!--.*?-->\s*|<metadata>.*?</metadata>\s*|<style.*?</style>\s*", "", text, flags=re.DOTALL)
    text = re.sub(r' d="([^"]*)"', lambda path: f' d="{_shorter(path[1])}"', text)
    text = re.sub(r'\bid="', f'id="{name}-', text)
    text = re.sub(r'(url\(#|href="#)', rf"\1{name}-", text)
    text = re.sub(r"font-family: [^;\"]*; ?", "", text)
    for paint, colour in STAND_INS.items():
        text = text.replace(colour, f"var(--{paint})")
    return text.strip()


def _shorter(path: str) -> str:
    """Return path data with one decimal and on one line: a tenth of a point is less than can be seen."""
    return re.sub(r"\d+\.\d+", lambda number: f"{float(number[0]):.1f}", " ".join(path.split()))

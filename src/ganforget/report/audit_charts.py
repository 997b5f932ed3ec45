"""The drawings of an audit: ROC curves on linear and logarithmic axes, and relearning curves."""

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ganforget.report.figures import POINTS_PER_INCH, STAND_INS, STYLE, inline_svg

__all__ = ["paint_of", "relearning_chart", "roc_chart"]

_PAINTS = {"original": "fourth", "unlearned": "forget"}


def paint_of(role: str) -> str:
    """Return the colour variable of a GAN: original, unlearned, or retrained."""
    return _PAINTS.get(role, "retain")


def roc_chart(name: str, curves: dict[str, dict[str, list[float]]], *, logarithmic: bool) -> str:
    """Return ROC curves by role as SVG, with the band of the unlearned GAN's interval.

    On logarithmic axes the low false positive rates can be seen, where attackers who must be right live; what is
    below one image on either side has no place on them.
    """
    with matplotlib.rc_context({**STYLE, "svg.hashsalt": name}):
        figure = Figure(figsize=(400 / POINTS_PER_INCH, 300 / POINTS_PER_INCH))
        axes = figure.add_axes((0.14, 0.14, 0.83, 0.82))
        least = _least(curves) if logarithmic else 0.0
        for role, curve in sorted(curves.items(), key=lambda item: item[0] == "unlearned"):
            values = {key: np.maximum(np.array(points), least) for key, points in curve.items()}
            if role == "unlearned":
                axes.fill_between(
                    values["fpr"],
                    values["low"],
                    values["high"],
                    step="post",
                    alpha=0.2,
                    linewidth=0,
                    color=STAND_INS["forget"],
                )
            width = 2.0 if role == "unlearned" else 1.2
            axes.step(values["fpr"], values["tpr"], where="post", color=STAND_INS[paint_of(role)], linewidth=width)
        axes.plot([least, 1], [least, 1], color=STAND_INS["muted"], linewidth=0.8, linestyle=(0, (1, 2.5)))
        if logarithmic:
            _logarithmic(axes, least)
        axes.set(xlim=(least, 1), ylim=(least, 1.02))
        axes.set_xlabel("unseen images taken for forgotten ones", loc="right", labelpad=1)
        axes.set_ylabel("forgotten images found", loc="top", labelpad=7)
        return inline_svg(figure, name)


def _least(curves: dict[str, dict[str, list[float]]]) -> float:
    positive = [value for curve in curves.values() for value in curve["fpr"] if value > 0]
    return min(positive, default=0.01)


def _logarithmic(axes: Axes, least: float) -> None:
    axes.set_xscale("log")
    axes.set_yscale("log")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(lambda value, _: f"{value:g}")
        axis.set_minor_formatter(lambda *_: "")
    axes.tick_params(length=3, which="major")


def relearning_chart(name: str, curves: dict[str, list[float]], expected: list[list[float]] | None) -> str:
    """Return the AUC of forgotten images over fine-tuning steps, by role, as SVG.

    The band ``expected``, a low and a high value for each number of steps, is where one more retrained GAN is expected.
    """
    steps = curves["steps"]
    with matplotlib.rc_context({**STYLE, "svg.hashsalt": name}):
        figure = Figure(figsize=(400 / POINTS_PER_INCH, 230 / POINTS_PER_INCH))
        axes = figure.add_axes((0.125, 0.17, 0.855, 0.77))
        if expected is not None:
            low, high = np.clip(np.array(expected).T, 0, 1)
            axes.fill_between(steps, low, high, alpha=0.15, linewidth=0, color=STAND_INS["retain"])
        for role, values in sorted(curves.items(), key=lambda item: item[0] == "unlearned"):
            if role != "steps":
                width = 2.0 if role == "unlearned" else 1.2
                axes.plot(steps, values, "-o", color=STAND_INS[paint_of(role)], linewidth=width, markersize=4)
        axes.axhline(0.5, color=STAND_INS["muted"], linewidth=0.8, linestyle=(0, (1, 2.5)))
        axes.set_xticks(steps)
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axes.set_xlabel("AUC over fine-tuning steps", loc="right", labelpad=1)
        axes.grid(axis="y", color=STAND_INS["rule"], linewidth=0.6, alpha=0.6)
        return inline_svg(figure, name)

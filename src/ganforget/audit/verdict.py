"""One verdict out of four, by written rules (docs/audit.md states them for people).

Attacks that are judged have one thing in common: a GAN that never saw the forget images scores them like holdout
images, or like retrained GANs score them. With E the effect on the unlearned GAN and C the effect on the original:

1. A *departure* is an attack whose E is significant (Holm over all judged attacks, 1 % for the family, two-sided)
   and at least 0.05 of AUC. The one with the smallest p-value decides: E > 0 is **under-unlearned**, E < 0 is
   **over-unlearned**.
2. Without one, a *departure of shape* is an attack whose scores of forget and of unseen images are distributed
   differently (Kolmogorov-Smirnov, Holm, 0.2 % for the family) with a distance of at least 0.1. Where more than a
   quarter of the forget images lie in the upper quarter of the unseen ones, some still stand out:
   **under-unlearned**. Else they are treated, bunched in the middle, say: **over-unlearned**. Only where forget and
   unseen images are exchangeable for a GAN that saw neither.
3. Without one, the attack that recognises the forget images best on the original is the *control*. If it does so
   significantly, and the 90 % interval of its E lies within half of its C and within 0.2 on both sides, the GAN is
   **matched**. An attack on the difference from the original finds nothing there by its making, so it is no control.
4. Else the audit **cannot tell**.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from ganforget.audit.comparison import Effect

__all__ = [
    "FAMILY_LEVEL",
    "LARGEST_MARGIN",
    "LEAST_DISTANCE",
    "LEAST_EFFECT",
    "Finding",
    "Judgement",
    "Shape",
    "Verdict",
    "judge",
    "shape_of",
]

Verdict = Literal["under-unlearned", "matched", "over-unlearned", "cannot tell"]

FAMILY_LEVEL = 0.01
"""Probability of any departure where there is none, over all judged attacks together."""

SHAPE_LEVEL = 0.002
"""Probability of any departure of shape where there is none; small, as those that matter are plain."""

LEAST_EFFECT = 0.05
"""Effects on the AUC below this are no departure, however many images make them significant."""

LEAST_DISTANCE = 0.1
"""KS distances below this are no departure of shape."""

LARGEST_MARGIN = 0.2
"""Widest effect on the AUC that a match may leave open."""

CONFIDENCE = 0.9


@dataclass(frozen=True)
class Shape:
    """How differently an attack's scores of forget and of unseen images are distributed."""

    distance: float
    """KS distance."""
    p: float
    upper: float
    """Share of the forget images in the upper quarter of the unseen ones: ¼ for images of their kind."""


@dataclass(frozen=True)
class Finding:
    """What one judged attack found."""

    attack: str
    title: str
    network: str
    """Which network it looks at: D or G."""
    effect: Effect
    control: Effect
    """The same attack on the original GAN, which did see the forget images."""
    shape: Shape | None = None
    """None where forget and unseen images are not exchangeable."""
    controls: bool = True
    """Whether the attack says anything about the original, so that it can be the control."""


@dataclass(frozen=True)
class Judgement:
    """The verdict and why."""

    verdict: Verdict
    reasons: tuple[str, ...]
    adjusted: dict[str, float]
    """p-value of each attack's effect, adjusted by Holm."""
    control: str | None
    """The attack that recognises the forget images best on the original; None where none does."""
    shapes: dict[str, float] = field(default_factory=dict)
    """p-value of each attack's shape, adjusted by Holm."""
    misshapen: tuple[str, ...] = ()
    """The attacks with a departure of shape."""
    by_shape: bool = False
    """Whether these decided."""


def shape_of(member: np.ndarray, outside: np.ndarray, *, distance: float, p: float) -> Shape:
    """Return the shape of two groups of scores, whose KS test gave ``distance`` and ``p``."""
    ranked = np.sort(outside)
    ranks = (np.searchsorted(ranked, member, "left") + np.searchsorted(ranked, member, "right")) / (2 * len(outside))
    return Shape(distance, p, float((ranks > 0.75).mean()))


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values adjusted by Holm (1979), in the order given."""
    order = np.argsort(p_values)
    steps = [min((len(p_values) - place) * p_values[index], 1.0) for place, index in enumerate(order)]
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.maximum.accumulate(steps) if steps else []
    return adjusted.tolist()


def judge(findings: Sequence[Finding]) -> Judgement:
    """Return the verdict over all judged attacks."""
    shaped = {f.attack: f.shape for f in findings if f.shape is not None}
    shapes = dict(zip(shaped, holm([shape.p for shape in shaped.values()]), strict=True))
    misshapen = [f for f in findings if _is_misshapen(f, shapes)]
    return replace(_judge(findings, shapes, misshapen), shapes=shapes, misshapen=tuple(f.attack for f in misshapen))


def _judge(findings: Sequence[Finding], shapes: dict[str, float], misshapen: Sequence[Finding]) -> Judgement:
    adjusted = dict(zip([f.attack for f in findings], holm([f.effect.p for f in findings]), strict=True))
    departures = [f for f in findings if adjusted[f.attack] < FAMILY_LEVEL and abs(f.effect.value) >= LEAST_EFFECT]
    control = _control(findings)
    name = None if control is None else control.attack
    if departures:
        departures.sort(key=_chance)
        verdict: Verdict = "under-unlearned" if departures[0].effect.value > 0 else "over-unlearned"
        return Judgement(verdict, tuple(_departure(f) for f in departures), adjusted, name)
    if misshapen:
        first = min(misshapen, key=lambda f: shapes[f.attack])
        verdict = "under-unlearned" if first.shape is not None and first.shape.upper > 0.25 else "over-unlearned"
        return Judgement(verdict, tuple(_misshapen(f) for f in misshapen), adjusted, name, by_shape=True)
    if control is None:
        return Judgement("cannot tell", (_no_control(findings),), adjusted, None)
    margin = min(control.control.value / 2, LARGEST_MARGIN)
    low, high = control.effect.interval(CONFIDENCE)
    if -margin <= low and high <= margin:
        return Judgement("matched", (_match(control, low, high, margin),), adjusted, name)
    return Judgement("cannot tell", (_too_wide(control, low, high, margin),), adjusted, name)


def _is_misshapen(finding: Finding, shapes: dict[str, float]) -> bool:
    shape = finding.shape
    return shape is not None and shapes[finding.attack] < SHAPE_LEVEL and shape.distance >= LEAST_DISTANCE


def _misshapen(finding: Finding) -> str:
    assert finding.shape is not None
    return (
        f"{finding.title} ({finding.network}) does not rank forgotten images clearly higher or lower, but scores them "
        f"otherwise than unseen images (KS distance {finding.shape.distance:.2f}): {finding.shape.upper:.0%} of them "
        "lie in the upper quarter of these."
    )


def _chance(finding: Finding) -> tuple[float, float]:
    """Return what the least likely departure has least of; p-values far out may all be 0."""
    return finding.effect.p, -abs(finding.effect.value) / finding.effect.deviation


def _control(findings: Sequence[Finding]) -> Finding | None:
    controls = [f for f in findings if f.controls]
    adjusted = holm([f.control.p for f in controls])
    able = [
        f
        for f, p in zip(controls, adjusted, strict=True)
        if p < FAMILY_LEVEL and f.control.value >= LEAST_EFFECT and np.isfinite(f.effect.deviation)
    ]
    return max(able, key=lambda f: f.control.value / f.control.deviation, default=None)


def _departure(finding: Finding) -> str:
    effect = finding.effect
    area = effect.expected + effect.value
    if effect.value > 0:
        what = "still recognises the forgotten images as trained on"
    else:
        what = "recognises the forgotten images because they look less trained on than images never seen"
    return (
        f"{finding.title} ({finding.network}) {what}: it ranks a forgotten image above an unseen one with probability "
        f"{area:.2f}, where {effect.expected:.2f} is expected of a GAN that never saw them."
    )


def _no_control(findings: Sequence[Finding]) -> str:
    if not findings:
        return (
            "None of these attacks can be judged here: only retrained GANs can say how GANs that never saw these "
            "images answer to them, and at least three of them are needed."
        )
    if not any(np.isfinite(f.effect.deviation) for f in findings):
        return (
            "The forget set is not a random one, so only retrained GANs can say how much GANs that never saw these "
            "images differ by chance: at least three of them are needed."
        )
    return (
        "No attack recognises the forgotten images even on the original GAN, so that none does afterwards says nothing."
    )


def _match(control: Finding, low: float, high: float, margin: float) -> str:
    before = control.control.expected + control.control.value
    return (
        f"{control.title} recognised the forgotten images on the original (AUC {before:.2f}) and does not any more: "
        f"its AUC is within {low:+.2f} to {high:+.2f} of what is expected (90 % interval), inside ±{margin:.2f}."
    )


def _too_wide(control: Finding, low: float, high: float, margin: float) -> str:
    return (
        f"No attack finds a departure, but with so few images {control.title} leaves open everything from {low:+.2f} "
        f"to {high:+.2f} of AUC, and a match would need ±{margin:.2f}: half of what it finds on the original, at most "
        f"{LARGEST_MARGIN:.2f}."
    )

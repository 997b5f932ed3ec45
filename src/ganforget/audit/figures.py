"""From scores to what an audit says of every attack, and to its verdict; plain JSON values."""

from dataclasses import asdict
from typing import Any

import numpy as np

from ganforget.audit.attacks.registry import ATTACKS, Attack
from ganforget.audit.comparison import (
    LEAST_REFERENCES,
    Effect,
    Pair,
    deviations_needed,
    klom,
    measure_effect,
    prediction_interval,
    privacy_leak_ratio,
)
from ganforget.audit.statistics import (
    FALSE_POSITIVE_RATES,
    Bootstrap,
    bootstrap,
    measure_separation,
    minimum_detectable_auc,
    roc_points,
)
from ganforget.audit.subject import ORIGINAL, UNLEARNED
from ganforget.audit.verdict import FAMILY_LEVEL, LEAST_EFFECT, Finding, Judgement, judge, shape_of
from ganforget.evaluation.auc import auc

__all__ = ["attack_figures", "cannot_claim", "power", "verdict_figures"]

POWER = 0.9


def attack_figures(
    name: str, scores: dict[str, Pair], *, exchangeable: bool, seed: int
) -> tuple[dict[str, Any], Finding | None]:
    """Return one attack's figures from the ``scores`` by role, and its finding where it counts for the verdict."""
    attack = ATTACKS[name]
    drawn = bootstrap(*(len(part) for part in scores[UNLEARNED]), seed=seed)
    exchangeable = exchangeable and attack.judged == "always"  # else only retrained GANs tell what chance is
    references = {role: pair for role, pair in scores.items() if role not in (ORIGINAL, UNLEARNED)}
    effect, control = (
        measure_effect(scores[role], list(references.values()), drawn, exchangeable=exchangeable)
        for role in (UNLEARNED, ORIGINAL)
    )
    judged = exchangeable or len(references) >= (1 if attack.judged == "always" else LEAST_REFERENCES)
    separation = {role: measure_separation(*pair, drawn) for role, pair in scores.items()}
    own = separation[UNLEARNED]
    shape = shape_of(*scores[UNLEARNED], distance=own.ks, p=own.ks_p) if exchangeable else None
    finding = Finding(name, attack.title, attack.network, effect, control, shape, attack.controls) if judged else None
    figures = {
        "name": name,
        "title": attack.title,
        "network": attack.network,
        "assumes": attack.assumes,
        "judged": judged,
        "separation": {role: asdict(found) for role, found in separation.items()},
        "effect": _effect(effect),
        "control": _effect(control),
        "retrained": _retrained(scores, references, recognised=attack.controls and control.p < FAMILY_LEVEL),
        "roc": {role: _roc(pair, drawn) for role, pair in scores.items()},
    }
    return figures, finding


def _effect(effect: Effect) -> dict[str, float | None]:
    low, high = effect.interval()
    known = bool(np.isfinite(effect.deviation))
    return {
        "value": effect.value,
        "expected": effect.expected,
        "low": low if known else None,
        "high": high if known else None,
        "p": effect.p,
    }


def _retrained(scores: dict[str, Pair], references: dict[str, Pair], *, recognised: bool) -> dict[str, Any] | None:
    """Return the comparison with the retrained GANs; None without them.

    A share of the original's leak is left only where the images are ``recognised`` on the original.
    """
    if not references:
        return None
    areas = {role: auc(*pair) for role, pair in scores.items()}
    own = [areas[role] for role in references]
    mean = float(np.mean(own))
    gap = areas[ORIGINAL] - mean
    expected = prediction_interval(own) if len(own) > 1 else None
    pairs = list(references.values())
    others = {role: [pair for other, pair in references.items() if other != role] for role in references}
    return {
        "auc": own,
        "prediction": None if expected is None else list(expected),
        "inside": None if expected is None else bool(expected[0] <= areas[UNLEARNED] <= expected[1]),
        "privacy_leak_ratio": privacy_leak_ratio(areas[UNLEARNED], mean),
        "leak_left": (areas[UNLEARNED] - mean) / gap if recognised and abs(gap) > LEAST_EFFECT else None,
        "klom": {role: klom(scores[role], pairs) for role in (ORIGINAL, UNLEARNED)}
        | {role: klom(references[role], rest) for role, rest in others.items() if rest},
    }


def _roc(pair: Pair, drawn: Bootstrap) -> dict[str, list[float]]:
    """Return the ROC curve and a 95 % band of its true positive rate, thinned to what a drawing shows."""
    member, outside = pair
    fpr, tpr = roc_points(member, outside)
    at = np.unique(np.concatenate([[0.0, 1.0], np.arange(1, len(outside) + 1) / len(outside)]))
    if len(at) > 200:
        at = np.unique(np.concatenate([at[:60], np.linspace(at[60], 1, 140)]))
    rows = drawn.member_counts[:400], drawn.outside_counts[:400]
    bands = np.stack([_resampled(member, outside, u, v, at) for u, v in zip(*rows, strict=True)])
    low, high = np.quantile(bands, [0.025, 0.975], axis=0)
    steps = tpr[np.searchsorted(fpr, at, "right") - 1]
    values = {"fpr": at, "tpr": steps, "low": low, "high": high}
    return {key: [round(float(v), 5) for v in value] for key, value in values.items()}


def _resampled(member: np.ndarray, outside: np.ndarray, u: np.ndarray, v: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Return the true positive rates of one resample at the false positive rates ``at``."""
    drawn_member, drawn_outside = np.repeat(member, u.astype(int)), np.sort(np.repeat(outside, v.astype(int)))
    allowed = np.floor(at * len(drawn_outside) + 1e-9).astype(int)
    thresholds = np.concatenate([[-np.inf], drawn_outside])[len(drawn_outside) - allowed]
    ranked = np.sort(drawn_member)
    return 1 - np.searchsorted(ranked, thresholds, "right") / len(ranked)


def verdict_figures(findings: list[Finding]) -> dict[str, Any]:
    """Return the verdict over all findings, and over those on each network."""
    whole = judge(findings)
    networks = {
        name: _judgement(judge([f for f in findings if f.network == name]))
        for name in ("D", "G")
        if any(f.network == name for f in findings)
    }
    tests = {"adjusted": whole.adjusted, "shapes": whole.shapes, "misshapen": list(whole.misshapen)}
    return {**_judgement(whole), **tests, "level": FAMILY_LEVEL, "by_network": networks}


def _judgement(judgement: Judgement) -> dict[str, Any]:
    return {
        "verdict": judgement.verdict,
        "by_shape": judgement.by_shape,
        "reasons": list(judgement.reasons),
        "control": judgement.control,
    }


def power(findings: list[Finding], members: int, outside: int, *, references: bool) -> dict[str, Any]:
    """Return what so few images, and so few retrained GANs (``references``), can tell at all, in figures and in words.

    An attack has to stand out among all judged ones, so the family's level is split over them.
    """
    area = None
    sentence = (
        "None of these attacks can be judged without more retrained GANs: however well one of them separates, it is no "
        "departure."
    )
    if any(np.isfinite(finding.effect.deviation) for finding in findings):
        level = FAMILY_LEVEL / len(findings)
        area = minimum_detectable_auc(members, outside, alpha=level, power=POWER, resampled=references)
        given = (
            f"With {members} forgotten and {outside} unseen images, and {len(findings)} "
            f"attack{'s' if len(findings) > 1 else ''} judged together, "
        )
        told = "however well an attack separates them, it is no departure: there are too few of them."
        if area is not None:
            told = (
                f"one that ranks a forgotten image above an unseen one with probability {area:.2f} (or "
                f"{1 - area:.2f}) is found nine times in ten; weaker ones are often missed."
            )
        sentence = f"{given}{told}{_power_of_references(findings, level)}"
    missing = [f"{100 * rate:g} %" for rate in FALSE_POSITIVE_RATES if rate * outside < 1 - 1e-9]
    unmeasurable = (
        f"True positive rates at a false positive rate of {' and '.join(missing)} are not measurable: that is less "
        f"than one of the {outside} unseen images."
        if missing
        else None
    )
    return {"minimum_detectable_auc": area, "power": POWER, "sentence": sentence, "unmeasurable": unmeasurable}


def _power_of_references(findings: list[Finding], level: float) -> str:
    """Return what is asked besides of attacks whose chance is that of retrained GANs, or nothing."""
    by_training = [f for f in findings if len(f.effect.chances) > 1]
    if not by_training:
        return ""
    count = round(by_training[0].effect.chances[-1].freedom) + 1
    whose = "its AUC" if len(by_training) == len(findings) else f"that of {' and '.join(f.title for f in by_training)}"
    return (
        f" And as {count} retrained GANs tell little of how much such GANs differ by chance, {whose} has to be "
        f"{deviations_needed(count, level):.1f} of their standard deviations away from their mean; more of them lower "
        "that."
    )


def cannot_claim(
    figures: list[dict[str, Any]],
    *,
    references: int,
    exchangeable: bool,
    quick: bool,
    attacks: list[Attack],
    calibrated_unknown: bool = False,
) -> list[str]:
    """Return what this audit does not show, whatever its verdict.

    ``calibrated_unknown``: the whole holdout set is scored, and nothing records whether a part of it calibrated.
    """
    found = []
    if not references:
        found.append(
            "No retrained GAN was given. Unseen images stand in for it, so nothing is said about what a GAN trained "
            "without the forgotten images would do with just these images: `ganforget train --exclude` makes one."
        )
    elif references < 3:
        found.append(
            f"{references} retrained GAN{' was' if references == 1 else 's were'} given. How much retrained GANs "
            "differ among themselves by chance is hardly known from so few; an interval worth its name needs three."
        )
    if not exchangeable:
        found.append(
            "The forget set is not a random one: its images may be easier or harder than unseen ones for every GAN, "
            "and only retrained GANs can tell that apart from memory."
        )
    found += [
        f"{figure['title']} was not judged: it ranks a forgotten image above an unseen one with probability "
        f"{figure['separation'][UNLEARNED]['auc']:.2f}, and only three retrained GANs can tell whether retraining "
        "gives the same."
        for figure in figures
        if not figure["judged"] and exchangeable
    ]
    if calibrated_unknown:
        found.append(
            "All holdout images were scored, and nothing records whether the unlearning was calibrated on some of "
            "them: if it was, forgotten images are compared with images that they were made to look like."
        )
    if quick:
        found.append("This was a quick audit: fewer attacks, fewer images and smaller budgets than the full one.")
    names = ", ".join(attack.title for attack in attacks)
    found.append(f"The attacks were: {names}. A stronger or other attack may still succeed.")
    return found

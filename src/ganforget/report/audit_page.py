"""An audit's ``report.html``: lays the files of the run out as one self-contained page, and computes nothing."""

import re
from pathlib import Path
from typing import Any

from jinja2 import UndefinedError
from markupsafe import Markup

from ganforget.errors import InputError
from ganforget.files import read_json, write_bytes
from ganforget.report.audit_charts import paint_of, roc_chart
from ganforget.report.audit_words import asked, attack_meaning, role_name, verdict_words
from ganforget.report.figures import ridge_chart
from ganforget.report.layout import render_page
from ganforget.report.numerals import MISSING, decimal, duration, significant
from ganforget.report.relearning import relearning_panels

__all__ = ["write_audit_report"]

SCHEMA_VERSION = 1

_SHOWN = ("logan", "rmia", "reconstruction")
"""Attacks whose curves and scores are drawn, where they were run; the control of the verdict comes first."""


def write_audit_report(run: Path) -> Path:
    """Write ``report.html`` into the folder of an audit and return its path.

    Raises InputError where the folder has no audit.json of this version, and OutputError where the page cannot be
    written.
    """
    audit = read_json(run / "audit.json", kind="audit")
    if not isinstance(audit, dict) or audit.get("schema_version") != SCHEMA_VERSION or "verdict" not in audit:
        raise InputError(
            f"{run / 'audit.json'} is no audit of schema version {SCHEMA_VERSION}; use a matching release."
        )
    scores = read_json(run / "scores.json", kind="scores file") if (run / "scores.json").exists() else {}
    try:
        _require_names(audit, scores)
        page = render_page("audit.html.j2", _content(run, audit, scores))
    except KeyError as error:
        raise InputError(f"{run / 'audit.json'} lacks {error}; the file is damaged.") from error
    except (TypeError, ValueError, IndexError, AttributeError, UndefinedError) as error:
        raise InputError(f"{run / 'audit.json'} or scores.json is damaged ({error}).") from error
    write_bytes(run / "report.html", page)
    return run / "report.html"


def _require_names(audit: dict[str, Any], scores: dict[str, Any]) -> None:
    """Raise ValueError for roles and attacks that no audit has: they become ids within the page."""
    roles = {*audit["model_hashes"], *(role for found in scores.values() for role in found)}
    names = {*(attack["name"] for attack in audit["attacks"]), *scores}
    for name in (*roles, *names):
        if not re.fullmatch(r"[a-z][a-z0-9_-]*", name):
            raise ValueError(f"{name!r} is no name of a GAN or an attack")


def _content(run: Path, audit: dict[str, Any], scores: dict[str, Any]) -> dict[str, Any]:
    by_name = {attack["name"]: attack for attack in audit["attacks"]}
    control = audit["verdict"]["control"]
    drawn = [name for name in dict.fromkeys((control, *_SHOWN)) if name in by_name]
    roles = list(audit["model_hashes"])
    kinds = ("original", "unlearned", "retrained") if len(roles) > 2 else ("original", "unlearned")
    return {
        "run_name": run.resolve().name,
        "audit": audit,
        "asked": asked(audit),
        "verdict": verdict_words(audit),
        "roles": [role_name(role) for role in roles],
        "legend": [(role_name(role), paint_of(role)) for role in roles],
        "kinds": [(name, paint_of(name)) for name in kinds],
        "attacks": [_row(attack, audit, roles) for attack in audit["attacks"]],
        "charts": [_charts(by_name[name], scores.get(name, {})) for name in drawn],
        "relearning": relearning_panels(audit),
        "classes": _classes(audit, roles),
        "quality": _quality(audit, roles),
        "by_class": _by_class(audit),
        "hashes": [(role_name(role), digest) for role, digest in audit["model_hashes"].items()],
        "duration": duration(audit["seconds"]),
        "svg": Markup,
    }


def _row(attack: dict[str, Any], audit: dict[str, Any], roles: list[str]) -> dict[str, Any]:
    found, effect = attack["separation"], attack["effect"]
    own = found["unlearned"]
    adjusted = audit["verdict"]["adjusted"].get(attack["name"])
    known = effect["low"] is not None
    return {
        "title": attack["title"],
        "network": attack["network"],
        "meaning": attack_meaning(attack["name"]),
        "assumes": attack["assumes"],
        "judged": attack["judged"],
        "cells": [decimal(found[role]["auc"], 2) if role in found else MISSING for role in roles],
        "interval": f"{decimal(own['auc_low'], 2)} to {decimal(own['auc_high'], 2)}",
        "two_sided": decimal(own["auc_two_sided"], 2),
        "effect": decimal(effect["value"], 2),
        "effect_interval": f"{decimal(effect['low'], 2)} to {decimal(effect['high'], 2)}" if known else "unknown",
        "p": MISSING if adjusted is None else _p(adjusted),
        "departs": adjusted is not None and adjusted < audit["verdict"]["level"] and abs(effect["value"]) >= 0.05,
        "shape": _shape(attack["name"], own, audit["verdict"]),
        "more": [*(_rate(own, key) for key in ("0.01", "low 0.01", "0.001", "low 0.001")), _distance(own)],
        "retrained": attack["retrained"],
        "figures": _compared(attack["retrained"]),
    }


def _p(value: float) -> str:
    return "below 0.001" if value < 0.001 else f"{value:.3f}"


def _shape(name: str, own: dict[str, Any], verdict: dict[str, Any]) -> dict[str, Any] | None:
    """Return how differently scores of forgotten and unseen images are distributed, where that is judged."""
    p = verdict.get("shapes", {}).get(name)
    departs = name in verdict.get("misshapen", ())
    return None if p is None else {"distance": decimal(own["ks"], 2), "p": _p(p), "departs": departs}


def _rate(own: dict[str, Any], key: str) -> tuple[str, str]:
    """Return a true positive rate and its interval, which audits of older versions lack."""
    value, interval = own["tpr"].get(key), own.get("tpr_interval", {}).get(key)
    if value is None:
        return "not measurable", ""
    return decimal(value, 3), "" if interval is None else f"{decimal(interval[0], 3)} to {decimal(interval[1], 3)}"


def _distance(own: dict[str, Any]) -> tuple[str, str]:
    interval = f"{decimal(own['ks_low'], 2)} to {decimal(own['ks_high'], 2)}" if "ks_low" in own else ""
    return decimal(own["ks"], 2), interval


def _compared(retrained: dict[str, Any] | None) -> list[tuple[str, str]]:
    """Return the comparison with the retrained GANs as (what, figure)."""
    if retrained is None:
        return []
    prediction, left = retrained["prediction"], retrained["leak_left"]
    inside = MISSING if prediction is None else f"{decimal(prediction[0], 2)} to {decimal(prediction[1], 2)}"
    if retrained.get("inside") is not None:
        inside += ": the unlearned one is " + ("inside" if retrained["inside"] else "outside")
    return [
        ("where one more retrained GAN is expected", inside),
        ("privacy-leak ratio", decimal(retrained["privacy_leak_ratio"], 2)),
        ("share of the original’s leak that is left", decimal(left, 2)),
        ("KL of margins, unlearned", decimal(retrained["klom"]["unlearned"], 2)),
        ("KL of margins, original", decimal(retrained["klom"]["original"], 2)),
    ]


def _charts(attack: dict[str, Any], scores: dict[str, dict[str, list[float]]]) -> dict[str, Any]:
    name, curves = attack["name"], attack["roc"]
    values = [value for groups in scores.values() for group in groups.values() for value in group]
    ridges = []
    for role, groups in scores.items():
        own = [value for group in groups.values() for value in group]
        room = 0.03 * (max(own) - min(own)) or 1.0
        label = {"forget": "forgotten images", "holdout": "unseen images"}
        pairs = [(f"{label[key]} ({len(groups[key])})", key, groups[key]) for key in ("holdout", "forget")]
        limits = (min(own) - room, max(own) + room)
        svg = ridge_chart(f"ridge-{name}-{role}", pairs, limits=limits, axis="score of the attack")
        ridges.append({"title": role_name(role), "svg": svg, "alt": _ridge_alt(attack, role)})
    area = attack["separation"]["unlearned"]["auc"]
    return {
        "title": attack["title"],
        "meaning": attack_meaning(name),
        "linear": roc_chart(f"roc-{name}", curves, logarithmic=False),
        "log": roc_chart(f"roc-log-{name}", curves, logarithmic=True),
        "alt": f"ROC curves of {attack['title']}; the unlearned GAN’s has an area of {area:.2f}.",
        "ridges": ridges if values else [],
    }


def _ridge_alt(attack: dict[str, Any], role: str) -> str:
    area = attack["separation"][role]["auc"]
    often = f"a forgotten image is above an unseen one {area:.0%} of the time"
    return f"Scores of {attack['title']} on the {role_name(role)} GAN; {often}."


_CLASS_ROWS = (
    ("recall", "samples of the class that a classifier reads as it"),
    ("neighbour", "samples of another label read as the class, the most of any label"),
    ("from_original", "images from the original’s latents of the class, read as it"),
    ("embedding", "how far the class’s mean latent has moved, in distances between classes"),
    ("search_found", "searches that find an image read as the class"),
    ("search_steps", "mean steps of a search"),
    ("search_distance", "distance of what is found to the nearest real image of the class"),
)


def _classes(audit: dict[str, Any], roles: list[str]) -> list[dict[str, Any]]:
    """Return a table for each forgotten class."""
    tables = []
    for label, by_role in (audit["classes_left"] or {}).items():
        rows = [
            (words, [significant(by_role[role].get(key)) for role in roles])
            for key, words in _CLASS_ROWS
            if any(key in by_role[role] for role in roles)
        ]
        tables.append({"label": label, "rows": rows})
    return tables


_QUALITY_ROWS = (
    ("fd_l", "distance to the retain images"),
    ("kid", "kernel distance (KID) to the retain images"),
    ("precision", "precision: generated images that lie among real ones"),
    ("recall", "recall: real images that lie among generated ones"),
    ("density", "density"),
    ("coverage", "coverage"),
)


def _quality(audit: dict[str, Any], roles: list[str]) -> list[tuple[str, list[str]]]:
    found = audit["quality"]
    if found is None:
        return []
    by_role = found["by_role"]
    rows = [(words, [significant(by_role[role][key]) for role in roles]) for key, words in _QUALITY_ROWS]
    for group in ("forget", "retain", "holdout"):
        what = f"mean distance of a {group} image to the nearest generated one"
        rows.append((what, [significant(by_role[role]["nearest"][group]) for role in roles]))
    for label in by_role[roles[0]].get("fd_u", {}):
        what = f"fd_u: distance of class {label}’s samples to its real images (a retrained GAN’s is the yardstick)"
        rows.append((what, [significant(by_role[role]["fd_u"][label]) for role in roles]))
    return rows


_CLASS_MEASURES = ("kid", "precision", "recall", "density", "coverage")


def _by_class(audit: dict[str, Any]) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return for each class with enough images the measures of the unlearned GAN, each with the original's."""
    by_role = (audit["quality"] or {}).get("by_role", {})
    own, before = (by_role.get(role, {}).get("by_class", {}) for role in ("unlearned", "original"))
    return [
        (label, [(significant(own[label][key]), significant(before[label][key])) for key in _CLASS_MEASURES])
        for label in own
        if label in before
    ]

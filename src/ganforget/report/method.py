"""How it was done: settings, data, machine and hashes, as terms and their values."""

import json
from dataclasses import dataclass
from typing import Any

from ganforget.report.goal import rule_text
from ganforget.report.numerals import MISSING, count, duration, plural, significant
from ganforget.report.run_files import RunFiles

__all__ = ["Block", "Row", "cost_rows", "data_name", "duplicate_rows", "facts", "method_blocks", "work_rows"]

SUBSTITUTES = {
    "average": "average: the average image of the class, or of all classes where there are no labels",
    "truncation": "truncation: the image’s latent, moved step by step to the average",
    "projection": "projection: the part of the image’s latent that stands apart from the average, faded out",
    "other-class": "other-class: the average image of the class that lies nearest",
}

LATENTS = {"w": "W: one vector an image", "w+": "W+: one vector an image and layer"}

MEMBERSHIP = {
    "verified": "verified: every forget image was found among the training images",
    "unverified": "unverified: without the training data nobody checked that these images were trained on",
}


COMPARED = "images of the same label, each forget image with those of its own, as they are no random draw"


@dataclass(frozen=True)
class Row:
    """A term and its value; ``key`` is the name in the files, ``code`` sets the value as code."""

    term: str
    value: str
    key: str = ""
    code: bool = False


@dataclass(frozen=True)
class Block:
    """Rows under a heading."""

    title: str
    rows: tuple[Row, ...]


def data_name(run: RunFiles) -> str | None:
    """Return the data set's name where the run recorded one."""
    record = run.config.get("data")
    name = record.get("name") if isinstance(record, dict) else record
    return str(name) if name is not None else None


def method_blocks(run: RunFiles) -> list[Block]:
    """Return everything that the run recorded about how it was done, one block for each kind."""
    results, config = run.results, run.config
    machine = [Row("Started", str(config["started"]))] if config.get("started") else []
    machine += facts(config.get("hardware")) + facts(config.get("versions"))
    hashes = [
        Row("Original model", str(config["model"])) if config.get("model") else None,
        Row("Its hash (sha256)", str(config["model_hash"]), code=True) if config.get("model_hash") else None,
        Row("Commit of ganforget", str(config["commit"]), code=True) if config.get("commit") else None,
    ]
    blocks = [
        Block("What was asked", tuple(_asked(run))),
        Block("Method", tuple(_method(results))),
        Block("When it stops", tuple(_stop(results))),
        Block("Data", tuple(facts(config.get("data")))),
        Block("Machine and versions", tuple(machine)),
        Block("Model", tuple(row for row in hashes if row)),
    ]
    return [block for block in blocks if block.rows]


def _asked(run: RunFiles) -> list[Row]:
    results, forget = run.results, run.forget_set
    classes = ", ".join(str(label) for label in results.get("classes") or [])
    selection = forget.get("selection")
    chosen = _plain(selection) if selection else ""
    membership = results.get("membership")
    rows = [
        Row(
            "Task",
            "item: single training images" if results["task"] == "item" else "class: all images of a class",
            "task",
        ),
        Row("Class to forget", classes, "classes"),
        Row("Forget images", count(results.get("n_forget")), "n_forget"),
        Row("Chosen by", chosen, "selection"),
        Row("Compared with", COMPARED if results.get("by_label") else "", "by_label"),
        Row("Membership", MEMBERSHIP.get(membership or "", membership or ""), "membership"),
    ]
    return [row for row in rows if row.value]


def _method(results: dict[str, Any]) -> list[Row]:
    substitute, latent = results.get("substitute") or "", results.get("latent") or ""
    inverted, error = results.get("n_inverted"), results.get("inversion_error")
    rows = [
        Row("Mode", _mode(results), "mode"),
        Row("Substitute", SUBSTITUTES.get(substitute, substitute), "substitute"),
        Row("Fake label", _number(results.get("fake_label")), "fake_label"),
        Row("Its rule", results.get("fake_label_rule") or "", "fake_label_rule"),
        Row("Pixel weight λ1", _number(results.get("lambda1")), "lambda1"),
        Row("Perceptual weight λ2", _number(results.get("lambda2")), "lambda2"),
        Row("Latent", LATENTS.get(latent, latent), "latent"),
        Row("Images inverted", "" if inverted is None else count(inverted), "n_inverted"),
        Row("Images given a substitute", results.get("substituted_rule") or "", "n_substituted"),
        Row(
            "Error of the inversion",
            "" if error is None else f"{significant(error)} mean squared, of values in −1…1",
        ),
        Row("Seed", _number(results.get("seed")), "seed"),
    ]
    return [row for row in rows if row.value]


def _mode(results: dict[str, Any]) -> str:
    mode, seen = results["mode"], results.get("n_retain_seen")
    if mode == "zero-shot":
        return "zero-shot: the run saw no retain image; samples of the original GAN took their place"
    if mode == "few-shot" and seen is not None:
        return f"few-shot: the run saw {plural(seen, 'retain image')}, no more"
    return mode


def _stop(results: dict[str, Any]) -> list[Row]:
    schedule = results.get("schedule_steps")
    away = results.get("fd_u_destination")
    rows = [
        Row("Destination", results.get("destination") or "", "destination"),
        Row("Its rule", rule_text(results.get("destination_rule") or ""), "destination_rule"),
        Row("Distance to reach", "" if away is None else significant(away), "fd_u_destination"),
        Row("Preset", results.get("preset") or "", "preset"),
        Row("Steps taken", count(results["steps"]), "steps"),
        Row("Step limit", _number(results.get("max_steps")), "max_steps"),
        Row(
            "Schedule",
            "" if schedule is None else f"{plural(schedule, 'step')}; no destination counts before its end",
        ),
    ]
    return [row for row in rows if row.value]


def cost_rows(results: dict[str, Any]) -> list[Row]:
    """Return the times and what they amount to."""
    seconds, kimg = results.get("seconds") or {}, results.get("cost_kimg")
    rows = [
        Row("Inversion", duration(seconds.get("inversion")), "seconds.inversion"),
        Row("Cascade", duration(seconds.get("cascade")), "seconds.cascade"),
        Row("Stop checks", duration(seconds.get("checks")), "seconds.checks"),
        Row("Together", duration(seconds.get("total")), "seconds.total"),
        Row("As training", MISSING if kimg is None else f"{significant(kimg)} thousand images", "cost_kimg"),
    ]
    if results.get("seconds_per_kimg") is not None:
        rows.append(
            Row(
                "Training speed",
                f"{duration(results['seconds_per_kimg'])} a thousand images",
                "seconds_per_kimg",
            )
        )
    for part in ("preparation", "evaluation"):
        if seconds.get(part) is not None:
            rows.append(Row(f"{part.capitalize()}, not counted", duration(seconds[part]), f"seconds.{part}"))
    return rows


def work_rows(results: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Return images through each network as (network, forward, backward); empty if unrecorded."""
    work = results.get("work") or {}
    names = (("Generator", "g"), ("Discriminator", "d"))
    return (
        [(name, count(work.get(f"{k}_forward")), count(work.get(f"{k}_backward"))) for name, k in names] if work else []
    )


def duplicate_rows(results: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Return copies of forget images as (where, exact, near); empty where nothing was recorded."""
    found = results.get("duplicates") or {}
    names = (("Retain set", "retain"), ("Holdout set", "holdout"))
    return [(name, count(found.get(f"{k}_exact")), count(found.get(f"{k}_near"))) for name, k in names] if found else []


def facts(table: object, prefix: str = "") -> list[Row]:
    """Return a record as it stands in its file, inner objects flattened to dotted names."""
    if not isinstance(table, dict):
        return [] if table is None else [Row("value", _plain(table))]
    rows: list[Row] = []
    for key, value in table.items():
        if isinstance(value, dict) and value:
            rows += facts(value, f"{prefix}{key}.")
        else:
            rows.append(Row(f"{prefix}{key}", _plain(value), code=str(key).endswith("hash")))
    return rows


def _number(value: float | None) -> str:
    return "" if value is None else significant(value)


def _plain(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key}: {_plain(inner)}" for key, inner in value.items())
    if value is None:
        return MISSING
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)

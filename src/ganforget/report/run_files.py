"""The files of an unlearning run, read and checked: all that the report knows."""

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ganforget.errors import InputError
from ganforget.files import read_json, read_json_lines

__all__ = ["SCHEMA_VERSION", "RunFiles", "is_number", "read_run"]

SCHEMA_VERSION = 1

TEXT, NUMBER, WHOLE, FLAG, LIST, TABLE = (
    "text",
    "a number",
    "a whole number",
    "true or false",
    "a list",
    "an object",
)

REQUIRED = {"task": TEXT, "mode": TEXT, "reached": FLAG, "steps": WHOLE, "before": TABLE}

OPTIONAL = {
    **dict.fromkeys(("substitute", "destination", "preset", "fake_label_rule", "membership", "latent"), TEXT),
    **dict.fromkeys(("extractor", "fd_name", "destination_rule", "substituted_rule"), TEXT),
    **dict.fromkeys(
        ("max_steps", "schedule_steps", "n_forget", "n_inverted", "n_substituted", "n_retain_seen", "seed"), WHOLE
    ),
    **dict.fromkeys(("fake_label", "lambda1", "lambda2", "inversion_error", "fd_u_destination"), NUMBER),
    **dict.fromkeys(("cost_kimg", "seconds_per_kimg"), NUMBER),
    **dict.fromkeys(("classes", "warnings"), LIST),
    **dict.fromkeys(("after", "sham", "retrained", "seconds", "work", "duplicates", "images"), TABLE),
}

NUMBER_TABLES = ("before", "after", "sham", "retrained", "seconds", "work", "duplicates")


@dataclass(frozen=True)
class RunFiles:
    """What a run folder holds; the parts that a run need not have are empty where they are missing."""

    folder: Path
    results: dict[str, Any]
    config: dict[str, Any] = field(default_factory=dict)
    forget_set: dict[str, Any] = field(default_factory=dict)
    model: dict[str, Any] = field(default_factory=dict)
    log: list[dict[str, Any]] = field(default_factory=list)
    scores: dict[str, dict[str, list[float]]] = field(default_factory=dict)

    @property
    def conditional(self) -> bool:
        """Whether the rows of a sample sheet are classes."""
        generator = self.model.get("G")
        labels = generator.get("c_dim") if isinstance(generator, dict) else None
        return self.results["task"] == "class" or (isinstance(labels, int) and labels > 0)


def read_run(folder: Path) -> RunFiles:
    """Read an unlearning run's folder.

    Raises InputError where ``results.json`` is missing, damaged, of something else or of another schema
    version, and where another file of the run is there but damaged.
    """
    if not folder.is_dir():
        raise InputError(f"There is no run folder at {folder}; expected the numbered folder of an unlearning run.")
    return RunFiles(
        folder=folder,
        results=_read_results(folder / "results.json"),
        config=_read_table(folder / "config.json", "run configuration"),
        forget_set=_read_table(folder / "forget_set.json", "forget set"),
        model=_read_table(folder / "model" / "config.json", "model configuration"),
        log=_read_log(folder / "log.jsonl"),
        scores=_read_scores(folder / "scores.json"),
    )


def is_number(value: object) -> bool:
    """Whether ``value`` is a finite number, and not a truth value."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _read_results(path: Path) -> dict[str, Any]:
    results = read_json(path, kind="results file")
    if not isinstance(results, dict) or "schema_version" not in results:
        raise InputError(f"{path} is not the results file of an unlearning run; it states no schema_version.")
    version = results["schema_version"]
    if isinstance(version, bool) or version != SCHEMA_VERSION:
        raise InputError(
            f"{path} has schema version {version!r}; this ganforget reads version {SCHEMA_VERSION}. "
            "Use a matching release."
        )
    for name, kind in REQUIRED.items():
        if results.get(name) is None:
            raise InputError(
                f"{path} does not state {name!r}; it is damaged or not the results file of an unlearning run."
            )
        _check(path, name, results[name], kind)
    for name, kind in OPTIONAL.items():
        if results.get(name) is not None:
            _check(path, name, results[name], kind)
    for name in NUMBER_TABLES:
        for key, value in (results.get(name) or {}).items():
            if value is not None:
                _check(path, f"{name}.{key}", value, NUMBER)
    return results


def _check(path: Path, name: str, value: object, kind: str) -> None:
    fits = {
        TEXT: isinstance(value, str),
        NUMBER: is_number(value),
        WHOLE: isinstance(value, int) and not isinstance(value, bool),
        FLAG: isinstance(value, bool),
        LIST: isinstance(value, list),
        TABLE: isinstance(value, dict),
    }
    if not fits[kind]:
        found = repr(value)
        found = found if len(found) < 40 else found[:40] + "…"
        raise InputError(f"{path} states {found} as {name!r}, expected {kind}; the file is damaged.")


def _read_table(path: Path, kind: str) -> dict[str, Any]:
    if not path.exists():
        return {}
    table = read_json(path, kind=kind)
    if not isinstance(table, dict):
        raise InputError(f"The {kind} at {path} is not a JSON object; the file is damaged.")
    return table


def _read_log(path: Path) -> list[dict[str, Any]]:
    lines = read_json_lines(path)
    if not all(isinstance(line, dict) and is_number(line.get("step")) for line in lines):
        raise InputError(f"A line of {path} states no step; the log is damaged or of something else.")
    return lines


def _read_scores(path: Path) -> dict[str, dict[str, list[float]]]:
    scores = _read_table(path, "scores file")
    for moment, groups in scores.items():
        _check(path, moment, groups, TABLE)
        for group, values in groups.items():
            if not (values is None or (isinstance(values, list) and all(map(is_number, values)))):
                raise InputError(f"{path} has something else than numbers under {moment}.{group}; the file is damaged.")
    return {moment: {k: v for k, v in groups.items() if v} for moment, groups in scores.items()}

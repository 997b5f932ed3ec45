"""Paper beside ours, in numbers: means over runs, ratios, differences. What pages show is computed here and kept."""

from collections.abc import Callable, Iterable
from typing import Any

from ganforget.experiments.catalogue import Experiment, Row
from ganforget.experiments.published import Published, retraining_seconds
from ganforget.report.measure import ratio

__all__ = ["COLUMNS", "compare"]

Values = list[float | None]
"""One number, or before and after."""

COLUMNS: dict[str, tuple[str, int]] = {
    "auc_lu": ("AUC l,u", 2),
    "auc_lu_seen": ("AUC l,u, images seen", 2),
    "auc_ut": ("AUC u,t", 3),
    "auc_lt": ("AUC training, test", 2),
    "auc_lg": ("AUC training, generated", 2),
    "fd_l": ("distance l", 2),
    "r": ("r = after ÷ max(before, floor)", 2),
    "sham_r": ("r of a sham run", 2),
    "fd_u": ("distance u", 1),
    "destination": ("distance u ÷ destination", 2),
    "acc": ("ACC", 3),
    "saving": ("retraining ÷ unlearning, seconds", 1),
    "substitution": ("substitution", 2),
    "rec": ("rec_u − rec_t", 4),
    "class_recall": ("class recall", 3),
    "acc_downstream": ("ACC downstream", 3),
    "cost_kimg": ("cost, kimg", 1),
    "kimg_saving": ("retraining ÷ unlearning, kimg", 1),
}
"""Title and decimals of every column."""

_PAIRS = ("auc_lu", "auc_lu_seen", "auc_ut", "fd_l", "fd_u", "acc", "acc_downstream")
_UNCOMPARED = ("fd_l", "fd_u")
"""Fréchet distances on other networks than theirs have no difference worth a number."""

_OURS = {
    "item": ("auc_lu_seen", "sham_r", "substitution", "rec", "acc_downstream", "cost_kimg", "kimg_saving"),
    "class": ("sham_r", "substitution", "class_recall", "acc_downstream", "cost_kimg", "kimg_saving"),
}
_FID_DESTINATION = 150.0


def compare(experiment: Experiment, rows: Iterable[Row], results: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Return the comparison of an experiment as JSON values: columns, and a line for the paper and for each of ours.

    A row's runs that have not been made count as missing; of those that failed the sentence is kept. What we show
    besides the table's own measures is left out where no line has it.
    """
    chosen, lines, printed = list(rows), [], set()
    unlearned = [row for row in chosen if row.preset is not None]
    task = "class" if any(row.published.setting.forget is None for row in unlearned) else "item"
    extra = _OURS[task] if unlearned else ()
    if task == "class" and any(row.published.setting.forget is not None for row in unlearned):
        extra = ("auc_lu_seen", "sham_r", "substitution", "rec", *_OURS["class"][2:])
    columns = [*experiment.measures, *(key for key in extra if key not in experiment.measures)]
    baselines = _baselines(results)
    for row in chosen:
        setting = row.published.setting
        if setting.name not in printed and row.published.values:
            printed.add(setting.name)
            lines += _paper_lines(row, columns)
        lines.append(_our_line(row, columns, results, baselines))
    filled = {key for line in lines for key, values in line["cells"].items() if any(v is not None for v in values)}
    columns = _beside([key for key in columns if key in filled or key in experiment.measures])
    own = [results[c.hash] for row in chosen for c in row.configurations if c.hash in results]
    fd_names = sorted({n for row in own if (n := (row.get("results") or {}).get("fd_name"))})
    return {
        "experiment": experiment.name,
        "title": experiment.title,
        "columns": columns,
        "fd_names": fd_names,
        "lines": lines,
        "curves": [_curve(found) for row in chosen for c in row.configurations if (found := results.get(c.hash))],
    }


def _beside(columns: list[str]) -> list[str]:
    """Return the columns with what is over images seen right of what is over images not seen."""
    if {"auc_lu", "auc_lu_seen"} <= set(columns):
        columns.remove("auc_lu_seen")
        columns.insert(columns.index("auc_lu") + 1, "auc_lu_seen")
    return columns


def _curve(row: dict[str, Any]) -> dict[str, Any] | None:
    if row["kind"] != "retrain" or row["status"] != "done":
        return None
    return {key: row[key] for key in ("words", "curve", "original", "to_original_kimg", "to_original_distance")}


def _baselines(results: dict[str, dict[str, Any]]) -> dict[tuple[Any, ...], dict[str, Any]]:
    """Return the retrainings that were measured, by the model's weights, data and forget set."""
    found = {}
    for row in results.values():
        if row["kind"] == "retrain" and row["status"] == "done":
            place = _place(row)
            if place not in found or _whole(row) or not _whole(found[place]):
                found[place] = row
    return found


def _whole(row: dict[str, Any]) -> bool:
    """Whether a retraining was as long as the original's training."""
    return bool(row["options"].get("kimg", 0) >= (row["original"]["kimg"] or 0))


def _place(row: dict[str, Any]) -> tuple[Any, ...]:
    options = row["options"]
    forgotten = options.get("forget_random") or tuple(options.get("forget_class", ()))
    return row.get("model_hash"), row["data"], forgotten


def _paper_lines(row: Row, columns: list[str]) -> list[dict[str, Any]]:
    """Return the paper's line, and of table XIV that of its retraining before it."""
    values, name, lines = row.published.values, row.published.setting.name, []
    if "retrained.fd_l" in values:
        cells = {key: [None, values[f"retrained.{key}"]] for key in ("fd_l", "acc")}
        lines.append({"setting": name, "whose": "paper, retrained", "cells": cells})
    return [*lines, {"setting": name, "whose": "paper", "cells": _paper_cells(row.published, columns)}]


def _paper_cells(line: Published, columns: list[str]) -> dict[str, Values]:
    values = line.values
    before, after = values.get("before.fd_l"), values.get("after.fd_l")
    theirs = retraining_seconds(line.setting)
    cells: dict[str, Values] = {}
    for key in columns:
        pair = [values.get(f"before.{key}"), values.get(f"after.{key}")]
        if key in ("auc_lt", "auc_lg"):
            cells[key] = pair[:1]
        elif key == "r":
            cells[key] = [after / before if before and after else None]
        elif key == "destination":
            cells[key] = [v / _FID_DESTINATION if (v := values.get("after.fd_u")) else None]
        elif key == "saving":
            cells[key] = [theirs / values["seconds"] if theirs and "seconds" in values else None]
        elif key in _PAIRS:
            cells[key] = pair
    return cells


def _our_line(
    row: Row,
    columns: list[str],
    results: dict[str, dict[str, Any]],
    baselines: dict[tuple[Any, ...], dict[str, Any]],
) -> dict[str, Any]:
    found = [results[c.hash] for c in row.configurations if c.hash in results]
    done = [r for r in found if r["status"] == "done"]
    line: dict[str, Any] = {
        "setting": row.title,
        "whose": {None: "ours", "paper": "ours, paper preset", "default": "ours, default preset"}[row.preset],
        "runs": len(done),
        "asked": len(row.configurations),
        "failures": sorted({r["error"] for r in found if r["status"] == "failed"}),
    }
    cells = {key: _mean([_our_cell(r, key, baselines) for r in done]) for key in columns}
    theirs = _paper_lines(row, columns)[-1]["cells"]
    if row.configurations[0].kind == "retrain":
        line["whose"] = "ours, retrained"
        theirs = _paper_lines(row, columns)[0]["cells"]
    elif row.preset is not None:
        line["reached"] = sum(bool(r["results"].get("reached")) for r in done)
    line["cells"] = cells
    line["differences"] = {
        key: values[-1] - theirs[key][-1]  # type: ignore[operator]
        for key, values in cells.items()
        if key not in _UNCOMPARED and values[-1] is not None and (theirs.get(key) or [None])[-1] is not None
    }
    line["runs_at"] = [r["run"] for r in done if r.get("run")]
    return line


def _mean(cells: list[Values]) -> Values:
    """Return the mean of each part over runs, of those that have it."""
    if not cells:
        return [None]
    found: Values = []
    for part in zip(*cells, strict=True):
        known = [v for v in part if v is not None]
        found.append(sum(known) / len(known) if known else None)
    return found


def _our_cell(row: dict[str, Any], key: str, baselines: dict[tuple[Any, ...], dict[str, Any]]) -> Values:
    results = row["results"]
    before, after = results.get("before") or {}, results.get("after") or {}
    if key in _PAIRS:
        return [before.get(key), after.get(key)]
    if key in ("auc_lt", "auc_lg"):
        return [before.get(key)]
    if key in _SINGLE:
        return [_SINGLE[key](results, before, after)]
    if row["kind"] != "unlearn":
        return [None]
    return [_saving(row, baselines.get(_place(row)), key)]


def _saving(row: dict[str, Any], baseline: dict[str, Any] | None, key: str) -> float | None:
    """Return seconds of retraining to the original's length ÷ unlearning, or kimg of reaching its distance ÷ cost.

    None where there is no baseline, or its seconds are of another machine.
    """
    if baseline is None:
        return None
    if key == "saving" and _machine(baseline) != _machine(row):
        return None
    if key == "saving":
        whole = baseline["to_original_kimg"]
        return whole["seconds"] / row["seconds"]["total"] if whole and whole["seconds"] else None
    there, cost = baseline["to_original_distance"], row["results"].get("cost_kimg")
    return there["kimg"] / cost if there and cost else None


def _machine(row: dict[str, Any]) -> tuple[Any, ...]:
    hardware = row.get("hardware") or {}
    return tuple(hardware.get(key) for key in ("cpu", "gpu", "threads", "device"))


def _difference(values: dict[str, Any], key: str, other: str) -> float | None:
    a, b = values.get(key), values.get(other)
    return None if a is None or b is None else a - b


_SINGLE: dict[str, Callable[[dict[str, Any], dict[str, Any], dict[str, Any]], float | None]] = {
    "r": lambda _, before, after: ratio(before, after),
    "sham_r": lambda results, before, _: ratio(before, results.get("sham") or {}),
    "destination": lambda results, _, after: (
        after["fd_u"] / results["fd_u_destination"] if after.get("fd_u") and results.get("fd_u_destination") else None
    ),
    "substitution": lambda _, __, after: after.get("substitution"),
    "class_recall": lambda _, __, after: after.get("class_recall"),
    "rec": lambda _, __, after: _difference(after, "rec_u", "rec_t"),
    "cost_kimg": lambda results, _, __: results.get("cost_kimg"),
}

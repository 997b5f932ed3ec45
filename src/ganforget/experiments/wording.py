"""The figures of a comparison as texts, the same in Markdown and on the page."""

from typing import Any

from ganforget.experiments.comparison import COLUMNS
from ganforget.report.numerals import MISSING, decimal

__all__ = ["Line", "lines_of", "title_of"]

Line = dict[str, Any]


def title_of(key: str) -> str:
    """Return a column's title."""
    return COLUMNS[key][0]


def lines_of(comparison: dict[str, Any]) -> list[Line]:
    """Return the lines as texts: setting, whose, reached, a text and a difference a column, and failures."""
    return [
        {
            "setting": line["setting"],
            "whose": line["whose"],
            "paper": line["whose"].startswith("paper"),
            "reached": _reached(line),
            "cells": [
                {
                    "text": _cell(line["cells"].get(key), COLUMNS[key][1]),
                    "difference": _difference(line.get("differences", {}).get(key), COLUMNS[key][1]),
                }
                for key in comparison["columns"]
            ],
            "failures": line.get("failures", []),
            "runs": line.get("runs_at", []),
        }
        for line in comparison["lines"]
    ]


def _reached(line: dict[str, Any]) -> str:
    if "runs" not in line:
        return ""
    if not line["runs"]:
        return "not run yet" if not line["failures"] else "failed"
    if "reached" not in line:
        return "" if line["runs"] == line["asked"] else f"{line['runs']} of {line['asked']} run"
    some = f", of {line['asked']} asked" if line["runs"] < line["asked"] else ""
    if line["reached"] == line["runs"] == 1:
        return f"reached{some}"
    return ("not reached" if not line["reached"] else f"{line['reached']} of {line['runs']}") + some


def _cell(values: list[float | None] | None, places: int) -> str:
    known = values is not None and any(value is not None for value in values)
    if not known:
        return MISSING
    assert values is not None
    if len(values) == 2 and values[0] is None:
        values = values[1:]
    return " → ".join(decimal(value, places) for value in values)


def _difference(value: float | None, places: int) -> str:
    if value is None:
        return ""
    text = decimal(value, places)
    return text if text.startswith("−") else f"+{text}"

"""Results as tables and sentences for a terminal, in the words of the report."""

from collections.abc import Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

__all__ = ["copies_rows", "facts_table", "measures_table", "verdict_lines"]


def measures_table(results: dict[str, Any], title: str = "") -> Table:
    """Return the measures of an unlearning run: before, after, and of the sham run where there was one."""
    from ganforget.report.goal import read_goals
    from ganforget.report.measure import measure_rows

    names = [name for name in ("before", "after", "sham") if results.get(name)]
    goals = read_goals(results.get("destination_rule"), results.get("fd_u_destination"))
    rows = measure_rows(results["task"], [(n, results[n]) for n in names], results.get("fd_name"), goals)
    table = Table(title=title or None, title_justify="left", pad_edge=False, box=None, header_style="bold")
    table.add_column("measure", overflow="fold")
    for name in names:
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("wanted", overflow="fold", style="dim")
    for row in rows:
        if any(results[name].get(row.measure.key) is not None for name in names) or row.measure.key == "r":
            cells = (row.name, *row.cells, row.goal or row.wanted)
            table.add_row(*(Text(cell) for cell in cells), end_section=False)
    return table


def verdict_lines(results: dict[str, Any], run: str) -> list[str]:
    """Return what was reached in one sentence, what it cost, and where the report lies."""
    from ganforget.report.goal import read_goals
    from ganforget.report.verdict import cost_sentence, verdict

    goals = read_goals(results.get("destination_rule"), results.get("fd_u_destination"))
    lines = [verdict(results, None, goals).sentence]
    cost = cost_sentence(results)
    if cost is not None:
        lines.append(cost)
    return [*lines, f"Report: {run}/report.html"]


def facts_table(rows: Sequence[tuple[str, object]]) -> Table:
    """Return a table of two columns without a header; square brackets in paths and names are no markup."""
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in rows:
        table.add_row(Text(name), Text(str(value)))
    return table


def copies_rows(duplicates: dict[str, int]) -> list[tuple[str, str]]:
    """Return how many copies of forget images lie elsewhere, as rows of facts."""
    return [
        (f"copies in the {where} set", f"{duplicates[f'{key}_exact']} exact, {duplicates[f'{key}_near']} near")
        for key, where in (("retain", "rest of the training"), ("holdout", "holdout"))
    ]

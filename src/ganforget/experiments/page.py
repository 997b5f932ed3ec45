"""A comparison as Markdown and as one self-contained page; both lay out what the comparison file holds."""

import base64
from pathlib import Path
from typing import Any

from markupsafe import Markup

from ganforget.experiments.wording import lines_of, title_of
from ganforget.files import write_bytes
from ganforget.report.figures import Line, line_chart, ridge_chart
from ganforget.report.layout import render_page
from ganforget.report.numerals import duration, significant

__all__ = ["write_markdown", "write_page"]

_ROOMS = ("ganforget.experiments", "ganforget.report")

_NEAR = 0.05
"""A retraining that does not arrive is near within this share of the original's distance."""

_GROUPS = (
    ("retain", "training images"),
    ("holdout", "test images"),
    ("generated", "generated images"),
)


def write_markdown(comparison: dict[str, Any], path: Path) -> None:
    """Write the comparison as Markdown: what differs, the table, and the curve's turning points."""
    columns = comparison["columns"]
    lines = [f"# {comparison['experiment']}: {comparison['title']}", "", "What differs in the setting:", ""]
    lines += [f"- {sentence}" for sentence in comparison["differences"]]
    lines += ["", "A difference to the paper's figure stands in brackets.", ""]
    lines.append("| setting | whose | reached | " + " | ".join(title_of(key) for key in columns) + " |")
    lines.append("|---|---|---|" + "---|" * len(columns))
    failures: dict[str, None] = {}
    for line in lines_of(comparison):
        cells = [c["text"] + (f" ({c['difference']})" if c["difference"] else "") for c in line["cells"]]
        lines.append("| " + " | ".join([line["setting"], line["whose"], line["reached"], *cells]) + " |")
        failures |= {f"{line['setting']}, {line['whose']}: {text}": None for text in line["failures"]}
    lines += ["", "Runs that failed:", "", *(f"- {text}" for text in failures)] if failures else []
    for curve in _curves(comparison):
        lines += ["", f"{curve['words']}: {curve['sentence']}"]
    write_bytes(path, ("\n".join(lines) + "\n").encode())


def write_page(comparison: dict[str, Any], path: Path, *, folder: Path) -> None:
    """Write the comparison as one page; pictures of runs are read from ``folder`` and embedded."""
    content = {
        "experiment": comparison["experiment"],
        "title": comparison["title"],
        "differences": comparison["differences"],
        "columns": [title_of(key) for key in comparison["columns"]],
        "settings": _grouped(lines_of(comparison)),
        "curves": _curves(comparison, drawn=True),
        "pictures": _pictures(comparison, folder),
        "histogram": _histogram(comparison),
        "made_of": comparison["made_of"],
        "svg": Markup,
    }
    write_bytes(path, render_page("comparison.html.j2", content, rooms=_ROOMS))


def _grouped(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the lines by setting, in order."""
    found: dict[str, list[dict[str, Any]]] = {}
    for line in lines:
        found.setdefault(line["setting"], []).append(line)
    return [{"name": name, "lines": part} for name, part in found.items()]


def _curves(comparison: dict[str, Any], *, drawn: bool = False) -> list[dict[str, Any]]:
    """Return each retraining's sentence, and with ``drawn`` its chart."""
    found = []
    for number, curve in enumerate(filter(None, comparison["curves"])):
        points, original, there = curve["curve"], curve["original"], curve["to_original_distance"]
        length = f", of {original['kimg']:g} kimg," if original["kimg"] else ""
        sentence = (
            f"the original{length} has a distance of {significant(original['fd_l'])} to the "
            f"retain images. Retraining {_arrival(points, original['fd_l'], there)}."
        )
        entry: dict[str, Any] = {"words": curve["words"], "sentence": sentence}
        if drawn:
            line = Line("Retrained", "retain", tuple(point["fd_l"] for point in points))
            level = Line("The original", "muted", (original["fd_l"],) * len(points))
            kimg = [point["kimg"] for point in points]
            entry["svg"] = line_chart(f"curve-{number}", kimg, [line, level], across="kimg")
        found.append(entry)
    return found


def _arrival(points: list[dict[str, Any]], goal: float, there: dict[str, Any] | None) -> str:
    """Return when a retraining arrives at the original's distance ``goal``, or how near it comes."""
    if there:
        return f"reaches it at {there['kimg']:g} kimg" + (f", {duration(there['seconds'])}" if there["seconds"] else "")
    best = min(points, key=lambda point: point["fd_l"])
    text = f"does not reach it; its best is {significant(best['fd_l'])} at {best['kimg']:g} kimg"
    near = next((point["kimg"] for point in points if point["fd_l"] <= (1 + _NEAR) * goal), None)
    return text if near is None else f"{text}, and it is first within {_NEAR:.0%} of it at {near:g} kimg"


def _pictures(comparison: dict[str, Any], folder: Path) -> list[dict[str, Any]]:
    """Return the picture sheets of the first run of each line, as data URIs; those that are not there are left out."""
    found = []
    for line in comparison["lines"]:
        for run in line.get("runs_at", [])[:1]:
            sheets = []
            for name in comparison["pictures"]:
                path = folder / run / "images" / f"{name}.png"
                if path.is_file():
                    uri = "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode()
                    sheets.append({"name": name.replace("_", " "), "uri": uri})
            if sheets:
                found.append({"title": f"{line['setting']}: {line['whose']}", "sheets": sheets})
    return found


def _histogram(comparison: dict[str, Any]) -> str | None:
    scores = comparison["scores"]
    groups = [(f"{words} ({len(scores[key]):,})", key, scores[key]) for key, words in _GROUPS if scores.get(key)]
    if not groups:
        return None
    values = [value for _, _, part in groups for value in part]
    room = 0.03 * (max(values) - min(values)) or 1.0
    return ridge_chart("scores", groups, limits=(min(values) - room, max(values) + room), mark=None)

"""``report.html``: lays the files of a run out as one self-contained page, and computes nothing."""

from pathlib import Path
from typing import Any

from markupsafe import Markup

from ganforget.files import write_bytes
from ganforget.report.curves import draw_curves
from ganforget.report.figures import ridge_chart
from ganforget.report.goal import read_goals
from ganforget.report.layout import render_page
from ganforget.report.limits import limits
from ganforget.report.measure import measure_rows
from ganforget.report.method import cost_rows, data_name, duplicate_rows, facts, method_blocks, work_rows
from ganforget.report.pictures import read_sheets, read_strips
from ganforget.report.run_files import RunFiles, read_run
from ganforget.report.verdict import cost_sentence, glances, leak, request, verdict

__all__ = ["write_report"]

MOMENTS = (("before", "Before"), ("after", "After"), ("sham", "Sham run"), ("retrained", "Retrained"))
ALWAYS = ("before", "after")

GROUPS = (
    ("retain", "retain images"),
    ("forget", "forget images"),
    ("holdout", "holdout images, never trained on"),
    ("generated", "generated images"),
)


def write_report(run: Path) -> Path:
    """Write ``report.html`` into the folder of an unlearning run and return its path.

    Raises InputError where the folder has no results.json of a run that this version can read, or a damaged
    file, and OutputError where the page cannot be written.
    """
    files = read_run(Path(run))
    page = render_page("page.html.j2", _content(files))
    target = files.folder / "report.html"
    write_bytes(target, page)
    return target


def _content(run: RunFiles) -> dict[str, Any]:
    """Return what the templates lay out."""
    results = run.results
    goals = read_goals(results.get("destination_rule"), results.get("fd_u_destination"))
    fd_name = results.get("fd_name") or results.get("extractor")
    data = data_name(run)
    columns = [(name, results.get(key) or {}) for key, name in MOMENTS if key in ALWAYS or results.get(key)]
    pictures = _pictures(run)  # read first: a damaged one is found before anything is drawn
    return pictures | {
        "run_name": run.folder.resolve().name,
        "results": results,
        "request": request(results),
        "data": data,
        "verdict": verdict(results, data, goals),
        "leak": leak(results),
        "cost_sentence": cost_sentence(results),
        "glances": glances(results, fd_name),
        "warnings": [str(warning) for warning in results.get("warnings") or []],
        "columns": [name for name, _ in columns],
        "measures": measure_rows(results["task"], columns, fd_name, goals),
        "goals": goals,
        "curves": draw_curves(run.log, goals, results.get("schedule_steps")),
        "histograms": _histograms(run),
        "svg": Markup,
        **_particulars(run, fd_name),
    }


def _pictures(run: RunFiles) -> dict[str, Any]:
    classes = (run.results.get("classes") or []) if run.results["task"] == "class" else []
    sheets, stated = read_sheets(run), (run.results.get("images") or {}).get("sample_labels")
    rows = sheets[0].rows if sheets else 0
    labels = stated if isinstance(stated, list) and len(stated) == rows else list(range(rows))
    return {
        "strips": read_strips(run),
        "sheets": sheets,
        "conditional": run.conditional,
        "labels": labels,
        "marked": [labels.index(label) for label in classes if type(label) is int and label in labels],
    }


def _particulars(run: RunFiles, fd_name: str | None) -> dict[str, Any]:
    results = run.results
    return {
        "cost": cost_rows(results),
        "work": work_rows(results),
        "duplicates": duplicate_rows(results),
        "copies": any((results.get("duplicates") or {}).values()),
        "blocks": method_blocks(run),
        "options": facts(run.config.get("options")),
        "hashes": [str(value) for value in run.forget_set.get("hashes") or []],
        "limits": limits(results, fd_name),
    }


def _histograms(run: RunFiles) -> list[dict[str, Any]]:
    """Return the score histograms before and after, on one axis."""
    values = [value for groups in run.scores.values() for scores in groups.values() for value in scores]
    if not values:
        return []
    mark = run.results.get("fake_label")
    values += [mark] if mark is not None else []
    low, high = min(values), max(values)
    room = 0.03 * (high - low) or 1.0
    drawn = []
    for moment, title in (("before", "Before"), ("after", "After")):
        have = run.scores.get(moment, {})
        groups = [(f"{words} ({len(have[key]):,})", key, have[key]) for key, words in GROUPS if key in have]
        if groups:
            limits_of_axis = (low - room, high + room)
            svg = ridge_chart(f"scores-{moment}", groups, limits=limits_of_axis, mark=mark)
            alt = f"Histograms of scores {moment} the run: " + "; ".join(
                f"{label}, from {min(scores):.2f} to {max(scores):.2f}" for label, _, scores in groups
            )
            drawn.append({"title": title, "svg": svg, "alt": alt, "outline": groups[0][1]})
    return drawn

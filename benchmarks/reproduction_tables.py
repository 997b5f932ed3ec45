"""Write MNIST's tables in docs/reproduction.md anew, from the rows in results/reproduction-mnist.jsonl.

    python benchmarks/reproduction_tables.py            # prints them
    python benchmarks/reproduction_tables.py --write    # puts them between their marks in the page

The page's tables are the paper's with fewer columns; `ganforget reproduce` writes whole ones.
"""

import argparse
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ganforget.experiments.published import Published, Setting, published
from ganforget.files import read_json_lines
from ganforget.report.measure import ratio

PAGE = Path(__file__).parent.parent / "docs" / "reproduction.md"
RESULTS = Path(__file__).parent / "results" / "reproduction-mnist.jsonl"
PRESETS = {"paper": "ours, paper preset", "default": "ours"}

ITEM = (
    *("reached", "AUC_{l,u}, images trained on", "images not seen", "r", "ACC", "AUC_{u,t}"),
    *("substitution", "rec_u − rec_t", "steps", "kimg"),
)
CLASS = (
    *("reached", "fd_u ÷ destination", "AUC_{l,u}, images trained on", "images not seen", "r", "ACC"),
    *("AUC_{u,t}", "substitution", "recall of 7", "steps", "kimg"),
)


def tables(rows: list[dict[str, Any]]) -> dict[str, str]:
    """Return each table as Markdown by the name of its mark."""
    done = [row for row in rows if row["kind"] == "unlearn" and row["status"] == "done"]
    attacks = {line.setting.name: line.values for line in published(11)}
    found = {}
    for count in (64, 256, 1024):
        lines = [line for line in published(2) if line.setting.forget == count]
        found[f"mnist-{count}"] = _table(f"{count} images", ITEM, lines, done, attacks)
    found["mnist-class"] = _table("class 7", CLASS, published(5), done, attacks)
    labels = [line for line in published(7) if line.setting.fake_label != 0.1]
    found["mnist-fake-label"] = _table("64 images, means over three substitutes", ITEM, labels, done, {})
    return found


def _table(
    title: str,
    columns: tuple[str, ...],
    lines: list[Published],
    done: list[dict[str, Any]],
    attacks: dict[str, dict[str, float]],
) -> str:
    text = [f"| {title} | whose | {' | '.join(columns)} |", "|---" * (len(columns) + 2) + "|"]
    for line in lines:
        ours = {preset: _of(line.setting, preset, done) for preset in PRESETS}
        if not any(ours.values()):
            continue
        theirs = _printed(line.values | attacks.get(line.setting.name, {}), columns)
        text.append(f"| {_name(line.setting)} | paper | {' | '.join(theirs)} |")
        text += [
            f"| | {PRESETS[preset]} | {' | '.join(_cells(rows, columns))} |" for preset, rows in ours.items() if rows
        ]
    return "\n".join(text)


def _name(setting: Setting) -> str:
    how = setting.substitutes[0] if len(setting.substitutes) == 1 else f"F_label {setting.fake_label:g}"
    return f"{setting.mode}, {how}".replace("-1", "−1")


def _of(setting: Setting, preset: str, done: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows of a setting; our preset places F_label itself but where the table varies it."""
    told = f"{setting.fake_label:g}"
    label = told if preset == "paper" or setting.fake_label != 0.1 else "auto"
    return [
        row
        for row in done
        if (o := row["options"])["mode"] == setting.mode
        and o["substitute"] in setting.substitutes
        and o.get("preset", "default") == preset
        and o.get("forget_random") == setting.forget
        and f"{o.get('fake_label', 'auto')}" == label
    ]


def _printed(values: dict[str, float], columns: tuple[str, ...]) -> Iterator[str]:
    def pair(key: str) -> str:
        if f"after.{key}" not in values:
            return ""
        return f"{values[f'before.{key}']:.2f} → {values[f'after.{key}']:.2f}"

    found = {
        "AUC_{l,u}, images trained on": pair("auc_lu"),
        "r": f"{values['after.fd_l'] / values['before.fd_l']:.2f}",
        "ACC": pair("acc"),
        "AUC_{u,t}": pair("auc_ut"),
        "fd_u ÷ destination": f"{values['after.fd_u'] / 150:.2f}" if "after.fd_u" in values else "",
    }
    return (found.get(column, "") for column in columns)


def _cells(rows: list[dict[str, Any]], columns: tuple[str, ...]) -> Iterator[str]:
    results = [row["results"] for row in rows]
    before, after = [one["before"] for one in results], [one["after"] for one in results]

    def pair(key: str, places: int) -> str:
        now = _mean([one.get(key) for one in after], places)
        return f"{_mean([one.get(key) for one in before], places)} → {now}" if now else ""

    gaps = [one["rec_u"] - one["rec_t"] if one.get("rec_u") is not None else None for one in after]
    reached, runs = sum(one["reached"] for one in results), len(rows)
    cells = {
        "reached": f"{reached} of {runs}" if reached else f"**0 of {runs}**",
        "AUC_{l,u}, images trained on": pair("auc_lu_seen", 2),
        "images not seen": pair("auc_lu", 2),
        "r": _mean([ratio(b, a) for b, a in zip(before, after, strict=True)], 2),
        "ACC": pair("acc", 3),
        "AUC_{u,t}": pair("auc_ut", 2),
        "substitution": _mean([one.get("substitution") for one in after], 2),
        "rec_u − rec_t": _mean(gaps, 3).replace("-", "−"),
        "recall of 7": _mean([one.get("class_recall") for one in after], 2),
        "fd_u ÷ destination": _mean(
            [
                one["after"]["fd_u"] / one["fd_u_destination"] if one.get("fd_u_destination") else None
                for one in results
            ],
            2,
        ),
        "steps": f"{sum(one['steps'] for one in results) / runs:,.0f}",
        "kimg": _mean([one["cost_kimg"] for one in results], 1),
    }
    return (cells[column] for column in columns)


def _mean(values: list[float | None], places: int) -> str:
    known = [value for value in values if value is not None]
    return f"{sum(known) / len(known):.{places}f}" if known else ""


def written(page: str, found: dict[str, str]) -> str:
    """Return ``page`` with every table between its marks, ``<!-- NAME -->`` and ``<!-- /NAME -->``."""
    for name, text in found.items():
        marks = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
        page, count = marks.subn(lambda m, text=text: f"{m[1]}\n{text}\n\n{m[2]}", page)
        if count != 1:
            raise SystemExit(f"The page has {count} places for {name}; expected one.")
    return page


def main() -> None:
    """Print the tables, or put them into the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true")
    found = tables(read_json_lines(RESULTS))
    if parser.parse_args().write:
        PAGE.write_text(written(PAGE.read_text(), found))
    else:
        print("\n\n".join(found.values()))


if __name__ == "__main__":
    main()

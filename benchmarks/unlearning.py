"""Measure unlearning on the bundled digits GAN or the repository's MNIST GANs, over seeds, with the sham run beside.

    python benchmarks/unlearning.py digits                                  # every row of the table, seeds 0, 1, 2
    python benchmarks/unlearning.py mnist32 --data-path DIR --seeds 0
    python benchmarks/unlearning.py digits --only item-few --table          # the table of what has been measured

Each run is one line of ``benchmarks/results/<target>.jsonl``; rows that are there are not run again. Alone on a
machine with two cores the digits take about half an hour.
"""

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import torch

from ganforget.api.model import load_model
from ganforget.api.task import load_training_data
from ganforget.api.unlearning import run_unlearning
from ganforget.data import DataSpec, ForgetSet
from ganforget.evaluation.evaluate import measure_generator
from ganforget.evaluation.reference import measure_reference
from ganforget.files import append_json_line, make_folder, read_json, read_json_lines
from ganforget.options import UnlearnOptions
from ganforget.report.measure import ratio

ROOT = Path(__file__).parent
GENERATIONS = (0, 1, 2)
TARGETS = {
    "digits": {"model": "digits", "data": "digits"},
    "mnist32": {"model": str(ROOT.parent / "models" / "mnist32"), "data": "mnist"},
    "mnist32-2k": {"model": str(ROOT.parent / "models" / "mnist32-2k"), "data": "mnist"},
}
ITEM: dict[str, Any] = {"forget_random": 64, "destination": "separated"}
CALIBRATED: dict[str, Any] = {"forget_random": 64, "substitute": "truncation"}
CLASS: dict[str, Any] = {"forget_class": (7,)}
ROWS: dict[str, dict[str, Any]] = {
    "item-few-calibrated": CALIBRATED,
    "item-zero-calibrated": CALIBRATED | {"mode": "zero-shot"},
    "item-few-calibrated-anchor-10": CALIBRATED | {"anchor": 10.0},
    "item-few-paper-destination": CALIBRATED | {"destination": "paper"},
    "1024-few-calibrated": CALIBRATED | {"forget_random": 1024},
    "item-few-truncation": ITEM | {"substitute": "truncation"},
    "item-few-average": ITEM | {"substitute": "average"},
    "item-few-projection": ITEM | {"substitute": "projection"},
    "item-zero-truncation": ITEM | {"substitute": "truncation", "mode": "zero-shot"},
    "item-zero-average": ITEM | {"substitute": "average", "mode": "zero-shot"},
    "class-few-other-class": CLASS | {"substitute": "other-class"},
    "class-zero-other-class": CLASS | {"substitute": "other-class", "mode": "zero-shot"},
    "class-few-average": CLASS | {"substitute": "average"},
    "class-zero-average": CLASS | {"substitute": "average", "mode": "zero-shot"},
}


def run_row(target: str, name: str, seed: int, data_path: Path | None) -> dict[str, Any]:
    """Run one row in a temporary folder and return what is kept of it."""
    base = TARGETS[target] | {"data_path": data_path}
    with tempfile.TemporaryDirectory() as folder:
        options = UnlearnOptions(
            **base, **ROWS[name], seed=seed, sham=True, reconstruct=True, cache=False, outdir=Path(folder)
        )
        result = run_unlearning(options)
        assert result.run is not None
        config = read_json(result.run / "config.json", kind="run configuration")
        spread = _spread(options, result.run)
    kept = {key: config[key] for key in ("commit", "hardware", "versions", "started", "model_hash")}
    drop = ("images", "duplicates", "warnings")
    return (
        {"target": target, "row": name, "seed": seed, "fd_l_generations": spread}
        | kept
        | {key: value for key, value in result.results.items() if key not in drop}
    )


def _spread(options: UnlearnOptions, run: Path) -> dict[str, list[float]]:
    """Return fd_l before and after over several generation seeds."""
    original, unlearned = load_model(options.model), load_model(run)
    assert options.data is not None
    splits = load_training_data(DataSpec(options.data, options.data_path), original)
    forget = ForgetSet.load(run / "forget_set.json", splits.train)
    reference = measure_reference(splits, forget)
    return {
        name: [float(measure_generator(gan.G, reference, generation=g)["fd_l"] or 0) for g in GENERATIONS]
        for name, gan in (("before", original), ("after", unlearned))
    }


def table(rows: list[dict[str, Any]]) -> str:
    """Return the measured rows as Markdown: mean over seeds, the worst in brackets."""
    lines = [
        "| row | seeds | reached | r (worst) | sham r | acc before → after | substitution | auc_lu | auc_ut "
        "| rec_u − rec_t (worst) ± error | recall | fd_u | diversity | steps | kimg (inversion) | s |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name in dict.fromkeys(row["row"] for row in rows):
        part = [row for row in rows if row["row"] == name]
        lines.append(_line(name, part))
    return "\n".join(lines)


def _line(name: str, part: list[dict[str, Any]]) -> str:
    def mean(values: list[float | None], places: int = 3) -> str:
        found = [v for v in values if v is not None]
        return f"{sum(found) / len(found):.{places}f}" if found else "–"

    r = [ratio(row["before"], row["after"]) or 0.0 for row in part]
    gap = [row["after"]["rec_u"] - row["after"]["rec_t"] for row in part]
    gap_error = mean([row["after"].get("rec_gap_error") for row in part], 5)
    unit = part[0]["seconds_per_kimg"]
    cells = [
        name,
        ", ".join(str(row["seed"]) for row in part),
        f"{sum(row['reached'] for row in part)}/{len(part)}",
        f"{sum(r) / len(r):.3f} ({max(r):.3f})",
        mean([ratio(row["before"], row["sham"]) for row in part]),
        f"{mean([row['before']['acc'] for row in part])} → {mean([row['after']['acc'] for row in part])}",
        mean([row["after"]["substitution"] for row in part]),
        mean([row["after"]["auc_lu"] for row in part]),
        f"{mean([row['before']['auc_ut'] for row in part])} → {mean([row['after']['auc_ut'] for row in part])}",
        f"{sum(gap) / len(gap):+.5f} ({min(gap):+.5f}) ± {gap_error}",
        mean([row["after"].get("class_recall") for row in part]),
        mean([row["after"].get("fd_u") for row in part]),
        mean(
            [
                row["after"]["class_diversity"] / row["before"]["class_diversity"]
                for row in part
                if row["after"].get("class_diversity") is not None
            ]
        ),
        mean([row["steps"] for row in part]),
        f"{mean([row['cost_kimg'] for row in part])} ({mean([row['seconds']['inversion'] / unit for row in part])})",
        mean([row["seconds"]["total"] for row in part]),
    ]
    return "| " + " | ".join(cells) + " |"


def main() -> None:
    """Run what is missing, then print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("target", choices=list(TARGETS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--only", default="", help="rows whose name begins so")
    parser.add_argument("--data-path", type=Path)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--table", action="store_true", help="only print the table")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    path = make_folder(ROOT / "results") / f"{arguments.target}.jsonl"
    for seed in arguments.seeds if not arguments.table else []:
        for name in ROWS:
            if name.startswith("1024") and arguments.target != "mnist32":  # too few training images
                continue
            done = {(row["row"], row["seed"]) for row in read_json_lines(path)}
            if name.startswith(arguments.only) and (name, seed) not in done:
                row = run_row(arguments.target, name, seed, arguments.data_path)
                append_json_line(path, row)
                print(
                    json.dumps({key: row[key] for key in ("row", "seed", "reached", "steps", "cost_kimg")}), flush=True
                )
    print(table(read_json_lines(path)))


if __name__ == "__main__":
    main()

"""What each choice costs and gives, on the bundled digits GAN: images, substitute, anchor, F_label, λ2, steps and more.

    python benchmarks/choices.py                        # every row, seeds 0 and 1: about half an hour on one thread
    python benchmarks/choices.py --only images --table  # the tables of what has been measured
    python benchmarks/choices.py --perceptual FILE      # besides λ2 with these weights of VGG16

Each run is one line of ``results/choices.jsonl``; what is there is not run again, and the default is run once for all
choices. docs/how_to_choose.md reads them.
"""

import argparse
import tempfile
from pathlib import Path
from typing import Any

import torch

from ganforget.api.unlearning import run_unlearning
from ganforget.files import append_json_line, make_folder, read_json, read_json_lines
from ganforget.options import UnlearnOptions
from ganforget.report.measure import ratio

RESULTS = Path(__file__).parent / "results" / "choices.jsonl"
SEPARATED: dict[str, Any] = {"destination": "separated"}

CHOICES: dict[str, dict[str, dict[str, Any]]] = {
    "images": {str(n): {"forget_random": n} for n in (4, 16, 64, 256, 512)},
    "substitute": {"truncation": {}} | {name: {"substitute": name} for name in ("average", "projection")},
    "steps": {str(n): {"max_steps": n} for n in (40, 80, 120, 160)} | {"until reached": {}},
    "anchor": {"5": {"anchor": 5.0}, "10": {"anchor": 10.0}, "20": {}, "40": {"anchor": 40.0}},
    "perturbation": {"0": {"perturbation": 0.0}, "0.75": {}, "1.5": {"perturbation": 1.5}},
    "latent": {"w": {}, "w+": {"latent": "w+"}},
    "λ2": {"0": {}, "0.5": {"lambda2": 0.5}, "1": {"lambda2": 1.0}}
    | {f"{weight}, VGG16": {"lambda2": weight, "perceptual": "VGG16"} for weight in (0.5, 1.0)},
    "F_label": {"auto": SEPARATED} | {label: SEPARATED | {"fake_label": label} for label in ("-1", "0.1", "0.5")},
    "destination": {"calibrated": {}, "separated": SEPARATED, "paper": {"destination": "paper"}},
}
"""Options by choice and value; what is not named is the default: 64 images, few-shot, truncation, calibrated."""

COLUMNS = ("reached", "r", "acc", "substitution", "auc_ut", "auc_lu", "rec_u − rec_t", "steps", "kimg", "s")


def run_row(choice: str, value: str, seed: int, rows: list[dict[str, Any]], perceptual: Path | None) -> dict[str, Any]:
    """Run one value of one choice in a temporary folder, or find it among ``rows``; return what is kept of it."""
    given: dict[str, Any] = {"forget_random": 64} | CHOICES[choice][value]
    place = {"choice": choice, "value": value, "seed": seed}
    for row in rows:
        if row["given"] == given and row["seed"] == seed:
            return row | place
    places: dict[str, Any] = {"perceptual": perceptual} if "perceptual" in given else {}
    with tempfile.TemporaryDirectory() as folder:
        options = UnlearnOptions(
            "digits", "digits", seed=seed, reconstruct=True, cache=False, outdir=Path(folder), **(given | places)
        )
        result = run_unlearning(options)
        assert result.run is not None
        config = read_json(result.run / "config.json", kind="run configuration")
    names = ("task", "mode", "substitute", "destination", "n_forget", "n_substituted", "reached", "steps", "fake_label")
    names += ("before", "after", "seconds", "seconds_per_kimg", "cost_kimg", "work")
    about = {key: config[key] for key in ("commit", "hardware", "started")}
    return place | {"given": given} | about | {key: result.results[key] for key in names}


def table(choice: str, rows: list[dict[str, Any]]) -> str:
    """Return the rows of one choice as Markdown, means over seeds."""
    lines = [f"| {choice} | seeds | {' | '.join(COLUMNS)} |", "|---" * (len(COLUMNS) + 2) + "|"]
    for value in CHOICES[choice]:
        part = [_figures(row) for row in rows if (row["choice"], row["value"]) == (choice, value)]
        if part:
            cells = [f"{sum(row[0] for row in part)} of {len(part)}"]
            for column, places in enumerate((2, 3, 2, 2, 2, 5, 0, 1, 0), start=1):
                cells.append(f"{sum(row[column] for row in part) / len(part):.{places}f}")
            lines.append(f"| {value} | {len(part)} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _figures(row: dict[str, Any]) -> list[float]:
    before, after = row["before"], row["after"]
    return [
        row["reached"],
        ratio(before, after) or 0.0,
        after["acc"],
        after["substitution"],
        after["auc_ut"],
        after["auc_lu"],
        after["rec_u"] - after["rec_t"],
        row["steps"],
        row["cost_kimg"],
        row["seconds"]["total"],
    ]


def main() -> None:
    """Run what is missing, then print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--only", nargs="+", default=list(CHOICES), choices=list(CHOICES))
    parser.add_argument("--perceptual", type=Path, help="VGG16's weights; without them its rows are left out")
    parser.add_argument("--table", action="store_true", help="only print the tables")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    make_folder(RESULTS.parent)
    for seed in arguments.seeds if not arguments.table else []:
        for choice in arguments.only:
            for value, given in CHOICES[choice].items():
                if "perceptual" in given and arguments.perceptual is None:
                    continue
                rows = read_json_lines(RESULTS)
                if (choice, value, seed) not in {(row["choice"], row["value"], row["seed"]) for row in rows}:
                    append_json_line(RESULTS, run_row(choice, value, seed, rows, arguments.perceptual))
                    print(choice, value, seed, flush=True)
    for choice in arguments.only:
        print(f"\n{table(choice, read_json_lines(RESULTS))}")


if __name__ == "__main__":
    main()

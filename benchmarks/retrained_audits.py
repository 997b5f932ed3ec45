"""Audit runs on the bundled digits GAN against GANs retrained without what they forget.

    python benchmarks/retrained_audits.py --work DIR                  # 64 images: three trainings, every row and seed
    python benchmarks/retrained_audits.py --work DIR --task class-7   # class 7: three trainings of its own
    python benchmarks/retrained_audits.py --work DIR --table          # the table of what has been measured

The three GANs of 64 images are trained without the forget sets of all three seeds, for as long as the original. A
training takes about 20 minutes on one thread, an audit about one. Each audit is one line of
``results/retrained_audits.jsonl``; lines that are there are not made again, and a training that was stopped goes on.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ganforget.api.audit_options import AuditOptions
from ganforget.api.auditing import run_audit
from ganforget.api.training import resume_training, train_gan
from ganforget.api.unlearning import run_unlearning
from ganforget.data import DataSpec, ForgetSet, forget_classes, forget_indices, forget_random, load_data
from ganforget.files import append_json_line, make_folder, read_json_lines
from ganforget.options import UnlearnOptions
from ganforget.report.measure import ratio
from ganforget.rundir import circumstances
from ganforget.training.options import TrainOptions

SEEDS, RETRAINED, FORGET, KIMG = (0, 1, 2), (1, 2, 3), 64, 300.0
RESULTS = Path(__file__).parent / "results" / "retrained_audits.jsonl"
ITEM: dict[str, Any] = {"forget_random": FORGET}
CLASS: dict[str, Any] = {"forget_class": (7,)}
TASKS: dict[str, dict[str, dict[str, Any]]] = {
    "item-64": {
        "calibrated, few-shot": ITEM,
        "calibrated, zero-shot": ITEM | {"mode": "zero-shot"},
        "separated, few-shot": ITEM | {"destination": "separated"},
        "paper, few-shot": ITEM | {"destination": "paper"},
        "paper preset, few-shot": ITEM | {"preset": "paper"},
    },
    "class-7": {"few-shot": CLASS, "zero-shot": CLASS | {"mode": "zero-shot"}},
}
SHOWN = ("logan", "d_difference", "reconstruction_calibrated", "nearest_sample")


def left_out(task: str) -> ForgetSet:
    """Return what the retrained GANs of ``task`` never see: the class, or the forget sets of all seeds."""
    train = load_data(DataSpec("digits")).train
    if task == "class-7":
        return forget_classes(train, 7, data="digits")
    chosen = [forget_random(train, FORGET, seed=seed).indices or () for seed in SEEDS]
    return forget_indices(train, np.unique(np.concatenate(chosen)), data="digits")


def retrained(task: str, seed: int, work: Path) -> Path:
    """Return the run of the retrained GAN ``seed`` of ``task``, trained here once."""
    folder = make_folder(work / f"{task}-retrained-{seed}")
    runs = sorted(path for path in folder.iterdir() if (path / "checkpoint" / "about.json").exists())
    if not runs:
        left_out(task).save(folder / "left-out.json")
        exclude = folder / "left-out.json"
        return train_gan(TrainOptions(data="digits", kimg=KIMG, seed=seed, exclude=exclude, outdir=folder))
    if not (runs[-1] / "results.json").exists():
        return resume_training(runs[-1])
    return runs[-1]


def audited(task: str, row: str, seed: int, gans: list[Path], work: Path, *, quick: bool) -> dict[str, Any]:
    """Unlearn, audit, and return the line to keep."""
    unlearned = run_unlearning(
        UnlearnOptions("digits", "digits", **TASKS[task][row], seed=seed, cache=False, outdir=work / "unlearned")
    )
    result = run_audit(
        AuditOptions(str(unlearned.run), retrained=tuple(gans), quick=quick, seed=seed, outdir=work / "audits")
    )
    results, audit = unlearned.results, result.audit
    return {
        "task": task,
        "row": row,
        "seed": seed,
        "quick": quick,
        "reached": results["reached"],
        "r": ratio(results["before"], results["after"]),
        "substitution": results["after"]["substitution"],
        "images": audit["images"],
        "verdict": audit["verdict"],
        "attacks": {figures["name"]: _kept(figures) for figures in audit["attacks"]},
        "relearning": {name: audit[name] for name in ("relearning", "relearning_neighbours")},
        "classes_left": audit["classes_left"],
        "seconds": audit["seconds"],
    } | circumstances("cpu")


def _kept(figures: dict[str, Any]) -> dict[str, Any]:
    """Return of an attack what a table shows: its AUC on every GAN, its effect, and its control."""
    areas = {role: found["auc"] for role, found in figures["separation"].items()}
    return {"auc": areas, "effect": figures["effect"], "control": figures["control"]}


def print_table(lines: list[dict[str, Any]]) -> None:
    """Print the lines as Markdown: original → unlearned (least to most of the retrained GANs)."""
    print("| task | row | seed | " + " | ".join(SHOWN) + " | verdict | D | G | r |")
    print("|---" * (len(SHOWN) + 7) + "|")
    for line in sorted(lines, key=lambda line: (line["task"], line["row"], line["seed"], not line["quick"])):
        networks = [line["verdict"]["by_network"].get(name, {}).get("verdict", "–") for name in ("D", "G")]
        cells = [line["task"], line["row"] + ("" if line["quick"] else ", full"), str(line["seed"])]
        cells += [_areas(line["attacks"].get(name)) for name in SHOWN]
        print("| " + " | ".join([*cells, line["verdict"]["verdict"], *networks, f"{line['r']:.2f}"]) + " |")


def _areas(attack: dict[str, Any] | None) -> str:
    if attack is None:
        return "–"
    areas = dict(attack["auc"])
    before, after = areas.pop("original"), areas.pop("unlearned")
    return f"{before:.2f} → {after:.2f} ({min(areas.values()):.2f}–{max(areas.values()):.2f})"


def main() -> None:
    """Train and audit what is missing, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="where GANs, runs and audits are kept")
    parser.add_argument("--task", choices=list(TASKS), default="item-64")
    parser.add_argument("--seeds", type=int, nargs="+", default=list(SEEDS))
    parser.add_argument("--only", default="", help="rows whose name begins so")
    parser.add_argument("--full", action="store_true", help="all attacks in place of the quick ones")
    parser.add_argument("--train", type=int, nargs="+", choices=RETRAINED, help="train these retrained GANs, no more")
    parser.add_argument("--table", action="store_true", help="only print what has been measured")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if not arguments.table:
        gans = [retrained(arguments.task, seed, arguments.work) for seed in arguments.train or RETRAINED]
        for row in TASKS[arguments.task] if not arguments.train else ():
            for seed in arguments.seeds if row.startswith(arguments.only) else ():
                key = (arguments.task, row, seed, not arguments.full)
                if key not in {_key(line) for line in read_json_lines(RESULTS)}:
                    line = audited(arguments.task, row, seed, gans, arguments.work, quick=not arguments.full)
                    append_json_line(RESULTS, line)
                    print(row, seed, line["verdict"]["verdict"], f"{line['seconds']:.0f} s", flush=True)
    print_table(read_json_lines(RESULTS))


def _key(line: dict[str, Any]) -> tuple[str, str, int, bool]:
    return line["task"], line["row"], line["seed"], line["quick"]


if __name__ == "__main__":
    main()

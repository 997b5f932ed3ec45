"""Synthetic run folders for the report's tests: the files of a run, without any network behind them."""

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np

from ganforget.files import write_image_grid, write_json

__all__ = ["results", "write_run", "write_words"]

TILE, COUNT = 16, 12

SEGMENTS = {"a": (2, 3, 5, 11), "b": (2, 8, 9, 11), "c": (7, 13, 9, 11), "d": (12, 13, 5, 11)}
SEGMENTS |= {"e": (7, 13, 5, 6), "f": (2, 8, 5, 6), "g": (7, 8, 5, 11)}
DIGITS = ("abcdef", "bc", "abged", "abgcd", "fgbc", "afgcd", "afgedc", "abc", "abcdefg", "abcfgd")


def digit(label: int, rng: np.random.Generator, blur: float = 0.5) -> np.ndarray:
    """Draw a seven-segment digit, uint8 [1, 16, 16]."""
    image = np.zeros((TILE, TILE))
    for name in DIGITS[label]:
        top, bottom, left, right = SEGMENTS[name]
        image[top : bottom + 1, left : right + 1] = rng.uniform(0.7, 1)
    image = np.roll(image, rng.integers(-1, 2, 2), (0, 1))
    smooth = (image + np.roll(image, 1, 0) + np.roll(image, 1, 1) + np.roll(image, (1, 1), (0, 1))) / 4
    image = (1 - blur) * image + blur * smooth + rng.normal(0, 0.02, image.shape)
    return np.rint(255 * image.clip(0, 1)).astype(np.uint8)[None]


BEFORE: dict[str, Any] = {"auc_lu": 0.512, "auc_lu_seen": 0.507, "auc_ut": 0.664, "substitution": 1.0}
BEFORE |= {"fd_l": 7.42, "fd_floor": 3.18, "acc": 0.967, "acc_real": 0.984, "rec_u": 0.0041, "rec_t": 0.0067}
BEFORE |= dict.fromkeys(("fd_u", "class_recall", "class_diversity"))
AFTER = {"auc_lu": 0.853, "auc_lu_seen": 0.871, "auc_ut": 0.183, "substitution": 0.162}
AFTER = BEFORE | AFTER | {"fd_l": 8.91, "acc": 0.961, "rec_u": 0.0187, "rec_t": 0.0079}
SHAM = {"auc_lu": 0.498, "auc_ut": 0.651, "substitution": 0.974, "fd_l": 7.2, "acc": 0.968}
SHAM = BEFORE | SHAM | {"rec_u": None, "rec_t": None}

CLASS_BEFORE = BEFORE | {"fd_u": 11.3, "class_recall": 0.978, "class_diversity": 0.412}
CLASS_AFTER = AFTER | {"fd_u": 96.4, "class_recall": 0.012, "class_diversity": 0.187, "auc_ut": 0.471}
CLASS_SHAM = SHAM | {"fd_u": 11.0, "class_recall": 0.981, "class_diversity": 0.409}

RESULTS: dict[str, Any] = {"schema_version": 1, "mode": "few-shot", "destination": "separated", "reached": True}
RESULTS |= {"preset": "default", "steps": 120, "max_steps": 400, "schedule_steps": 60, "fake_label": -2.0}
RESULTS |= {"fake_label_rule": "auto: median of D_0's forget scores minus twice their spread", "seed": 0}
RESULTS |= {"n_inverted": 64, "n_retain_seen": 64, "membership": "verified", "latent": "w", "lambda1": 20.0}
RESULTS |= {"lambda2": 0.0, "extractor": "digits-classifier", "fd_name": "FD (digits-classifier)"}
RESULTS |= {"inversion_error": 0.00412, "cost_kimg": 5.09, "seconds_per_kimg": 4.3, "warnings": []}
RESULTS |= {
    "seconds": {"inversion": 7.9, "cascade": 13.2, "checks": 0.8, "total": 21.9, "preparation": 1.2, "evaluation": 33.0}
}
RESULTS |= {"work": {"g_forward": 31744, "g_backward": 28544, "d_forward": 46080, "d_backward": 38912}}
RESULTS |= {"duplicates": dict.fromkeys(("retain_exact", "retain_near", "holdout_exact", "holdout_near"), 0)}
RESULTS |= {"images": {"tile": TILE, "count": COUNT, "sample_columns": 10, "sample_rows": 10}}

ITEM: dict[str, Any] = {"task": "item", "substitute": "truncation", "classes": [], "n_forget": 64}
ITEM |= {"destination_rule": "auc_lu > 0.8 and substitution <= 0.25", "fd_u_destination": None}
ITEM |= {"before": BEFORE, "after": AFTER, "sham": SHAM}

CLASS: dict[str, Any] = {"task": "class", "substitute": "other-class", "classes": [7], "n_forget": 142}
CLASS |= {"destination_rule": "fd_u > 64.2", "fd_u_destination": 64.2}
CLASS |= {"before": CLASS_BEFORE, "after": CLASS_AFTER, "sham": CLASS_SHAM}


def results(task: str = "item", **changes: Any) -> dict[str, Any]:
    """Return the results of a run that reached its destination; ``changes`` replace fields."""
    return copy.deepcopy(RESULTS | (ITEM if task == "item" else CLASS)) | changes


def write_words(folder: Path, task: str = "item", **changes: Any) -> Path:
    """Write what the page's words are made of into ``folder`` (no curves, scores, pictures)."""
    (folder / "model").mkdir(parents=True, exist_ok=True)
    found = results(task, **changes)
    write_json(folder / "results.json", found)
    write_json(folder / "config.json", config(found))
    classes = found["classes"]
    forget: dict[str, Any] = {"schema_version": 1, "task": task, "data": "digits", "classes": classes}
    forget |= {"indices": list(range(64)), "hashes": [f"{k:064x}" for k in range(64)]}
    forget |= {"selection": {"random": 64, "seed": 0} if task == "item" else {"class": 7}}
    write_json(folder / "forget_set.json", forget)
    write_json(folder / "model" / "config.json", {"schema_version": 1, "G": {"c_dim": 10}, "D": {}})
    return folder


def write_run(folder: Path, task: str = "item", **changes: Any) -> Path:
    """Write every file of a finished run into ``folder`` and return it."""
    found = results(task, **changes)
    write_words(folder, task, **changes)
    (folder / "images").mkdir(exist_ok=True)
    write_log(folder / "log.jsonl", found)
    write_json(folder / "scores.json", scores())
    write_images(folder / "images", tuple(found["classes"]))
    return folder


def config(found: dict[str, Any]) -> dict[str, Any]:
    """Return the run's resolved configuration."""
    data: dict[str, Any] = {"name": "digits", "channels": 1, "resolution": 16, "num_classes": 10}
    data |= {"train": 1437, "holdout": 360, "subset": None, "split": "stratified, 20% holdout"}
    data |= {"split_seed": 0, "train_hash": "3f" * 32, "holdout_hash": "9c" * 32}
    options = {key: found[key] for key in ("mode", "substitute", "fake_label", "lambda1", "lambda2", "seed")}
    options |= {"lr_g": 0.001, "lr_d": 0.0003, "anchor": 40.0, "adversarial": 0.05, "betas": [0.0, 0.99]}
    whole: dict[str, Any] = {"schema_version": 1, "command": "unlearn", "model": "digits", "seed": 0}
    whole |= {"model_hash": "a7" * 32, "data": data, "options": options, "commit": "a47d87b"}
    whole |= {"versions": {"ganforget": "0.1.0", "python": "3.11.2", "torch": "2.13.0", "numpy": "2.4.6"}}
    whole |= {"hardware": {"cpu": "AMD EPYC 7B13", "cores": 2, "threads": 2, "device": "cpu"}}
    return whole | {"started": "2026-11-04T14:40:07Z"}


def write_log(path: Path, found: dict[str, Any]) -> None:
    """Write a stop check every fifth step."""
    rng = np.random.default_rng(1)
    lines = []
    for step in range(0, found["steps"] + 1, 5):
        t = step / max(found["steps"], 1)
        noise = rng.normal(0, 0.012, 12)
        line: dict[str, Any] = {"step": step, "kimg_equivalent": 3.2 * t, "seconds": 13.2 * t}
        line |= {"auc_lu": 0.51 + 0.345 * (1 - np.exp(-3.5 * t)) + noise[0]}
        line |= {"substitution": 1 - 0.84 * t**1.6 + noise[1]}
        line |= {"fd_u": None if found["task"] == "item" else 11.3 + 85 * t**1.3 + 30 * noise[2]}
        line |= {"lambda": max(0.0, 1 - step / found["schedule_steps"]) if found["task"] == "item" else None}
        rates = {"d_unlearning": 4.6, "d_learning": 1.3, "d_distillation": 0.05, "g_substitute": 0.08}
        rates |= {"g_fake": 0.9, "g_learning": 0.8, "anchor": 0.004}
        line |= {
            key: None if step == 0 else value * float(np.exp(-1.2 * t + 5 * noise[3 + k]))
            for k, (key, value) in enumerate(rates.items())
        }
        line |= {"score_retain": 0.9 + noise[10], "score_forget": 0.9 - 2.1 * t}
        line |= {"score_generated": -1.2 + noise[11]}
        lines.append(json.dumps({k: None if v is None else round(float(v), 5) for k, v in line.items()}))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def scores() -> dict[str, dict[str, list[float]]]:
    """Return scores of four groups, the forget group fallen behind after the run."""
    rng = np.random.default_rng(2)
    centres = {"retain": (0.9, 500), "forget": (0.9, 64), "holdout": (0.5, 360), "generated": (-1.3, 500)}
    before = {key: rng.normal(centre, 0.8, count).round(4).tolist() for key, (centre, count) in centres.items()}
    shift = {"retain": 0.0, "forget": -1.5, "holdout": -0.1, "generated": 0.2}
    after = {key: (np.array(values) * 0.8 + shift[key]).round(4).tolist() for key, values in before.items()}
    return {"before": before, "after": after}


def write_images(folder: Path, classes: tuple[int, ...]) -> None:
    """Write the four strips and the two sheets of samples."""
    rng = np.random.default_rng(3)
    labels = [classes[0] if classes else int(k) for k in rng.integers(0, 10, COUNT)]
    forgotten = np.stack([digit(label, rng) for label in labels])
    softer = np.stack([(0.5 * image + 0.5 * np.roll(image, 1, 1)) for image in forgotten]).astype(np.uint8)
    replaced = np.stack([digit(1 if classes else label, np.random.default_rng(label), 0.9) for label in labels])
    now = np.rint(0.85 * replaced + 0.15 * softer).astype(np.uint8)
    strips = {"forgotten": forgotten, "inversion": softer, "substitute": replaced, "now": now}
    for name, images in strips.items():
        write_image_grid(folder / f"{name}.png", images, COUNT)
    for name in ("samples_before", "samples_after"):
        rows = [1 if label in classes and name == "samples_after" else label for label in range(10)]
        sheet = np.stack([digit(label, rng) for label in rows for _ in range(10)])
        write_image_grid(folder / f"{name}.png", sheet, 10)

"""One piece of work of an experiment, in plain values: what is run, and the hash by which its row is found again."""

import hashlib
import json
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal

from ganforget.api.model import load_model
from ganforget.data import DATA_NAMES, DataSpec
from ganforget.models.gan import model_hash

__all__ = ["Configuration", "Kind", "Target", "content_of", "files_of", "weights_of"]

Kind = Literal["unlearn", "retrain", "measure"]


@dataclass(frozen=True)
class Target:
    """The trained GAN that experiments work on, and its data."""

    model: str
    data: str
    data_path: Path | None = None
    holdout_path: Path | None = None
    perceptual: Path | None = None
    classifier: Path | None = None

    @property
    def places(self) -> dict[str, Path | None]:
        """The options that say where the data lie."""
        return {"data_path": self.data_path, "holdout_path": self.holdout_path}

    @property
    def spec(self) -> DataSpec:
        """The data to load."""
        return DataSpec(self.data, self.data_path, holdout_path=self.holdout_path)

    @property
    def data_name(self) -> str:
        """How rows call the data: their name, or that of their folder or file."""
        return self.data if self.data in DATA_NAMES else Path(self.data).resolve().name

    @property
    def name(self) -> str:
        """How files and pages call it."""
        return f"{Path(self.model).name} on {self.data_name}"


@dataclass(frozen=True)
class Configuration:
    """A run that experiments ask for: unlearning, retraining without a forget set, or measuring the original."""

    kind: Kind
    target: Target
    seed: int
    options: dict[str, Any] = field(default_factory=dict)
    """Options that are given, by name; the rest has the defaults of the release that runs it."""

    @property
    def hash(self) -> str:
        """Sixteen hexadecimal digits over what is run on which weights; places of files do not count."""
        told = {"kind": self.kind, "data": self.target.data_name, "seed": self.seed, "options": self.options}
        told["model"] = weights_of(self.target.model)
        if self.target.data not in DATA_NAMES:
            told["files"] = files_of(self.target.data)
        if self.target.holdout_path is not None:
            told["holdout"] = self.target.holdout_path.name
        if self.options.get("lambda2"):
            told["perceptual"] = content_of(self.target.perceptual)
        if self.target.classifier is not None:
            told["classifier"] = content_of(self.target.classifier)
        return hashlib.sha256(json.dumps(told, sort_keys=True, default=list).encode()).hexdigest()[:16]

    @property
    def words(self) -> str:
        """What it is, for progress and lists."""
        o = self.options
        what = f"class {o['forget_class'][0]}" if "forget_class" in o else f"item-{o.get('forget_random', 0)}"
        if self.kind == "retrain":
            return f"retrain without {what}, seed {self.seed}, {o['kimg']:g} kimg"
        if self.kind == "measure":
            return f"measure the original, seed {self.seed}"
        how = f"{what}, {o['mode']}, {o['substitute']}, {o['preset']} preset, seed {self.seed}"
        more = [f"F={o['fake_label']}"] if "fake_label" in o else []
        return ", ".join([how, *more, *([f"λ2={o['lambda2']:g}"] if o.get("lambda2") else [])])


@cache
def weights_of(model: str) -> str:
    """Return the hash of a model's weights."""
    return model_hash(load_model(model))


@cache
def files_of(data: str) -> list[tuple[str, int]]:
    """Return the names and sizes of the files of a folder, or of one file: what it holds, in little time."""
    place = Path(data)
    if not place.is_dir():
        return [(place.name, place.stat().st_size)] if place.exists() else []
    return sorted((p.relative_to(place).as_posix(), p.stat().st_size) for p in place.rglob("*") if p.is_file())


@cache
def content_of(path: Path | None) -> str | None:
    """Return the sha256 of a file, or None without one."""
    return None if path is None else hashlib.sha256(path.read_bytes()).hexdigest()

"""The original's measures, kept by content: the rows of a table, and runs with other options, measure it once."""

import hashlib
import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ganforget.errors import InputError, OutputError
from ganforget.evaluation.reference import Reference
from ganforget.files import make_folder, read_json, write_json
from ganforget.models.gan import Gan, model_hash

__all__ = ["Found", "measured_once", "original_key"]

VERSION = 3
"""To be raised when a measure changes, so that old ones are not taken for new ones."""

Found = tuple[dict[str, float | None], dict[str, list[float]]]
"""Measures by name, and D's scores by group of images."""


def original_key(original: Gan, reference: Reference, companions: np.ndarray, asked: dict[str, Any]) -> str:
    """Return the sha256 of everything that the original's measures depend on; ``asked`` are the options among it."""
    digest = hashlib.sha256(model_hash(original).encode())
    protocol = {name: value for name, value in asdict(reference.protocol).items() if not isinstance(value, Path)}
    floor = None if reference.floor is None else f"{reference.floor:.4g}"  # tells files of an extractor apart
    about = [VERSION, floor, torch.__version__, str(reference.device), asked, protocol, reference.record()]
    digest.update(json.dumps([*about, reference.splits.record], sort_keys=True, default=str).encode())
    groups = [getattr(reference.groups, field.name) for field in fields(reference.groups) if field.name != "by_class"]
    for positions in (companions, *groups, *reference.groups.by_class.values()):
        digest.update(np.ascontiguousarray(positions, dtype="<i8").tobytes() + b"/")
    if reference.classifier is not None:
        for name, value in sorted(reference.classifier.network.state_dict().items()):
            digest.update(name.encode() + value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def measured_once(folder: Path, key: str, measure: Callable[[], Found]) -> Found:
    """Return what is kept under ``key`` in ``folder``, or measure and keep it; a damaged file counts as none."""
    path = folder / f"{key}.json"
    try:
        kept = read_json(path, kind="file of measures")
        return dict(kept["measures"]), dict(kept["scores"])
    except (InputError, OSError, KeyError, TypeError, ValueError):
        pass
    measures, scores = measure()
    with suppress(OutputError):  # the work is done: not being able to keep it is no reason to stop
        make_folder(folder)
        write_json(path, {"measures": measures, "scores": scores})
    return measures, scores

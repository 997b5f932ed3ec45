"""What a network pickle tells about its training, as a model folder keeps it."""

import hashlib
import math
from pathlib import Path
from typing import Any, BinaryIO

from ganforget.interchange.assembly import Plan
from ganforget.interchange.official import OfficialPickle, kimg_of
from ganforget.interchange.tensors import FLOATS, read_tensor

__all__ = ["augment_probability", "plain", "training_record"]

_LONGEST_TEXT = 200
_DEEPEST = 3
_LONGEST = 20


def training_record(path: Path, file: BinaryIO, pickle: OfficialPickle, plan: Plan) -> dict[str, Any]:
    """Return where a GAN comes from: the file and its hash, the era, kimg, ADA's probability, the data set."""
    return {
        "imported": {
            "file": path.name,
            "sha256": _sha256(file),
            "era": plan.era,
            "kimg": kimg_of(path),
            "augment_p": augment_probability(file, pickle),
            "training_set_kwargs": plain(pickle.rest.get("training_set_kwargs")),
        }
    }


def augment_probability(file: BinaryIO, pickle: OfficialPickle) -> float | None:
    """Return ADA's probability as it was when the file was written."""
    stub = pickle.augment_p
    if stub is None or stub.storage.dtype not in FLOATS or not stub.fills_its_storage:
        return None
    return float(read_tensor(file, stub, "augment_pipe.p"))


def plain(value: Any, depth: int = 0) -> Any:
    """Return a value of a file as JSON can hold it; what is too long, too deep or odd becomes its type's name."""
    if value is None or isinstance(value, bool) or (isinstance(value, int) and abs(value) < 2**53):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    if isinstance(value, str) and len(value) <= _LONGEST_TEXT:
        return value.encode("utf-8", "replace").decode()
    if depth < _DEEPEST and isinstance(value, dict) and len(value) <= _LONGEST:
        return {str(plain(key, _DEEPEST)): plain(part, depth + 1) for key, part in value.items()}
    if depth < _DEEPEST and isinstance(value, list | tuple) and len(value) <= _LONGEST:
        return [plain(part, depth + 1) for part in value]
    return f"<{type(value).__name__}>"


def _sha256(file: BinaryIO) -> str:
    digest = hashlib.sha256()
    file.seek(0)
    while part := file.read(2**20):
        digest.update(part)
    return digest.hexdigest()

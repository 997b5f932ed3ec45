"""Inverted latents kept by content: the same generator, images and options are inverted once.

The recorded seconds of the first time are counted on every later use. The cache holds latents from which the original
generator makes the forgotten images: each file says of which generator and images, so that ``ganforget audit --state``
can delete those of a run. Pass ``--no-cache`` where they must not be kept at all.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import safetensors.torch
import torch
from safetensors import SafetensorError, safe_open

from ganforget.files import make_folder, write_bytes
from ganforget.inversion.invert import Inversion, InversionConfig
from ganforget.models.pictures import Pictures
from ganforget.models.stylegan2 import Generator
from ganforget.work import Work

__all__ = [
    "CachedInversion",
    "cached_inversions",
    "generator_hash",
    "inversion_key",
    "read_inversion",
    "write_inversion",
]

VERSION = 1
"""To be raised when inversions change, so that old ones are not taken for new ones."""

_HASHED = 64


def inversion_key(G: Generator, images: Pictures, labels: np.ndarray | None, config: InversionConfig) -> str:
    """Return the sha256 of everything that an inversion depends on, and that its seconds do."""
    place = [VERSION, next(G.parameters()).device.type, torch.get_num_threads()]
    digest = hashlib.sha256(json.dumps([asdict(config), place], sort_keys=True).encode())
    for part in _tensors(G):
        digest.update(part)
    for start in range(0, len(images), _HASHED):
        digest.update(images[start : start + _HASHED].detach().cpu().contiguous().numpy().tobytes())
    if labels is not None:
        digest.update(np.ascontiguousarray(labels, dtype="<i8").tobytes())
    return digest.hexdigest()


def read_inversion(folder: Path, key: str) -> Inversion | None:
    """Return the inversion kept under ``key``, or None; a damaged file counts as none."""
    try:
        tensors = safetensors.torch.load_file(folder / f"{key}.safetensors")
        work = Work(*(int(v) for v in tensors["work"].tolist()))
        return Inversion(tensors["ws"], tensors["errors"], float(tensors["seconds"]), work)
    except (OSError, SafetensorError, KeyError, ValueError, TypeError):
        return None


def write_inversion(folder: Path, key: str, inversion: Inversion, *, generator: str, images: Iterable[str]) -> None:
    """Keep ``inversion`` under ``key``, with the hash of its ``generator`` and those of its ``images``."""
    make_folder(folder)
    tensors = {
        "ws": inversion.ws.detach().cpu().contiguous(),
        "errors": inversion.errors.detach().cpu().contiguous(),
        "seconds": torch.tensor(inversion.seconds, dtype=torch.float64),
        "work": torch.tensor(list(asdict(inversion.work).values()), dtype=torch.int64),
    }
    about = {"generator": generator, "images": " ".join(images)}
    write_bytes(folder / f"{key}.safetensors", safetensors.torch.save(tensors, about))


@dataclass(frozen=True)
class CachedInversion:
    """A file of the cache, and whose latents it holds."""

    path: Path
    generator: str | None
    """Hash of the generator; None where the file does not say: an older version has written it."""
    images: frozenset[str]
    """Hashes of the images, as a forget set has them."""


def cached_inversions(folder: Path) -> list[CachedInversion]:
    """List what the cache in ``folder`` holds."""
    found = []
    for path in sorted(folder.glob("*.safetensors")):
        try:
            with safe_open(path, "pt") as file:
                about = file.metadata() or {}
        except (OSError, SafetensorError):
            about = {}
        found.append(CachedInversion(path, about.get("generator"), frozenset(about.get("images", "").split())))
    return found


def generator_hash(G: Generator) -> str:
    """Return the sha256 of every tensor of ``G``."""
    digest = hashlib.sha256()
    for part in _tensors(G):
        digest.update(part)
    return digest.hexdigest()


def _tensors(G: Generator) -> Iterator[bytes]:
    """Give the name and the numbers of every tensor of ``G``, by name."""
    for name, value in sorted(G.state_dict().items()):
        yield name.encode() + value.detach().cpu().contiguous().numpy().tobytes()

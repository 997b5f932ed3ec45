"""What a survey of many files found, kept until the files change: hashes, no pixels and no names."""

from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from ganforget.data.cache import cache_folder
from ganforget.errors import OutputError
from ganforget.files import make_folder, write_bytes

__all__ = ["read_survey", "write_survey"]

LEAST = 2000
"""Fewer images are looked at again: that takes seconds."""

Found = tuple[np.ndarray, np.ndarray, tuple[int, int, int]]


def read_survey(stamp: str, candidates: int) -> Found | None:
    """Return (which of the candidates count, their hashes uint8 [N, 32], shape), or None; a damaged file is none."""
    if candidates < LEAST:
        return None
    try:
        held = load_file(_path(stamp))
        counted, digests, shape = held["counted"].astype(bool), held["digests"], held["shape"]
    except (OSError, SafetensorError, KeyError, ValueError):
        return None
    fits = counted.shape == (candidates,) and digests.shape == (int(counted.sum()), 32) and shape.shape == (3,)
    if not fits or digests.dtype != np.uint8:
        return None
    channels, height, width = (int(size) for size in shape)
    return counted, digests, (channels, height, width)


def write_survey(stamp: str, counted: np.ndarray, digests: np.ndarray, shape: tuple[int, int, int]) -> None:
    """Keep what was found; where that is not possible it is found again next time."""
    if len(counted) < LEAST:
        return
    tensors = {"counted": counted.astype(np.uint8), "digests": np.ascontiguousarray(digests), "shape": np.array(shape)}
    try:
        make_folder(_path(stamp).parent)
        write_bytes(_path(stamp), save(tensors))
    except OutputError:
        return


def _path(stamp: str) -> Path:
    return cache_folder("surveys") / f"{stamp}.safetensors"

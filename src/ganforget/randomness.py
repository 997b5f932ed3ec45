"""Named random streams: every random number comes from (seed, name, index) by a stable hash.

No global generator is ever seeded or read. Streams per step and per sample make a resumed run repeat exactly, and
make sampled latents independent of batch size and of the number of processes.
"""

import hashlib
from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor

__all__ = ["numpy_stream", "permutation", "sample_labels", "sample_latents", "stream"]


def _key(seed: int, name: str, index: tuple[int, ...]) -> int:
    text = f"{seed}/{name}/" + "/".join(str(i) for i in index)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


def stream(seed: int, name: str, *index: int, device: torch.device | str = "cpu") -> torch.Generator:
    """Return the generator of the stream (seed, name, index)."""
    return torch.Generator(device=device).manual_seed(_key(seed, name, index) & 0x7FFFFFFFFFFFFFFF)


def numpy_stream(seed: int, name: str, *index: int) -> np.random.Generator:
    """Return NumPy's generator of the stream (seed, name, index)."""
    return np.random.Generator(np.random.Philox(key=_key(seed, name, index)))


def permutation(seed: int, name: str, count: int) -> np.ndarray:
    """Return a seeded permutation of ``range(count)``, int64 [count]."""
    return numpy_stream(seed, name, count).permutation(count)


def sample_latents(seed: int, name: str, samples: Iterable[int], dim: int) -> Tensor:
    """Return standard normal latents, float32 [len(samples), dim], one stream per sample number."""
    rows = [numpy_stream(seed, name, i).standard_normal(dim, dtype=np.float32) for i in samples]
    return torch.from_numpy(np.stack(rows)) if rows else torch.empty(0, dim)


def sample_labels(seed: int, name: str, count: int, pool: np.ndarray) -> np.ndarray:
    """Return ``count`` labels drawn with replacement from ``pool``, int64 [count]; prefixes agree."""
    return pool[(numpy_stream(seed, name).random(count) * len(pool)).astype(np.int64)]

"""Samples of a generator as they would be saved, and the way back to float."""

from collections.abc import Callable, Iterator
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from ganforget.data.dataset import one_hot
from ganforget.errors import InputError, NumericalError
from ganforget.models.memory import inference_batch
from ganforget.randomness import sample_latents

__all__ = ["ImageGenerator", "dequantise", "generate", "generate_parts", "quantise"]

_LEAST_PART = 16
"""Fewer images at a time would not fill an extractor's batch."""


class ImageGenerator(Protocol):
    """What the measures ask of a generator, in StyleGAN2's names. ``c_dim`` is 0 where it takes no labels."""

    @property
    def z_dim(self) -> int: ...
    @property
    def c_dim(self) -> int: ...
    @property
    def mapping(self) -> Callable[..., Tensor]: ...
    @property
    def synthesis(self) -> Callable[..., Tensor]: ...


@torch.inference_mode()
def generate(
    G: ImageGenerator,
    labels: np.ndarray | None,
    *,
    count: int,
    seed: int,
    name: str,
    first: int = 0,
    batch: int = 250,
    device: torch.device | str = "cpu",
) -> Tensor:
    """Return ``count`` samples, uint8 [count, C, H, W] on the CPU, with ``labels`` int64 [count] or None.

    Sample i takes latent ``first`` + i of the stream (seed, name), so it depends neither on ``count`` nor on ``batch``.
    There is no truncation (ψ = 1) and the noise is the network's constant one: the same weights give the same
    images. Raises InputError for labels that do not fit G, NumericalError where a pixel is not finite.
    """
    if labels is not None and (len(labels) != count or G.c_dim == 0 or labels.max(initial=0) >= G.c_dim):
        raise InputError(
            f"{len(labels)} labels up to {labels.max(initial=0)} for {count} samples do not fit a generator "
            f"of {G.c_dim} labels; use the data it was trained on."
        )
    if labels is None and G.c_dim:
        raise InputError(f"The generator takes one of {G.c_dim} labels and got none; the data must have labels.")
    parts = []
    batch = inference_batch(G, batch)
    for start in range(0, count, batch):
        chosen = range(start, min(start + batch, count))
        z = sample_latents(seed, name, (first + i for i in chosen), G.z_dim).to(device)
        c = None if labels is None else one_hot(labels[chosen.start : chosen.stop], G.c_dim).to(device)
        ws = G.mapping(z, c, truncation_psi=1)  # [n, num_ws, w_dim]
        parts.append(quantise(G.synthesis(ws, noise_mode="const")))
    return torch.cat(parts)


def generate_parts(
    G: ImageGenerator,
    labels: np.ndarray | None,
    *,
    count: int,
    seed: int,
    name: str,
    batch: int = 250,
    device: torch.device | str = "cpu",
) -> Iterator[Tensor]:
    """Give the samples of `generate` in parts: of a big G 16 or fewer at a time, else at most ``batch``."""
    size = min(batch, max(inference_batch(G, batch), _LEAST_PART))
    for first in range(0, count, size):
        asked = None if labels is None else labels[first : first + size]
        yield generate(
            G, asked, count=min(size, count - first), seed=seed, name=name, first=first, batch=batch, device=device
        )


def quantise(images: Tensor) -> Tensor:
    """Map float images in [−1, 1] to uint8 on the CPU, as they are saved; what lies outside is clipped.

    Raises NumericalError where a pixel is not finite.
    """
    if not torch.isfinite(images).all():
        bad = int((~torch.isfinite(images)).flatten(1).any(1).sum())
        raise NumericalError(f"{bad} of {len(images)} generated images are not finite; the generator has diverged.")
    return ((images.detach().float() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8).cpu()


def dequantise(images: Tensor) -> Tensor:
    """Map uint8 images to float32 in [−1, 1]."""
    return images.float() / 127.5 - 1

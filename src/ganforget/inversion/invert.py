"""Inversion by optimisation: the latents w_0 from which a frozen generator makes given images, all at once."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch

from ganforget.errors import Interrupted, NumericalError
from ganforget.interruption import StopRequest
from ganforget.models.half_precision import LossScale
from ganforget.models.latents import LatentStatistics, map_latents
from ganforget.models.memory import inference_batch, learning_batch
from ganforget.models.pictures import DrawnPictures, LoadedPictures
from ganforget.models.stylegan2 import Generator
from ganforget.randomness import sample_latents
from ganforget.shapes import Images, LabelArray, Latents, PerImage, W
from ganforget.work import Work

__all__ = ["Inversion", "InversionConfig", "invert", "reconstruction_error"]

_COMPARED = 2**16


@dataclass(frozen=True)
class InversionConfig:
    """How images are inverted."""

    latent: Literal["w", "w+"] = "w"
    """One w for all layers, or one for each layer (w+)."""

    steps: int = 60
    """Optimisation steps."""

    learning_rate: float = 0.4
    """Rate of Adam at its height, in units of the spread of W."""

    start: Literal["best", "mean"] = "best"
    """Start from the best of many samples, or from the class mean."""

    start_samples: int = 128
    """Samples for each class to choose the start from."""

    restarts: int = 1
    """Descents for each image, each from the best of samples of its own; the best is kept."""

    batch_size: int = 128
    """Images optimised side by side."""

    seed: int = 0
    """Seed of the samples; a restart's is one more than that of the one before."""


@dataclass(frozen=True)
class Inversion:
    """Latents ``ws``, the mean squared error of each image, and what it took."""

    ws: Latents
    errors: PerImage
    seconds: float
    work: Work


def reconstruction_error(images: Images, targets: Images) -> PerImage:
    """Return the mean squared error of each image, range [−1, 1] inside."""
    return (images - targets).square().mean(dim=[1, 2, 3])


def invert(
    G: Generator,
    images: Images | DrawnPictures | LoadedPictures,
    labels: LabelArray | None,
    statistics: LatentStatistics,
    config: InversionConfig,
    *,
    stop: StopRequest | None = None,
    on_step: Callable[[int, int], None] | None = None,
) -> Inversion:
    """Find ``ws`` with G(ws) ≈ images in [−1, 1], noise mode 'const'; of a big G fewer images side by side.

    ``on_step(done, total)`` reports progress in image-steps. Raises NumericalError on NaN and Interrupted on a stop.
    """
    began, work = time.perf_counter(), Work()
    total, done = len(images) * config.steps * config.restarts, 0
    batch = min(config.batch_size, learning_batch(G))
    found = []
    for restart in range(config.restarts):
        starts = _start(G, images, labels, statistics, replace(config, seed=config.seed + restart), work)
        parts = []
        for first in range(0, len(images), batch):
            chosen = slice(first, min(first + batch, len(images)))

            def report(step: int, before: int = done, count: int = chosen.stop - first) -> None:
                if stop is not None and stop.requested:
                    raise Interrupted("Stopped during inversion; nothing was changed. Run the same command again.")
                if on_step is not None:
                    on_step(before + step * count, total)

            parts.append(_descend(G, images[chosen], starts[chosen], statistics.std, config, work, report))
            done += config.steps * (chosen.stop - first)
        found.append([torch.cat(values) for values in zip(*parts, strict=True)])
    ws, error = found[0]
    for other_ws, other_error in found[1:]:
        better = other_error < error
        ws, error = torch.where(better[:, None, None], other_ws, ws), torch.where(better, other_error, error)
    if not torch.isfinite(error).all():
        raise NumericalError("Inversion became NaN or infinite; lower its learning rate.")
    return Inversion(ws, error, time.perf_counter() - began, work)


@torch.no_grad()
def _start(
    G: Generator,
    images: Images | DrawnPictures | LoadedPictures,
    labels: LabelArray | None,
    statistics: LatentStatistics,
    config: InversionConfig,
    work: Work,
) -> W:
    """Return a start for each image."""
    device = next(G.parameters()).device
    which = None if labels is None else torch.as_tensor(labels)
    starts = statistics.mean_of(which, len(images)).clone()
    if config.start == "mean":
        return starts
    z = sample_latents(config.seed, "inversion_start", range(config.start_samples), G.z_dim)
    for label in np.unique(labels) if labels is not None else [None]:
        members = np.flatnonzero(labels == label) if label is not None else np.arange(len(images))
        ws = map_latents(G, z, None if label is None else np.full(len(z), label))
        work.g_forward += len(z)
        columns = []
        for part in ws.split(inference_batch(G, len(ws))):
            samples = G.synthesis(part, noise_mode="const").flatten(1)
            rows = [
                torch.cdist(images[some].to(device).flatten(1), samples)  # [members, samples]
                for some in torch.from_numpy(members).split(inference_batch(G, _COMPARED))
            ]
            columns.append(torch.cat(rows))
        starts[members] = ws[torch.cat(columns, dim=1).argmin(dim=1), 0]
    return starts


def _descend(
    G: Generator,
    images: Images,
    starts: W,
    std: float,
    config: InversionConfig,
    work: Work,
    report: Callable[[int], None],
) -> tuple[Latents, PerImage]:
    """Optimise one batch; return the best ``ws`` seen for each image and its error."""
    device = next(G.parameters()).device
    targets = images.to(device)
    layers = G.num_ws if config.latent == "w+" else 1
    origin = starts.to(device)[:, None].expand(-1, layers, -1)  # [n, layers, w_dim]
    offset = torch.zeros_like(origin).requires_grad_(True)
    optimizer = torch.optim.Adam([offset], betas=(0.9, 0.99))
    best = origin.expand(-1, G.num_ws, -1).clone()
    best_error = torch.full((len(targets),), math.inf, device=device)
    scale = LossScale.of(G)
    for step in range(config.steps + 1):
        report(min(step, config.steps))
        ws = (origin + offset * std).expand(-1, G.num_ws, -1)
        last = step == config.steps
        with torch.set_grad_enabled(not last):
            error = reconstruction_error(G.synthesis(ws, noise_mode="const"), targets)
        work.g_forward += len(targets)
        better = error.detach() < best_error
        best_error = torch.where(better, error.detach(), best_error)
        best = torch.where(better[:, None, None], ws.detach(), best)
        if last:
            break
        for group in optimizer.param_groups:
            group["lr"] = config.learning_rate * _rate(step / config.steps)
        offset.grad = scale.gradient(error.sum(), offset)
        work.g_backward += len(targets)
        optimizer.step()
    return best, best_error


def _rate(progress: float) -> float:
    """Return the share of the learning rate: a short ramp up, then a cosine down to zero."""
    return min(progress / 0.05 + 0.2, 1.0) * (0.5 + 0.5 * math.cos(math.pi * progress))

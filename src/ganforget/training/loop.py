"""The training loop: G, D, lazy R1 and path length, EMA; exact resume, Ctrl-C, and a stop on NaN."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ganforget.data import ImageDataset
from ganforget.errors import NumericalError
from ganforget.interruption import StopRequest
from ganforget.models.augment import AugmentPipe, augment_preset
from ganforget.randomness import permutation, stream
from ganforget.training.config import TrainingConfig
from ganforget.training.ema import ema_decay, update_ema
from ganforget.training.losses import d_loss, g_loss, path_length_loss, path_lengths, r1_penalty
from ganforget.training.state import Sums, TrainingState

__all__ = ["Tick", "TrainingBatches", "train", "training_step"]


@dataclass(frozen=True)
class Tick:
    """One line of the training log."""

    kimg: float
    seconds: float
    images_per_second: float
    d_loss: float
    g_loss: float
    r1: float
    score_real: float
    score_fake: float
    augment_p: float


class TrainingBatches:
    """Real images by step: one seeded permutation an epoch, so that resuming needs the step number alone."""

    def __init__(self, data: ImageDataset, config: TrainingConfig, device: torch.device, c_dim: int) -> None:
        self.data, self.config, self.device, self.c_dim = data, config, device, c_dim
        self._epoch, self._order = -1, np.empty(0, np.int64)

    def real(self, step: int) -> tuple[Tensor, Tensor | None]:
        batch, total = self.config.batch_size, len(self.data)
        positions = np.arange(step * batch, (step + 1) * batch)
        indices = np.empty(batch, np.int64)
        for epoch in np.unique(positions // total):
            if epoch != self._epoch:
                self._epoch, self._order = (
                    int(epoch),
                    permutation(self.config.seed, f"epoch/{epoch}", total),
                )
            here = positions // total == epoch
            indices[here] = self._order[positions[here] % total]
        images = self.data.tensor(indices)
        if self.config.mirror:
            flip = torch.rand(batch, generator=stream(self.config.seed, "mirror", step)) < 0.5
            images = torch.where(flip[:, None, None, None], images.flip(3), images)
        c = self.data.one_hot(indices) if self.c_dim else None
        return images.to(self.device), None if c is None else c.to(self.device)

    def labels(self, name: str, step: int) -> Tensor | None:
        if not self.c_dim:
            return None
        draw = torch.randint(len(self.data), (self.config.batch_size,), generator=stream(self.config.seed, name, step))
        c = self.data.one_hot(draw.numpy())
        assert c is not None
        return c.to(self.device)


def _generate(state: TrainingState, config: TrainingConfig, c: Tensor | None, name: str) -> tuple[Tensor, Tensor]:
    """Return (images, ws) of fresh latents, with style mixing and random noise from the step's streams."""
    G, step = state.G, state.step
    device = next(G.parameters()).device
    random = stream(config.seed, name, step)
    z = torch.randn(config.batch_size, G.z_dim, generator=random).to(device)
    ws = G.mapping(z, c)
    G.mapping.update_w_avg(ws.detach())
    if config.style_mixing > 0:
        other = G.mapping(torch.randn(config.batch_size, G.z_dim, generator=random).to(device), c)
        cutoff = torch.randint(1, G.num_ws, (config.batch_size, 1, 1), generator=random)
        mix = torch.rand(config.batch_size, 1, 1, generator=random) < config.style_mixing
        keep = (torch.arange(G.num_ws)[None, :, None] < cutoff) | ~mix
        ws = torch.where(keep.to(device), ws, other)
    return G.synthesis(ws, noise_mode="random", generator=random), ws


def training_step(
    state: TrainingState, config: TrainingConfig, batches: TrainingBatches, augment: AugmentPipe | None
) -> None:
    """Take one step of G and one of D, with their lazy regularisers; changes ``state``."""
    G, D, step, sums = state.G, state.D, state.step, state.sums

    def seen(images: Tensor, name: str) -> Tensor:
        """What D sees of ``images``."""
        if augment is None or state.augment_p == 0:
            return images
        return augment(images, state.augment_p, stream(config.seed, name, step))

    # G: non-saturating loss.
    D.requires_grad_(False)
    c = batches.labels("g_labels", step)
    images, _ = _generate(state, config, c, "g_latents")
    loss = g_loss(D(seen(images, "g_augment"), c))
    _descend(state.G_optimizer, loss)
    sums.g_loss += loss.item()

    # G: path length, lazily.
    if config.path_length_weight and step % config.path_length_interval == 0:
        images, ws = _generate(state, config, batches.labels("pl_labels", step), "pl_latents")
        half = max(config.batch_size // 2, 1)
        noise = torch.randn(images.shape, generator=stream(config.seed, "pl_noise", step)).to(images.device)
        lengths = path_lengths(images, ws, noise)[:half]
        penalty, mean = path_length_loss(lengths, lengths.new_tensor(state.path_length_mean))
        state.path_length_mean = mean.item()
        _descend(state.G_optimizer, penalty * (config.path_length_weight * config.path_length_interval))

    # D: logistic loss.
    D.requires_grad_(True)
    real, real_c = batches.real(step)
    fake_c = batches.labels("d_labels", step)
    with torch.no_grad():
        fake, _ = _generate(state, config, fake_c, "d_latents")
    real = seen(real, "real_augment")
    real_logits, fake_logits = D(real, real_c), D(seen(fake, "fake_augment"), fake_c)
    loss = d_loss(real_logits, fake_logits)
    _descend(state.D_optimizer, loss)
    sums.d_loss += loss.item()
    sums.real += real_logits.mean().item()
    sums.fake += fake_logits.mean().item()
    sums.sign += real_logits.sign().mean().item()

    # D: R1, lazily.
    if config.r1_interval and config.r1_gamma and step % config.r1_interval == 0:
        real = real.detach().requires_grad_(True)
        penalty = r1_penalty(D(real, real_c), real).mean()
        _descend(state.D_optimizer, penalty * (config.r1_gamma / 2 * config.r1_interval))
        sums.r1 += penalty.item()
        sums.r1_steps += 1

    state.step += 1
    state.images_seen += config.batch_size
    sums.steps += 1
    decay = ema_decay(config.batch_size, config.ema_kimg, state.images_seen, config.ema_rampup)
    update_ema(state.G_ema, G, decay)


def _descend(optimizer: torch.optim.Adam, loss: Tensor) -> None:
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()


def train(
    state: TrainingState,
    config: TrainingConfig,
    data: ImageDataset,
    *,
    device: torch.device,
    stop: StopRequest,
    on_tick: Callable[[TrainingState, Tick], None],
    on_snapshot: Callable[[TrainingState], None],
) -> None:
    """Train from ``state`` until ``config.kimg``; snapshots on the way, at the end and when asked to stop.

    Raises NumericalError as soon as a loss is not finite: the last snapshot is the last good state.
    """
    batches = TrainingBatches(data, config, device, state.G.c_dim)
    augment = None if config.augment == "none" else AugmentPipe(augment_preset(config.augment_preset))
    every = max(round(config.tick_kimg * 1000 / config.batch_size), 1)
    snapshot_every = max(round(config.snapshot_kimg * 1000 / config.batch_size), 1)
    last = math.ceil(config.kimg * 1000 / config.batch_size)
    began, first = time.perf_counter(), state.step
    while state.step < last and not stop.requested:
        training_step(state, config, batches, augment)
        if not math.isfinite(state.sums.d_loss + state.sums.g_loss + state.sums.r1):
            raise NumericalError(
                f"Training became NaN or infinite at {state.images_seen / 1000:g} kimg; the last snapshot is kept. "
                "Go on from it with a lower learning rate or a larger R1 weight."
            )
        if state.step % every == 0 or state.step == last:
            now = time.perf_counter()
            elapsed, began = now - began, now
            state.seconds += elapsed
            if config.augment == "ada":
                state.augment_p = _ada(state.augment_p, state.sums, config)
            on_tick(state, _tick(state, (state.step - first) * config.batch_size / elapsed))
            state.sums, first = Sums(), state.step
        if state.step % snapshot_every == 0 and state.step < last:
            paused = time.perf_counter()
            on_snapshot(state)
            began += time.perf_counter() - paused  # writing is no training time
    state.seconds += time.perf_counter() - began
    on_snapshot(state)


def _ada(p: float, sums: Sums, config: TrainingConfig) -> float:
    """Move ADA's p towards the target sign of D's real scores (Karras et al. 2020, section 3)."""
    change = sums.steps * config.batch_size / (config.ada_kimg * 1000)
    return min(max(p + math.copysign(change, sums.sign / sums.steps - config.ada_target), 0.0), 1.0)


def _tick(state: TrainingState, images_per_second: float) -> Tick:
    sums, n = state.sums, state.sums.steps
    return Tick(
        kimg=state.images_seen / 1000,
        seconds=state.seconds,
        images_per_second=images_per_second,
        d_loss=sums.d_loss / n,
        g_loss=sums.g_loss / n,
        r1=sums.r1 / max(sums.r1_steps, 1),
        score_real=sums.real / n,
        score_fake=sums.fake / n,
        augment_p=state.augment_p,
    )

"""Which images and latents each step of a cascade sees: seeded passes, by step number, so that resuming is exact."""

import torch
from torch import Tensor

from ganforget.models.memory import learning_batch
from ganforget.models.micro_batch import r1_in_parts, score_in_parts, synthesise_in_parts
from ganforget.models.stylegan2 import Discriminator
from ganforget.randomness import permutation
from ganforget.training.losses import r1_penalty
from ganforget.unlearning.cascade import Cascade
from ganforget.unlearning.material import Fixed
from ganforget.unlearning.state import CascadeState

__all__ = [
    "cyclic",
    "forget_count",
    "head_logits",
    "latent_batch",
    "latent_count",
    "learned_images",
    "learned_r1",
    "learned_scores",
    "rows_of",
]


def cyclic(total: int, count: int, seed: int, name: str, step: int, device: torch.device) -> Tensor:
    """Return ``count`` indices of step ``step``: passes over seeded permutations of range(total)."""
    positions = torch.arange(step * count, (step + 1) * count)
    rounds = {int(r): torch.from_numpy(permutation(seed + int(r), name, total)) for r in (positions // total).unique()}
    rows = [int(rounds[int(p) // total][int(p) % total]) for p in positions]
    return torch.tensor(rows, dtype=torch.int64, device=device)


_LEAST_LATENTS = 4
"""Fewest latents of a kind in a step of G, also where there are fewer images: each comes more than once."""


def latent_count(cascade: Cascade, most: int | None) -> int:
    """Return the latents of a kind in a step of G, which takes no groups: at most ``most`` (None: ``batch_size``)."""
    wanted = min(most or cascade.config.batch_size, len(cascade.forget))
    return -(-wanted // _LEAST_LATENTS) * _LEAST_LATENTS


def forget_count(cascade: Cascade, most: int | None = None) -> int:
    """Return the images of each kind in a step of D: at most ``most``, rounded up to a multiple of its group size.

    ``most`` is ``batch_size`` where it is not given.
    """
    mbstd = cascade.original.D.b4.mbstd
    group = 1 if mbstd is None or mbstd.group_size is None else mbstd.group_size
    wanted = min(most or cascade.config.batch_size, len(cascade.forget))
    return max(-(-wanted // group), 1) * group


def latent_batch(cascade: Cascade, count: int, step: int) -> Tensor:
    """Return which latents are substituted in this step.

    For a class a quarter are inverted ones (the paper's preset: half), the others mapped.
    """
    latents, seed, device = cascade.latents, cascade.config.seed, cascade.latents.ws.device
    mapped = len(latents.ws) - latents.inverted
    if not mapped:
        return cyclic(latents.inverted, count, seed, "forget_latents", step, device)
    few = count // (2 if cascade.config.preset == "paper" else 4)
    first = cyclic(latents.inverted, few, seed, "forget_latents", step, device)
    second = cyclic(mapped, count - few, seed, "mapped_latents", step, device) + latents.inverted
    return torch.cat([first, second])


def rows_of(tensor: Tensor | None, chosen: Tensor) -> Tensor | None:
    """Return the chosen rows of labels, or None where there are none."""
    return None if tensor is None else tensor[chosen]


def head_logits(D: Discriminator, parts: list[tuple[Fixed, Tensor]]) -> Tensor:
    """Return the logits [n] of the concatenated fixed images by the head of ``D``, whose trunk is D_0's."""
    features, rests = zip(*[fixed.trunk(chosen) for fixed, chosen in parts], strict=True)
    rest = [part for part in rests if part is not None]
    labels = [fixed.c[chosen] for fixed, chosen in parts if fixed.c is not None]
    return D.head(torch.cat(features), torch.cat(rest) if rest else None, torch.cat(labels) if labels else None)[:, 0]


def learned_images(cascade: Cascade, state: CascadeState, ws: Tensor) -> Tensor:
    """Return G's images of ``ws``, noise mode 'const', in micro-batches."""
    size = cascade.config.micro_batch or learning_batch(state.G)
    state.work.g_forward += len(ws) * (2 if len(ws) > size and torch.is_grad_enabled() else 1)
    return synthesise_in_parts(state.G, ws, size)


def learned_scores(cascade: Cascade, state: CascadeState, images: Tensor, c: Tensor | None) -> Tensor:
    """Return D's logits [n] in micro-batches, with the groups of the whole batch."""
    size = cascade.config.micro_batch or learning_batch(state.D)
    state.work.d_forward += len(images) * (2 if len(images) > size else 1)
    state.work.d_backward += len(images)
    return score_in_parts(state.D, images, c, size)[:, 0]


def learned_r1(cascade: Cascade, state: CascadeState, images: Tensor, c: Tensor | None) -> Tensor:
    """Return lazy R1 with its weight, in micro-batches."""
    config, images = cascade.config, images.detach()
    size = config.micro_batch or max(learning_batch(state.D) // 2, 1)  # a double backward pass holds twice as much
    if len(images) > size:
        penalty = r1_in_parts(state.D, images, c, size, state.D_scale.value)
        state.work.d_forward += 3 * len(images)
        state.work.d_backward += 3 * len(images)
    else:
        images = images.requires_grad_(True)
        penalty = r1_penalty(state.D(images, c), images).mean()
        state.work.d_forward += len(images)
        state.work.d_backward += 2 * len(images)
    return penalty * (config.r1_gamma / 2 * config.r1_interval)

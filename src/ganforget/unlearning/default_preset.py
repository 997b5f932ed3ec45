"""Our step: one mixed batch and one update for each network that has not reached its side of the destination.

How D's batches are mixed: equal blocks of forget images, images to be held (retain images in few-shot, samples of G_0
in zero-shot), anchors (samples of G_0) and, where D learns adversarially, generated images. Minibatch-stddev groups
images that stand N/g apart, so a group holds images of several blocks and D cannot learn "this batch is the forget
set".
"""

import torch
from torch import Tensor

from ganforget.data import one_hot
from ganforget.randomness import stream
from ganforget.substitute import schedule
from ganforget.training.losses import d_fake_loss, d_real_loss, g_loss, r1_penalty
from ganforget.unlearning.batches import cyclic, forget_count, latent_batch, original_logits, rows_of
from ganforget.unlearning.cascade import Cascade, Check
from ganforget.unlearning.descent import descend
from ganforget.unlearning.losses import (
    anchor_loss,
    distillation_loss,
    fake_label_loss,
    g_forget_loss,
    imitation_loss,
    substitute_loss,
)
from ganforget.unlearning.material import Fixed, substitute_latents
from ganforget.unlearning.state import CascadeState

__all__ = ["default_step"]


def default_step(cascade: Cascade, state: CascadeState, check: Check) -> dict[str, float]:
    """Take one step of each network whose side of the destination is not reached yet."""
    config, losses = cascade.config, {}
    scheduled = state.step < config.schedule_steps
    if not check.d_reached or (scheduled and state.step == 0):
        losses |= _d_step(cascade, state)
    if not check.g_reached or scheduled:
        losses |= _g_step(cascade, state)
    return losses


def _d_step(cascade: Cascade, state: CascadeState) -> dict[str, float]:
    config, step, D = cascade.config, state.step, state.D
    device = cascade.forget.images.device
    count = forget_count(cascade)
    held_from = cascade.anchors if cascade.retain is None else cascade.retain
    chosen = cyclic(len(cascade.forget), count, config.seed, "forget", step, device)
    held = cyclic(len(held_from), count, config.seed, "held", step, device)
    anchor = cyclic(len(cascade.anchors), count, config.seed, "d_anchors", step, device)
    parts = [(cascade.forget, chosen), (held_from, held), (cascade.anchors, anchor)]
    images = [fixed.images[rows] for fixed, rows in parts]
    labels = [rows_of(fixed.c, rows) for fixed, rows in parts]
    if config.d_adversarial:
        generated, c = _generated(cascade, state, count)
        images, labels = [*images, generated], [*labels, c]
    c = None if labels[0] is None else torch.cat([label for label in labels if label is not None])
    logits = D(torch.cat(images), c)[:, 0]
    cascade.work.d_forward += len(logits)
    cascade.work.d_backward += len(logits)
    forget_logits, held_logits, anchor_logits = (
        logits[:count],
        logits[count : 2 * count],
        logits[2 * count : 3 * count],
    )
    original = original_logits(cascade.original.D, parts)
    terms = {
        "d_unlearning": fake_label_loss(forget_logits, cascade.fake_label),
        "d_distillation": config.distillation
        * (
            distillation_loss(held_logits, original[count : 2 * count])
            + distillation_loss(anchor_logits, original[2 * count :])
        ),
    }
    if cascade.sham:
        terms.pop("d_unlearning")
    if config.d_adversarial:
        real = d_real_loss if cascade.retain is not None else imitation_loss
        terms["d_learning"] = config.d_adversarial * (real(held_logits) + d_fake_loss(logits[3 * count :]))
    if config.r1_interval and config.r1_gamma and step % config.r1_interval == 0:
        terms["r1"] = _r1(cascade, state, held_from, held)
    return descend(state.D_optimizer, terms)


def _generated(cascade: Cascade, state: CascadeState, count: int) -> tuple[Tensor, Tensor | None]:
    """Return ``count`` images of the current G at latents of the pool, without gradient, with their labels."""
    rows = cyclic(len(cascade.anchors), count, cascade.config.seed, "generated", state.step, cascade.latents.ws.device)
    assert cascade.anchors.ws is not None
    with torch.no_grad():
        images = state.G.synthesis(cascade.anchors.ws[rows], noise_mode="const")
    cascade.work.g_forward += count
    return images, rows_of(cascade.anchors.c, rows)


def _r1(cascade: Cascade, state: CascadeState, fixed: Fixed, rows: Tensor) -> Tensor:
    """Return lazy R1 on images to be held."""
    images = fixed.images[rows].detach().requires_grad_(True)
    penalty = r1_penalty(state.D(images, rows_of(fixed.c, rows)), images).mean()
    cascade.work.d_forward += len(images)
    cascade.work.d_backward += 2 * len(images)
    return penalty * (cascade.config.r1_gamma / 2 * cascade.config.r1_interval)


def _g_step(cascade: Cascade, state: CascadeState) -> dict[str, float]:
    config, step, G = cascade.config, state.step, state.G
    device = cascade.latents.ws.device
    count = forget_count(cascade)
    lam = schedule(step, config.schedule_steps)
    chosen = latent_batch(cascade, count, step)
    w_0 = cascade.latents.ws[chosen]
    with torch.no_grad():
        ws_hat = substitute_latents(cascade.latents, chosen, config.substitute, lam)
        substitutes = cascade.original.G.synthesis(ws_hat, noise_mode="const")
    cascade.work.g_forward += count
    if config.jitter:
        noise = torch.randn(w_0[:, :1].shape, generator=stream(config.seed, "jitter", step)).to(device)
        w_0 = w_0 + noise * (config.jitter * cascade.sigma)
    anchor = cyclic(len(cascade.anchors), count, config.seed, "g_anchors", step, device)
    assert cascade.anchors.ws is not None
    images = G.synthesis(torch.cat([w_0, cascade.anchors.ws[anchor]]), noise_mode="const")
    cascade.work.g_forward += len(images)
    cascade.work.g_backward += len(images)
    terms = {
        "g_substitute": substitute_loss(
            images[:count], substitutes, config.lambda1, config.lambda2, cascade.perceptual
        ),
        "g_anchor": config.anchor * anchor_loss(images[count:], cascade.anchors.images[anchor]),
    }
    if cascade.sham:
        terms.pop("g_substitute")
    if config.adversarial:
        state.D.requires_grad_(False)
        labels = (
            None if cascade.latents.labels is None else one_hot(cascade.latents.labels[chosen].cpu().numpy(), G.c_dim)
        )
        c = None if labels is None or cascade.anchors.c is None else torch.cat([labels, cascade.anchors.c[anchor]])
        logits = state.D(images, c)[:, 0]
        cascade.work.d_forward += len(images)
        cascade.work.d_backward += len(images)
        if not cascade.sham:
            terms["g_forget"] = config.adversarial * g_forget_loss(logits[:count])
        terms["g_learning"] = config.adversarial * g_loss(logits[count:])
    losses = descend(state.G_optimizer, terms)
    state.D.requires_grad_(True)
    return losses

"""The paper's step, plainly: the unlearning phase, then the learning phase, each of D and of G in turn.

Every kind of image has a batch of its own, every phase its own update. R1 stays on, lazily, in D's learning phase.
"""

import torch
from torch import Tensor

from ganforget.data import one_hot
from ganforget.models.latents import map_latents
from ganforget.models.memory import inference_batch
from ganforget.models.micro_batch import score_in_parts
from ganforget.randomness import sample_latents
from ganforget.substitute import schedule
from ganforget.training.losses import d_fake_loss, d_loss, g_loss
from ganforget.unlearning.batches import (
    cyclic,
    forget_count,
    latent_batch,
    learned_images,
    learned_r1,
    learned_scores,
    rows_of,
)
from ganforget.unlearning.cascade import Cascade
from ganforget.unlearning.descent import descend
from ganforget.unlearning.losses import (
    distillation_loss,
    fake_label_loss,
    g_forget_loss,
    imitation_loss,
    substitute_loss,
)
from ganforget.unlearning.material import substitute_images
from ganforget.unlearning.state import CascadeState

__all__ = ["paper_step"]


def paper_step(cascade: Cascade, state: CascadeState) -> dict[str, float]:
    """Take one step: D and G unlearning (left out in a sham run), then D and G learning."""
    losses: dict[str, float] = {}
    if not cascade.sham:
        losses |= _d_unlearning(cascade, state)
        losses |= _g_unlearning(cascade, state)
    losses |= _d_learning(cascade, state)
    losses |= _g_learning(cascade, state)
    return losses


def _generate(cascade: Cascade, state: CascadeState, name: str, *, gradient: bool) -> tuple[Tensor, Tensor | None]:
    """Return images of the current G at fresh latents, with labels as the anchors have them."""
    count, seed = forget_count(cascade), cascade.config.seed
    first = state.step * count
    z = sample_latents(seed, f"paper_{name}", range(first, first + count), state.G.z_dim)
    rows = cyclic(len(cascade.anchors), count, seed, f"paper_{name}_labels", state.step, cascade.latents.ws.device)
    c = rows_of(cascade.anchors.c, rows)
    labels = None if c is None else c.argmax(dim=1).cpu().numpy()
    with torch.set_grad_enabled(gradient):
        images = learned_images(cascade, state, map_latents(state.G, z, labels))
    state.work.g_backward += count if gradient else 0
    return images, c


def _score(cascade: Cascade, state: CascadeState, images: Tensor, c: Tensor | None) -> Tensor:
    return learned_scores(cascade, state, images, c)


def _d_unlearning(cascade: Cascade, state: CascadeState) -> dict[str, float]:
    """Eq. (6)."""
    count = forget_count(cascade)
    device = cascade.latents.ws.device
    rows = cyclic(len(cascade.forget), count, cascade.config.seed, "forget", state.step, device)
    forget_logits = _score(cascade, state, cascade.forget.images[rows], rows_of(cascade.forget.c, rows))
    generated, c = _generate(cascade, state, "d_unlearning", gradient=False)
    terms = {
        "d_unlearning": fake_label_loss(forget_logits, cascade.fake_label),
        "d_unlearning_fake": d_fake_loss(_score(cascade, state, generated, c)),
    }
    return descend(state.D_optimizer, terms, state.D_scale)


def _g_unlearning(cascade: Cascade, state: CascadeState) -> dict[str, float]:
    """Eq. (9): eq. (7) and eq. (8)."""
    config, latents = cascade.config, cascade.latents
    chosen = latent_batch(cascade, forget_count(cascade), state.step)
    lam = schedule(state.step, config.schedule_steps)
    substitutes = substitute_images(cascade.original.G, latents, chosen, config.substitute, lam, state.work)
    images = learned_images(cascade, state, latents.ws[chosen])
    state.work.g_backward += len(images)
    c = (
        None
        if latents.labels is None
        else one_hot(latents.labels[chosen].cpu().numpy(), state.G.c_dim).to(images.device)
    )
    state.D.requires_grad_(False)
    terms = {
        "g_substitute": substitute_loss(images, substitutes, config.lambda1, config.lambda2, cascade.perceptual),
        "g_forget": g_forget_loss(_score(cascade, state, images, c)),
    }
    losses = descend(state.G_optimizer, terms, state.G_scale)
    state.D.requires_grad_(True)
    return losses


def _d_learning(cascade: Cascade, state: CascadeState) -> dict[str, float]:
    """Eq. (2) on retain images in few-shot; eq. (13), that is (10), (11) and (12), in zero-shot."""
    config, device = cascade.config, cascade.latents.ws.device
    count = forget_count(cascade)
    real = cascade.anchors if cascade.retain is None else cascade.retain
    rows = cyclic(len(real), count, config.seed, "held", state.step, device)
    images, c = real.images[rows], rows_of(real.c, rows)
    real_logits = _score(cascade, state, images, c)
    generated, generated_c = _generate(cascade, state, "d_learning", gradient=False)
    fake_logits = _score(cascade, state, generated, generated_c)
    if cascade.retain is not None:
        terms = {"d_learning": d_loss(real_logits, fake_logits)}
    else:
        with torch.no_grad():
            size = inference_batch(cascade.original.D, 256)
            original = score_in_parts(cascade.original.D, images, c, size)[:, 0]
        state.work.d_forward += count
        terms = {
            "d_learning": imitation_loss(real_logits) + d_fake_loss(fake_logits),
            "d_distillation": distillation_loss(real_logits, original),
        }
    if config.r1_interval and config.r1_gamma and state.step % config.r1_interval == 0:
        terms["r1"] = learned_r1(cascade, state, images, c)
    return descend(state.D_optimizer, terms, state.D_scale)


def _g_learning(cascade: Cascade, state: CascadeState) -> dict[str, float]:
    """Eq. (14)."""
    images, c = _generate(cascade, state, "g_learning", gradient=True)
    state.D.requires_grad_(False)
    losses = descend(state.G_optimizer, {"g_learning": g_loss(_score(cascade, state, images, c))}, state.G_scale)
    state.D.requires_grad_(True)
    return losses

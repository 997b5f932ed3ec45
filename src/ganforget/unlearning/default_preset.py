"""Our step: one mixed batch and one update for each network that has not reached its side of the destination.

Of D the head alone learns: the 4×4 block and the labels' mapping. D_0's trunk has made its features of every fixed
image once, so that a step costs next to nothing; the scores go as far as where all of D learns, and those of other
images change less (docs/LOG.md).

How D's batches are mixed: equal blocks of forget images, images to be held (retain images in few-shot, samples of G_0
in zero-shot) and anchors (samples of G_0). Minibatch-stddev groups images that stand N/g apart, so a group holds
images of several blocks and D cannot learn "this batch is the forget set". D's learning phase is distillation from D_0
(eq. 11) on both kinds of images to be held; G's is an anchor to G_0. What neither needs is left out: the adversarial
losses of eqs. 6, 8 and 14 move both networks away from the original and gain nothing here (docs/LOG.md), nor does R1.
"""

import torch
from torch import Tensor

from ganforget.models.stylegan2 import Discriminator
from ganforget.substitute import schedule
from ganforget.unlearning.batches import (
    cyclic,
    forget_count,
    head_logits,
    latent_batch,
    latent_count,
    learned_images,
)
from ganforget.unlearning.cascade import Cascade, Check
from ganforget.unlearning.descent import descend
from ganforget.unlearning.losses import (
    anchor_loss,
    distillation_loss,
    fake_label_loss,
    substitute_loss,
)
from ganforget.unlearning.material import substitute_images
from ganforget.unlearning.state import CascadeState

__all__ = ["default_step"]


def default_step(cascade: Cascade, state: CascadeState, check: Check) -> dict[str, float]:
    """Take one step of each network whose side of the destination is not reached yet."""
    config, losses = cascade.config, {}
    scheduled = state.step < config.schedule_steps
    if not check.d_reached:
        losses |= _d_step(cascade, state)
    if not check.g_reached or scheduled:
        losses |= _g_step(cascade, state)
    return losses


def _d_step(cascade: Cascade, state: CascadeState) -> dict[str, float]:
    everything = torch.arange(len(cascade.forget), device=cascade.latents.ws.device)
    for one, fold in zip(state.beside, cascade.folds, strict=True):
        others = everything[~torch.isin(everything, fold.to(everything.device))]
        _head_step(cascade, state, one.D, one.optimizer, others)
    return _head_step(cascade, state, state.D, state.D_optimizer, everything)


def _head_step(
    cascade: Cascade, state: CascadeState, D: Discriminator, optimizer: torch.optim.Adam, pool: Tensor
) -> dict[str, float]:
    """Take a step of the head of ``D``, with the forget images at the positions ``pool``."""
    config, step = cascade.config, state.step
    device = cascade.latents.ws.device
    count = forget_count(cascade, config.d_batch_size)
    held_from = cascade.anchors if cascade.retain is None else cascade.retain
    chosen = pool[cyclic(len(pool), count, config.seed, "forget", step, device)]
    held = cyclic(len(held_from), count, config.seed, "held", step, device)
    anchor = cyclic(len(cascade.anchors), count, config.seed, "d_anchors", step, device)
    parts = [(cascade.forget, chosen), (held_from, held), (cascade.anchors, anchor)]
    forget_logits, held_logits, anchor_logits = head_logits(D, parts).split(count)
    with torch.no_grad():
        _, original_held, original_anchor = head_logits(cascade.original.D, parts).split(count)
    distance = distillation_loss(held_logits, original_held) + distillation_loss(anchor_logits, original_anchor)
    terms = {"d_distillation": config.distillation * distance}
    if not cascade.sham:
        label = cascade.fake_label
        label = label[chosen] if isinstance(label, Tensor) else label
        terms["d_unlearning"] = fake_label_loss(forget_logits, label + state.label_shift)
    return descend(optimizer, terms, state.D_scale)


def _g_step(cascade: Cascade, state: CascadeState) -> dict[str, float]:
    config, step = cascade.config, state.step
    device = cascade.latents.ws.device
    count = latent_count(cascade, config.substitute_batch_size)
    anchors = latent_count(cascade, config.anchor_batch_size)
    lam = schedule(step, config.schedule_steps)
    chosen = latent_batch(cascade, count, step)
    w_0 = cascade.latents.ws[chosen]
    substitutes = substitute_images(cascade.original.G, cascade.latents, chosen, config.substitute, lam, state.work)
    anchor = cyclic(len(cascade.anchors), anchors, config.seed, "g_anchors", step, device)
    held = cascade.anchors.images if cascade.anchor_images is None else cascade.anchor_images
    assert cascade.anchors.ws is not None
    images = learned_images(cascade, state, torch.cat([w_0, cascade.anchors.ws[anchor]]))
    state.work.g_backward += len(images)
    terms = {
        "g_substitute": substitute_loss(
            images[:count], substitutes, config.lambda1, config.lambda2, cascade.perceptual
        ),
        "anchor": config.anchor * anchor_loss(images[count:], held[anchor]),
    }
    if cascade.sham:
        terms.pop("g_substitute")
    return descend(state.G_optimizer, terms, state.G_scale)

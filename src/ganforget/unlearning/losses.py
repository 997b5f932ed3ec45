"""The losses of cascaded unlearning, all to minimise, all on raw logits; a function for each equation.

The terms that unlearning shares with training, equations 2, 3, 12 and 14, are in ``ganforget.training.losses``.
"""

from collections.abc import Callable, Sequence

from torch import Tensor
from torch.nn.functional import mse_loss, softplus

from ganforget.shapes import Images, PerImage, Scalar

__all__ = [
    "Perceptual",
    "anchor_loss",
    "distillation_loss",
    "fake_label_loss",
    "g_forget_loss",
    "imitation_loss",
    "substitute_loss",
]

Perceptual = Callable[[Images], Sequence[Tensor]]
"""Maps images to feature maps."""


def fake_label_loss(forget_logits: PerImage, fake_label: float | PerImage) -> Scalar:
    """Eq. (5), and the first term of eq. (6): mean (D(x_u) − F_label)²; one label for all, or one for each image."""
    return (forget_logits - fake_label).square().mean()


def substitute_loss(
    images: Images, substitutes: Images, lambda1: float, lambda2: float, perceptual: Perceptual | None
) -> Scalar:
    """Eq. (7). λ1·MSE(G(w_0), S) + λ2·MSE(VGG(G(w_0)), VGG(S))."""
    loss = lambda1 * mse_loss(images, substitutes)
    if lambda2:
        assert perceptual is not None
        pairs = zip(perceptual(images), perceptual(substitutes), strict=True)
        losses = [mse_loss(a, b.detach()) for a, b in pairs]
        loss = loss + lambda2 * sum(losses[1:], start=losses[0]) / len(losses)
    return loss


def g_forget_loss(forget_latent_logits: PerImage) -> Scalar:
    """Eq. (8), and the second term of eq. (9): softplus(−D(G(w_0)))."""
    return softplus(-forget_latent_logits).mean()


def imitation_loss(g0_logits: PerImage) -> Scalar:
    """Eq. (10). Zero-shot D learning, real part: softplus(−D(G_0(z)))."""
    return softplus(-g0_logits).mean()


def distillation_loss(logits: PerImage, original_logits: PerImage) -> Scalar:
    """Eq. (11). MSE(D(G_0(z)), D_0(G_0(z)))."""
    return mse_loss(logits, original_logits)


def anchor_loss(images: Images, original_images: Images) -> Scalar:
    """Ours, not the paper's. MSE(G(w), G_0(w)) on latents that are not to be forgotten."""
    return mse_loss(images, original_images)

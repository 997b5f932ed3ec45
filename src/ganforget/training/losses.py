"""The losses of GAN training, all to minimise, all on raw logits: equations 2 and 3, R1, path length."""

import math

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import softplus

from ganforget.shapes import Images, Latents, PerImage, Scalar

__all__ = ["d_fake_loss", "d_loss", "d_real_loss", "g_loss", "path_length_loss", "path_lengths", "r1_penalty"]


def d_real_loss(real_logits: Float[Tensor, "..."]) -> Scalar:
    """Eq. (2), first term: softplus(−D(x)), mean over logits of any shape."""
    return softplus(-real_logits).mean()


def d_fake_loss(fake_logits: Float[Tensor, "..."]) -> Scalar:
    """Eq. (2), second term, and eq. (12): softplus(D(G(z)))."""
    return softplus(fake_logits).mean()


def d_loss(real_logits: Float[Tensor, "..."], fake_logits: Float[Tensor, "..."]) -> Scalar:
    """Eq. (2). The discriminator's logistic loss."""
    return d_real_loss(real_logits) + d_fake_loss(fake_logits)


def g_loss(fake_logits: Float[Tensor, "..."]) -> Scalar:
    """Eq. (3) and eq. (14). The generator's non-saturating loss, softplus(−D(G(z)))."""
    return softplus(-fake_logits).mean()


def r1_penalty(real_logits: Float[Tensor, "n ..."], real_images: Images) -> PerImage:
    """R1 of Mescheder et al. 2018 for each image: Σ(∂ΣD/∂x)²; the loss is γ/2 times its mean."""
    (gradient,) = torch.autograd.grad(real_logits.sum(), real_images, create_graph=True)
    return gradient.square().sum(dim=[1, 2, 3])


def path_lengths(images: Images, ws: Latents, noise: Images) -> PerImage:
    """Path lengths of Karras et al. 2020 for unit-variance ``noise``."""
    scale = 1 / math.sqrt(images.shape[2] * images.shape[3])
    (gradient,) = torch.autograd.grad((images * noise * scale).sum(), ws, create_graph=True)
    return gradient.square().sum(dim=2).mean(dim=1).sqrt()


def path_length_loss(lengths: PerImage, mean: Scalar, decay: float = 0.01) -> tuple[Scalar, Scalar]:
    """Return the penalty (lengths − mean)², averaged, and the mean moved towards these lengths."""
    new_mean = mean.lerp(lengths.detach().mean(), decay)
    return (lengths - new_mean).square().mean(), new_mean

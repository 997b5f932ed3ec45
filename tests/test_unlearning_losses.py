"""Equations 5 to 14 against numbers worked by hand, and the way that their minima lead."""

import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from ganforget.training.losses import d_fake_loss, g_loss
from ganforget.unlearning.losses import (
    anchor_loss,
    distillation_loss,
    fake_label_loss,
    g_forget_loss,
    imitation_loss,
    substitute_loss,
)
from small_gan import randn

IMAGES, SUBSTITUTES = randn(3, 1, 4, 4, seed=1), randn(3, 1, 4, 4, seed=2)


def test_fake_label_by_hand():
    """Logits 1.1 and −0.9 with F_label 0.1: (1² + 1²) ÷ 2. The label is a logit, no probability."""
    assert float(fake_label_loss(torch.tensor([1.1, -0.9]), 0.1)) == pytest.approx(1.0)
    assert float(fake_label_loss(torch.tensor([0.1]), 0.1)) == 0.0


def test_softplus_terms_by_hand():
    """softplus(1) = 1.3132617, softplus(−1) = 0.3132617, softplus(0) = log 2."""
    logits = torch.tensor([1.0])
    assert float(g_forget_loss(logits)) == pytest.approx(0.3132617)
    assert float(imitation_loss(logits)) == pytest.approx(0.3132617)
    assert float(d_fake_loss(logits)) == pytest.approx(1.3132617)
    assert float(imitation_loss(torch.tensor([0.0, 0.0]))) == pytest.approx(math.log(2))


def test_distillation_by_hand():
    """The comma in equation 11 is a minus: (3 − 1)² and (0 − 2)²."""
    assert float(distillation_loss(torch.tensor([3.0, 0.0]), torch.tensor([1.0, 2.0]))) == 4.0


def test_substitute_by_hand():
    """Images that differ by 2 everywhere, features by 1 and by 3: λ1·4 + λ2·(1 + 9) ÷ 2."""
    images, substitutes = torch.full((2, 1, 2, 2), 2.0), torch.zeros(2, 1, 2, 2)

    def perceptual(x: Tensor) -> list[Tensor]:
        return [x.mean(dim=[1, 2, 3]) / 2, x[:, 0, 0] * 1.5]

    assert float(substitute_loss(images, substitutes, 1.0, 0.0, None)) == 4.0
    assert float(substitute_loss(images, substitutes, 0.5, 0.1, perceptual)) == pytest.approx(2 + 0.1 * 5)
    assert float(anchor_loss(images, substitutes)) == 4.0


@given(lambda1=st.floats(0, 10), lambda2=st.floats(0.01, 10))
def test_the_weights_of_the_substitute_loss(lambda1: float, lambda2: float):
    alone = float(substitute_loss(IMAGES, SUBSTITUTES, 1.0, 0.0, None))
    whole = float(substitute_loss(IMAGES, SUBSTITUTES, lambda1, lambda2, lambda x: [x]))
    assert whole == pytest.approx((lambda1 + lambda2) * alone, rel=1e-5)


@pytest.mark.parametrize(
    ("loss", "way"),
    [(g_forget_loss, 1), (g_loss, 1), (imitation_loss, 1), (d_fake_loss, -1)],
)
def test_which_way_an_adversarial_minimum_leads(loss: Callable[[Tensor], Tensor], way: int):
    logits = torch.tensor([-2.0, 0.0, 2.0], requires_grad=True)
    (gradient,) = torch.autograd.grad(loss(logits), logits)
    assert (gradient.sign() == -way).all()


def descend(start: Tensor, loss: Callable[[Tensor], Tensor], steps: int = 200) -> Tensor:
    """Where plain gradient descent ends."""
    value = start.clone().requires_grad_(True)
    for _ in range(steps):
        (gradient,) = torch.autograd.grad(loss(value), value)
        value.data -= 0.5 * gradient
    return value.detach()


@pytest.mark.parametrize("fake_label", [-2.0, 0.1, 0.5])
def test_minimising_moves_logits_to_the_fake_label(fake_label: float):
    start = torch.tensor([-3.0, 0.0, 2.5])
    assert torch.allclose(descend(start, lambda x: fake_label_loss(x, fake_label)), torch.tensor(fake_label), atol=1e-4)


def test_minimising_distillation_brings_logits_back():
    original = torch.tensor([1.0, -2.0])
    assert torch.allclose(descend(torch.zeros(2), lambda x: distillation_loss(x, original)), original, atol=1e-4)


def test_minimising_moves_images_to_their_substitutes():
    found = descend(IMAGES, lambda x: substitute_loss(x, SUBSTITUTES, 10.0, 0.0, None))
    assert torch.allclose(found, SUBSTITUTES, atol=1e-3)
    found = descend(IMAGES, lambda x: substitute_loss(x, SUBSTITUTES, 0.0, 10.0, lambda images: [images]))
    assert torch.allclose(found, SUBSTITUTES, atol=1e-3)


def test_substitutes_are_no_variables():
    images, substitutes = IMAGES.clone().requires_grad_(True), SUBSTITUTES.clone().requires_grad_(True)
    substitute_loss(images, substitutes, 0.0, 1.0, lambda x: [x.square()]).backward()
    assert images.grad is not None
    assert images.grad.any()
    assert substitutes.grad is None or not substitutes.grad.any()


def test_losses_are_scalars():
    logits = torch.zeros(5)
    losses = [fake_label_loss(logits, 0.1), distillation_loss(logits, logits)]
    losses += [loss(logits) for loss in (g_forget_loss, imitation_loss)]
    losses += [substitute_loss(IMAGES, SUBSTITUTES, 1, 1, lambda x: [x]), anchor_loss(IMAGES, SUBSTITUTES)]
    assert all(loss.shape == () for loss in losses)

"""Equations 2 and 3, R1 and path length against numbers worked by hand, and the way that their minima lead."""

import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from ganforget.training.losses import (
    d_fake_loss,
    d_loss,
    d_real_loss,
    g_loss,
    path_length_loss,
    path_lengths,
    r1_penalty,
)

LOGITS = st.lists(st.floats(-30, 30), min_size=1, max_size=6)


def test_losses_by_hand():
    """softplus(0) = log 2, softplus(1) = 1.3132617, softplus(−1) = 0.3132617."""
    zero, one = torch.tensor([0.0]), torch.tensor([1.0])
    assert float(d_real_loss(zero)) == pytest.approx(math.log(2))
    assert float(d_real_loss(one)) == pytest.approx(0.3132617)
    assert float(d_fake_loss(one)) == pytest.approx(1.3132617)
    assert float(g_loss(one)) == pytest.approx(0.3132617)
    assert float(d_loss(one, -one)) == pytest.approx(2 * 0.3132617)
    assert float(d_real_loss(torch.tensor([1.0, -1.0]))) == pytest.approx((0.3132617 + 1.3132617) / 2)


@given(logits=LOGITS)
def test_losses_are_log_probabilities(logits: list[float]):
    """−log σ(x) and −log(1 − σ(x)), means, in double precision by the slow way."""
    real = [math.log1p(math.exp(-x)) for x in logits]
    fake = [math.log1p(math.exp(x)) for x in logits]
    x = torch.tensor(logits, dtype=torch.float64)
    assert float(d_real_loss(x)) == pytest.approx(math.fsum(real) / len(real), abs=1e-6)
    assert float(d_fake_loss(x)) == pytest.approx(math.fsum(fake) / len(fake), abs=1e-6)
    assert torch.equal(g_loss(x), d_real_loss(x))
    assert torch.equal(d_fake_loss(x), d_real_loss(-x))


@pytest.mark.parametrize(("loss", "way"), [(d_real_loss, 1), (d_fake_loss, -1), (g_loss, 1)])
def test_which_way_a_minimum_leads(loss: Callable[[Tensor], Tensor], way: int):
    """D raises real logits and lowers those of generated images; G raises them."""
    logits = torch.tensor([-3.0, 0.0, 3.0], requires_grad=True)
    (gradient,) = torch.autograd.grad(loss(logits), logits)
    assert (gradient.sign() == -way).all()


def test_losses_of_large_logits_are_finite():
    huge = torch.tensor([1e4, -1e4])
    assert all(torch.isfinite(loss(huge)) for loss in (d_real_loss, d_fake_loss, g_loss))


def test_losses_are_scalars():
    logits = torch.zeros(4, 1)
    assert all(loss(logits).shape == () for loss in (d_real_loss, d_fake_loss, g_loss))
    assert d_loss(torch.zeros(4), torch.zeros(2, 1)).shape == ()


def test_r1_by_hand():
    """D(x) = Σ a·x² has the gradient 2·a·x, image by image."""
    images = torch.tensor([[1.0, 2.0], [0.0, 3.0]]).view(2, 1, 1, 2).requires_grad_(True)
    a = torch.tensor(0.5, requires_grad=True)
    penalty = r1_penalty((a * images.square()).sum(dim=[1, 2, 3]), images)
    assert penalty.tolist() == [1 + 4, 9]
    penalty.sum().backward()  # d/da of 4 a² Σ x² is 8 a Σ x²
    assert a.grad is not None
    assert float(a.grad) == pytest.approx(8 * 0.5 * 14)


def test_path_lengths_by_hand():
    """A generator that writes w's numbers into a 1×2 image, times 3: the length is 3·‖noise‖ ÷ √2."""
    ws = torch.tensor([[[1.0, 2.0]], [[0.0, 4.0]]], requires_grad=True)
    noise = torch.tensor([[3.0, 4.0], [0.0, 1.0]]).view(2, 1, 1, 2)
    lengths = path_lengths(3 * ws.view(2, 1, 1, 2), ws, noise)
    assert lengths.tolist() == pytest.approx([3 * 5 / math.sqrt(2), 3 / math.sqrt(2)])


def test_path_lengths_average_over_layers():
    """Two layers, one of which does nothing: the mean of the squares halves."""
    ws = torch.ones(1, 2, 2, requires_grad=True)
    noise = torch.tensor([3.0, 4.0]).view(1, 1, 1, 2)
    lengths = path_lengths(ws[:, 0].view(1, 1, 1, 2), ws, noise)
    assert lengths.tolist() == pytest.approx([math.sqrt(25 / 2 / 2)])


def test_path_length_penalty_by_hand():
    """Lengths 1 and 3 have the mean 2; from 0 the running mean goes to 0.02."""
    lengths = torch.tensor([1.0, 3.0], requires_grad=True)
    penalty, mean = path_length_loss(lengths, torch.tensor(0.0))
    assert float(mean) == pytest.approx(0.02)
    assert float(penalty.detach()) == pytest.approx((0.98**2 + 2.98**2) / 2)
    (gradient,) = torch.autograd.grad(penalty, lengths)
    assert gradient.tolist() == pytest.approx([0.98, 2.98]), "the mean is no variable of the penalty"
    assert not mean.requires_grad

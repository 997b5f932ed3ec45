"""Substitutes: identities, and equation 4 against a slow search."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from ganforget.errors import InputError
from ganforget.substitute import average, nearest_other_class, other_class, projection, schedule, truncation
from small_gan import randn

W_0, MEAN = randn(5, 3, 8, seed=1), randn(5, 8, seed=2)


def test_average_is_the_mean_on_every_layer():
    w_hat = average(W_0, MEAN)
    assert w_hat.shape == W_0.shape
    assert all(torch.equal(w_hat[:, layer], MEAN) for layer in range(3))


def test_truncation_goes_from_the_image_to_the_average():
    assert torch.equal(truncation(W_0, MEAN, 1.0), W_0)
    assert torch.equal(truncation(W_0, MEAN, 0.0), average(W_0, MEAN))
    by_hand = truncation(torch.tensor([[[2.0, 4.0]]]), torch.tensor([[0.0, 8.0]]), 0.25)
    assert by_hand.tolist() == [[[0.5, 7.0]]]


def test_projection_begins_orthogonal_to_the_mean_and_ends_at_it():
    begin = projection(W_0, MEAN, 1.0)
    assert torch.allclose((begin * MEAN[:, None]).sum(-1), torch.zeros(5, 3), atol=1e-5)
    along = ((W_0 - begin) * MEAN[:, None]).sum(-1).abs() / ((W_0 - begin).norm(dim=-1) * MEAN.norm(dim=-1)[:, None])
    assert torch.allclose(along, torch.ones(5, 3), atol=1e-5), "what is taken away lies along the mean"
    assert torch.equal(projection(W_0, MEAN, 0.0), average(W_0, MEAN))


def test_projection_by_hand():
    """w_0 = (3, 4) on w̄ = (2, 0): proj = (3, 0), what is left is (0, 4); half way to w̄ it is (1, 2)."""
    found = projection(torch.tensor([[[3.0, 4.0]]]), torch.tensor([[2.0, 0.0]]), 0.5)
    assert found.tolist() == [[[1.0, 2.0]]]


@pytest.mark.parametrize("scale", [0.0, 1e-5])
def test_nothing_is_projected_on_a_mean_near_zero(scale: float):
    mean = MEAN.clone()
    mean[3] *= scale
    with pytest.raises(InputError, match="close to zero"):
        projection(W_0, mean, 0.5)
    with pytest.raises(InputError, match="close to zero"):
        projection(torch.zeros_like(W_0), torch.zeros_like(MEAN), 0.5)


@pytest.mark.parametrize("rule", [truncation, projection])
@given(lam=st.floats(0, 1), layer=st.integers(0, 2))
def test_rules_act_layer_by_layer(rule, lam: float, layer: int):
    alone = rule(W_0[:, layer : layer + 1], MEAN, lam)
    assert torch.allclose(rule(W_0, MEAN, lam)[:, layer : layer + 1], alone, atol=1e-6)


@pytest.mark.parametrize("rule", [truncation, projection])
@given(lam=st.floats(0, 1), image=st.integers(0, 4))
def test_images_do_not_see_each_other(rule, lam: float, image: int):
    alone = rule(W_0[image : image + 1], MEAN[image : image + 1], lam)
    assert torch.allclose(rule(W_0, MEAN, lam)[image : image + 1], alone, atol=1e-6)


# ----------------------------------------------------------------------------
# Equation 4.


def slow_search(w_0: Tensor, means: Tensor, labels: list[int], forbidden: list[bool]) -> list[int]:
    """Equation 4 by loops over images, classes, layers and numbers, in double precision."""
    found = []
    for latent, own in zip(w_0.double().tolist(), labels, strict=True):
        best, nearest = math.inf, -1
        for y, mean in enumerate(means.double().tolist()):
            if y == own or forbidden[y]:
                continue
            distance = math.fsum((a - b) ** 2 for layer in latent for a, b in zip(layer, mean, strict=True))
            if distance < best:
                best, nearest = distance, y
        found.append(nearest)
    return found


@given(data=st.data(), seed=st.integers(0, 10**6))
def test_the_nearest_other_class_is_what_a_slow_search_finds(data: st.DataObject, seed: int):
    classes = data.draw(st.integers(2, 6))
    forgotten = data.draw(st.sets(st.integers(0, classes - 1), min_size=1, max_size=classes - 1))
    labels = data.draw(st.lists(st.sampled_from(sorted(forgotten)), min_size=1, max_size=7))
    forbidden = [y in forgotten for y in range(classes)]
    w_0, means = randn(len(labels), 3, 4, seed=seed), randn(classes, 4, seed=seed + 1)
    found = nearest_other_class(w_0, means, torch.tensor(labels), torch.tensor(forbidden))
    assert found.tolist() == slow_search(w_0, means, labels, forbidden)
    assert not set(found.tolist()) & forgotten
    assert torch.equal(
        other_class(w_0, means, torch.tensor(labels), torch.tensor(forbidden)), means[found][:, None].expand(-1, 3, -1)
    )


def test_the_own_class_is_never_chosen_even_where_it_is_not_forbidden():
    means = torch.tensor([[0.0], [1.0], [9.0]])
    found = nearest_other_class(torch.zeros(2, 1, 1), means, torch.tensor([0, 1]), torch.zeros(3, dtype=torch.bool))
    assert found.tolist() == [1, 0]


def test_the_distance_is_over_all_layers():
    """Nearer to class 1 on the first layer, and to class 2 by the other two."""
    w_0 = torch.tensor([[[1.0], [5.0], [5.0]]])
    means = torch.tensor([[0.0], [1.0], [5.0]])
    assert nearest_other_class(w_0, means, torch.tensor([0]), torch.tensor([True, False, False])).tolist() == [2]


def test_every_class_forgotten_leaves_no_substitute():
    with pytest.raises(InputError, match="Every class"):
        nearest_other_class(W_0, randn(3, 8), torch.zeros(5, dtype=torch.int64), torch.ones(3, dtype=torch.bool))


# ----------------------------------------------------------------------------
# The schedule.


@given(steps=st.integers(1, 500))
def test_the_schedule_falls_from_one_to_zero_in_a_straight_line(steps: int):
    values = np.array([schedule(step, steps) for step in range(steps + 3)])
    assert values[0] == 1.0
    assert values[steps] == values[steps + 1] == values[steps + 2] == 0.0
    assert np.allclose(np.diff(values[: steps + 1]), -1 / steps)


def test_a_schedule_without_steps_is_at_its_end():
    assert schedule(0, 0) == 0.0

"""The moving average of a network against its formula."""

import copy
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ganforget.training.ema import ema_decay, update_ema
from small_gan import small_gan


def test_decay_by_hand():
    """With a half-life of 10 kimg, 100 steps of 100 images halve what was there."""
    assert ema_decay(100, 10, 10**9, None) ** 100 == pytest.approx(0.5)
    assert ema_decay(100, 10, 10**9, 0.05) == ema_decay(100, 10, 10**9, None)
    assert ema_decay(100, 10, 2000, 0.05) == pytest.approx(0.5), "the half-life is capped at 5 % of what was seen"


@given(batch=st.integers(1, 512), half_life=st.floats(0, 100), seen=st.integers(0, 10**8))
def test_a_decay_is_a_share(batch: int, half_life: float, seen: int):
    for rampup in (None, 0.05):
        assert 0 <= ema_decay(batch, half_life, seen, rampup) < 1


def test_no_half_life_is_no_average():
    assert ema_decay(32, 0, 1000, None) == 0.0


def test_parameters_move_and_buffers_are_copied():
    average, current = small_gan(0).G, small_gan(1).G
    before = copy.deepcopy(average)
    update_ema(average, current, 0.75)
    pairs = zip(average.parameters(), before.parameters(), current.parameters(), strict=True)
    for moved, a, b in pairs:
        assert torch.allclose(moved, 0.75 * a + 0.25 * b, atol=1e-6)
    assert torch.equal(average.mapping.w_avg, current.mapping.w_avg)
    assert not torch.equal(before.mapping.w_avg, current.mapping.w_avg)


def test_an_average_comes_to_rest_at_what_it_follows():
    average, current = small_gan(0).G, small_gan(1).G
    for _ in range(60):
        update_ema(average, current, 0.5)
    for a, b in zip(average.parameters(), current.parameters(), strict=True):
        assert torch.allclose(a, b, atol=1e-6)
    assert math.isclose(0.5, ema_decay(8, 0.008, 10**6, None))

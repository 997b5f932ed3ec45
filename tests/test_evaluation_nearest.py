"""Nearest distances against loops."""

import numpy as np
import pytest
import torch

from ganforget.errors import InputError
from ganforget.evaluation.nearest import nearest_distances
from small_gan import randn


def test_equals_loops():
    generated, given = randn(6, 1, 4, 4), randn(5, 1, 4, 4, seed=1)
    expected = [min(float((x - y).square().mean().sqrt()) for x in generated) for y in given]
    np.testing.assert_allclose(nearest_distances(generated, given), expected, rtol=1e-4)


def test_white_is_two_away_from_black():
    assert nearest_distances(torch.ones(3, 1, 2, 2), -torch.ones(1, 1, 2, 2)) == pytest.approx([2.0])


def test_nothing_is_near_to_nothing():
    with pytest.raises(InputError, match="at least one"):
        nearest_distances(torch.empty(0, 1, 2, 2), torch.ones(1, 1, 2, 2))

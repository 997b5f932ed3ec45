"""The kernel distance against two loops over pairs."""

import numpy as np
import pytest

from ganforget.errors import InputError
from ganforget.evaluation.kid import kernel_distance


def slow(a: np.ndarray, b: np.ndarray) -> float:
    def kernel(x: np.ndarray, y: np.ndarray) -> float:
        return (sum(p * q for p, q in zip(x, y, strict=True)) / len(x) + 1) ** 3

    def within(group: np.ndarray) -> float:
        pairs = [kernel(group[i], group[j]) for i in range(len(group)) for j in range(len(group)) if i != j]
        return sum(pairs) / len(pairs)

    between = [kernel(x, y) for x in a for y in b]
    return within(a) + within(b) - 2 * sum(between) / len(between)


def test_equals_loops():
    random = np.random.default_rng(0)
    a, b = random.normal(size=(7, 4)), random.normal(0.5, 1.2, size=(9, 4))
    assert kernel_distance(a, b) == pytest.approx(slow(a, b), rel=1e-10)


def test_is_zero_on_average_for_one_distribution_and_grows_with_a_shift():
    random = np.random.default_rng(1)
    same = [kernel_distance(random.normal(size=(40, 3)), random.normal(size=(50, 3))) for _ in range(200)]
    assert abs(np.mean(same)) < 3 * np.std(same) / 200**0.5
    assert min(same) < 0
    assert kernel_distance(random.normal(size=(40, 3)), random.normal(2, 1, (50, 3))) > max(same)


def test_one_image_has_no_pairs():
    with pytest.raises(InputError, match="at least 2"):
        kernel_distance(np.ones((1, 3)), np.ones((4, 3)))

"""Precision, recall, density and coverage against loops, and by hand."""

import numpy as np
import pytest

from ganforget.errors import InputError
from ganforget.evaluation.manifold import Manifold, compare_manifolds


def slow(generated: np.ndarray, real: np.ndarray, k: int) -> Manifold:
    def radius(points: np.ndarray, i: int) -> float:
        others = sorted(float(np.linalg.norm(points[i] - points[j])) for j in range(len(points)) if j != i)
        return others[k - 1]

    def near(a: np.ndarray, b: np.ndarray, limit: float) -> bool:
        return bool(np.linalg.norm(a - b) <= limit)

    r = [radius(real, i) for i in range(len(real))]
    g = [radius(generated, i) for i in range(len(generated))]
    balls = [[near(x, y, r[i]) for i, y in enumerate(real)] for x in generated]
    return Manifold(
        precision=sum(any(row) for row in balls) / len(generated),
        recall=sum(any(near(x, y, g[i]) for i, x in enumerate(generated)) for y in real) / len(real),
        density=sum(sum(row) for row in balls) / (k * len(generated)),
        coverage=sum(any(row[i] for row in balls) for i in range(len(real))) / len(real),
    )


@pytest.mark.parametrize("k", [1, 3])
def test_equals_loops(k: int):
    random = np.random.default_rng(k)
    generated, real = random.normal(0.5, 0.8, (20, 3)), random.normal(size=(15, 3))
    assert compare_manifolds(generated, real, k=k) == slow(generated, real, k)


def test_by_hand():
    # Real 0, 1, 10 with radii 1, 1, 9; generated 0.5, 0.6, 30 with radii 0.1, 0.1, 29.4.
    real, generated = np.array([[0.0], [1.0], [10.0]]), np.array([[0.5], [0.6], [30.0]])
    found = compare_manifolds(generated, real, k=1)
    assert found.precision == pytest.approx(2 / 3)
    assert found.recall == pytest.approx(2 / 3)  # 30's ball reaches down to 0.6: it holds 1 and 10
    assert found.density == pytest.approx(4 / 3)  # 0.5 lies in the balls of 0 and 1; 0.6 too
    assert found.coverage == pytest.approx(2 / 3)


def test_needs_more_than_k_images():
    with pytest.raises(InputError, match="more than k = 5"):
        compare_manifolds(np.ones((5, 2)), np.ones((9, 2)))

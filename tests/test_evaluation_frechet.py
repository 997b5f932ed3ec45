"""The Fréchet distance against SciPy's matrix root, torch-fidelity's own code, and numbers worked by hand."""

import sys
import warnings
from collections.abc import Callable
from importlib.util import find_spec
from unittest.mock import MagicMock

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm

from ganforget.errors import InputError, NumericalError
from ganforget.evaluation.frechet import FeatureStatistics, frechet_distance

TORCHVISION = [
    "torchvision",
    "torchvision.datasets",
    "torchvision.transforms",
    "torchvision.transforms.functional",
]


def features(seed: int, count: int, dim: int, shift: float = 0.0) -> np.ndarray:
    generator = np.random.default_rng(seed)
    return shift + generator.normal(size=(count, dim)) @ generator.normal(size=(dim, dim)) / dim**0.5


def by_matrix_root(a: np.ndarray, b: np.ndarray) -> float:
    """The published arithmetic: the root of the product of both covariances, which is not symmetric."""
    c_a, c_b = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    root = np.real(np.asarray(sqrtm(c_a @ c_b)))
    return float(((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(c_a) + np.trace(c_b) - 2 * np.trace(root))


def distance(a: np.ndarray, b: np.ndarray) -> float:
    return frechet_distance(FeatureStatistics.of(a), FeatureStatistics.of(b))


@pytest.fixture
def torch_fidelity_metric(monkeypatch: pytest.MonkeyPatch) -> Callable[[dict, dict, bool], dict[str, float]]:
    """torch-fidelity's function; what its package imports at its head is not needed for this."""
    if find_spec("torch_fidelity") is None:
        pytest.skip("torch-fidelity is not installed; the test against SciPy's matrix root runs")
    for name in (*TORCHVISION, "tqdm"):
        monkeypatch.setitem(sys.modules, name, MagicMock(__version__="0.0"))
    before = set(sys.modules)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from torch_fidelity.metric_fid import fid_statistics_to_metric  # pyright: ignore[reportMissingImports]
    for name in set(sys.modules) - before:
        monkeypatch.delitem(sys.modules, name)
    return fid_statistics_to_metric


def test_one_dimension_by_hand():
    # Means 0 and 3, standard deviations 2 and 1: 3² + (2 − 1)² = 10.
    a = np.array([-1.0, 0.0, 1.0])[:, None] * 2
    b = np.array([-1.0, 0.0, 1.0])[:, None] + 3
    assert distance(a, b) == pytest.approx(10, abs=1e-12)


def test_equals_the_matrix_root():
    a, b = features(0, 300, 12), features(1, 200, 12, shift=0.3)
    assert distance(a, b) == pytest.approx(by_matrix_root(a, b), rel=1e-10)


def test_equals_torch_fidelity(torch_fidelity_metric: Callable[[dict, dict, bool], dict[str, float]]):
    for count, dim in ((300, 20), (15, 40)):  # 15 images in 40 dimensions: deficient covariances
        a, b = features(2, count, dim), features(3, count, dim, shift=0.5)
        theirs = [{"mu": f.mean(0), "sigma": np.cov(f, rowvar=False)} for f in (a, b)]
        expected = torch_fidelity_metric(theirs[0], theirs[1], False)["frechet_inception_distance"]
        assert distance(a, b) == pytest.approx(expected, rel=1e-5)


def test_deficient_covariances_by_hand():
    # Two lines of one dimension each, at right angles: nothing overlaps, so the traces add up.
    a, b = np.zeros((5, 9)), np.zeros((5, 9))
    a[:, 0], b[:, 1] = np.arange(5), 2 * np.arange(5)
    difference = 2.0**2 + 4.0**2
    assert distance(a, b) == pytest.approx(difference + 2.5 + 4 * 2.5, rel=1e-12)


@pytest.mark.parametrize(("count", "dim"), [(2, 30), (10, 64), (500, 8)])
def test_zero_on_itself_symmetric_and_blind_to_rotation(count: int, dim: int):
    a, b = features(4, count, dim), features(5, count, dim, shift=1.0)
    rotation = np.linalg.qr(np.random.default_rng(6).normal(size=(dim, dim)))[0]
    assert 0 <= distance(a, a) < 1e-9
    assert distance(a, b) == pytest.approx(distance(b, a), rel=1e-9)
    assert distance(a @ rotation, b @ rotation) == pytest.approx(distance(a, b), rel=1e-9)


def test_constant_features():
    a, b = np.zeros((4, 3)), np.ones((4, 3))
    assert distance(a, b) == 3


def test_merging_equals_counting_together():
    whole = features(7, 90, 6, shift=50.0)
    parts = [FeatureStatistics.of(part) for part in (whole[:1], whole[1:40], whole[40:])]
    merged = parts[0].merged(parts[1]).merged(parts[2])
    together = FeatureStatistics.of(whole)
    assert merged.count == 90
    np.testing.assert_allclose(merged.mean, together.mean, rtol=1e-12)
    np.testing.assert_allclose(merged.covariance, np.cov(whole, rowvar=False), rtol=1e-9)


def test_float32_tensors_are_summed_in_float64():
    values = torch.full((3, 2), 1e4) + torch.tensor([[0.0], [1.0], [2.0]])
    np.testing.assert_allclose(FeatureStatistics.of(values).covariance, np.ones((2, 2)), rtol=1e-12)


def test_refuses_what_has_no_distance():
    one = FeatureStatistics.of(np.zeros((1, 3)))
    two = FeatureStatistics.of(np.zeros((2, 3)))
    with pytest.raises(InputError, match="at least 2 images, there is 1"):
        frechet_distance(one, two)
    with pytest.raises(InputError, match="lengths 3 and 4"):
        frechet_distance(two, FeatureStatistics.of(np.zeros((2, 4))))
    with pytest.raises(InputError, match=r"\(0, 3\)"):
        FeatureStatistics.of(np.zeros((0, 3)))
    with pytest.raises(NumericalError, match="1 of 2 images"):
        FeatureStatistics.of(np.array([[1.0, np.nan], [1.0, 2.0]]))

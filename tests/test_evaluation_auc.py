"""The AUC by ranks against scikit-learn, and by hand."""

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from ganforget.errors import InputError, NumericalError
from ganforget.evaluation.auc import auc, auc_deviation


def test_by_hand():
    # Pairs: (2,1) won, (2,2) half, (3,1) won, (3,2) won: 3.5 of 4.
    assert auc(np.array([2.0, 3.0]), np.array([1.0, 2.0])) == 3.5 / 4


@pytest.mark.parametrize("seed", range(5))
def test_equals_scikit_learn_with_ties(seed: int):
    generator = np.random.default_rng(seed)
    a, b = generator.integers(-3, 6, 40).astype(float), generator.integers(-5, 4, 70).astype(float)
    assert len(np.intersect1d(a, b)) > 0  # there are ties
    expected = roc_auc_score(np.repeat([1, 0], [len(a), len(b)]), np.concatenate([a, b]))
    assert auc(a, b) == pytest.approx(expected, abs=1e-12)


def test_ends_middle_and_direction():
    low, high = torch.tensor([-2.0, -1.0]), torch.tensor([0.5, 3.0, 4.0])
    assert auc(high, low) == 1
    assert auc(low, high) == 0
    assert auc(torch.zeros(7), torch.zeros(3)) == 0.5


def test_takes_scores_that_still_have_a_graph():
    assert auc(torch.ones(2, requires_grad=True), torch.zeros(2)) == 1


@pytest.mark.usefixtures("unchecked")
def test_refuses_empty_flat_and_broken_scores():
    with pytest.raises(InputError, match=r"\(0,\)"):
        auc(np.array([]), np.array([1.0]))
    with pytest.raises(InputError, match=r"\(2, 1\)"):
        auc(torch.zeros(2, 1), torch.zeros(2))
    with pytest.raises(NumericalError, match="1 of 2 scores"):
        auc(np.array([1.0, np.nan]), np.array([1.0]))


@pytest.mark.parametrize(("shift", "members", "outside"), [(0.0, 64, 51), (0.0, 12, 200), (0.8, 40, 90)])
def test_deviation_is_that_of_many_draws(shift: float, members: int, outside: int):
    generator = np.random.default_rng(0)
    drawn = [auc(generator.normal(shift, 1, members), generator.normal(0, 1, outside)) for _ in range(1500)]
    assert np.std(drawn) == pytest.approx(auc_deviation(float(np.mean(drawn)), members, outside), rel=0.08)

"""The measures on scores, labels and images whose answer is worked by hand."""

import numpy as np
import pytest
import torch

from ganforget.errors import InputError, NumericalError
from ganforget.evaluation import measures
from ganforget.evaluation.measures import (
    auc_lu,
    auc_ut,
    class_accuracy,
    class_diversity,
    substitution_of,
)


def constant(*values: float) -> torch.Tensor:
    """One image of 2×2 for each value."""
    return torch.tensor(values)[:, None, None, None].expand(-1, 1, 2, 2)


def test_directions_of_both_aucs():
    retain, forget, holdout = torch.tensor([3.0, 4.0]), torch.tensor([1.0, 2.0]), torch.tensor([0.0, 1.5])
    assert auc_lu(retain, forget) == 1  # retain images score higher: forgotten
    assert auc_ut(forget, holdout) == 0.75  # 1 > 0, 2 > 0, 2 > 1.5; not 1 > 1.5


@pytest.mark.usefixtures("unchecked")
def test_accuracy_counts_equal_labels():
    assert class_accuracy(torch.tensor([7, 7, 3, 1]), np.array([7, 1, 3, 2])) == 0.5
    with pytest.raises(InputError, match=r"\(2,\) and \(3,\)"):
        class_accuracy(torch.zeros(2), torch.zeros(3))
    with pytest.raises(InputError):
        class_accuracy(torch.zeros(0), torch.zeros(0))


def test_diversity_is_the_mean_over_pairs(monkeypatch: pytest.MonkeyPatch):
    # Distances 1, 2 and 1 of the pairs, whatever the number of pixels.
    assert class_diversity(constant(-1.0, 0.0, 1.0)) == pytest.approx(4 / 3, rel=1e-12)
    assert class_diversity(constant(0.3, 0.3, 0.3)) == 0
    images = torch.rand(5, 3, 8, 8, generator=torch.Generator().manual_seed(0)) * 2 - 1
    pairs = [(images[i].double() - images[j].double()).square().mean().sqrt() for i in range(5) for j in range(i)]
    for chunk in (1, 70, 2**24):  # of so many numbers at a time
        monkeypatch.setattr(measures, "_CHUNK", chunk)
        assert class_diversity(images) == pytest.approx(float(torch.stack(pairs).mean()), rel=1e-9)
    with pytest.raises(InputError, match="at least 2"):
        class_diversity(constant(0.0))
    with pytest.raises(NumericalError):
        class_diversity(constant(0.0, float("nan")))


def test_substitution_goes_from_one_to_zero():
    assert [substitution_of(now, 2.0) for now in (2.0, 0.0, 0.5, 8.0)] == [1, 0, 0.25, 4]


def test_substitution_refuses_when_nothing_is_to_change():
    with pytest.raises(NumericalError, match="nothing to substitute"):
        substitution_of(0.1, 0.0)
    with pytest.raises(NumericalError, match="diverged"):
        substitution_of(float("nan"), 1.0)

"""Where the fake label goes, and when to warn."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ganforget.unlearning.fake_label import auto_fake_label, fake_label_warning

SCORES = st.lists(st.floats(-20, 20, width=32), min_size=1, max_size=30)


def test_auto_by_hand():
    """Mean 2, standard deviation 1: 2 − 3."""
    assert auto_fake_label(torch.tensor([1.0, 3.0])) == pytest.approx(-1.0)


def test_auto_of_scores_that_do_not_spread():
    """A quarter at least, and 1 where there is a single image."""
    assert auto_fake_label(torch.full((5,), 2.0)) == pytest.approx(1.25)
    assert auto_fake_label(torch.tensor([2.0])) == pytest.approx(-1.0)


@given(scores=SCORES)
def test_auto_is_below_and_never_warned_of(scores: list[float]):
    found = torch.tensor(scores)
    label = auto_fake_label(found)
    assert label <= float(found.mean()) - 0.75 + 1e-4
    assert fake_label_warning(label, found) is None


def test_auto_moves_with_the_scores():
    scores = torch.tensor([0.3, -1.0, 2.0])
    assert auto_fake_label(scores + 5) == pytest.approx(auto_fake_label(scores) + 5, abs=1e-5)


@pytest.mark.parametrize(("label", "warned"), [(0.1, True), (0.5, True), (-0.5, True), (-1.5, False), (-9.0, False)])
def test_labels_among_the_scores_are_warned_of(label: float, warned: bool):
    """Scores around 0 with a spread of 1, as a young GAN gives them: the paper's 0.1 does nothing there."""
    scores = torch.tensor([-1.0, 1.0, -1.0, 1.0, 0.0]) * (5 / 4) ** 0.5
    warning = fake_label_warning(label, scores)
    assert (warning is not None) == warned
    if warning is not None:
        assert f"F_label {label:g}" in warning
        assert "median 0.00, spread 1.00" in warning
        assert "--fake-label auto" in warning


def test_the_papers_label_suits_scores_well_above_it():
    assert fake_label_warning(0.1, torch.tensor([2.0, 3.0, 4.0])) is None

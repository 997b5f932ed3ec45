"""Comparisons within a label, against their definition and on scores that know labels and nothing else."""

import numpy as np
import pytest

from ganforget.evaluation.auc import auc, auc_deviation
from ganforget.evaluation.by_label import auc_by_label, label_pairs, placements


def test_each_label_meets_its_own_and_one_that_is_alone_meets_all():
    pairs = {tuple(a): tuple(b) for a, b in label_pairs(np.array([3, 1, 3, 9]), np.array([1, 3, 1, 2]))}
    assert pairs == {(1,): (0, 2), (0, 2): (1,), (3,): (0, 1, 2, 3)}


def test_placements_are_what_their_definition_says():
    draw = np.random.default_rng(0)
    scores, others = draw.integers(0, 6, 40).astype(float), draw.integers(0, 6, 90).astype(float)
    labels, other_labels = draw.integers(0, 5, 40), draw.integers(0, 4, 90)  # nobody else has label 4
    expected = []
    for score, label in zip(scores, labels, strict=True):
        beside = others[other_labels == label] if label < 4 else others
        expected.append(np.mean((beside < score) + 0.5 * (beside == score)))
    assert placements(scores, labels, others, other_labels) == pytest.approx(expected)
    assert auc_by_label(scores, labels, others, other_labels)[0] == pytest.approx(np.mean(expected))


def test_one_label_is_the_plain_auc_and_its_standard_error():
    draw = np.random.default_rng(1)
    scores, others = draw.normal(0.4, 1, 30), draw.normal(0, 1, 50)
    area, error = auc_by_label(scores, np.full(30, 7), others, np.full(50, 7))
    assert area == pytest.approx(auc(scores, others))
    assert error == pytest.approx(auc_deviation(area, 30, 50))
    assert auc_by_label(scores, np.full(30, 7), others, np.full(50, 7), copies=2)[1] == pytest.approx(
        auc_deviation(area, 15, 50)
    )


def test_scores_that_know_labels_alone_tell_nothing():
    labels, other_labels = np.repeat([0, 1], [60, 4]), np.repeat([0, 1], [20, 180])
    draw = np.random.default_rng(2)
    scores, others = (5.0 * (y == 0) + draw.normal(0, 1, len(y)) for y in (labels, other_labels))
    assert auc(scores, others) > 0.85
    assert auc_by_label(scores, labels, others, other_labels)[0] == pytest.approx(0.5, abs=0.12)


def test_the_standard_error_is_how_far_it_is_off():
    """In 600 worlds of three labels, unequally many of each."""
    labels, other_labels = np.repeat([0, 1, 2], [20, 9, 3]), np.repeat([0, 1, 2], [12, 30, 40])
    draw = np.random.default_rng(3)
    worlds = [
        auc_by_label(
            3.0 * labels + draw.normal(0, 1, 32), labels, 3.0 * other_labels + draw.normal(0, 1, 82), other_labels
        )
        for _ in range(600)
    ]
    areas, errors = np.array(worlds).T
    assert areas.mean() == pytest.approx(0.5, abs=0.01)
    assert errors.mean() == pytest.approx(areas.std(), rel=0.1)

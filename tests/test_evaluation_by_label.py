"""Comparisons within a label, against their definition and on scores that know labels and nothing else."""

import numpy as np
import pytest
import torch

from ganforget.evaluation.auc import auc, auc_deviation
from ganforget.evaluation.by_label import auc_by_label, label_pairs, matched_by_label, placements
from ganforget.evaluation.calibration import _compared_by_label


def test_each_label_meets_its_own_and_those_of_too_few_meet_all_together():
    others = np.repeat([1, 2, 3], [8, 7, 9])
    pairs = [(a.tolist(), b.tolist()) for a, b in label_pairs(np.array([3, 1, 2, 9, 3]), others)]
    assert pairs == [([1], list(range(8))), ([0, 4], list(range(15, 24))), ([2, 3], list(range(24)))]


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


@pytest.mark.parametrize(
    ("labels", "forget", "unseen"), [(1, 32, 20), (64, 1, 8), (32, 2, 16), (10, 4, 12), (10, 40, 8)]
)
def test_what_is_aimed_at_lies_like_the_unseen_images_of_its_label(labels: int, forget: int, unseen: int):
    """With single images of many labels too: not all of them in the middle of theirs."""
    ours, theirs = np.repeat(np.arange(labels), forget), np.repeat(np.arange(labels), unseen)
    draw = torch.Generator().manual_seed(0)
    scores, others = (
        torch.randn(len(y), generator=draw) + 3 * torch.from_numpy(y).float() + up
        for y, up in ((ours, 1.5), (theirs, 0))
    )
    aims = matched_by_label(scores, ours, others, theirs)
    values, gap = _compared_by_label(aims, ours, others, theirs)
    assert values["auc_ut"] == pytest.approx(0.5, abs=0.02)
    assert values["alike"] > 0.1
    assert abs(gap) < 0.1
    assert _compared_by_label(scores, ours, others, theirs)[0]["alike"] < 0.01
    if labels == 1:
        assert torch.equal(aims.argsort(), scores.argsort())


def test_the_test_of_likeness_is_right_with_few_images_of_a_label():
    """Of scores that are alike it rejects a tenth, or somewhat less, as scores are few."""
    ours, theirs = np.repeat(np.arange(12), 3), np.repeat(np.arange(12), 9)
    draw = torch.Generator().manual_seed(1)
    worlds = [
        _compared_by_label(torch.randn(36, generator=draw), ours, torch.randn(108, generator=draw), theirs)[0]
        for _ in range(200)
    ]
    assert 0.85 <= np.mean([world["alike"] >= 0.1 for world in worlds]) <= 0.99


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
    """In 600 worlds of three labels, unequally many of each, and of labels that nobody else has."""
    labels, other_labels = np.repeat([0, 1, 2], [20, 9, 3]), np.repeat([0, 1, 2], [12, 30, 40])
    alone = np.arange(100, 116).repeat(2)
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
    areas, errors = np.array(
        [auc_by_label(draw.normal(0, 1, 32), alone, draw.normal(0, 1, 10), np.zeros(10, int)) for _ in range(600)]
    ).T
    assert errors.mean() == pytest.approx(areas.std(), rel=0.1)

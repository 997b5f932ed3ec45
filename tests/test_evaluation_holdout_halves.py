"""The two halves of the holdout set: by content, seeded, stable."""

import numpy as np

from ganforget.evaluation.holdout_halves import split_holdout
from small_gan import small_data


def test_halves_are_disjoint_whole_and_about_equal():
    data = small_data(400)
    calibration, audit = split_holdout(data)
    assert sorted([*calibration, *audit]) == list(range(400))
    assert abs(len(audit) - 200) < 40  # four standard deviations


def test_an_image_keeps_its_half_whatever_else_is_there():
    data = small_data(60)
    _, audit = split_holdout(data, seed=3)
    order = np.random.default_rng(0).permutation(60)[:40]
    _, again = split_holdout(data.subset(order), seed=3)
    assert sorted(order[again]) == sorted(set(audit) & set(order))


def test_copies_share_a_half_and_seeds_differ():
    data = small_data(50)
    calibration, audit = split_holdout(data.subset([7, 7, 7]))
    assert len(calibration) in (0, 3)
    assert len(calibration) + len(audit) == 3
    assert set(split_holdout(data, seed=0)[1]) != set(split_holdout(data, seed=1)[1])

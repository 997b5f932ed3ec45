"""Neighbours of forget images, and how fast relearning goes, by loops and by hand."""

import numpy as np
import pytest

from ganforget.audit.neighbours import nearest_kept
from ganforget.audit.relearning_pace import relearning_pace
from ganforget.data import ImageDataset
from small_gan import small_data


def test_neighbours_by_loops():
    train = small_data(60, seed=1)
    few, kept = train.subset([3, 4, 5]), np.arange(10, 60)
    assert train.labels is not None
    taken: list[int] = []
    for at in (3, 4, 5):
        errors = {}
        for place in kept:
            if train.labels[place] == train.labels[at] and place not in taken:
                gap = train.images[place].astype(float) - train.images[at].astype(float)
                errors[int(place)] = float((gap**2).mean())
        taken.append(min(errors, key=lambda place: errors[place]))
    assert nearest_kept(few, train, kept, seed=0).tolist() == taken


def levels(*values: int, labels: list[int] | None = None) -> ImageDataset:
    """Return flat images of these grey levels."""
    images = np.stack([np.full((1, 4, 4), value, np.uint8) for value in values])
    names = ("",) * len(values)
    return ImageDataset(images, None if labels is None else np.array(labels), 0 if labels is None else 3, names)


def test_a_copy_is_no_neighbour_and_no_image_serves_two():
    train = levels(100, 101, 100, 105, 200)
    assert nearest_kept(train.subset([0, 1]), train, np.array([2, 3, 4]), seed=0).tolist() == [3, 2]


def test_a_class_that_is_gone_has_neighbours_of_other_labels():
    train = levels(100, 110, 150, labels=[0, 1, 2])
    assert nearest_kept(train.subset([0]), train, np.array([1, 2]), seed=0).tolist() == [1]
    labelled = levels(100, 110, 150, labels=[0, 1, 0])
    assert nearest_kept(labelled.subset([0]), labelled, np.array([1, 2]), seed=0).tolist() == [2]


CURVES = {
    "steps": [0.0, 5.0, 10.0],
    "original": [0.9, 0.9, 0.9],
    "unlearned": [0.5, 0.6, 0.8],
    "retrained-0": [0.49, 0.5, 0.52],
    "retrained-1": [0.51, 0.52, 0.54],
    "retrained-2": [0.5, 0.54, 0.56],
}


def test_what_comes_back_faster_than_on_retrained_gans():
    pace = relearning_pace(CURVES)
    # t(0.975, 2) = 4.3027: 0.5 ± 4.3027 · 0.01 · √(4/3), and ± twice as much from 5 steps on
    np.testing.assert_allclose(
        pace["expected"], [[0.45032, 0.54968], [0.42063, 0.61937], [0.44063, 0.63937]], atol=1e-4
    )
    assert pace["faster"] == [10.0]
    assert pace["half_at"] == pytest.approx(0.7)
    assert pace["half_back"] == {
        "original": 0.0,
        "unlearned": 10.0,
        "retrained-0": None,
        "retrained-1": None,
        "retrained-2": None,
    }


def test_what_never_went_does_not_come_back():
    kept = relearning_pace({**CURVES, "unlearned": [0.7, 0.72, 0.74]})
    assert kept["faster"] == []  # above where retrained GANs are expected, at 0 steps too, but it gains no more
    low = relearning_pace({**CURVES, "unlearned": [0.1, 0.3, 0.5]})
    assert low["faster"] == []  # it gains more, up to where retrained GANs are expected


def test_too_few_retrained_gans_expect_nothing():
    two = {role: values for role, values in CURVES.items() if role != "retrained-2"}
    assert relearning_pace(two)["expected"] is None
    assert relearning_pace(two)["faster"] is None
    alone = {role: CURVES[role] for role in ("steps", "original", "unlearned")}
    assert relearning_pace(alone)["half_at"] == pytest.approx(0.7)
    weak = relearning_pace({**alone, "original": [0.52, 0.5, 0.5]})
    assert weak["half_at"] is None
    assert weak["half_back"] == {}

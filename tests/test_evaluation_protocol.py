"""Which images are measured: disjoint, seeded, capped, and never those that the cascade saw."""

from dataclasses import replace

import numpy as np
import pytest

from ganforget.data.dataset import DataSplits, ImageDataset
from ganforget.errors import ForgetSetError, InputError
from ganforget.evaluation.protocol import EvaluationProtocol, choose_groups

PROTOCOL = EvaluationProtocol()


def numbered(count: int, labels: int = 5) -> ImageDataset:
    images = np.zeros((count, 1, 2, 2), np.uint8)
    return ImageDataset(images, np.arange(count) % labels, labels, tuple(str(i) for i in range(count)))


SPLITS = DataSplits("numbered", numbered(200), numbered(50), {})


def test_items_groups_are_disjoint_and_of_the_right_split():
    forget, seen, companions = range(20), range(20, 40), (40, 41, 42)
    groups = choose_groups(SPLITS, PROTOCOL, forget=forget, seen=seen, companions=companions)
    assert groups.forget.tolist() == list(forget)
    assert groups.retain_seen.tolist() == list(seen)
    assert groups.retain.tolist() == list(range(43, 200))
    assert groups.holdout.tolist() == list(range(50))
    assert len(groups.distance) == len(groups.floor) == 90  # half of the 180 retain images
    assert not np.intersect1d(groups.distance, groups.floor).size
    assert np.union1d(groups.distance, groups.floor).tolist() == list(range(20, 200))
    assert groups.by_class == {}
    assert groups.counts() == {
        "distance": 90,
        "floor": 90,
        "forget": 20,
        "retain": 157,
        "retain_seen": 20,
        "holdout": 50,
    }


def test_the_two_sides_of_an_image_stay_together():
    """With mirror images the training set is doubled: image i, and 100 + i."""
    splits = replace(SPLITS, record={"mirror": True})
    forget, seen = [0, 1, 100, 101], [2, 3]
    groups = choose_groups(splits, PROTOCOL, forget=forget, seen=seen, companions=(104,))
    assert groups.retain.tolist() == [i for i in range(200) if i % 100 > 4]
    for half in (groups.distance, groups.floor):
        assert len(half) == 98
        assert set(half % 100) == {i for i in half if i < 100}, "both sides of each"
    assert not np.intersect1d(groups.distance % 100, groups.floor % 100).size


def test_by_label_the_scored_images_have_the_forget_images_labels():
    groups = choose_groups(SPLITS, PROTOCOL, forget=(3, 8, 4), seen=(13,), by_label=True)
    assert groups.by_label
    assert groups.retain.tolist() == [i for i in range(200) if i % 5 in (3, 4) and i not in (3, 4, 8, 13)]
    assert groups.holdout.tolist() == [i for i in range(50) if i % 5 in (3, 4)]
    assert len(groups.distance) == 98, "quality is that of all labels"
    some = [i for i in range(50) if i % 5 < 3] + list(range(3, 35, 5))
    others = replace(SPLITS, holdout=SPLITS.holdout.subset(some))
    assert len(choose_groups(others, PROTOCOL, forget=(3, 8), by_label=True).holdout) == 37, "7 of label 3 are too few"
    assert not choose_groups(SPLITS, PROTOCOL, forget=(3, 8)).by_label


def test_a_class_is_held_against_holdout_images_of_its_label():
    forget = np.flatnonzero(SPLITS.train.labels == 3)
    groups = choose_groups(SPLITS, PROTOCOL, forget=forget, classes=(3,))
    assert groups.holdout.tolist() == [3, 8, 13, 18, 23, 28, 33, 38, 43, 48]
    assert groups.by_class[3].tolist() == forget.tolist()
    assert groups.counts()["class_3"] == 40
    assert groups.retain_seen.size == 0


def test_a_retain_set_of_two_classes_keeps_the_rest():
    forget = np.flatnonzero(np.isin(np.arange(200) % 5, (0, 4)))
    groups = choose_groups(SPLITS, PROTOCOL, forget=forget, classes=(4, 0))
    assert list(groups.by_class) == [0, 4]
    assert set(groups.holdout % 5) == {0, 4}
    assert set(groups.distance % 5) == {1, 2, 3}


def test_caps_take_a_seeded_choice_that_other_caps_extend():
    small = replace(PROTOCOL, distance_count=30, score_count=10)
    groups = choose_groups(SPLITS, small, forget=range(20), seen=range(20, 60))
    wider = choose_groups(SPLITS, replace(small, score_count=20), forget=range(20), seen=range(20, 60))
    sizes = [len(g) for g in (groups.distance, groups.floor, groups.forget, groups.retain, groups.retain_seen)]
    assert sizes == [30, 30, 10, 10, 10]
    assert len(groups.holdout) == 10
    assert set(groups.retain) < set(wider.retain)
    assert set(groups.forget) < set(wider.forget)
    other = choose_groups(SPLITS, replace(small, seed=1), forget=range(20), seen=range(20, 60))
    assert groups.retain.tolist() != other.retain.tolist()
    assert groups.distance.tolist() != other.distance.tolist()


def test_what_the_cascade_saw_changes_no_other_group():
    one = choose_groups(SPLITS, PROTOCOL, forget=range(20))
    other = choose_groups(SPLITS, PROTOCOL, forget=range(20), seen=range(30, 60))
    assert one.distance.tolist() == other.distance.tolist()
    assert set(one.retain) - set(other.retain) == set(range(30, 60))


def test_bad_groups_are_named():
    with pytest.raises(ForgetSetError, match="holds 0 of 200"):
        choose_groups(SPLITS, PROTOCOL, forget=())
    with pytest.raises(ForgetSetError, match="holds 198 of 200"):
        choose_groups(SPLITS, PROTOCOL, forget=range(198))
    with pytest.raises(ForgetSetError, match="198 to 200"):
        choose_groups(SPLITS, PROTOCOL, forget=range(198, 201))
    with pytest.raises(InputError, match="must be retain images"):
        choose_groups(SPLITS, PROTOCOL, forget=range(20), seen=(19, 20))
    with pytest.raises(InputError, match="must be retain images"):
        choose_groups(SPLITS, PROTOCOL, forget=range(20), companions=(3,))
    with pytest.raises(ForgetSetError, match="0 images of class 2"):
        choose_groups(SPLITS, PROTOCOL, forget=(0, 5), classes=(2,))
    with pytest.raises(InputError, match="score_count is 1"):
        EvaluationProtocol(score_count=1)


def test_data_without_labels_have_no_classes():
    bare = DataSplits("bare", replace(numbered(20), labels=None), replace(numbered(20), labels=None), {})
    assert len(choose_groups(bare, PROTOCOL, forget=(1,)).holdout) == 20
    with pytest.raises(InputError, match="no labels"):
        choose_groups(bare, PROTOCOL, forget=(1,), classes=(1,))

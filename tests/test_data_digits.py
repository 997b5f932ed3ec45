"""The embedded digits, the stratified split, subsets and the record."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from ganforget.data import DataSpec, class_counts, load_data
from ganforget.data.digits import prepare_digits
from ganforget.data.split import stratified_split
from ganforget.errors import DataError


@pytest.fixture(scope="module")
def digits():
    return load_data(DataSpec("digits"))


def test_split_is_disjoint_complete_and_in_original_order(digits):
    train, holdout = digits.train, digits.holdout
    assert list(train.names) == sorted(train.names)
    assert list(holdout.names) == sorted(holdout.names)
    assert sorted(train.names + holdout.names) == [f"digits/{i:05d}" for i in range(1797)]


def test_split_is_stratified(digits):
    everything = np.bincount(load_digits(return_X_y=True)[1])
    for label, count in class_counts(digits.holdout).items():
        assert count == round(0.2 * everything[label])


def test_images_are_those_of_scikit_learn_at_twice_the_size(digits):
    pixels, labels = load_digits(return_X_y=True)
    position = int(digits.train.names[7].removeprefix("digits/"))
    small = torch.from_numpy(np.rint(pixels[position].reshape(1, 1, 8, 8) * 255 / 16))
    double = torch.nn.functional.interpolate(small, scale_factor=2, mode="bilinear", align_corners=False)
    assert digits.train.images.shape[1:] == (1, 16, 16)
    assert np.abs(digits.train.images[7] - double[0].numpy()).max() <= 0.5
    assert digits.train.labels[7] == labels[position]


def test_bilinear_rounds_and_keeps_the_extremes():
    image = np.zeros((1, 1, 8, 8), np.uint8)
    image[..., 4:] = 255
    row = prepare_digits(image)[0, 0, 5]
    assert row.tolist() == [0] * 7 + [64, 191] + [255] * 7


def test_the_split_that_the_bundled_gan_was_trained_on_never_changes(digits):
    assert digits.record["train_hash"] == "a8f52261604cb805827d830c3abd677de9fb49f1b01b72352f28efa36a48e737"
    assert digits.record["holdout_hash"] == "aa55722c87f0fd997e6ac067c1f7592c5bd4e6af3a4ff454d93bb91d72a4b304"
    assert (digits.record["train"], digits.record["holdout"], digits.record["subset"]) == (1438, 359, None)


def test_stratified_split_holds_out_the_share_of_every_label():
    labels = np.repeat([3, 5], [40, 10])
    train, held = stratified_split(labels, 0.1, seed=1)
    assert np.bincount(labels[held], minlength=6).tolist() == [0, 0, 0, 4, 0, 1]
    assert np.array_equal(np.sort(np.concatenate([train, held])), np.arange(50))
    assert not np.array_equal(held, stratified_split(labels, 0.1, seed=2)[1])


def test_subset_keeps_order_nests_and_is_recorded(digits):
    small, large = (load_data(DataSpec("digits", subset=n, subset_seed=3)) for n in (50, 200))
    assert list(small.train.names) == sorted(small.train.names)
    assert set(small.train.names) < set(large.train.names) < set(digits.train.names)
    assert small.record["subset"] == 50
    assert small.record["subset_seed"] == 3
    assert small.record["subset_of"] == 1438
    assert small.record["train"] == 50
    assert small.record["train_hash"] != digits.record["train_hash"]
    assert small.record["holdout_hash"] == digits.record["holdout_hash"]
    other = load_data(DataSpec("digits", subset=50, subset_seed=4))
    assert set(other.train.names) != set(small.train.names)


def test_subset_beyond_the_training_set_says_how_many_there_are():
    with pytest.raises(DataError, match=r"subset of 2000 .* 1 to 1438"):
        load_data(DataSpec("digits", subset=2000))


def test_subset_of_nothing_is_an_error():
    with pytest.raises(DataError, match="at least 1"):
        DataSpec("digits", subset=0)


def test_resolution_that_does_not_match_names_both():
    with pytest.raises(DataError, match="16x16, expected 32x32"):
        load_data(DataSpec("digits"), resolution=32)


def test_unknown_name_suggests_the_closest():
    with pytest.raises(DataError, match=r"no data set or path mnits.*Did you mean mnist\?"):
        load_data(DataSpec("mnits"))


def test_an_empty_name_is_not_the_working_folder():
    with pytest.raises(DataError, match="no data set or path"):
        load_data(DataSpec(""))


def test_digits_take_neither_path_nor_holdout(tmp_path):
    with pytest.raises(DataError, match="leave the data path"):
        load_data(DataSpec("digits", path=tmp_path))
    with pytest.raises(DataError, match="holdout set of its own"):
        load_data(DataSpec("digits", holdout_path=tmp_path))

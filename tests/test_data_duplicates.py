"""Copies of forget images: equal and nearly equal ones are found, different pictures are not."""

import io
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganforget.data import (
    DataSpec,
    Duplicates,
    find_duplicates,
    forget_classes,
    forget_folder,
    forget_indices,
    image_distance,
    include_duplicates,
    load_data,
)
from ganforget.data.duplicates import NEAR_COLOUR, NEAR_GREY
from ganforget.errors import DataError, ForgetSetError

SHARED = Path(os.environ.get("GANFORGET_SHARED", Path(__file__).parents[2] / "shared")) / "data"


@pytest.fixture(scope="module")
def digits():
    return load_data(DataSpec("digits"))


def recompressed(image: np.ndarray, quality: int = 75) -> np.ndarray:
    buffer = io.BytesIO()
    Image.fromarray(image[0]).save(buffer, format="JPEG", quality=quality)
    return np.asarray(Image.open(buffer))[None]


def smooth(count: int, channels: int, side: int, seed: int = 0) -> np.ndarray:
    """Random pictures of a few low frequencies, uint8: different, yet alike enough for near misses."""
    coarse = np.random.default_rng(seed).integers(0, 256, (count, channels, 4, 4), dtype=np.uint8)
    return np.kron(coarse, np.ones((side // 4, side // 4), np.uint8))


@pytest.mark.parametrize(("channels", "side"), [(1, 8), (1, 32), (3, 32), (3, 64), (1, 4)])
def test_the_search_finds_what_comparing_all_pairs_finds(channels, side):
    images = smooth(60, channels, side)
    noise = np.random.default_rng(1).normal(0, 1, images.shape) * np.linspace(0, 60, 60)[:, None, None, None]
    others = np.clip(images + noise, 0, 255).astype(np.uint8)
    found = find_duplicates(images, others, threshold=0.03)
    every = [(a, b) for a in range(60) for b in range(60)]
    distances = {pair: float(image_distance(images[[pair[0]]], others[[pair[1]]])[0]) for pair in every}
    equal = [pair for pair in every if np.array_equal(images[pair[0]], others[pair[1]])]
    assert list(found.exact) == equal
    expected = [pair for pair in every if distances[pair] < 0.03 and pair not in equal]
    assert list(found.near) == expected
    assert 3 < len(expected) < 60
    assert found.distances == pytest.approx([distances[pair] for pair in expected])


def test_the_distance_is_one_minus_the_correlation():
    first, second = np.random.default_rng(0).integers(0, 256, (2, 3, 1, 8, 8), dtype=np.uint8)
    expected = [1 - np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in zip(first, second, strict=True)]
    assert image_distance(first, second) == pytest.approx(expected)


def test_plain_images_are_no_copies_of_each_other():
    plain = np.stack([np.full((3, 64, 64), grey, np.uint8) for grey in (0, 90, 90, 255)])
    found = find_duplicates(plain, plain)
    assert found.near == ()
    assert found.exact == ((0, 0), (1, 1), (1, 2), (2, 1), (2, 2), (3, 3))


def test_altered_copies_of_digits_are_found_and_other_digits_are_not(digits):
    images = digits.train.images[:100]
    others = digits.train.images[100:].copy()
    planted = list(range(0, 1000, 10))
    for i, at in enumerate(planted):
        kinds = [images[i], recompressed(images[i]), (images[i] * 0.9).astype(np.uint8)]
        others[at] = kinds[i % 3]
    found = find_duplicates(images, others)
    assert found.exact == tuple((i, at) for i, at in enumerate(planted) if i % 3 == 0)
    assert set(found.near) == {(i, at) for i, at in enumerate(planted) if i % 3}
    assert found.others() == tuple(planted)


def test_the_measured_threshold_on_digits(digits):
    """The docstring's figures: one pair of training images is nearer than the threshold, none of the "
    "holdout is."""
    images = digits.train.images
    found = find_duplicates(images, images, skip=range(0))
    assert found.near == ((1270, 1323), (1323, 1270))
    assert found.distances[0] == pytest.approx(0.00389, abs=1e-5)
    assert find_duplicates(digits.holdout.images, images).others() == ()


def test_skipped_positions_are_left_out(digits):
    images = digits.train.images
    found = find_duplicates(images[[3, 1270]], images, skip=[3, 1270])
    assert found.exact == ()
    assert found.near == ((1, 1323),)


def test_thresholds_by_colour():
    images = smooth(4, 3, 32)
    assert find_duplicates(images, images).threshold == NEAR_COLOUR
    assert find_duplicates(images[:, :1], images[:, :1]).threshold == NEAR_GREY


def test_images_of_other_shape():
    with pytest.raises(DataError, match="cannot be compared"):
        find_duplicates(smooth(2, 1, 32), smooth(2, 3, 32))


def test_copies_can_be_forgotten_too(digits):
    chosen = forget_indices(digits.train, [3, 1270], data="digits")
    found = find_duplicates(digits.train.images[[3, 1270]], digits.train.images, skip=chosen.indices or ())
    larger = include_duplicates(chosen, digits.train, found)
    assert larger.indices == (3, 1270, 1323)
    assert len(larger.hashes) == 3
    assert larger.labels == tuple(digits.train.labels[[3, 1270, 1323]])
    assert (larger.data, larger.task) == ("digits", "item")
    assert larger.selection == {"indices": 2, "duplicates_included": 1}


def test_copies_cannot_be_added_to_a_class_or_without_data(digits, tmp_path):
    nothing = Duplicates((), (), (), NEAR_GREY)
    with pytest.raises(ForgetSetError, match="to a class"):
        include_duplicates(forget_classes(digits.train, 7), digits.train, nothing)
    Image.fromarray(digits.train.images[0, 0]).save(tmp_path / "x.png")
    unverified = forget_folder(None, tmp_path, resolution=16, channels=1)
    with pytest.raises(ForgetSetError, match="without training data"):
        include_duplicates(unverified, digits.train, nothing)


@pytest.mark.skipif(not (SHARED / "mnist").is_dir(), reason="the complete MNIST is not here")
def test_mnist_has_no_near_copies_of_64_images_and_planted_ones_are_found():
    splits = load_data(DataSpec("mnist", path=SHARED / "mnist"))
    images = splits.train.images[:64]
    others = np.asarray(splits.holdout.images).copy()
    others[5000] = images[11]
    others[6000] = recompressed(images[12], 90)
    found = find_duplicates(images, others)
    assert (found.exact, found.near) == (((11, 5000),), ((12, 6000),))

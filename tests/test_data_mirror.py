"""Mirrored copies: the official order, and forget sets that hold both sides of an image."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganforget.data import (
    ForgetSet,
    ImageDataset,
    forget_classes,
    forget_folder,
    forget_indices,
    image_hash,
    mirrored_dataset,
    with_mirror_images,
)

PIXELS = np.random.default_rng(0).integers(0, 256, (6, 1, 8, 8), dtype=np.uint8)


@pytest.fixture
def train() -> ImageDataset:
    return ImageDataset(PIXELS, np.array([0, 1, 2, 0, 1, 2]), 3, tuple(f"{n}.png" for n in range(6)))


def test_image_n_plus_i_is_image_i_mirrored(train):
    both = mirrored_dataset(train)
    assert len(both) == 12
    assert both.labels is not None
    assert both.labels.tolist() == [0, 1, 2, 0, 1, 2] * 2
    for index in range(6):
        assert np.array_equal(both.images[index], PIXELS[index])
        assert np.array_equal(both.images[6 + index], np.fliplr(PIXELS[index, 0])[None])
    assert both.names[8] == "2.png (mirrored)"


@pytest.mark.parametrize("named", [[1, 4], [7, 10], [1, 10], [1, 4, 7, 10]])
def test_both_sides_are_forgotten_whichever_is_named(train, named):
    both = mirrored_dataset(train)
    forget = with_mirror_images(forget_indices(both, named), both)
    assert forget.indices == (1, 4, 7, 10)
    assert forget.hashes[2] == image_hash(PIXELS[1][..., ::-1])
    assert forget.labels == (1, 1, 1, 1)
    assert forget.selection["mirrored"] is True


def test_a_class_is_all_its_images_of_both_sides(train, tmp_path):
    both = mirrored_dataset(train)
    forget = with_mirror_images(forget_classes(train, 2), both)
    assert (forget.indices, forget.task, forget.classes) == ((2, 5, 8, 11), "class", (2,))
    forget.save(tmp_path / "forget.json")
    assert ForgetSet.load(tmp_path / "forget.json", both) == forget


def test_images_of_unverified_membership(tmp_path: Path):
    (tmp_path / "mine" / "1").mkdir(parents=True)
    Image.fromarray(PIXELS[0, 0]).save(tmp_path / "mine" / "1" / "a.png")
    plain = forget_folder(None, tmp_path / "mine", num_classes=3, resolution=8, channels=1)
    forget = with_mirror_images(plain, None)
    held = forget.dataset(None)
    assert held.names == ("1/a.png", "1/a.png (mirrored)")
    assert np.array_equal(held.images[1], PIXELS[0][..., ::-1])
    assert forget.labels == (1, 1)
    forget.save(tmp_path / "forget.json")
    again = ForgetSet.load(tmp_path / "forget.json", None)
    assert again.hashes == forget.hashes
    assert again.images is not None
    assert forget.images is not None
    assert np.array_equal(again.images, forget.images)

"""Forget sets given as images: found by content, or carried along where there are no training data."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from ganforget.data import (
    DataSpec,
    ForgetSet,
    ImageDataset,
    forget_folder,
    forget_from,
    image_hash,
    load_data,
)
from ganforget.data.mnist import prepare_mnist
from ganforget.errors import DataError, ForgetSetError


def save(path: Path, image: np.ndarray) -> None:
    """Write one uint8 image [C, H, W]."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image[0] if len(image) == 1 else image.transpose(1, 2, 0)).save(path)


def dataset(channels: int = 1, side: int = 8) -> ImageDataset:
    images = np.random.default_rng(0).integers(0, 256, (12, channels, side, side), dtype=np.uint8)
    return ImageDataset(images, np.arange(12) % 3, 3, tuple(f"{i}.png" for i in range(12)))


@pytest.mark.parametrize("channels", [1, 3])
def test_images_are_found_by_content_whatever_their_names(tmp_path, channels):
    train = dataset(channels)
    save(tmp_path / "anna.png", train.images[7])
    save(tmp_path / "deep" / "zoe.png", train.images[2])
    chosen = forget_folder(train, tmp_path, data="toy")
    assert (chosen.task, chosen.indices, chosen.labels) == ("item", (2, 7), (2, 1))
    assert chosen.selection == {"folder": str(tmp_path), "files": 2}
    assert chosen.images is None
    assert forget_from(tmp_path, train, data="toy") == chosen


def test_every_copy_in_the_training_set_is_forgotten(tmp_path):
    train = dataset()
    np.asarray(train.images)[5] = train.images[2]
    save(tmp_path / "a.png", train.images[2])
    save(tmp_path / "again.png", train.images[2])
    assert forget_folder(train, tmp_path).indices == (2, 5)


def test_an_image_that_is_not_in_the_training_set_is_named(tmp_path):
    train = dataset()
    save(tmp_path / "mine.png", train.images[7])
    save(tmp_path / "stranger.png", 255 - train.images[7])
    with pytest.raises(ForgetSetError, match=r"1 of 2 images .* not in the training set: stranger\.png;"):
        forget_folder(train, tmp_path)


def test_the_whole_training_set_and_nothing(tmp_path):
    train = dataset()
    for i, image in enumerate(train.images):
        save(tmp_path / "all" / f"{i}.png", image)
    (tmp_path / "none").mkdir()
    with pytest.raises(ForgetSetError, match="whole training set"):
        forget_folder(train, tmp_path / "all")
    with pytest.raises(DataError, match="holds no images"):
        forget_folder(train, tmp_path / "none")


def test_original_digits_are_prepared_like_the_data_set(tmp_path):
    train = load_data(DataSpec("digits")).train
    position = int(train.names[9].removeprefix("digits/"))
    original = np.rint(load_digits(return_X_y=True)[0][position].reshape(8, 8) * 255 / 16).astype(np.uint8)
    save(tmp_path / "original.png", original[None])
    save(tmp_path / "as_rgb" / "original.png", np.repeat(original[None], 3, axis=0))
    (tmp_path / "as_rgb" / "original.png").rename(tmp_path / "rgb.png")
    (tmp_path / "as_rgb").rmdir()
    with pytest.raises(DataError, match="most are"):  # grey and RGB do not mix in one folder
        forget_folder(train, tmp_path)
    for other in ("original.png", "rgb.png"):
        alone = tmp_path / other.removesuffix(".png")
        save(alone / "x.png", np.zeros((1, 8, 8), np.uint8))
        (tmp_path / other).rename(alone / "x.png")
        assert forget_folder(train, alone).indices == (9,)


def test_original_mnist_images_are_padded(tmp_path):
    small = np.random.default_rng(0).integers(0, 256, (5, 1, 28, 28), dtype=np.uint8)
    train = ImageDataset(prepare_mnist(small), np.arange(5), 5, tuple("abcde"))
    save(tmp_path / "x.png", small[3])
    assert forget_folder(train, tmp_path).indices == (3,)


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros((1, 16, 16), np.uint8), "16x16 grey, expected 8x8 grey"),
        (np.arange(192, dtype=np.uint8).reshape(3, 8, 8), "8x8 RGB, expected 8x8 grey"),
    ],
)
def test_images_that_do_not_fit(tmp_path, image, message):
    save(tmp_path / "x.png", image)
    with pytest.raises(ForgetSetError, match=message):
        forget_folder(dataset(), tmp_path)


def test_without_training_data_the_images_are_carried_along(tmp_path):
    images = dataset().images
    for i, label in ((4, "2"), (7, "0"), (8, "0")):
        save(tmp_path / "in" / label / f"{i}.png", images[i])
    save(tmp_path / "in" / "2" / "copy.png", images[4])
    chosen = forget_from(tmp_path / "in", None, num_classes=3, resolution=8, channels=1)
    assert (chosen.indices, chosen.verified, chosen.labels) == (None, False, (0, 0, 2))
    assert chosen.hashes == tuple(image_hash(images[i]) for i in (7, 8, 4))
    carried = chosen.dataset(None)
    assert np.array_equal(carried.images, images[[7, 8, 4]])
    assert carried.num_classes == 3
    with pytest.raises(ForgetSetError, match="complement is unknown"):
        chosen.retain_indices(dataset())

    chosen.save(tmp_path / "forget_set.json")
    again = ForgetSet.load(tmp_path / "forget_set.json", None)
    assert again == chosen
    assert again.images is not None
    assert np.array_equal(again.images, images[[7, 8, 4]])

    save(tmp_path / "in" / "0" / "8.png", images[9])
    with pytest.raises(ForgetSetError, match="no longer those of the forget set"):
        ForgetSet.load(tmp_path / "forget_set.json", None)


def test_labels_from_the_label_file_come_first(tmp_path):
    save(tmp_path / "0" / "x.png", dataset().images[0])
    (tmp_path / "dataset.json").write_text(json.dumps({"labels": [["0/x.png", 2], ["elsewhere.png", 1]]}))
    assert forget_folder(None, tmp_path, num_classes=3, resolution=8, channels=1).labels == (2,)


def test_a_model_without_classes_needs_no_labels(tmp_path):
    save(tmp_path / "x.png", dataset().images[0])
    assert forget_folder(None, tmp_path, resolution=8, channels=1).labels is None


def test_a_model_with_classes_needs_labels(tmp_path):
    save(tmp_path / "x.png", dataset().images[0])
    save(tmp_path / "cats" / "y.png", dataset().images[1])
    save(tmp_path / "1" / "z.png", dataset().images[2])
    with pytest.raises(ForgetSetError, match=r"2 of 3 .* no label: cats/y\.png, x\.png; add a dataset\.json"):
        forget_folder(None, tmp_path, num_classes=3, resolution=8, channels=1)


def test_a_class_that_the_model_does_not_have(tmp_path):
    save(tmp_path / "3" / "x.png", dataset().images[0])
    with pytest.raises(ForgetSetError, match=r"classes 0 to 2, but .* has 3/x\.png: 3"):
        forget_folder(None, tmp_path, num_classes=3, resolution=8, channels=1)


def test_without_data_the_size_is_needed(tmp_path):
    save(tmp_path / "x.png", dataset().images[0])
    with pytest.raises(ForgetSetError, match="resolution and channels of the model are needed"):
        forget_folder(None, tmp_path)

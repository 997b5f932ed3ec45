"""Images of a trained GAN: the same seed gives the same image, alone or among others."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ganforget.api.generating import generate_images, parse_seeds
from ganforget.api.options import GenerateOptions
from ganforget.errors import InputError


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


def images(model: Path, out: Path, **options: Any) -> dict[str, np.ndarray]:
    """Return the generated images by file name."""
    return {file.name: pixels(file) for file in generate_images(GenerateOptions(str(model), out, **options))}


def test_a_file_for_each_class_and_seed(tiny_run: Path, tmp_path: Path):
    made = images(tiny_run, tmp_path / "new" / "folder", count=2, classes=(7, 1))
    assert list(made) == [f"class{y}-seed0000{s}.png" for y in (7, 1) for s in (0, 1)]
    assert all(image.shape == (16, 16) for image in made.values())
    assert not np.array_equal(made["class7-seed00000.png"], made["class7-seed00001.png"])


@pytest.mark.parametrize("noise_mode", ["const", "random"])
def test_an_image_depends_on_its_seed_alone(noise_mode: str, tiny_run: Path, tmp_path: Path):
    many = images(tiny_run, tmp_path / "many", seeds="0-2,9", classes=(3,), noise_mode=noise_mode)
    alone = images(tiny_run, tmp_path / "alone", seeds="9", classes=(3,), noise_mode=noise_mode)
    assert len(many) == 4
    assert np.array_equal(many["class3-seed00009.png"], alone["class3-seed00009.png"])


def test_a_sheet_has_a_row_for_each_class(tiny_run: Path, tmp_path: Path):
    (sheet,) = images(tiny_run, tmp_path / "sheet.png", count=3).values()
    assert sheet.shape == (10 * 16, 3 * 16)
    single = images(tiny_run, tmp_path / "files", count=3)
    assert np.array_equal(sheet[7 * 16 : 8 * 16, 2 * 16 :], single["class7-seed00002.png"])


def test_without_variety_all_images_are_the_mean_image(tiny_run: Path, tmp_path: Path):
    made = list(images(tiny_run, tmp_path, count=3, truncation=0.0).values())
    assert all(np.array_equal(image, made[0]) for image in made)


def test_seeds_as_numbers_and_ranges():
    assert parse_seeds("5, 7,10-12") == [5, 7, 10, 11, 12]


@pytest.mark.parametrize("text", ["", "5,", "3-1", "-1", "a", "1.5", "0-9999999"])
def test_seeds_that_are_none(text: str):
    with pytest.raises(InputError, match="--seeds has"):
        parse_seeds(text)


def test_a_class_that_is_not_made(tiny_run: Path, tmp_path: Path):
    with pytest.raises(InputError, match="no class -1; it has 0 to 9"):
        images(tiny_run, tmp_path, classes=(3, -1))

"""Images that stay in their files: the array they stand for, what is decoded when, and what is noticed."""

import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganforget.data import DataSpec, ImageDataset, find_duplicates, image_hash, load_data
from ganforget.data import image_files as image_files_module
from ganforget.data import stored_images as stored_images_module
from ganforget.data import survey_cache as survey_cache_module
from ganforget.data.image_files import survey_images
from ganforget.data.stored_images import StoredImages
from ganforget.errors import DataError

PIXELS = np.random.default_rng(0).integers(0, 256, (20, 3, 8, 8), dtype=np.uint8)


def write(folder: Path, pixels: np.ndarray = PIXELS) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for number, image in enumerate(pixels):
        Image.fromarray(image.transpose(1, 2, 0)).save(folder / f"{number:05d}.png")
    return folder


@pytest.fixture
def stored(tmp_path: Path) -> StoredImages:
    images = survey_images(write(tmp_path / "faces")).images
    assert images is not None
    return images


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows by one with every decoding."""
    count: list[int] = []
    real = image_files_module._decode
    monkeypatch.setattr(image_files_module, "_decode", lambda data: count.append(1) or real(data))
    return count


@pytest.mark.parametrize("key", [5, -1, np.int64(3), slice(2, 9), slice(None), np.array([7, 0, 7]), [1, 2]])
def test_it_is_indexed_like_the_array(stored, key):
    assert np.array_equal(stored[key], PIXELS[key])


def test_the_rest_of_the_array(stored):
    assert (stored.shape, stored.ndim, stored.dtype, len(stored)) == (PIXELS.shape, 4, np.uint8, 20)
    assert np.array_equal(np.asarray(stored), PIXELS)
    assert np.array_equal(np.stack(list(stored)), PIXELS)
    assert np.array_equal(stored.take(np.array([4, 2])).take(np.array([1]))[0], PIXELS[2])
    with pytest.raises(IndexError):
        stored[20]
    changed = stored[3]
    changed[:] = 0
    assert np.array_equal(stored[3], PIXELS[3]), "what is kept at hand stays as it is"


def test_hashes_are_those_of_the_pixels(stored):
    assert [stored.digest(at) for at in range(20)] == [image_hash(image) for image in PIXELS]
    both = stored.mirrored()
    assert both.digest(23) == image_hash(PIXELS[3, :, :, ::-1])
    assert np.array_equal(np.asarray(both), np.concatenate([PIXELS, PIXELS[..., ::-1]]))


def test_nothing_is_decoded_before_it_is_needed(tmp_path, decoded):
    train = load_data(DataSpec(str(write(tmp_path / "faces")))).train
    assert len(decoded) == 20, "once, to check all of them"
    part = train.subset(range(10))
    part.content_hash()
    assert len(decoded) == 20
    part.tensor([3, 4])
    part.tensor([3, 4])
    assert len(decoded) == 22


def test_memory_is_bounded(tmp_path, monkeypatch):
    """A set of 29 MB of pixels passes through the load, the hash, and the search for copies in less than 8 MB."""
    monkeypatch.setattr(stored_images_module, "CACHE_BYTES", 2**20)
    monkeypatch.setattr("ganforget.data.duplicates._BLOCK_VALUES", 2**17)
    pixels = np.zeros((150, 3, 256, 256), np.uint8) + np.arange(150, dtype=np.uint8)[:, None, None, None]
    pixels[:, :, ::2] += 50
    path = write(tmp_path / "faces", pixels)
    size = pixels.nbytes
    del pixels
    tracemalloc.start()
    train = load_data(DataSpec(str(path))).train
    train.content_hash()
    found = find_duplicates(train.subset([7]).images, train.images, skip=[7], threshold=1e-9)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.exact == ()
    assert peak < size / 3.5


def test_a_file_that_changes_under_our_hands_is_named(tmp_path, stored):
    Image.fromarray(PIXELS[4].transpose(1, 2, 0)).save(tmp_path / "faces" / "00005.png")
    assert np.array_equal(stored[6], PIXELS[6])
    with pytest.raises(DataError, match=r"00005\.png has changed since"):
        stored[5]
    (tmp_path / "faces" / "00007.png").unlink()
    with pytest.raises(DataError, match=r"00007\.png can no longer be read"):
        stored[7]


def test_a_survey_is_kept_until_the_files_change(tmp_path, monkeypatch, decoded):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(survey_cache_module, "LEAST", 10)
    folder = write(tmp_path / "faces")
    (folder / "._00000.png").write_bytes(b"of macOS")
    first = survey_images(folder)
    before = len(decoded)
    again = survey_images(folder)
    assert len(decoded) == before
    assert again.names == first.names
    assert again.images is not None
    assert np.array_equal(np.asarray(again.images), PIXELS)
    (kept,) = (tmp_path / "cache" / "ganforget" / "surveys").iterdir()
    kept.write_bytes(b"damaged")
    assert survey_images(folder).names == first.names
    Image.fromarray(PIXELS[4].transpose(1, 2, 0)).save(folder / "00005.png")
    changed = survey_images(folder).images
    assert changed is not None
    assert changed.digest(5) == image_hash(PIXELS[4])


def test_problems_are_not_kept(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(survey_cache_module, "LEAST", 10)
    folder = write(tmp_path / "faces")
    (folder / "00003.png").write_bytes(b"no image")
    for _ in range(2):
        with pytest.raises(DataError, match=r"1 of the images .*00003\.png"):
            load_data(DataSpec(str(folder)))


def test_the_same_content_hash_however_it_is_reached(tmp_path):
    folder = write(tmp_path / "faces")
    whole = load_data(DataSpec(str(folder))).train
    with zipfile.ZipFile(tmp_path / "part.zip", "w") as archive:
        for name in whole.names[3:9]:
            archive.write(folder / name, name)
    part = load_data(DataSpec(str(tmp_path / "part.zip"))).train
    assert part.content_hash() == whole.subset(range(3, 9)).content_hash()
    assert part.content_hash() != whole.subset(range(2, 8)).content_hash()


def test_a_data_set_takes_either():
    dataset = ImageDataset(PIXELS, None, 0, tuple("abcdefghijklmnopqrst"))
    assert np.array_equal(dataset.subset([2]).images, PIXELS[2:3])

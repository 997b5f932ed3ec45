"""MNIST's IDX files: read exactly, refused when damaged."""

import gzip
import hashlib
import os
import struct
from pathlib import Path

import numpy as np
import pytest

from ganforget.data import DataSpec, class_counts, load_data
from ganforget.data.mnist import read_idx
from ganforget.errors import DataError

SHARED = Path(os.environ.get("GANFORGET_SHARED", Path(__file__).parents[2] / "shared")) / "data"


def idx(values: np.ndarray) -> bytes:
    return struct.pack(f">BBBB{values.ndim}I", 0, 0, 8, values.ndim, *values.shape) + values.tobytes()


def write_mnist(folder: Path, *, compressed: bool = False) -> None:
    rng = np.random.default_rng(0)
    for prefix, count in (("train", 20), ("t10k", 10)):
        files = {
            f"{prefix}-images-idx3-ubyte": rng.integers(0, 256, (count, 28, 28), dtype=np.uint8),
            f"{prefix}-labels-idx1-ubyte": (np.arange(count) % 10).astype(np.uint8),
        }
        for name, values in files.items():
            data = idx(values)
            (folder / (name + ".gz" * compressed)).write_bytes(gzip.compress(data) if compressed else data)


def load(folder: Path):
    return load_data(DataSpec("mnist", path=folder))


@pytest.mark.parametrize("compressed", [False, True])
def test_small_files_are_read_and_padded(tmp_path, compressed):
    write_mnist(tmp_path, compressed=compressed)
    splits = load(tmp_path)
    raw = np.random.default_rng(0).integers(0, 256, (20, 28, 28), dtype=np.uint8)
    assert splits.train.images.shape == (20, 1, 32, 32)
    assert np.array_equal(splits.train.images[:, 0, 2:30, 2:30], raw)
    assert np.asarray(splits.train.images).sum() == raw.sum()  # the rest is zero
    assert splits.train.labels is not None
    assert splits.train.labels.tolist() == list(range(10)) * 2
    assert (splits.train.names[3], splits.holdout.names[3]) == ("mnist/train/00003", "mnist/test/00003")
    assert len(splits.holdout) == 10


def test_the_download_folder_is_the_default(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(DataError, match=r"ganforget data download mnist.*--data-path DIR"):
        load_data(DataSpec("mnist"))
    (tmp_path / "ganforget" / "mnist").mkdir(parents=True)
    write_mnist(tmp_path / "ganforget" / "mnist")
    assert len(load_data(DataSpec("mnist")).train) == 20


def test_a_relative_cache_setting_is_ignored(monkeypatch, tmp_path):
    from ganforget.data import cache_folder

    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder("mnist") == tmp_path / ".cache" / "ganforget" / "mnist"


@pytest.mark.parametrize("name", ["train-images-idx3-ubyte", "t10k-labels-idx1-ubyte"])
def test_a_missing_file_is_named(tmp_path, name):
    write_mnist(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(DataError, match=f"{name} .* is not in"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda data: data[:-1], "holds 15679 bytes of values, its header announces 15680"),
        (lambda data: data + b"\0", "holds more values"),
        (lambda data: data[:10], "truncated within its header"),
        (lambda data: b"", "starts with nothing"),
        (lambda data: b"\0\0\x08\x01" + data[4:], "starts with 00000801, expected the IDX magic 00000803"),
        (lambda data: b"\0\0\x0d\x03" + data[4:], "starts with 00000d03"),
        (lambda data: data[:4] + b"\xff" * 4 + data[8:], "in its header, which no MNIST file has"),
    ],
)
@pytest.mark.parametrize("compressed", [False, True])
def test_damaged_values_are_refused_by_name(tmp_path, damage, message, compressed):
    write_mnist(tmp_path, compressed=compressed)
    path = tmp_path / ("train-images-idx3-ubyte" + ".gz" * compressed)
    data = gzip.decompress(path.read_bytes()) if compressed else path.read_bytes()
    path.write_bytes(gzip.compress(damage(data)) if compressed else damage(data))
    with pytest.raises(DataError, match=message) as error:
        load(tmp_path)
    assert path.name in str(error.value)


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[: len(data) // 2],
        lambda data: data[:12] + bytes(40) + data[52:],
        lambda data: b"no gzip at all",
        lambda data: data[:-8] + b"\1\2\3\4" + data[-4:],  # the CRC
    ],
)
def test_damaged_gzip_is_refused(tmp_path, damage):
    write_mnist(tmp_path, compressed=True)
    path = tmp_path / "train-images-idx3-ubyte.gz"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(DataError, match=r"train-images-idx3-ubyte\.gz"):
        load(tmp_path)


def test_unequal_numbers_of_images_and_labels(tmp_path):
    write_mnist(tmp_path)
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(idx(np.zeros(19, np.uint8)))
    with pytest.raises(DataError, match=r"20 images and .* 19 labels"):
        load(tmp_path)


def test_another_size_is_not_mnist(tmp_path):
    write_mnist(tmp_path)
    (tmp_path / "train-images-idx3-ubyte").write_bytes(idx(np.zeros((20, 32, 28), np.uint8)))
    with pytest.raises(DataError, match="images of 32x28, expected 28x28"):
        load(tmp_path)


def test_a_label_of_another_data_set(tmp_path):
    write_mnist(tmp_path)
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(idx(np.full(20, 26, np.uint8)))
    with pytest.raises(DataError, match="the label 26, expected 0 to 9"):
        load(tmp_path)


@pytest.mark.skipif(not (SHARED / "mnist").is_dir(), reason="the complete MNIST is not here")
def test_the_real_files_have_the_canonical_content():
    raw = read_idx(SHARED / "mnist" / "train-images-idx3-ubyte.gz", 3)
    header = struct.pack(">4B3I", 0, 0, 8, 3, *raw.shape)
    assert hashlib.md5(header + raw.tobytes()).hexdigest() == "6bbc9ace898e44ae57da46a324031adb"
    splits = load(SHARED / "mnist")
    assert (len(splits.train), len(splits.holdout)) == (60_000, 10_000)
    assert class_counts(splits.train)[5] == 5421
    assert class_counts(splits.holdout)[1] == 1135

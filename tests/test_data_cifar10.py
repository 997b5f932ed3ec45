"""CIFAR-10's binary and Python files, the second read without executing anything."""

import pickle
from pathlib import Path

import numpy as np
import pytest

from ganforget.data import DataSpec, cifar10, load_data
from ganforget.data.cifar10_pickle import read_python_batch
from ganforget.errors import DataError

COUNT = 6
FILES = [f"data_batch_{n}" for n in range(1, 6)] + ["test_batch"]


@pytest.fixture(autouse=True)
def small_batches(monkeypatch):
    monkeypatch.setattr(cifar10, "IMAGES_PER_BATCH", COUNT)


def batch(number: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(number)
    return rng.integers(0, 256, (COUNT, 3072), dtype=np.uint8), rng.integers(0, 10, COUNT, dtype=np.uint8)


def write_binary(folder: Path) -> None:
    for number, name in enumerate(FILES):
        pixels, labels = batch(number)
        (folder / f"{name}.bin").write_bytes(np.concatenate([labels[:, None], pixels], axis=1).tobytes())


def text(value: str | bytes) -> bytes:
    """A Python 2 string as its pickle holds it: opcode T, four bytes of length, the bytes."""
    data = value.encode() if isinstance(value, str) else value
    return b"T" + len(data).to_bytes(4, "little") + data


def python2_pickle(pixels: np.ndarray, labels: np.ndarray, name: str = "numpy.core.multiarray\n_reconstruct") -> bytes:
    """What Python 2 wrote, opcode by opcode: a dictionary of a NumPy array and a list of numbers."""
    column_order = b"\x89"
    shape = b"M" + len(pixels).to_bytes(2, "little") + b"M" + (3072).to_bytes(2, "little") + b"\x86"
    minus_one = b"J\xff\xff\xff\xff"
    dtype = b"cnumpy\ndtype\n" + text("u1") + b"K\x00K\x01\x87R"
    dtype += b"(K\x03" + text("|") + b"NNN" + minus_one + minus_one + b"K\x00tb"
    array = b"c" + name.encode() + b"\n" + b"cnumpy\nndarray\nK\x00\x85" + text("b") + b"\x87R"
    array += b"(K\x01" + shape + dtype + column_order + text(pixels.tobytes()) + b"tb"
    numbers = b"](" + b"".join(b"K" + bytes([int(label)]) for label in labels) + b"e"
    return b"\x80\x02}(" + text("data") + array + text("labels") + numbers + b"u."


def write_python(folder: Path) -> None:
    for number, name in enumerate(FILES):
        (folder / name).write_bytes(python2_pickle(*batch(number)))


@pytest.mark.parametrize("write", [write_binary, write_python])
@pytest.mark.parametrize("nested", [False, True])
def test_both_versions_give_the_same_images(tmp_path, write, nested):
    folder = tmp_path / ("cifar-10-batches-bin" if write is write_binary else "cifar-10-batches-py")
    folder.mkdir()
    write(folder)
    splits = load_data(DataSpec("cifar10", path=tmp_path if nested else folder))
    assert splits.train.images.shape == (5 * COUNT, 3, 32, 32)
    assert splits.holdout.images.shape == (COUNT, 3, 32, 32)
    pixels, labels = batch(1)
    assert np.array_equal(splits.train.images[COUNT + 2, 1, 3], pixels[2, 1024 + 3 * 32 : 1024 + 4 * 32])
    assert splits.train.labels is not None
    assert splits.train.labels[COUNT : 2 * COUNT].tolist() == labels.tolist()
    assert splits.train.names[7] == "cifar10/train/00007"


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda data: data[:-1], r"data_batch_3\.bin has 18437 bytes, expected exactly 18438"),
        (lambda data: data[:-3073], r"data_batch_3\.bin has 15365 bytes"),
        (lambda data: data + b"\0", r"data_batch_3\.bin is longer"),
        (lambda data: b"\x0b" + data[1:], r"labels from \d+ to 11, expected 0 to 9"),
    ],
)
def test_damaged_binary_files_are_refused(tmp_path, damage, message):
    write_binary(tmp_path)
    path = tmp_path / "data_batch_3.bin"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(DataError, match=message):
        load_data(DataSpec("cifar10", path=tmp_path))


def test_a_missing_file_is_named(tmp_path):
    write_binary(tmp_path)
    (tmp_path / "test_batch.bin").unlink()
    with pytest.raises(DataError, match=r"test_batch\.bin is not in .*ganforget data download cifar10"):
        load_data(DataSpec("cifar10", path=tmp_path))


class Attack:
    """Unpickled the usual way, this creates a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_a_pickle_that_executes_something_is_refused_and_not_executed(tmp_path):
    path, proof = tmp_path / "data_batch_1", tmp_path / "proof"
    path.write_bytes(pickle.dumps({b"data": Attack(proof), b"labels": [1]}))
    with pytest.raises(DataError, match="which no CIFAR-10 file does"):
        read_python_batch(path)
    assert not proof.exists()
    pickle.loads(path.read_bytes())
    assert proof.exists()  # the attack was real


@pytest.mark.parametrize("name", ["os\nsystem", "builtins\neval", "numpy\nload", "numpy.core.multiarray\nfromfile"])
def test_any_other_name_is_refused(tmp_path, name):
    path = tmp_path / "data_batch_1"
    path.write_bytes(python2_pickle(*batch(0), name=name))
    with pytest.raises(DataError, match="it names"):
        read_python_batch(path)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not a pickle",
        python2_pickle(*batch(0))[:-500],
        pickle.dumps({b"labels": [1]}),
        pickle.dumps([1, 2]),
        python2_pickle(batch(0)[0], batch(0)[1][:-1]),
        python2_pickle(batch(0)[0][:, :3000], batch(0)[1]),
    ],
)
def test_damaged_python_files_are_refused(tmp_path, content):
    path = tmp_path / "data_batch_1"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"data_batch_1 is not a readable batch.*binary version"):
        read_python_batch(path)


def test_a_python_batch_of_another_length_is_refused(tmp_path):
    write_python(tmp_path)
    pixels, labels = batch(0)
    (tmp_path / "data_batch_2").write_bytes(python2_pickle(pixels[:4], labels[:4]))
    with pytest.raises(DataError, match="data_batch_2 holds 4 images, expected 6"):
        load_data(DataSpec("cifar10", path=tmp_path))

"""CIFAR-10 from its official files, binary or Python version; the test set is the holdout."""

from pathlib import Path

import numpy as np

from ganforget.data.cache import cache_folder
from ganforget.data.cifar10_pickle import read_python_batch
from ganforget.data.dataset import DataSplits, ImageDataset
from ganforget.errors import DataError

__all__ = ["BATCHES", "IMAGES_PER_BATCH", "RECORD_BYTES", "load_cifar10", "read_binary_batch"]

BATCHES = {"train": tuple(f"data_batch_{n}" for n in range(1, 6)), "test": ("test_batch",)}

IMAGES_PER_BATCH = 10_000

RECORD_BYTES = 1 + 3 * 32 * 32  # the label, then red, green and blue planes


def load_cifar10(folder: Path | None = None) -> DataSplits:
    """Return CIFAR-10, uint8 [N, 3, 32, 32], from ``folder`` or from the download folder.

    ``folder`` holds the batches of the binary version (``data_batch_1.bin``) or of the Python version
    (``data_batch_1``, read without executing anything), itself or in the sub-folder that the archive unpacks
    to. Raises DataError for a missing, truncated or damaged file, by name.
    """
    folder = cache_folder("cifar10") if folder is None else folder
    record: dict[str, object] = {"split": "official: the test set is the holdout", "preparation": "none"}
    return DataSplits("cifar10", _read_split(folder, "train"), _read_split(folder, "test"), record)


def read_binary_batch(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Read one .bin file: uint8 images [10000, 3, 32, 32] and int64 labels [10000]."""
    expected = IMAGES_PER_BATCH * RECORD_BYTES
    try:
        with path.open("rb") as file:
            data = file.read(expected + 1)
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}); check the path and its permissions.") from error
    if len(data) != expected:
        held = f"has {len(data)} bytes" if len(data) < expected else "is longer"
        raise DataError(
            f"{path} {held}, expected exactly {expected}; fetch it again with `ganforget data download cifar10`."
        )
    records = np.frombuffer(data, np.uint8).reshape(IMAGES_PER_BATCH, RECORD_BYTES)
    return records[:, 1:].reshape(-1, 3, 32, 32), records[:, 0].astype(np.int64)


def _read_split(folder: Path, split: str) -> ImageDataset:
    paths = [_find(folder, name) for name in BATCHES[split]]
    batches = [read_binary_batch(path) if path.suffix == ".bin" else _read_python(path) for path in paths]
    images = np.concatenate([images for images, _ in batches])
    labels = np.concatenate([labels for _, labels in batches])
    if labels.min() < 0 or labels.max() > 9:
        raise DataError(
            f"CIFAR-10's {split} files in {folder} hold labels from {labels.min()} to {labels.max()}, "
            "expected 0 to 9; they are damaged or of another data set."
        )
    names = tuple(f"cifar10/{split}/{i:05d}" for i in range(len(images)))
    return ImageDataset(images, labels, 10, names)


def _read_python(path: Path) -> tuple[np.ndarray, np.ndarray]:
    images, labels = read_python_batch(path)
    if len(images) != IMAGES_PER_BATCH:
        raise DataError(f"{path} holds {len(images)} images, expected {IMAGES_PER_BATCH}; fetch it again.")
    return images, labels


def _find(folder: Path, name: str) -> Path:
    places = (f"{name}.bin", f"cifar-10-batches-bin/{name}.bin", name, f"cifar-10-batches-py/{name}")
    for place in places:
        if (folder / place).is_file():
            return folder / place
    raise DataError(
        f"CIFAR-10's {name}.bin is not in {folder}; run `ganforget data download cifar10`, "
        "or name the folder of its binary version with --data-path DIR."
    )

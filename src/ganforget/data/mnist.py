"""MNIST from its standard IDX files, plain or gzipped: 28×28 zero-padded to 32×32, test set as holdout."""

import gzip
import math
import zlib
from pathlib import Path

import numpy as np

from ganforget.data.cache import cache_folder
from ganforget.data.dataset import DataSplits, ImageDataset
from ganforget.errors import DataError

__all__ = ["FILES", "load_mnist", "prepare_mnist", "read_idx"]

FILES = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}

LARGEST = 2**28  # bytes; the largest file, the training images, has 47 million


def load_mnist(folder: Path | None = None) -> DataSplits:
    """Return MNIST, uint8 [N, 1, 32, 32], from ``folder`` or from the download folder.

    Raises DataError for a missing, truncated or inconsistent file, by name.
    """
    folder = cache_folder("mnist") if folder is None else folder
    record: dict[str, object] = {
        "split": "official: the test set is the holdout",
        "preparation": "28x28 to 32x32 by zero padding",
    }
    return DataSplits("mnist", _read_split(folder, "train"), _read_split(folder, "test"), record)


def prepare_mnist(images: np.ndarray) -> np.ndarray:
    """Zero-pad uint8 images [N, 1, 28, 28] to [N, 1, 32, 32]."""
    return np.pad(images, ((0, 0), (0, 0), (2, 2), (2, 2)))


def read_idx(path: Path, dimensions: int) -> np.ndarray:
    """Read an IDX file of unsigned bytes with ``dimensions`` axes; raise DataError unless it is exactly that.

    Layout: two zero bytes, 0x08 for uint8, the number of axes, one big-endian uint32 per axis, the values.
    """
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            header = file.read(4 + 4 * dimensions)
            if header[:4] != bytes([0, 0, 8, dimensions]):
                wanted = f"IDX magic 0000080{dimensions}"
                raise DataError(f"{path} starts with {header[:4].hex() or 'nothing'}, expected the {wanted}; {_AGAIN}")
            if len(header) < 4 + 4 * dimensions:
                raise DataError(f"{path} is truncated within its header; {_AGAIN}")
            shape = tuple(int(size) for size in np.frombuffer(header, ">u4", offset=4))
            expected = math.prod(shape)
            if expected > LARGEST:
                raise DataError(f"{path} announces {expected} bytes in its header, which no MNIST file has; {_AGAIN}")
            values = file.read(expected + 1)  # one byte more shows a file that is too long
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{path} is truncated or damaged as gzip ({error}); {_AGAIN}") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}); check the path and its permissions.") from error
    if len(values) != expected:
        held = f"holds {len(values)} bytes of values" if len(values) < expected else "holds more values"
        raise DataError(f"{path} {held}, its header announces {expected}; {_AGAIN}")
    return np.frombuffer(values, np.uint8).reshape(shape)


_AGAIN = "fetch it again with `ganforget data download mnist`."


def _read_split(folder: Path, split: str) -> ImageDataset:
    image_file, label_file = (_find(folder, name) for name in FILES[split])
    images = read_idx(image_file, 3)
    labels = read_idx(label_file, 1)
    if images.shape[1:] != (28, 28):
        size = "x".join(str(n) for n in images.shape[1:])
        raise DataError(f"{image_file} holds images of {size}, expected 28x28; it is not MNIST.")
    if len(images) == 0 or len(images) != len(labels):
        raise DataError(
            f"{image_file} holds {len(images)} images and {label_file.name} {len(labels)} labels; "
            f"expected one label an image and at least one image; {_AGAIN}"
        )
    if labels.max() > 9:
        raise DataError(f"{label_file} holds the label {labels.max()}, expected 0 to 9; {_AGAIN}")
    names = tuple(f"mnist/{split}/{i:05d}" for i in range(len(images)))
    return ImageDataset(prepare_mnist(images[:, None]), labels.astype(np.int64), 10, names)


def _find(folder: Path, name: str) -> Path:
    for path in (folder / name, folder / f"{name}.gz"):
        if path.is_file():
            return path
    raise DataError(
        f"MNIST's {name} (or .gz) is not in {folder}; run `ganforget data download mnist` or name its folder "
        f"with --data-path DIR."
    )

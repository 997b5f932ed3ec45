"""The Python version of CIFAR-10 is a pickle: read here without executing anything that it names.

The three names that the official files hold are replaced by an inert class that only remembers its state; any
other name is an error. No NumPy code runs on the file's content before shape, type and length have been
checked.
"""

import pickle
from pathlib import Path
from typing import Any

import numpy as np

from ganforget.errors import DataError

__all__ = ["read_python_batch"]

_ALLOWED = {("numpy.core.multiarray", "_reconstruct"), ("numpy", "ndarray"), ("numpy", "dtype")}


class _Inert:
    """Stands for each name in the allow-list: keeps what it is given and does nothing."""

    def __init__(self, *arguments: object) -> None:
        self.arguments = arguments
        self.state: Any = None

    def __setstate__(self, state: object) -> None:
        self.state = state


class _Unpickler(pickle.Unpickler):
    def find_class(self, module_name: str, global_name: str, /) -> Any:
        if (module_name, global_name) not in _ALLOWED:
            raise DataError(f"it names {module_name}.{global_name}, which no CIFAR-10 file does")
        return _Inert


def read_python_batch(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Read one batch of the Python version: uint8 images [N, 3, 32, 32] and int64 labels [N]."""
    try:
        with path.open("rb") as file:
            batch = _Unpickler(file, encoding="bytes").load()
        data, labels = batch[b"data"], batch[b"labels"]
        _, shape, dtype, column_order, values = data.state
        is_plain = shape == (len(labels), 3072) and dtype.arguments[0] in (b"u1", "u1")
        if not is_plain or not isinstance(values, bytes) or len(values) != 3072 * len(labels):
            raise ValueError("the array is not uint8 [N, 3072]")
        rows = np.frombuffer(values, np.uint8).reshape(shape, order="F" if column_order else "C")
        return rows.reshape(-1, 3, 32, 32), np.array([int(label) for label in labels], np.int64)
    except Exception as error:  # a damaged pickle may raise anything
        raise DataError(
            f"{path} is not a readable batch of CIFAR-10's Python version ({error}); fetch it again, or use "
            "the binary version: `ganforget data download cifar10`."
        ) from error

"""Files of `torch.save`, read weights-only and within bounds: new ones are ZIPs, old ones a row of pickles."""

import argparse
import warnings
import zipfile
from pathlib import Path
from typing import Any

import torch

from ganforget.errors import ModelFileError

__all__ = ["read_torch_file"]

LARGEST_FILE = 4 * 2**30
"""A checkpoint of 1024×1024 networks with both optimisers has about 1 GB."""

LARGEST_PICKLE = 64 * 2**20


def read_torch_file(path: Path) -> Any:
    """Return the values in a file of `torch.save`: tensors on the CPU and plain values, nothing executed.

    `argparse.Namespace`, plain attributes, is the one class admitted besides those of weights-only reading. A file of
    more than 4 GiB, a compressed one (torch stores plainly, so that memory stays within the file's size), and
    everything that torch refuses is a ModelFileError.
    """
    try:
        size = path.stat().st_size
        if size > LARGEST_FILE:
            raise ModelFileError(f"{path} has {size} bytes; expected at most {LARGEST_FILE}.")
        if zipfile.is_zipfile(path):
            _refuse_bombs(path)
        with warnings.catch_warnings(), torch.serialization.safe_globals([argparse.Namespace]):
            warnings.simplefilter("ignore")  # of storages of old files
            return torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise ModelFileError(f"There is no file {path}; check the path.") from error
    except ModelFileError:
        raise
    except (Exception, MemoryError) as error:  # a damaged or hostile file may raise anything
        reason = (str(error).strip() or type(error).__name__).split("\n")[0][:200]
        raise ModelFileError(f"{path} is no checkpoint that can be read as weights only: {reason}") from error


def _refuse_bombs(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        for entry in archive.infolist():
            if entry.compress_type != zipfile.ZIP_STORED or entry.file_size != entry.compress_size:
                raise ModelFileError(f"{path} holds {entry.filename} compressed, which torch.save never does.")
            if entry.filename.endswith(".pkl") and entry.file_size > LARGEST_PICKLE:
                raise ModelFileError(f"{path} holds a pickle of {entry.file_size} bytes; weights lie outside of it.")

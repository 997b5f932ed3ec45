"""Files that are never half written: a temporary name in the same folder, fsync, then ``os.replace``."""

import io
import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ganforget.errors import InputError, OutputError

__all__ = [
    "append_json_line",
    "keep_json_lines",
    "make_folder",
    "read_json",
    "read_json_lines",
    "write_bytes",
    "write_image_grid",
    "write_json",
    "write_through",
]


def make_folder(path: Path) -> Path:
    """Create ``path`` and its parents; raise OutputError where that is not possible."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"Cannot create the folder {path} ({error.strerror}); choose another one.") from error
    if not os.access(path, os.W_OK):
        raise OutputError(f"The folder {path} is not writable; choose another one.")
    return path


def write_through(path: Path, write: Callable[[Path], object]) -> None:
    """Replace the file at ``path``, in one step, by what ``write`` puts into an empty file beside it."""
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        os.close(handle)
        try:
            write(Path(temporary))
            with Path(temporary).open("rb") as file:
                os.fsync(file.fileno())
            Path(temporary).chmod(0o644)
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise OutputError(f"Cannot write {path} ({error.strerror}); choose another place.") from error


def write_bytes(path: Path, data: bytes) -> None:
    """Replace the file at ``path`` by ``data`` in one step."""
    write_through(path, lambda place: place.write_bytes(data))


def write_json(path: Path, value: Any) -> None:
    """Write ``value`` as indented JSON; NaN and infinity are refused (ValueError)."""
    write_bytes(path, (json.dumps(value, indent=2, allow_nan=False) + "\n").encode())


def read_json(path: Path, *, kind: str) -> Any:
    """Read a JSON file; raise InputError that names ``kind`` when it is missing or damaged."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError(f"There is no {kind} at {path}; check the path.") from error
    except OSError as error:
        raise InputError(f"The {kind} at {path} cannot be read ({error.strerror}).") from error
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise InputError(f"The {kind} at {path} is not valid JSON ({error}); it may be truncated.") from error


def append_json_line(path: Path, value: Any) -> None:
    """Append one line of JSON to a log."""
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(value, allow_nan=False) + "\n")


def read_json_lines(path: Path) -> list[Any]:
    """Read a log of JSON lines; a last line cut short by a stop is left out."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not a log of JSON lines in UTF-8; the file is damaged.") from error
    values = []
    for number, line in enumerate(lines):
        try:
            values.append(json.loads(line))
        except json.JSONDecodeError as error:
            if number + 1 < len(lines):
                raise InputError(f"Line {number + 1} of {path} is not valid JSON; the log is damaged.") from error
    return values


def keep_json_lines(path: Path, keep: Callable[[Any], bool]) -> None:
    """Rewrite a log with the lines that ``keep`` holds for: a run that goes on repeats the others."""
    lines = [json.dumps(value, allow_nan=False) + "\n" for value in read_json_lines(path) if keep(value)]
    if path.exists():
        write_bytes(path, "".join(lines).encode())


def write_image_grid(path: Path, images: np.ndarray, columns: int) -> None:
    """Write uint8 images [N, C, H, W] as one PNG of ``columns`` columns, without gaps."""
    count, channels, height, width = images.shape
    rows = -(-count // columns)
    sheet = np.zeros((rows * columns, channels, height, width), np.uint8)
    sheet[:count] = images
    sheet = sheet.reshape(rows, columns, channels, height, width).transpose(0, 3, 1, 4, 2)
    sheet = sheet.reshape(rows * height, columns * width, channels)
    buffer = io.BytesIO()
    Image.fromarray(sheet[:, :, 0] if channels == 1 else sheet).save(buffer, format="PNG", optimize=True)
    write_bytes(path, buffer.getvalue())

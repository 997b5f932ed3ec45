"""Files of a folder or of a ZIP, by name, without unpacking anything."""

import os
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from ganforget.data.suggestion import shortened
from ganforget.errors import DataError

__all__ = ["open_files"]

LARGEST_FILE = 64 * 2**20
"""A file larger than this is no image of a data set; a ZIP that unpacks to more is a trap."""


@contextmanager
def open_files(root: Path) -> Iterator[tuple[list[str], Callable[[str], bytes]]]:
    """Give the sorted names (with /) of the files in a folder or ZIP, and a function that reads one.

    Hidden files and macOS's ``__MACOSX`` are left out. The function raises OSError or ValueError for a file
    that cannot be read. Raises DataError where ``root`` is missing or is neither, or where a ZIP names
    absolute paths, "..", or a file twice.
    """
    if root.is_dir():
        yield (
            _folder_names(root),
            lambda name: _limited((root / name).stat().st_size, (root / name).read_bytes),
        )
    elif root.is_file():
        try:
            archive = zipfile.ZipFile(root)
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
            raise DataError(f"{root} is not a readable ZIP ({error}); expected a folder or ZIP of images.") from error
        with archive:
            yield _zip_names(root, archive), lambda name: _read_entry(archive, name)
    else:
        raise DataError(f"There is no folder or ZIP at {root}; check the path.")


def _folder_names(root: Path) -> list[str]:
    def refuse(error: OSError) -> None:
        raise DataError(f"{error.filename} cannot be listed ({error.strerror}); check its permissions.") from error

    names = []
    for folder, _, files in os.walk(root, onerror=refuse):
        names += [(Path(folder) / file).relative_to(root).as_posix() for file in files]
    return sorted(name for name in names if not _is_hidden(name))


def _zip_names(root: Path, archive: zipfile.ZipFile) -> list[str]:
    names = [entry.orig_filename for entry in archive.infolist() if not entry.filename.endswith("/")]
    for name in names:
        path = PurePosixPath(name)
        drive = ":" in path.parts[0] if path.parts else True
        if drive or path.is_absolute() or ".." in path.parts or "\\" in name or "\0" in name:
            raise DataError(f"{root} holds the unsafe path {name!r}; pack it again with plain relative names.")
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise DataError(f"{root} holds files more than once: {shortened(twice)}; pack it again.")
    return sorted(name for name in names if not _is_hidden(name))


def _read_entry(archive: zipfile.ZipFile, name: str) -> bytes:
    try:
        return _limited(archive.getinfo(name).file_size, lambda: archive.read(name))
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError) as error:
        raise ValueError(str(error)) from error


def _limited(size: int, read: Callable[[], bytes]) -> bytes:
    if size > LARGEST_FILE:
        raise ValueError(f"{size} bytes, more than {LARGEST_FILE}")
    return read()


def _is_hidden(name: str) -> bool:
    return any(part.startswith(".") or part == "__MACOSX" for part in PurePosixPath(name).parts)

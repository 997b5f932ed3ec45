"""Files of a folder or of a ZIP, by name, without unpacking anything that was not asked for."""

import hashlib
import os
import stat
import zipfile
import zlib
from collections import Counter
from pathlib import Path, PurePosixPath
from typing import Protocol

from ganforget.data.suggestion import shortened
from ganforget.errors import DataError

__all__ = ["FileStore", "is_hidden", "open_store"]

LARGEST_FILE = 64 * 2**20
"""A file larger than this is no image of a data set; a ZIP that unpacks to more is a trap."""

_UNSUSPICIOUS = 4 * 2**20
_LARGEST_RATIO = 100
"""An entry of more than 4 MiB that unpacks to a hundred times its size is a bomb: no decoded image is that large."""


class FileStore(Protocol):
    """The files of a folder or a ZIP, names with / in sorted order, hidden files among them."""

    @property
    def names(self) -> list[str]: ...

    def read(self, name: str) -> bytes:
        """Return a file's content; OSError or ValueError says why it cannot be read."""
        ...

    def stamp(self) -> str:
        """Return a text that changes with the files, made from names, sizes and times or checksums."""
        ...


def open_store(root: Path) -> FileStore:
    """Return the files of the folder or ZIP ``root``.

    Raises DataError where ``root`` is missing or is neither, or where a ZIP names absolute paths, "..", or a file
    twice. Nothing is read yet: time and memory grow with the number of files alone.
    """
    if root.is_dir():
        return _Folder(root)
    if root.is_file():
        return _Zip(root)
    raise DataError(f"There is no folder or ZIP at {root}; check the path.")


def is_hidden(name: str) -> bool:
    """Whether a part of the path begins with a dot, or is macOS's ``__MACOSX``."""
    return any(part.startswith(".") or part == "__MACOSX" for part in PurePosixPath(name).parts)


class _Folder:
    def __init__(self, root: Path) -> None:
        def refuse(error: OSError) -> None:
            raise DataError(f"{error.filename} cannot be listed ({error.strerror}); check its permissions.") from error

        names = []
        for folder, _, files in os.walk(root, onerror=refuse):  # links to folders are not followed
            below = Path(folder).relative_to(root)
            names += [(below / file).as_posix() for file in files]
        self.root, self.names = root, sorted(names)

    def read(self, name: str) -> bytes:
        path = self.root / name
        facts = path.stat()
        if not stat.S_ISREG(facts.st_mode):  # a pipe would never end
            raise ValueError("no regular file")
        if facts.st_size > LARGEST_FILE:
            raise ValueError(f"{facts.st_size} bytes, more than {LARGEST_FILE}")
        return path.read_bytes()

    def stamp(self) -> str:
        digest = hashlib.sha256(os.fsencode(self.root.resolve()))
        for name in self.names:
            try:
                facts = (self.root / name).stat()
                digest.update(f"{name}\0{facts.st_size}\0{facts.st_mtime_ns}\n".encode("utf-8", "surrogateescape"))
            except OSError:
                digest.update(f"{name}\0?\n".encode("utf-8", "surrogateescape"))
        return digest.hexdigest()


class _Zip:
    def __init__(self, root: Path) -> None:
        try:
            self.archive = zipfile.ZipFile(root)
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
            raise DataError(f"{root} is not a readable ZIP ({error}); expected a folder or ZIP of images.") from error
        self.root = root
        self.names = sorted(self._safe_names())

    def _safe_names(self) -> list[str]:
        names = [entry.orig_filename for entry in self.archive.infolist() if not entry.filename.endswith("/")]
        for name in names:
            path = PurePosixPath(name)
            drive = ":" in path.parts[0] if path.parts else True
            if drive or path.is_absolute() or ".." in path.parts or "\\" in name or "\0" in name:
                raise DataError(f"{self.root} holds the unsafe path {name!r}; pack it again with plain relative names.")
        twice = [name for name, count in Counter(names).items() if count > 1]
        if twice:
            raise DataError(f"{self.root} holds files more than once: {shortened(twice)}; pack it again.")
        return names

    def read(self, name: str) -> bytes:
        entry = self.archive.getinfo(name)
        self._refuse_traps(entry)
        try:
            with self.archive.open(entry) as file:
                data = file.read(entry.file_size + 1)  # never more than was announced
        except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError) as error:
            raise ValueError(str(error)) from error
        if len(data) != entry.file_size:
            raise ValueError(f"{len(data)} bytes, {entry.file_size} were announced")
        return data

    @staticmethod
    def _refuse_traps(entry: zipfile.ZipInfo) -> None:
        if stat.S_ISLNK(entry.external_attr >> 16):
            raise ValueError("a link")
        if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):  # others unpack without a bound
            raise ValueError("packed by another method than deflate")
        size = entry.file_size
        if size > LARGEST_FILE:
            raise ValueError(f"{size} bytes, more than {LARGEST_FILE}")
        if size > _UNSUSPICIOUS and size > _LARGEST_RATIO * entry.compress_size:
            raise ValueError(f"unpacks from {entry.compress_size} to {size} bytes")

    def stamp(self) -> str:
        facts = self.root.stat()
        digest = hashlib.sha256(os.fsencode(self.root.resolve()) + f"\0{facts.st_size}\0{facts.st_mtime_ns}".encode())
        for entry in self.archive.infolist():
            digest.update(f"{entry.orig_filename}\0{entry.file_size}\0{entry.CRC}\0{entry.header_offset}\n".encode())
        return digest.hexdigest()

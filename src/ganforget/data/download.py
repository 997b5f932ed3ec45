"""Fetching MNIST and CIFAR-10 from their official places, checked by checksum."""

import logging
import tarfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ganforget.data import cifar10
from ganforget.data.cache import cache_folder
from ganforget.data.suggestion import did_you_mean
from ganforget.errors import DownloadError, InputError, OutputError
from ganforget.files import make_folder, write_bytes

__all__ = ["DOWNLOADS", "Download", "download"]

Progress = Callable[[str, int, int], None]
"""Called with a file's name, the bytes that have come so far, and the bytes in all (0 where unknown)."""


@dataclass(frozen=True)
class Download:
    """The files of one data set: where they lie and their checksums, ``{"file": "md5:…"}``."""

    address: str
    files: Mapping[str, str]


DOWNLOADS = {
    "mnist": Download(
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        {
            "train-images-idx3-ubyte.gz": "md5:f68b3c2dcbeaaa9fbdd348bbdeb94873",
            "train-labels-idx1-ubyte.gz": "md5:d53e105ee54ea40749a09fcbcd1e9432",
            "t10k-images-idx3-ubyte.gz": "md5:9fb629c4189551a2d022fa330f9573f3",
            "t10k-labels-idx1-ubyte.gz": "md5:ec29112dd5afa0611ce80d1b7f02629c",
        },
    ),
    "cifar10": Download(
        "https://www.cs.toronto.edu/~kriz/",
        {"cifar-10-binary.tar.gz": "md5:c32a1d4ab5d03f1284b67883e8d87530"},
    ),
}


def download(
    name: str, folder: Path | None = None, *, progress: Progress | None = None, mirror: str | None = None
) -> Path:
    """Fetch mnist or cifar10 into ``folder`` or the download folder, and return that folder.

    Files that are there with the right checksum are not fetched again. ``mirror`` is a base address to use in
    place of the official one; the checksums hold for it as well. Raises DownloadError when a file cannot be
    fetched or is not the expected one; no such file stays behind.
    """
    if name not in DOWNLOADS:
        hint = did_you_mean(name, DOWNLOADS)
        raise InputError(f"{name} cannot be downloaded; expected {' or '.join(DOWNLOADS)}.{hint}")
    if mirror is not None and not mirror.startswith(("http://", "https://")):
        raise InputError(f"The mirror {mirror} is no web address; expected http://... or https://...")
    folder = make_folder(cache_folder(name) if folder is None else folder)
    source = DOWNLOADS[name]
    address = (mirror or source.address).rstrip("/") + "/"
    if name == "cifar10" and _has_cifar10(folder):
        return folder
    for file, checksum in source.files.items():
        _fetch(address + file, checksum, folder / file, progress)
    if name == "cifar10":
        _unpack_cifar10(folder / "cifar-10-binary.tar.gz", folder)
    return folder


class _Meter:
    """Pooch's interface to a progress bar, turned into calls of one function."""

    def __init__(self, name: str, report: Progress) -> None:
        self.name, self.report = name, report
        self.total = self.done = 0

    def update(self, count: int) -> None:
        self.done = min(self.done + count, self.total) if self.total else self.done + count
        self.report(self.name, self.done, self.total)

    def reset(self) -> None:
        self.done = 0

    def close(self) -> None:
        pass


def _fetch(url: str, checksum: str, path: Path, progress: Progress | None) -> None:
    import pooch  # brings in requests: only for those who download
    import requests

    meter: Any = _Meter(path.name, progress) if progress else False
    downloader: Any = pooch.HTTPDownloader(progressbar=meter, timeout=30)
    pooch.get_logger().setLevel(logging.WARNING)  # what it tells is told by our own message or progress
    try:
        pooch.retrieve(url, checksum, fname=path.name, path=path.parent, downloader=downloader)
    except requests.RequestException as error:
        raise DownloadError(
            f"{url} could not be fetched ({_reason(error)}); check the connection, or put the file into "
            f"{path.parent} by hand."
        ) from error
    except ValueError as error:
        raise DownloadError(
            f"{url} did not bring a file with the checksum {checksum}, so it was thrown away; "
            "try again later or name another mirror."
        ) from error
    except OSError as error:
        raise OutputError(f"Cannot write {path} ({error.strerror or error}); choose another folder.") from error


def _reason(error: Exception) -> str:
    response = getattr(error, "response", None)
    return f"HTTP status {response.status_code}" if response is not None else type(error).__name__


def _cifar10_files() -> list[str]:
    return [f"{batch}.bin" for batches in cifar10.BATCHES.values() for batch in batches]


def _has_cifar10(folder: Path) -> bool:
    size = cifar10.IMAGES_PER_BATCH * cifar10.RECORD_BYTES
    paths = [folder / "cifar-10-batches-bin" / file for file in _cifar10_files()]
    return all(path.is_file() and path.stat().st_size == size for path in paths)


def _unpack_cifar10(archive: Path, folder: Path) -> None:
    """Take the six batches, by name, out of the archive whose checksum was right, then remove it."""
    target = make_folder(folder / "cifar-10-batches-bin")
    try:
        with tarfile.open(archive, "r:gz") as tar:
            for file in _cifar10_files():
                member = tar.extractfile(f"cifar-10-batches-bin/{file}")
                if member is None:
                    raise KeyError(file)
                write_bytes(target / file, member.read())
    except (tarfile.TarError, KeyError, EOFError, zlib.error) as error:
        raise DownloadError(
            f"{archive} does not hold CIFAR-10's binary files ({error}); remove it and try again."
        ) from error
    archive.unlink()

"""Every kind of file that holds a GAN, told by its first bytes: how it is read, and how it is described."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ganforget.errors import ModelFileError
from ganforget.interchange.description import describe_official
from ganforget.interchange.official_file import load_official
from ganforget.interchange.rosinality import describe_rosinality, is_rosinality, read_rosinality
from ganforget.interchange.single_file import describe_single, load_single
from ganforget.models.gan import Gan

__all__ = ["FILE_KINDS", "FileKind", "describe_file", "load_file"]

_HEAD = 512


@dataclass(frozen=True)
class FileKind:
    """One kind of file."""

    name: str
    matches: Callable[[Path, bytes], bool]
    """Whether a file with this path and these first bytes is of the kind."""
    load: Callable[[Path], Gan]
    """Reads it strictly; raises ModelFileError."""
    describe: Callable[[Path], dict[str, Any]]
    """Says what is in it, also where it would be refused."""


def _is_pickle(path: Path, head: bytes) -> bool:
    return head[:1] == b"\x80" or path.suffix.lower() in (".pkl", ".pickle")


def _is_safetensors(path: Path, head: bytes) -> bool:
    return path.suffix.lower() == ".safetensors" or head[3:9] == b"\0\0\0\0\0{"  # its header's length, then JSON


FILE_KINDS: tuple[FileKind, ...] = (
    FileKind("a rosinality-style checkpoint", is_rosinality, read_rosinality, describe_rosinality),
    FileKind("a single safetensors file", _is_safetensors, load_single, describe_single),
    FileKind("an official network pickle", _is_pickle, load_official, describe_official),
)
"""In the order in which they are tried. A new kind is one entry; nothing else has to know of it."""


def load_file(path: Path) -> Gan:
    """Return the GAN in a file of any known kind, on the CPU; ModelFileError says why it is refused."""
    return _kind_of(path).load(path)


def describe_file(path: Path) -> dict[str, Any]:
    """Return what a file holds, as JSON can hold it; ``problem`` says why it would be refused. Executes nothing."""
    kind = _kind_of(path)
    size = path.stat().st_size
    return {"file": str(path), "kind": kind.name, "bytes": size, **kind.describe(path)}


def _kind_of(path: Path) -> FileKind:
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
    except FileNotFoundError as error:
        raise ModelFileError(f"There is no file {path}; check the path.") from error
    except OSError as error:
        raise ModelFileError(f"{path} cannot be read ({error.strerror}).") from error
    for kind in FILE_KINDS:
        if kind.matches(path, head):
            return kind
    known = ", ".join(kind.name for kind in FILE_KINDS)
    raise ModelFileError(f"{path} is of no kind that ganforget reads: {known}, or a model folder.")

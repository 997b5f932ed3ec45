"""The numbers of a tensor, as torch embeds them in a pickle: five small pickles, a count, then the bytes.

`torch.storage._load_from_bytes` would load all of that by `torch.load`, hence unpickle it. Here each of the five
must be exactly what torch writes, and the count must be exactly the bytes that are left.
"""

import struct
from typing import Any

from ganforget.errors import ModelFileError
from ganforget.interchange.inert import Global, Storage
from ganforget.interchange.machine import Grammar, Machine
from ganforget.interchange.window import Span

__all__ = ["read_storage"]

_MAGIC = 0x1950A86A20F9469CFC6C
_PROTOCOL = 1001

# torch's name of the storage: name of the number type, bytes of one number.
_TYPES = {
    "FloatStorage": ("float32", 4),
    "HalfStorage": ("float16", 2),
    "BFloat16Storage": ("bfloat16", 2),
    "DoubleStorage": ("float64", 8),
    "LongStorage": ("int64", 8),
    "IntStorage": ("int32", 4),
    "ShortStorage": ("int16", 2),
    "CharStorage": ("int8", 1),
    "ByteStorage": ("uint8", 1),
    "BoolStorage": ("bool", 1),
}

_GRAMMAR = Grammar(
    protocols=(2,),
    named=frozenset(("torch", name) for name in _TYPES),
    persistent=lambda key: ("persistent id", key),
    most_opcodes=100,  # the longest of the five has 22
)


def read_storage(span: Span) -> Storage:
    """Return the storage that a span of a file holds; ModelFileError where it holds anything else."""
    window = span.window()
    first, size = window.position, window.end - window.position
    start = window.take(min(4, size))
    window.position = first
    if start[:2] == b"PK":
        raise ModelFileError("a storage is a ZIP archive, which torch never embeds and which may hold another pickle")
    if start[:2] != b"\x80\x02":
        raise ModelFileError("a storage is not what torch embeds (a legacy tar file, or something else)")
    parts = [Machine(_GRAMMAR).run(window) for _ in range(5)]
    magic, protocol, system, reference, keys = parts
    if magic != _MAGIC or protocol != _PROTOCOL:
        raise ModelFileError("a storage does not begin with torch's magic number")
    if not isinstance(system, dict) or system.get("little_endian") is not True:
        raise ModelFileError("a storage was written on a big-endian machine, or does not say")
    key, name, numel = _reference(reference)
    if keys != [key]:
        raise ModelFileError("a storage holds other storages besides")
    dtype, itemsize = _TYPES[name]
    (count,) = struct.unpack("<q", window.take(8))
    left = window.end - window.position
    if count != numel or numel * itemsize != left:
        raise ModelFileError(
            f"a storage claims {numel} and {count} numbers of {itemsize} bytes, and holds {left} bytes"
        )
    return Storage(dtype, numel, span.start + window.position - first, itemsize, span)


def _reference(reference: Any) -> tuple[str, str, int]:
    """Return key, type and count of the one storage that an embedded file refers to."""
    match reference:
        case ("persistent id", ("storage", Global(module="torch", name=name), str(key), str(), int(numel), None)):
            if numel >= 0:
                return key, name, numel
    raise ModelFileError("a storage is not one plain torch storage")

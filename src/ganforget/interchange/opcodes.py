"""The opcodes of pickles, split off one by one with their arguments; nothing is built here.

Source: the format as Python's documentation and `pickletools` give it, protocols 0 to 5.
"""

import struct
from collections.abc import Iterator
from typing import Any, NamedTuple

from ganforget.errors import ModelFileError
from ganforget.interchange.window import Span, Window

__all__ = ["MOST_OPCODES", "OPCODES", "Opcode", "read_opcodes"]

MOST_OPCODES = 200_000
"""A 1024×1024 network pickle has some 38,000; a bomb is told by its count before it is told by memory."""

LONG_TEXT = 4096
"""A text of more bytes (source code, mostly) stays in the file."""

MOST_TEXT = 16 * 2**20
"""Bytes of all shorter texts and numbers together."""

LONGEST_NUMBER = 64
"""Bytes of a whole number; torch's own magic number has 10."""

# Name and kind of argument. u and i are whole numbers without and with sign, "text" and "bytes" have their length in
# front, "line" ends at a line end.
_TABLE: dict[bytes, tuple[str, str]] = {
    b"(": ("MARK", ""),
    b".": ("STOP", ""),
    b"0": ("POP", ""),
    b"1": ("POP_MARK", ""),
    b"2": ("DUP", ""),
    b"F": ("FLOAT", "line"),
    b"I": ("INT", "line"),
    b"J": ("BININT", "i4"),
    b"K": ("BININT1", "u1"),
    b"L": ("LONG", "line"),
    b"M": ("BININT2", "u2"),
    b"N": ("NONE", ""),
    b"P": ("PERSID", "line"),
    b"Q": ("BINPERSID", ""),
    b"R": ("REDUCE", ""),
    b"S": ("STRING", "line"),
    b"T": ("BINSTRING", "bytes4"),
    b"U": ("SHORT_BINSTRING", "bytes1"),
    b"V": ("UNICODE", "line"),
    b"X": ("BINUNICODE", "text4"),
    b"a": ("APPEND", ""),
    b"b": ("BUILD", ""),
    b"c": ("GLOBAL", "lines"),
    b"d": ("DICT", ""),
    b"}": ("EMPTY_DICT", ""),
    b"e": ("APPENDS", ""),
    b"g": ("GET", "line"),
    b"h": ("BINGET", "u1"),
    b"i": ("INST", "lines"),
    b"j": ("LONG_BINGET", "u4"),
    b"l": ("LIST", ""),
    b"]": ("EMPTY_LIST", ""),
    b"o": ("OBJ", ""),
    b"p": ("PUT", "line"),
    b"q": ("BINPUT", "u1"),
    b"r": ("LONG_BINPUT", "u4"),
    b"s": ("SETITEM", ""),
    b"t": ("TUPLE", ""),
    b")": ("EMPTY_TUPLE", ""),
    b"u": ("SETITEMS", ""),
    b"G": ("BINFLOAT", "f8"),
    b"\x80": ("PROTO", "u1"),
    b"\x81": ("NEWOBJ", ""),
    b"\x82": ("EXT1", "u1"),
    b"\x83": ("EXT2", "u2"),
    b"\x84": ("EXT4", "i4"),
    b"\x85": ("TUPLE1", ""),
    b"\x86": ("TUPLE2", ""),
    b"\x87": ("TUPLE3", ""),
    b"\x88": ("NEWTRUE", ""),
    b"\x89": ("NEWFALSE", ""),
    b"\x8a": ("LONG1", "long1"),
    b"\x8b": ("LONG4", "long4"),
    b"B": ("BINBYTES", "bytes4"),
    b"C": ("SHORT_BINBYTES", "bytes1"),
    b"\x8c": ("SHORT_BINUNICODE", "text1"),
    b"\x8d": ("BINUNICODE8", "text8"),
    b"\x8e": ("BINBYTES8", "bytes8"),
    b"\x8f": ("EMPTY_SET", ""),
    b"\x90": ("ADDITEMS", ""),
    b"\x91": ("FROZENSET", ""),
    b"\x92": ("NEWOBJ_EX", ""),
    b"\x93": ("STACK_GLOBAL", ""),
    b"\x94": ("MEMOIZE", ""),
    b"\x95": ("FRAME", "u8"),
    b"\x96": ("BYTEARRAY8", "bytes8"),
    b"\x97": ("NEXT_BUFFER", ""),
    b"\x98": ("READONLY_BUFFER", ""),
}

OPCODES = tuple(name for name, _ in _TABLE.values())

_FORMATS = {"u1": "<B", "u2": "<H", "u4": "<I", "u8": "<Q", "i4": "<i", "f8": ">d"}
_NUMBERS = {kind: struct.Struct(text) for kind, text in _FORMATS.items()}
_COUNTED = {kind for _, kind in _TABLE.values() if kind.startswith(("text", "line", "long"))}


class Opcode(NamedTuple):
    """One opcode: its name, its argument (None where it takes none), and the byte where it stands."""

    name: str
    argument: Any
    position: int


def read_opcodes(window: Window, most: int = MOST_OPCODES) -> Iterator[Opcode]:
    """Give the opcodes of one pickle up to STOP; ModelFileError for what is none, or past a limit."""
    text = 0
    for _ in range(most):
        position = window.position
        name, kind = _TABLE.get(code := window.take(1), ("", ""))
        if not name:
            raise ModelFileError(f"byte {position} is {code.hex()}, which is no opcode of a pickle")
        argument: Any = _argument(window, kind) if kind else None
        if kind in _COUNTED and not isinstance(argument, Span):
            text += window.position - position
            if text > MOST_TEXT:
                raise ModelFileError(f"it holds more than {MOST_TEXT} bytes of names and numbers")
        if name == "FRAME" and isinstance(argument, int) and argument > window.end - window.position:
            raise ModelFileError(f"the frame at byte {position} claims {argument} bytes, more than are left")
        yield Opcode(name, argument, position)
        if name == "STOP":
            return
    raise ModelFileError(f"it has more than {most} opcodes, which no StyleGAN2 pickle has")


def _argument(window: Window, kind: str) -> Any:
    if kind in _NUMBERS:
        return _number(window, kind)
    if kind == "line":
        return _decoded(window.line())
    if kind == "lines":
        return _decoded(window.line()), _decoded(window.line())
    kind, length = kind[:-1], _number(window, f"u{kind[-1]}")
    if kind == "bytes":
        return window.span(length)
    if kind == "long":
        if length > LONGEST_NUMBER:
            raise ModelFileError(f"it holds a whole number of {length} bytes")
        return int.from_bytes(window.take(length), "little", signed=True)
    if length > LONG_TEXT:
        return window.span(length, is_text=True)
    return _decoded(window.take(length))


def _number(window: Window, kind: str) -> Any:
    number = _NUMBERS[kind]
    return number.unpack(window.take(number.size))[0]


def _decoded(data: bytes) -> str:
    try:
        return data.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError as error:
        raise ModelFileError(f"it holds a name that is no text ({error.reason})") from error

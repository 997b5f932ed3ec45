"""A stretch of a file, read in order, never past its end and never more than was asked for."""

import io
from dataclasses import dataclass
from typing import BinaryIO

from ganforget.errors import ModelFileError

__all__ = ["MOST_SPELLED", "Span", "Window"]

LONGEST_LINE = 512
"""Names in a pickle are short; a line without an end would be read to the end of the file."""

MOST_SPELLED = 2**27
"""Bytes that are spelled as a text are read whole, one tensor at a time."""

_BUFFER = 4096


@dataclass(frozen=True)
class Span:
    """Bytes, or a long text, that stay in the file: where they start, and how many bytes they are."""

    file: BinaryIO
    start: int
    length: int
    is_text: bool = False
    is_spelled: bool = False
    """Bytes as protocol 2 writes them: a character of a UTF-8 text for each, so that half of them take two bytes."""

    @property
    def end(self) -> int:
        return self.start + self.length

    def read(self, most: int) -> bytes:
        """Return the bytes; ModelFileError where they are more than ``most``."""
        if self.length > (2 * most if self.is_spelled else most):
            raise ModelFileError(f"the value at byte {self.start} has {self.length} bytes, expected at most {most}")
        self.file.seek(self.start)
        data = self.file.read(self.length)
        if not self.is_spelled:
            return data
        try:
            return data.decode("utf-8").encode("latin-1")
        except (UnicodeDecodeError, UnicodeEncodeError) as error:
            raise ModelFileError(f"the text at byte {self.start} spells no bytes ({error.reason})") from error

    def window(self) -> "Window":
        """Return a window over the bytes."""
        if not self.is_spelled:
            return Window(self.file, self.start, self.end)
        data = self.read(MOST_SPELLED)
        return Window(io.BytesIO(data), 0, len(data))


class Window:
    """Reads a file from ``start`` to ``end`` in order."""

    def __init__(self, file: BinaryIO, start: int, end: int) -> None:
        self.file, self.position, self.end = file, start, end
        self._buffer, self._base = b"", start

    def take(self, count: int) -> bytes:
        """Return the next ``count`` bytes."""
        self._check(count)
        data = self._ahead(count)
        if len(data) != count:
            raise ModelFileError(f"it ends at byte {self.position + len(data)}, in the middle of a value")
        self.position += count
        return data

    def span(self, count: int, *, is_text: bool = False) -> Span:
        """Step over the next ``count`` bytes and return where they are."""
        self._check(count)
        found = Span(self.file, self.position, count, is_text)
        self.position += count
        return found

    def line(self) -> bytes:
        """Return the bytes up to the next line end, which is stepped over."""
        data = self._ahead(min(LONGEST_LINE, self.end - self.position))
        length = data.find(b"\n")
        if length < 0:
            raise ModelFileError(f"the name at byte {self.position} has no end within {LONGEST_LINE} bytes")
        self.position += length + 1
        return data[:length]

    def _ahead(self, count: int) -> bytes:
        """Return the next ``count`` bytes, or those that the file still has, without a step."""
        start = self.position - self._base
        if not 0 <= start <= start + count <= len(self._buffer):
            self.file.seek(self.position)
            self._buffer = self.file.read(min(max(count, _BUFFER), self.end - self.position))
            self._base, start = self.position, 0
        return self._buffer[start : start + count]

    def _check(self, count: int) -> None:
        left = self.end - self.position
        if count > left:
            raise ModelFileError(f"the value at byte {self.position} claims {count} bytes, but {left} are left")

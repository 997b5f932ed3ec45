"""What a pickle's objects become: names and values that remember what they were given and do nothing."""

from dataclasses import dataclass, field
from typing import Any

from ganforget.errors import ModelFileError
from ganforget.interchange.window import Span

__all__ = [
    "Global",
    "NumpyArray",
    "NumpyType",
    "Opaque",
    "Persistent",
    "Storage",
    "TensorStub",
    "check",
    "in_plain_words",
]


@dataclass(frozen=True)
class Global:
    """A name in a module. It is never looked up."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


@dataclass(eq=False)
class Opaque:
    """What a name or opcode outside the allow-list would have made; only a listing (`inspect`) meets it."""

    origin: str


@dataclass(eq=False)
class Persistent:
    """A network or layer: its class's name, its source text (never run), and its attributes."""

    class_name: str
    source: Span | str
    state: dict[Any, Any]


@dataclass(frozen=True)
class Storage:
    """The numbers of a tensor, still in the file: from byte ``start``, ``numel`` of torch's ``dtype``."""

    dtype: str
    numel: int
    start: int
    itemsize: int
    span: Span
    """The bytes of the embedded file that holds them."""

    @property
    def header(self) -> int:
        """How many bytes of the embedded file come before the numbers."""
        return self.start - self.span.start


@dataclass(frozen=True, eq=False)
class TensorStub:
    """A tensor as the file describes it: a view of a storage."""

    storage: Storage
    offset: int
    size: tuple[int, ...]
    stride: tuple[int, ...]

    @property
    def numel(self) -> int:
        count = 1
        for length in self.size:
            count *= length
        return count

    @property
    def fills_its_storage(self) -> bool:
        """Whether the tensor takes every number of its storage once, in whatever order of its axes."""
        expected = 1
        for stride, length in sorted((s, n) for s, n in zip(self.stride, self.size, strict=True) if n != 1):
            if stride != expected:
                return False
            expected *= length
        return self.offset == 0 and self.numel == self.storage.numel


@dataclass(eq=False)
class NumpyType:
    """A numpy.dtype by its code, such as f8."""

    code: str
    state: Any = None


@dataclass(eq=False)
class NumpyArray:
    """A NumPy array, which StyleGAN2 pickles do not have and alias-free ones do; kept unread."""

    state: Any = field(default=None)


def in_plain_words(value: Any) -> str:
    """Return a value of a file for a message: short, and in one line."""
    if isinstance(value, Persistent):
        return f"a {value.class_name}"
    if isinstance(value, TensorStub):
        return f"a tensor {list(value.size)}"
    if value is None or isinstance(value, bool | int | float | str):
        text = repr(value)
        return text if len(text) <= 60 else f"{text[:57]}…"
    return f"a {type(value).__name__}"


def check(condition: bool, message: str) -> None:
    """Raise ModelFileError with ``message`` unless ``condition`` holds."""
    if not condition:
        raise ModelFileError(message)

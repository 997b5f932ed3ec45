"""Every name that a StyleGAN2 pickle may hold, and the inert value that each stands for."""

import itertools
import struct
from typing import Any

from ganforget.errors import ModelFileError
from ganforget.interchange.inert import NumpyArray, NumpyType, Persistent, Storage, TensorStub, check
from ganforget.interchange.machine import Grammar, Maker
from ganforget.interchange.storage import read_storage
from ganforget.interchange.window import Span

__all__ = ["network_grammar"]

MOST_AXES = 6

MOST_STORAGES = 4000
"""G, D and G_ema of a 1024×1024 network have some 800."""

# NumPy's code of a number type: how `struct` unpacks one.
_SCALARS = {"f8": "<d", "f4": "<f", "f2": "<e", "i8": "<q", "i4": "<i", "i2": "<h", "i1": "b"}
_SCALARS |= {"u8": "<Q", "u4": "<I", "u2": "<H", "u1": "B", "b1": "?"}


def network_grammar() -> Grammar:
    """Return what a pickle of StyleGAN2-ADA, or a StyleGAN2 of StyleGAN3's time, may hold."""
    called: dict[tuple[str, str], Maker] = {
        ("torch_utils.persistence", "_reconstruct_persistent_obj"): _persistent,
        ("collections", "OrderedDict"): _dict,
        ("builtins", "set"): _set,
        ("__builtin__", "set"): _set,  # its name up to protocol 2
        ("_codecs", "encode"): _spelled_bytes(),
        ("torch._utils", "_rebuild_parameter"): _parameter,
        ("torch._utils", "_rebuild_tensor_v2"): _tensor,
        ("torch.storage", "_load_from_bytes"): _storages(),
        ("numpy", "dtype"): _numpy_type,
    }
    for numpy in ("numpy.core.multiarray", "numpy._core.multiarray"):
        called[numpy, "scalar"] = _scalar
        called[numpy, "_reconstruct"] = _array  # so that an alias-free generator is recognised as what it is
    named = frozenset({("numpy", "ndarray")})
    return Grammar(protocols=(2, 3, 4, 5), called=called, made={("dnnlib.util", "EasyDict"): _dict}, named=named)


def _persistent(arguments: tuple[Any, ...]) -> Persistent:
    match arguments:
        case ({"type": "class", "version": int(), "module_src": source, "class_name": str(name), "state": state},):
            check(len(arguments[0]) == 5, "a persistent object has more parts than five")
            check(isinstance(source, str) or (isinstance(source, Span) and source.is_text), "module_src is no text")
            check(isinstance(state, dict), f"the state of {name} is no dict")
            return Persistent(name, source, state)
    raise ModelFileError("a persistent object is not a class with its version, source, name and state")


def _dict(arguments: tuple[Any, ...]) -> dict[Any, Any]:
    check(arguments == (), "expected none")
    return {}


def _set(arguments: tuple[Any, ...]) -> set[Any]:
    match arguments:
        case ([*items],) if all(isinstance(item, str | int) for item in items):
            return set(items)
    raise ModelFileError("expected one list of texts")


def _spelled_bytes() -> Maker:
    """Return the reader of bytes that protocol 2 spells as a text: each text once, since it has to be decoded."""
    seen: set[int] = set()

    def read(arguments: tuple[Any, ...]) -> Span:
        match arguments:
            case (Span(is_spelled=True) as span, "latin1") if span.start not in seen:
                seen.add(span.start)
                return span
        raise ModelFileError("expected a text of its own, in latin1")

    return read


def _storages() -> Maker:
    """Return the reader of one file's storages, which counts them."""
    count = itertools.count(1)

    def read(arguments: tuple[Any, ...]) -> Storage:
        check(next(count) <= MOST_STORAGES, f"the file has more than {MOST_STORAGES} storages")
        match arguments:
            case (Span(is_text=False) as span,):
                return read_storage(span)
        raise ModelFileError("expected the bytes of a storage")

    return read


def _tensor(arguments: tuple[Any, ...]) -> TensorStub:
    match arguments:
        case (Storage() as storage, int(offset), tuple(size), tuple(stride), bool(), dict(hooks)) if not hooks:
            pass
        case _:
            raise ModelFileError("expected a storage, its offset, a shape, strides, and no hooks")
    check(len(size) == len(stride) <= MOST_AXES, "expected a stride for each of at most 6 axes")
    check(all(type(n) is int and 0 <= n < 2**40 for n in (offset, *size, *stride)), "expected whole numbers")
    last = offset + sum((n - 1) * s for n, s in zip(size, stride, strict=True))
    check(0 in size or last < storage.numel, f"the tensor {list(size)} reaches past its storage of {storage.numel}")
    return TensorStub(storage, offset, size, stride)


def _parameter(arguments: tuple[Any, ...]) -> TensorStub:
    match arguments:
        case (TensorStub() as tensor, bool(), dict(hooks)) if not hooks:
            return tensor
    raise ModelFileError("expected a tensor without hooks")


def _numpy_type(arguments: tuple[Any, ...]) -> NumpyType:
    match arguments:
        case (str(code), *_) if len(code) <= 8:
            return NumpyType(code)
    raise ModelFileError("expected the code of a number type")


def _scalar(arguments: tuple[Any, ...]) -> Any:
    match arguments:
        case (NumpyType(code=code, state=(_, "<" | "|" | "=", *_)), Span(is_text=False) as span) if code in _SCALARS:
            pattern = _SCALARS[code]
            data = span.read(8)
            check(len(data) == struct.calcsize(pattern), f"a number of type {code} has {len(data)} bytes")
            return struct.unpack(pattern, data)[0]
    raise ModelFileError("expected a plain number type and the bytes of one number")


def _array(arguments: tuple[Any, ...]) -> NumpyArray:
    return NumpyArray()

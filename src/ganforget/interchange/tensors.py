"""Numbers between a file and torch: read into a new tensor, and laid out again as the file has them."""

import io
from typing import BinaryIO

import torch
from torch import Tensor

from ganforget.errors import ModelFileError
from ganforget.interchange.inert import TensorStub
from ganforget.interchange.window import MOST_SPELLED

__all__ = ["FLOATS", "as_stored", "read_tensor"]

FLOATS = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}
"""Number types that a network's tensors may have."""


def read_tensor(file: BinaryIO, stub: TensorStub, name: str) -> Tensor:
    """Return the tensor as contiguous float32; ModelFileError where it is no whole storage of finite floats."""
    storage = stub.storage
    if storage.dtype not in FLOATS:
        raise ModelFileError(f"{name} holds {storage.dtype}, expected float32 or half precision")
    if not stub.fills_its_storage:
        raise ModelFileError(f"{name} is a view of a larger storage; expected a tensor with a storage of its own")
    data = torch.empty(storage.numel * storage.itemsize, dtype=torch.uint8)
    numbers = file
    if storage.span.is_spelled:
        numbers = io.BytesIO(storage.span.read(MOST_SPELLED))
        numbers.seek(storage.header)
    else:
        numbers.seek(storage.start)
    if data.numel() and numbers.readinto(memoryview(data.numpy())) != data.numel():  # type: ignore[attr-defined]
        raise ModelFileError(f"the file ends within {name}")
    flat = data.view(FLOATS[storage.dtype])
    value = flat.as_strided(stub.size, stub.stride).contiguous().float()
    if not torch.isfinite(value).all():
        raise ModelFileError(f"{name} has NaN or infinite values")
    return value


def as_stored(value: Tensor, stub: TensorStub) -> bytes:
    """Return the bytes that ``value`` has in the storage of ``stub``: its number type, and the order of its axes."""
    flat = torch.empty(stub.storage.numel, dtype=FLOATS[stub.storage.dtype])
    flat.as_strided(stub.size, stub.stride).copy_(value)
    return flat.view(torch.uint8).numpy().tobytes()

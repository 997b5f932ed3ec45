"""A pickle that the official tools load, made of an original's own bytes: only the numbers of tensors are others.

Opcodes, names and source text stay where they are, byte for byte. What may hold something of the original GAN and
is not a tensor that gets replaced is either declared as kept or refused.
"""

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal

from torch import Tensor

from ganforget.errors import InputError, ModelFileError
from ganforget.files import write_through
from ganforget.interchange.arguments import discriminator_arguments, generator_arguments
from ganforget.interchange.assembly import Plan, is_same_network, plan_networks
from ganforget.interchange.inert import NumpyArray, Persistent, Storage, TensorStub
from ganforget.interchange.module_tree import find_values
from ganforget.interchange.official import OfficialPickle, file_at, read_official
from ganforget.interchange.tensors import FLOATS, as_stored
from ganforget.interchange.window import MOST_SPELLED
from ganforget.models.gan import Gan

__all__ = ["Placed", "export_like"]

LARGEST_KEPT = 2**14
"""Numbers of a tensor of augment_pipe: its filters have a few hundred."""

MOST_NUMBERS = 64
"""A longer list of numbers among the plain values could be a copy of a tensor."""

_COPY = 2**20
_LENGTH = struct.Struct("<I")


@dataclass(frozen=True)
class Placed:
    """What became of one tensor of the original file."""

    name: str
    state: Literal["replaced", "equal", "kept"]
    """replaced; written, and equal to what was there; or kept, since it is no part of a network."""
    numbers: int


def export_like(gan: Gan, original: Path, out: Path) -> list[Placed]:
    """Write ``out``: the pickle ``original`` with the tensors of ``gan``, and return what became of each tensor.

    G and G_ema both get the generator of ``gan``, D its discriminator. Raises ModelFileError where the original has
    another architecture, or holds anything that could be a copy of its networks and would stay.
    """
    if out.exists() and original.exists() and out.samefile(original):
        raise InputError(f"{out} is the original itself; choose another name, since it is read while this is written.")
    with file_at(original) as (file, size):
        pickle = read_official(file, size)
        _check_architecture(gan, plan_networks(pickle))
        kept = _kept(pickle)
        replaced = dict(_replacements(pickle, gan))
        _check_nothing_is_overlooked(pickle, [*(stub for _, stub in kept), *(stub for stub, _ in replaced.values())])
        placed = [Placed(name, "kept", stub.numel) for name, stub in kept]
        write_through(out, lambda place: placed.extend(_write(place, file, replaced)))
    return placed


def _write(place: Path, original: BinaryIO, replaced: Mapping[str, tuple[TensorStub, Tensor]]) -> list[Placed]:
    """Copy the original with other numbers in its storages; only spelled ones change in length."""
    states: dict[str, Literal["replaced", "equal"]] = {}
    done = 0  # bytes of the original that have been dealt with
    with place.open("wb") as file:
        for name, (stub, value) in sorted(replaced.items(), key=lambda item: item[1][0].storage.start):
            storage = stub.storage
            start, data = storage.start, as_stored(value, stub)
            if storage.span.is_spelled:
                start, data = storage.span.start - _LENGTH.size, _spelled(storage, data)
            _copy(original, file, done, start)
            done = storage.span.end
            states[name] = "equal" if original.read(done - start) == data else "replaced"
            file.write(data)
        _copy(original, file, done, original.seek(0, 2))
    return [Placed(name, states[name], stub.numel) for name, (stub, _) in replaced.items()]


def _spelled(storage: Storage, numbers: bytes) -> bytes:
    """Return the text that spells a storage with other numbers, with its length in front (protocol 2)."""
    text = (storage.span.read(MOST_SPELLED)[: storage.header] + numbers).decode("latin-1").encode()
    return _LENGTH.pack(len(text)) + text


def _copy(source: BinaryIO, target: BinaryIO, start: int, end: int) -> None:
    """Copy the bytes from ``start`` to ``end``, and leave ``source`` at ``end``."""
    source.seek(start)
    for place in range(start, end, _COPY):
        target.write(source.read(min(_COPY, end - place)))


def _replacements(pickle: OfficialPickle, gan: Gan) -> Iterator[tuple[str, tuple[TensorStub, Tensor]]]:
    """Give every tensor of the networks by name, with the place it has and the tensor that goes there."""
    for label in ("G", "D", "G_ema"):
        if label not in pickle.networks:
            if label == "G":
                continue
            raise ModelFileError(f"it holds no {label} to put the new one in place of")
        if label == "G" and is_same_network(pickle.networks):
            continue
        new = (gan.D if label == "D" else gan.G).state_dict()
        for name, stub in pickle.networks[label].tensors.items():
            if stub.storage.dtype not in FLOATS or not stub.fills_its_storage:
                raise ModelFileError(f"{label}.{name} is a view of a larger storage, the rest of which would stay")
            yield f"{label}.{name}", (stub, new[name].detach().cpu())


def _kept(pickle: OfficialPickle) -> list[tuple[str, TensorStub]]:
    """Return the tensors that stay: those of the augmentation pipe, which knows no image."""
    named = find_values(pickle.augment, (TensorStub,))
    found = [("augment_pipe" + path.replace("._buffers", ""), value) for path, value in named]
    for name, stub in found:
        if stub.storage.numel > LARGEST_KEPT:
            raise ModelFileError(f"{name} holds {stub.storage.numel} numbers, too many for an augmentation pipe")
    return found


# ----------------------------------------------------------------------------
# What must not be.


def _check_nothing_is_overlooked(pickle: OfficialPickle, known: list[TensorStub]) -> None:
    """Raise ModelFileError where bytes or numbers would stay that no tensor accounts for."""
    owned = {stub.storage.span.start for stub in known}
    sources = {id(part.source) for _, part in find_values(pickle.value, (Persistent,))}
    for span in pickle.machine.spans:
        if span.length <= (16 if span.is_spelled else 8) or span.start in owned or id(span) in sources:
            continue
        what = "a long text" if span.is_text else "bytes"
        raise ModelFileError(f"it holds {what} at byte {span.start} ({span.length} bytes) that would stay as they are")
    for path, _ in find_values(pickle.value, (NumpyArray,)):
        raise ModelFileError(f"{path.removeprefix('.')} is a NumPy array, which would stay as it is")
    for path, items in find_values(pickle.value, (list, tuple, dict, set)):
        values = items.values() if isinstance(items, dict) else items
        count = sum(type(value) in (int, float) for value in values)
        if count > MOST_NUMBERS:
            raise ModelFileError(f"{path.removeprefix('.')} is a list of {count} numbers, which would stay as it is")


def _check_architecture(gan: Gan, plan: Plan) -> None:
    """Raise ModelFileError where the model and the file are not of one architecture."""
    G = generator_arguments("the model's G", (), {"synthesis_kwargs": {}, **gan.config.G}, {})[0]
    D = discriminator_arguments("the model's D", (), gan.config.D, "StyleGAN2-ADA", {})
    for label, ours in (("G_ema", G), ("D", D)):
        if label in plan.arguments and (found := _difference(ours, plan.arguments[label])):
            raise ModelFileError(f"its {label} is not of the model's architecture: {found}")


def _difference(ours: dict[str, Any], theirs: dict[str, Any]) -> str | None:
    for name, value in theirs.items():
        if name in ("num_fp16_res", "w_avg_beta"):  # precision on CUDA, and training: no matter for what is stored
            continue
        if isinstance(value, dict):
            if inner := _difference(ours.get(name, {}), value):
                return inner
        elif ours.get(name) != value:
            return f"{name} is {value!r} there and {ours.get(name)!r} here"
    return None

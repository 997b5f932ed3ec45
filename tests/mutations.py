"""Damaged and twisted files: seeds of three kinds, ways to mutate them, and what reading one came to."""

import io
import json
import random
import tempfile
import zipfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ganforget.data import DataSpec, load_data
from ganforget.errors import GanForgetError
from ganforget.interchange import describe_file, load_file
from ganforget.interchange.single_file import save_single
from hostile_pickles import BOMBS, OLD_RUN, REFUSED, RUN, text
from official_pickles import Layer, contents, dumps
from small_gan import small_gan

KINDS = ("pickle", "old-pickle", "safetensors", "zip")
NUMBERS = [b"\x00" * 4, b"\xff" * 4, b"\x7f\xff\xff\xff", b"\xff\xff\xff\x7f", b"\x00" * 8, b"\xff" * 7 + b"\x7f"]
OPCODES = b"().012FIJKLMNPQRSTUVXabcd}eghijl]opqrstuG" + bytes(range(0x80, 0x99))


def seeds(kind: str) -> list[bytes]:
    """Return whole files of a kind; the small ones more than once, since they are read faster."""
    return {"pickle": _pickles, "old-pickle": _old_pickles, "safetensors": _safetensors, "zip": _zips}[kind]()


@cache
def _pickles() -> list[bytes]:
    bare = _bare()
    payloads = [build(Path("canary")) for build in (RUN | REFUSED).values()]
    payloads += [payload for build in BOMBS.values() if len(payload := build()) < 1000]
    start = dumps(bare, 3)
    hostile = [start[:-1] + text("x") + payload + b"s." for payload in payloads]
    whole = [dumps(contents(small_gan()), protocol) for protocol in (3, 4)]
    return [*[start, dumps(bare, 4)] * 10, *whole, *hostile, *(b"\x80\x04" + payload + b"." for payload in payloads)]


@cache
def _old_pickles() -> list[bytes]:
    """Protocol 2, which spells bytes as texts."""
    start = dumps(_bare(), 2)
    payloads = [build(Path("canary")) for build in (OLD_RUN | RUN | REFUSED).values()]
    hostile = [start[:-1] + text("x") + payload + b"s." for payload in payloads]
    return [*[start] * 20, dumps(contents(small_gan()), 2), *hostile, *(b"\x80\x02" + p + b"." for p in payloads)]


def _bare() -> dict[str, Layer]:
    small = contents(small_gan(c_dim=0), source="x = 1")
    for label in ("G_ema", "D"):
        _strip(small[label])
    return {label: small[label] for label in ("G_ema", "D")}


def _strip(layer: Layer) -> None:
    """Take the attributes away that a network can do without."""
    needed = ("_init_kwargs", "_parameters", "_buffers", "_modules")
    layer.state = {name: layer.state[name] for name in needed if layer.state.get(name)}
    for child in layer.state.get("_modules", {}).values():
        _strip(child)


@cache
def _safetensors() -> list[bytes]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.safetensors"
        save_single(small_gan(), path)
        return [path.read_bytes()]


@cache
def _zips() -> list[bytes]:
    found = []
    for method, labelled in ((zipfile.ZIP_STORED, True), (zipfile.ZIP_DEFLATED, False)):
        file = io.BytesIO()
        pixels = np.random.default_rng(0).integers(0, 256, (40, 8, 8), dtype=np.uint8)
        with zipfile.ZipFile(file, "w", method) as archive:
            for number, image in enumerate(pixels):
                png = io.BytesIO()
                Image.fromarray(image).save(png, "PNG")
                archive.writestr(f"0000{number % 2}/img{number}.png", png.getvalue())
            labels = [[f"0000{n % 2}/img{n}.png", n % 2] for n in range(40)] if labelled else None
            archive.writestr("dataset.json", json.dumps({"labels": labels}))
        found.append(file.getvalue())
    return found


def mutate(data: bytes, others: list[bytes], chance: random.Random) -> bytes:
    """Return ``data`` with one to four changes."""
    changed = bytearray(data)
    for _ in range(chance.choice((1, 1, 1, 2, 4))):
        if changed:
            chance.choice(_CHANGES)(changed, others, chance)
    return bytes(changed)


def _flip(data: bytearray, others: list[bytes], chance: random.Random) -> None:
    data[_place(data, chance)] ^= 1 << chance.randrange(8)


def _set(data: bytearray, others: list[bytes], chance: random.Random) -> None:
    data[_place(data, chance)] = chance.choice((chance.randrange(256), chance.choice(OPCODES)))


def _number(data: bytearray, others: list[bytes], chance: random.Random) -> None:
    place, number = _place(data, chance), chance.choice(NUMBERS)
    data[place : place + len(number)] = number


def _insert(data: bytearray, others: list[bytes], chance: random.Random) -> None:
    place = _place(data, chance)
    data[place:place] = bytes(chance.choice(OPCODES) for _ in range(chance.randrange(1, 6)))


def _delete(data: bytearray, others: list[bytes], chance: random.Random) -> None:
    place = _place(data, chance)
    del data[place : place + chance.choice((1, 2, 8, 100))]


def _repeat(data: bytearray, others: list[bytes], chance: random.Random) -> None:
    place, length = _place(data, chance), chance.choice((1, 5, 50, 300))
    data[place:place] = data[place : place + length] * chance.choice((1, 2, 20))


def _splice(data: bytearray, others: list[bytes], chance: random.Random) -> None:
    other = chance.choice(others)
    start = chance.randrange(len(other)) if other else 0
    place = _place(data, chance)
    data[place : place + chance.choice((0, 10, 100))] = other[start : start + chance.choice((5, 50, 500))]


def _cut(data: bytearray, others: list[bytes], chance: random.Random) -> None:
    del data[_place(data, chance) :]


_CHANGES: tuple[Callable[[bytearray, list[bytes], random.Random], None], ...] = (
    *(_flip, _flip, _set, _set, _set, _number, _number),
    *(_insert, _insert, _delete, _repeat, _splice, _splice, _cut),
)


def _place(data: bytearray, chance: random.Random) -> int:
    """Return an index, near one of the ends more often than elsewhere: there stand headers and directories."""
    if chance.random() < 0.2:
        return chance.randrange(min(len(data), 200))
    if chance.random() < 0.1:
        return len(data) - 1 - chance.randrange(min(len(data), 400))
    return chance.randrange(len(data))


def mutated(kind: str, number: int) -> bytes:
    """Return the mutated file of a number: always the same one."""
    chance = random.Random(f"{kind} {number}")
    files = seeds(kind)
    return mutate(chance.choice(files), files, chance)


def outcome(kind: str, content: bytes, folder: Path) -> str:
    """Read one file and return "error" (one of our own) or "read"; anything else is raised."""
    path = folder / f"network.{'pkl' if kind.endswith('pickle') else kind}"
    path.write_bytes(content)
    try:
        _read(kind, path)
    except GanForgetError:
        return "error"
    return "read"


def _read(kind: str, path: Path) -> Any:
    if kind == "zip":
        return load_data(DataSpec(str(path)))
    if (
        not kind.endswith("pickle") or path.stat().st_size % 4 == 0
    ):  # the same machine once more, which goes on where this stops
        describe_file(path)
    return load_file(path)

"""Pickles that would run code, or fill the memory: each is refused, and no canary stirs."""

import builtins
import os
import pickle
import resource
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import torch

from ganforget.errors import ModelFileError
from ganforget.interchange import describe_file, load_file
from ganforget.interchange.window import Span
from hostile_pickles import BOMBS, OLD_RUN, REFUSED, RUN, laughs, spelled_many_times, text
from official_pickles import contents, dumps, official_modules, source_text
from small_gan import same_weights, small_gan

WATCHED = ("pickle.find_class", "os.system", "os.exec", "os.posix_spawn", "os.fork", "subprocess.Popen")
_heard: list[str] | None = None


def _listen(event: str, arguments: tuple[Any, ...]) -> None:
    if _heard is not None and (event in WATCHED or (event == "open" and _writes(arguments))):
        _heard.append(event)


def _writes(arguments: tuple[Any, ...]) -> bool:
    return any(isinstance(mode, str) and set(mode) & set("wax+") for mode in arguments[1:2])


sys.addaudithook(_listen)  # for good, hence the switch


@contextmanager
def nothing_runs(canary: Path) -> Iterator[None]:
    """In here no code is run, no pickle loaded, no process started, no file written; and the canary never comes."""
    global _heard
    heard = _heard = []

    def run(*arguments: object, **more: object) -> None:
        heard.append(f"called with {arguments!r:.60}")

    names = {builtins: ("eval", "exec"), os: ("system",), pickle: ("load", "loads", "Unpickler"), torch: ("load",)}
    with pytest.MonkeyPatch.context() as patch:
        for module, functions in names.items():
            for name in functions:
                patch.setattr(module, name, run)
        yield
        _heard = None
    assert heard == []
    assert not canary.exists()


def alone(payload: bytes) -> bytes:
    return b"\x80\x04" + payload + b"."


def alone_old(payload: bytes) -> bytes:
    return b"\x80\x02" + payload + b"."


SNAPSHOT = dumps(contents(small_gan()), protocol=3)
OLD_SNAPSHOT = dumps(contents(small_gan()), protocol=2)


@pytest.fixture(scope="module", autouse=True)
def imported(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Let torch import what it imports late: an import runs code, and nothing of this may run later."""
    path = tmp_path_factory.mktemp("first") / "network.pkl"
    path.write_bytes(SNAPSHOT)
    load_file(path)
    describe_file(path)


def inside(payload: bytes) -> bytes:
    """A whole snapshot with the payload as one more value."""
    return SNAPSHOT[:-1] + text("extra") + payload + b"s."


def inside_an_old_one(payload: bytes) -> bytes:
    """The same at protocol 2, which spells bytes as texts."""
    return OLD_SNAPSHOT[:-1] + text("extra") + payload + b"s."


def write(folder: Path, content: bytes) -> Path:
    path = folder / "network.pkl"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("name", [*RUN, *OLD_RUN])
def test_these_do_run_when_they_are_unpickled(tmp_path: Path, name: str):
    """The builders are worth something: Python's own pickle brings each canary to life."""
    canary = tmp_path / "canary"
    with official_modules(), suppress(Exception):  # what comes after the harm does not matter
        pickle.loads(alone(RUN[name](canary)) if name in RUN else alone_old(OLD_RUN[name](canary)))
    for _ in range(500):
        if canary.exists():
            break
        torch.randn(1000, 100)  # a process that was started may still be on its way
    assert canary.exists()


@pytest.mark.parametrize("place", [alone, inside, alone_old, inside_an_old_one], ids=lambda place: place.__name__)
@pytest.mark.parametrize("name", [*RUN, *REFUSED, *OLD_RUN])
def test_nothing_is_executed(tmp_path: Path, name: str, place: Callable[[bytes], bytes]):
    canary = tmp_path / "canary"
    path = write(tmp_path, place((RUN | REFUSED | OLD_RUN)[name](canary)))
    with nothing_runs(canary):
        with pytest.raises(ModelFileError, match=r"network\.pkl is refused: "):
            load_file(path)
        found = describe_file(path)
    assert found["problem"]


@pytest.mark.parametrize("name", RUN)
def test_a_listing_names_what_is_not_allowed(tmp_path: Path, name: str):
    path = write(tmp_path, inside(RUN[name](tmp_path / "canary")))
    found = describe_file(path)
    assert found["outside_count"] == len(found["outside"]) > 0
    assert found["networks"].keys() == {"G", "D", "G_ema"}  # and goes on to tell what else is there
    words = {"os_system": "posix.system", "exec": "builtins.exec", "inst": "INST os.system", "obj": "OBJ"}
    assert any(words.get(name, " at byte ") in what for what in found["outside"])


def peak_memory() -> int:
    """Return the highest memory of this process so far, in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


@pytest.mark.parametrize("name", BOMBS)
def test_bombs_end_in_an_error_within_bounded_memory(tmp_path: Path, name: str):
    payload = BOMBS[name]()
    path = write(tmp_path, alone(payload) if len(payload) > 100_000 else inside(payload))
    before = peak_memory()
    with pytest.raises(ModelFileError, match=r"network\.pkl is refused: "):
        load_file(path)
    assert peak_memory() - before < 200 * 2**20  # each takes some 20 MB; unbounded, they would take gigabytes


@pytest.mark.parametrize("again", [b"h\xf1h\xf2h\xf3\x86R", b"h\xf5"], ids=["the text", "the bytes"])
def test_a_long_text_is_decoded_once(tmp_path: Path, again: bytes, monkeypatch: pytest.MonkeyPatch):
    decoded = []
    read = Span.read
    monkeypatch.setattr(Span, "read", lambda span, most: decoded.append(span.length) or read(span, most))
    path = write(tmp_path, alone_old(spelled_many_times(again)))
    with pytest.raises(ModelFileError, match="is refused"):
        load_file(path)
    assert len(decoded) <= 1


def test_a_text_of_gigabytes_is_not_decoded(tmp_path: Path):
    """A file with a hole in it, so that the text is really there."""
    start = b"\x80\x02ctorch.storage\n_load_from_bytes\nc_codecs\nencode\nX" + (2**31).to_bytes(4, "little")
    path = write(tmp_path, start)
    with path.open("r+b") as file:
        file.seek(len(start) + 2**31)
        file.write(text("latin1") + b"\x86R\x85R.")
    before = peak_memory()
    with pytest.raises(ModelFileError, match="has 2147483648 bytes, expected at most"):
        load_file(path)
    assert peak_memory() - before < 100 * 2**20


def test_values_that_share_values_cost_no_more_than_they_are(tmp_path: Path):
    gan = load_file(write(tmp_path, inside(laughs(60))))
    assert same_weights(gan.G, small_gan().G)


def test_source_text_is_never_run(tmp_path: Path):
    canary = tmp_path / "canary"
    path = write(tmp_path, dumps(contents(small_gan(), source=source_text(canary))))
    with nothing_runs(canary):
        gan = load_file(path)
    assert same_weights(gan.D, small_gan().D)


@pytest.mark.parametrize("cut", [1, 100, 5000, -1, -2, -100])
def test_a_truncated_file(tmp_path: Path, cut: int):
    with pytest.raises(ModelFileError, match="is refused"):
        load_file(write(tmp_path, SNAPSHOT[:cut]))


def test_a_second_pickle_behind_the_first(tmp_path: Path):
    with pytest.raises(ModelFileError, match="4 bytes follow the end"):
        load_file(write(tmp_path, SNAPSHOT + b"\x80\x04N."))

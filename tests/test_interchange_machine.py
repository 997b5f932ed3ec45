"""The machine against Python's own: the same opcodes, the same values, and only inert ones."""

import io
import pickle
import pickletools
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ganforget.errors import ModelFileError
from ganforget.interchange.allow_list import network_grammar
from ganforget.interchange.machine import Grammar, Machine
from ganforget.interchange.module_tree import find_values
from ganforget.interchange.opcodes import OPCODES, read_opcodes
from ganforget.interchange.storage import read_storage
from ganforget.interchange.tensors import read_tensor
from ganforget.interchange.window import Span, Window
from hostile_pickles import call, good_storage, text

PLAIN = Grammar(
    protocols=(2, 3, 4, 5),
    called={(module, "set"): lambda arguments: set(*arguments) for module in ("builtins", "__builtin__")},
)


def window(data: bytes) -> Window:
    return Window(io.BytesIO(data), 0, len(data))


def follow(data: bytes, grammar: Grammar = PLAIN) -> Any:
    return Machine(grammar).run(window(data))


def test_the_opcodes_are_all_of_python_s():
    assert sorted(OPCODES) == sorted(op.name for op in pickletools.opcodes)


keys = st.text(max_size=20) | st.integers(-(2**70), 2**70) | st.booleans() | st.none()
leaves = keys | st.floats(allow_nan=False)
plain_values = st.recursive(
    leaves | st.sets(st.text(max_size=5), max_size=4),
    lambda inner: (
        st.lists(inner, max_size=5) | st.dictionaries(keys, inner, max_size=5) | st.lists(inner, max_size=4).map(tuple)
    ),
    max_leaves=30,
)


@settings(max_examples=40, deadline=None)
@given(value=plain_values, protocol=st.sampled_from([2, 3, 4, 5]))
def test_plain_values_are_what_python_makes_of_them(value: Any, protocol: int):
    assert follow(pickle.dumps(value, protocol)) == value


@settings(max_examples=20, deadline=None)
@given(value=plain_values, protocol=st.sampled_from([2, 3, 4, 5]))
def test_opcodes_stand_where_python_finds_them(value: Any, protocol: int):
    data = pickle.dumps(value, protocol)
    ours = [(op.name, op.position) for op in read_opcodes(window(data))]
    assert ours == [(op.name, position) for op, _, position in pickletools.genops(data)]


def test_a_value_may_hold_itself():
    itself: list[Any] = [1]
    itself.append(itself)
    found = follow(pickle.dumps(itself, 4))
    assert found[1] is found
    assert [path for path, _ in find_values(found, (int,))] == [".0"]


@pytest.mark.parametrize("size", [0, 10, 255, 256, 70_000])
def test_bytes_and_long_texts_stay_in_the_file(size: int):
    data = pickle.dumps([bytes(range(256)) * (size // 256) + b"x" * (size % 256), "a" * size], 4)
    raw, text = follow(data)
    assert isinstance(raw, Span)
    assert (raw.length, raw.is_text) == (size, False)
    assert raw.read(size) == bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    if size > 4096:
        assert text.read(size) == b"a" * size
        with pytest.raises(ModelFileError, match="expected at most 8"):
            text.read(8)
    else:
        assert text == "a" * size


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\x80\x04.", r"damaged at byte 2 \(STOP\)"),
        (b"\x80\x04NN.", "values that belong to nothing"),
        (b"\x80\x04(N.", "values that belong to nothing"),
        (b"\x80\x04Nh\x05.", r"damaged at byte 3 \(BINGET\)"),
        (b"\x80\x04N\x85a.", r"damaged at byte 4 \(APPEND\)"),
        (b"\x80\x04N\x86.", r"damaged at byte 3 \(TUPLE2\)"),
        (b"\x80\x04}N(u.", r"damaged"),
        (b"\x80\x04}(Nu.", r"damaged at byte 5 \(SETITEMS\)"),
        (b"\x80\x04}]Ns.", r"damaged at byte 5 \(SETITEM\)"),
        (b"\x80\x04\x8f(]\x90.", r"damaged at byte 5 \(ADDITEMS\)"),
        (b"\x80\x04\xff.", "byte 2 is ff, which is no opcode"),
        (b"\x80\x04X\x02\x00\x00\x00\xff\xff.", "a name that is no text"),
        (b"\x80\x06N.", "a pickle of protocol 6; expected protocol 2 or 3 or 4 or 5"),
        (b"N.", "a pickle of NONE, hence protocol 0 or 1"),
        (b"\x80\x04\x80\x04N.", "a second PROTO"),
        (b"\x80\x04N", "claims 1 bytes, but 0 are left"),
        (b"", "claims 1 bytes, but 0 are left"),
    ],
)
def test_damage_is_placed(data: bytes, words: str):
    with pytest.raises(ModelFileError, match=words):
        follow(data)


@pytest.mark.parametrize("name", ["float32", "float16", "bfloat16", "float64", "int64", "bool"])
def test_a_storage_is_where_its_numbers_are(name: str):
    numbers = torch.arange(6).to(getattr(torch, name))
    data = pickle.dumps(numbers, 4)
    stub = follow(data, network_grammar())
    assert (stub.storage.dtype, stub.storage.numel) == (name, 6)
    end = stub.storage.start + 6 * stub.storage.itemsize
    assert data[stub.storage.start : end] == numbers.view(torch.uint8).numpy().tobytes()


@pytest.mark.parametrize("name", ["float32", "float16", "bfloat16"])
def test_a_storage_that_is_spelled_as_a_text(name: str):
    """Protocol 2 has no bytes: every byte is a character, and those above 127 take two bytes of the file."""
    numbers = torch.linspace(-3, 3, 4000).to(getattr(torch, name))
    for count in (3, 4000):  # a short text, and one that is left in the file
        data = pickle.dumps(numbers[:count].clone(), 2)
        stub = follow(data, network_grammar())
        assert torch.equal(read_tensor(io.BytesIO(data), stub, "x"), numbers[:count].float())
        assert (
            stub.storage.span.read(10**5)[stub.storage.header :] == numbers[:count].view(torch.uint8).numpy().tobytes()
        )
    with pytest.raises(ModelFileError, match="bytes, expected at most 100"):
        stub.storage.span.read(100)


SPELLED = b"c_codecs\nencode\n"
LOAD = b"ctorch.storage\n_load_from_bytes\n"


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        (call(SPELLED, text("AB")), r"_codecs\.encode with arguments"),  # no text right behind the name
        (SPELLED + text("AB") + text("rot13") + b"\x86R", "expected a text of its own, in latin1"),
        (SPELLED + text("AB") + text("zip") + b"\x86R", "expected a text of its own, in latin1"),
        (SPELLED + text("AB") + b"\x85R", "expected a text of its own, in latin1"),
        (text("AB") + b"q\x01" + SPELLED + b"h\x01" + text("latin1") + b"\x86R", "expected a text of its own"),
        (
            SPELLED + b"q\x01" + text("AB") + b"q\x02" + text("latin1") + b"q\x03\x86Rh\x01h\x02h\x03\x86R",
            "expected a text of its own",
        ),
        (SPELLED + text("AB") + b"X\x06\x00\x00\x00latin1\x81", "it holds a new Span"),
        (b"cbuiltins\nset\n" + SPELLED + text("AB") + text("latin1") + b"\x86R\x85R", "expected one list of texts"),
        (b"}" + SPELLED + text("AB") + text("latin1") + b"\x86RNs", "damaged at byte"),
        (b"c_codecs\ndecode\n" + text("AB") + text("latin1") + b"\x86R", r"the name _codecs\.decode"),
        (b"c_codecs\nencode.__self__\n", r"the name _codecs\.encode\.__self__"),
    ],
)
def test_a_text_that_spells_bytes_stands_in_one_form_only(payload: bytes, words: str):
    with pytest.raises(ModelFileError, match=words):
        follow(b"\x80\x02" + payload + b".", network_grammar())


@pytest.mark.parametrize("spelling", ["Ā", "\u20ac" * 5000])
def test_a_text_of_more_than_bytes(spelling: str):
    data = b"\x80\x02" + call(LOAD, SPELLED + text(spelling) + text("latin1") + b"\x86R") + b"."
    with pytest.raises(ModelFileError, match=r"the text at byte \d+ spells no bytes"):
        follow(data, network_grammar())


def test_only_protocol_2_spells_bytes():
    payload = SPELLED + text("AB") + text("latin1") + b"\x86R."
    assert follow(b"\x80\x02" + payload, network_grammar()).read(2) == b"AB"
    for protocol in (3, 4, 5):
        with pytest.raises(ModelFileError, match="expected a text of its own"):
            follow(b"\x80" + bytes([protocol]) + payload, network_grammar())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda d: d[:-1], r"a storage claims 4 and 4 numbers of 4 bytes, and holds 15 bytes"),
        (lambda d: d + b"x", r"and holds 17 bytes"),
        (lambda d: d.replace(b"FloatStorage", b"WeirdStorage"), r"the name torch\.WeirdStorage"),
        (lambda d: d.replace(b"ctorch\n", b"cother\n"), r"the name other\.FloatStorage"),
        (lambda d: d.replace(b"\x8a\x0al", b"\x8a\x0am"), "torch's magic number"),
        (lambda d: d.replace(b"little_endianq\x02\x88", b"little_endianq\x02\x89"), "big-endian"),
        (lambda d: d[:40], "claims"),
    ],
)
def test_a_storage_is_exactly_what_torch_writes(change: Any, words: str):
    data = change(good_storage())
    assert data != good_storage()
    with pytest.raises(ModelFileError, match=words):
        read_storage(Span(io.BytesIO(data), 0, len(data)))


def test_numbers_of_numpy_are_plain_numbers():
    import numpy as np

    values = [np.float64(0.5), np.float32(0.25), np.int64(-3), np.bool_(True), np.uint8(7), np.float16(1.5)]
    for protocol in (2, 4):
        assert follow(pickle.dumps(values, protocol), network_grammar()) == [0.5, 0.25, -3, True, 7, 1.5]
    with pytest.raises(ModelFileError, match="expected a plain number type"):
        follow(pickle.dumps(np.datetime64("2026-01-01"), 4), network_grammar())

"""Pickles that would do harm if anything executed them, as opcodes that leave one value on the stack.

Each builder takes a file, the canary, that appears when its code runs.
"""

import io
import pickle
import struct
import tarfile
from collections.abc import Callable
from pathlib import Path

import torch


def text(value: str) -> bytes:
    data = value.encode()
    return b"X" + struct.pack("<I", len(data)) + data


def data(value: bytes) -> bytes:
    return b"B" + struct.pack("<I", len(value)) + value


def name(module: str, attribute: str) -> bytes:
    return text(module) + text(attribute) + b"\x93"


def call(function: bytes, *arguments: bytes) -> bytes:
    return function + b"(" + b"".join(arguments) + b"tR"


def touch(canary: Path) -> str:
    return f"import pathlib; pathlib.Path({str(canary)!r}).touch()"


def line_global(module: str, attribute: str) -> bytes:
    return f"c{module}\n{attribute}\n".encode()


def os_system(canary: Path) -> bytes:
    class Attack:
        def __reduce__(self):
            import os

            return os.system, (f"touch {canary}",)

    return pickle.dumps(Attack(), 2)[2:-1]


def getattr_chain(canary: Path) -> bytes:
    module = call(name("builtins", "__import__"), text("os"))
    return call(call(name("builtins", "getattr"), module, text("system")), text(f"touch {canary}"))


def dotted_name(canary: Path) -> bytes:
    return call(name("torch.storage", "torch.os.system"), text(f"touch {canary}"))


def concatenated_name(canary: Path) -> bytes:
    """The name is made by a call, so that no name stands in the file."""
    joined = call(name("operator", "add"), text("sys"), text("tem"))
    return call(text("os") + joined + b"\x93", text(f"touch {canary}"))


def inst(canary: Path) -> bytes:
    return b"(" + text(f"touch {canary}") + b"ios\nsystem\n"


def obj(canary: Path) -> bytes:
    return b"(" + name("os", "system") + text(f"touch {canary}") + b"o"


def newobj_ex(canary: Path) -> bytes:
    return name("subprocess", "Popen") + b"(" + text("touch") + text(str(canary)) + b"t\x85}\x92"


def newobj_ex_of_an_allowed_name(canary: Path) -> bytes:
    return name("dnnlib.util", "EasyDict") + b")}\x92"


def build_setstate(canary: Path) -> bytes:
    """functools.partial takes the function that it will call from its state."""
    partial = name("functools", "partial") + name("builtins", "print") + b"\x85\x81"
    state = b"(" + name("os", "system") + b"(" + text(f"touch {canary}") + b"t}Nt"
    return call(partial + state + b"b")


def build_of_a_persistent_object(canary: Path) -> bytes:
    return persistent(touch(canary)) + b"}" + text("x") + b"K\x01sb"


def persistent(source: str, class_name: str = "Generator") -> bytes:
    """An object that the official loader makes by running ``source``."""
    pairs = {"type": text("class"), "version": b"K\x06", "module_src": text(source), "class_name": text(class_name)}
    meta = b"}" + b"".join(text(key) + value + b"s" for key, value in (pairs | {"state": b"}"}).items())
    return call(name("torch_utils.persistence", "_reconstruct_persistent_obj"), meta)


def storage(content: bytes) -> bytes:
    return call(name("torch.storage", "_load_from_bytes"), data(content))


def evil_bytes(canary: Path) -> bytes:
    return b"\x80\x02" + os_system(canary) + b"."


def good_storage() -> bytes:
    """What torch embeds for four numbers: five pickles, a count, 16 bytes."""
    file = io.BytesIO()
    torch.save(torch.arange(4.0)._typed_storage(), file, _use_new_zipfile_serialization=False)
    return file.getvalue()


def storage_with_a_second_pickle(canary: Path) -> bytes:
    """The place of the magic number, the third pickle, is where another one stands."""
    whole = good_storage()
    end = pickle_end(whole, 2)
    return storage(whole[: pickle_end(whole, 1)] + evil_bytes(canary) + whole[end:])


def storage_of_a_zip(canary: Path) -> bytes:
    file = io.BytesIO()
    torch.save({"x": torch.arange(4.0)}, file)
    return storage(file.getvalue())


def storage_of_a_tar(canary: Path) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for member in ("storages", "tensors", "pickle"):
            content = evil_bytes(canary)
            info = tarfile.TarInfo(member)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return storage(file.getvalue())


def storage_of_another_tensor(canary: Path) -> bytes:
    file = io.BytesIO()
    torch.save(torch.arange(4.0), file, _use_new_zipfile_serialization=False)
    return storage(file.getvalue())


def pickle_end(content: bytes, index: int) -> int:
    """Return where the pickle number ``index`` of several ends."""
    file = io.BytesIO(content)
    for _ in range(index + 1):
        unpickler = pickle.Unpickler(file)
        unpickler.persistent_load = lambda key: key  # type: ignore[method-assign]
        unpickler.load()
    return file.tell()


# Those that really run under Python's own pickle, and those that need more around them to run.
RUN: dict[str, Callable[[Path], bytes]] = {
    "os_system": os_system,
    "eval": lambda canary: call(name("builtins", "eval"), text(f"__import__('pathlib').Path({str(canary)!r}).touch()")),
    "exec": lambda canary: call(name("builtins", "exec"), text(touch(canary))),
    "exec_in_one_line": lambda canary: call(line_global("builtins", "exec"), text(touch(canary))),
    "getattr_chain": getattr_chain,
    "dotted_name": dotted_name,
    "concatenated_name": concatenated_name,
    "inst": inst,
    "obj": obj,
    "build_setstate": build_setstate,
    "nested_loads": lambda canary: call(name("pickle", "loads"), data(evil_bytes(canary))),
    "torch_load": lambda canary: storage(evil_bytes(canary)),
    "second_pickle": storage_with_a_second_pickle,
}

REFUSED: dict[str, Callable[[Path], bytes]] = {
    "module_src": lambda canary: persistent(touch(canary)),
    "ext1": lambda canary: b"\x82\x01",
    "ext2": lambda canary: b"\x83\x01\x01",
    "ext4": lambda canary: b"\x84\x01\x00\x00\x01",
    "newobj_ex": newobj_ex,
    "newobj_ex_of_an_allowed_name": newobj_ex_of_an_allowed_name,
    "newobj_of_a_storage": lambda canary: name("torch.storage", "_load_from_bytes") + data(b"") + b"\x85\x81",
    "build_of_a_persistent_object": build_of_a_persistent_object,
    "binpersid": lambda canary: text("storage") + b"\x85Q",
    "persid": lambda canary: b"Pstorage\n",
    "zip_storage": storage_of_a_zip,
    "tar_storage": storage_of_a_tar,
    "tensor_for_a_storage": storage_of_another_tensor,
    "call_of_a_text": lambda canary: text("os.system") + b")R",
    "call_without_a_tuple": lambda canary: name("collections", "OrderedDict") + b"]R",
    "bytearray": lambda canary: b"\x96" + struct.pack("<Q", 1) + b"x",
    "next_buffer": lambda canary: b"\x97",
    "protocol_0_text": lambda canary: b"S'x'\n",
}


def lying_storage(count: int) -> bytes:
    """A storage that claims ``count`` numbers, and holds four."""
    content = good_storage()
    end = pickle_end(content, 4)
    return content[:end] + struct.pack("<q", count) + content[end + 8 :]


def spelled(content: bytes) -> bytes:
    """A storage as protocol 2 writes it: the bytes as a text, which Python encodes while it reads."""
    encode = line_global("_codecs", "encode") + text(content.decode("latin-1")) + text("latin1") + b"\x86R"
    return call(line_global("torch.storage", "_load_from_bytes"), encode)


def spelled_many_times(again: bytes) -> bytes:
    """One long text, the bytes of which are loaded four thousand times; ``again`` is how they are named once more."""
    encode = (
        line_global("_codecs", "encode") + b"q\xf1" + text("\xff" * 2**20) + b"q\xf2" + text("latin1") + b"q\xf3\x86R"
    )
    load = line_global("torch.storage", "_load_from_bytes") + b"q\xf4" + encode + b"q\xf5\x85R"
    return b"(" + load + (b"h\xf4" + again + b"\x85R") * 4000 + b"t"


# Those that are of protocol 2.
OLD_RUN: dict[str, Callable[[Path], bytes]] = {
    "spelled_second_pickle": lambda canary: spelled(evil_bytes(canary)),
    "exec_of_spelled_bytes": lambda canary: call(
        line_global("__builtin__", "exec"),
        line_global("_codecs", "encode") + text(touch(canary)) + text("latin1") + b"\x86R",
    ),
    "loads_of_spelled_bytes": lambda canary: call(
        line_global("cPickle", "loads"),
        line_global("_codecs", "encode") + text(evil_bytes(canary).decode("latin-1")) + text("latin1") + b"\x86R",
    ),
    "another_codec": lambda canary: call(
        line_global("__builtin__", "exec"),
        call(
            line_global("_codecs", "decode"),
            call(line_global("codecs", "encode"), text(touch(canary)), text("rot13")),
            text("rot13"),
        ),
    ),
}

BOMBS: dict[str, Callable[[], bytes]] = {
    "deep_lists": lambda: b"]" * 60_000 + b"a" * 59_999,
    "deep_tuples": lambda: b"N" + b"\x85" * 60_000,
    "deep_marks": lambda: b"(" * 250_000,
    "many_opcodes": lambda: b"(" + b"N" * 250_000 + b"t",
    "many_memos": lambda: b"N" + b"\x94" * 250_000,
    "a_far_memo": lambda: b"Nr\xff\xff\xff\xff",
    "a_long_text": lambda: b"\x8d" + struct.pack("<Q", 2**40),
    "long_bytes": lambda: b"\x8e" + struct.pack("<Q", 2**62),
    "a_long_number": lambda: b"\x8b" + struct.pack("<I", 2**20) + bytes(2**20),
    "a_long_frame": lambda: b"\x95" + struct.pack("<Q", 2**50) + b"N",
    "a_long_line": lambda: b"c" + b"a" * 10_000_000,
    "many_texts": lambda: b"(" + (b"X\x00\x10\x00\x00" + b"x" * 4096) * 5000 + b"t",
    "many_storages": lambda: b"(" + load_name() + data(good_storage()) + b"q\xf1" + b"h\xf0h\xf1\x85R" * 4100 + b"t",
    "a_lying_storage": lambda: storage(lying_storage(2**40)),
    "a_negative_storage": lambda: storage(lying_storage(-1)),
    "a_tensor_past_its_storage": lambda: tensor(offset=0, size=2**30, stride=1),
    "a_tensor_of_one_number": lambda: tensor(offset=0, size=2**39, stride=0),
    "laughs": lambda: laughs(200),
}


def load_name() -> bytes:
    return name("torch.storage", "_load_from_bytes") + b"q\xf0"


def laughs(depth: int) -> bytes:
    """Lists that each hold the one before twice: 2 to the power of ``depth`` values for whoever walks them all."""
    inner = b"".join(b"]q\xf1(h\xf0h\xf0eh\xf1q\xf0" for _ in range(depth))
    return b"(]q\xf0" + inner + b"t"


def tensor(*, offset: int, size: int, stride: int) -> bytes:
    numbers = [b"\x8a\x08" + struct.pack("<q", n) for n in (offset, size, stride)]
    empty = call(name("collections", "OrderedDict"))
    arguments = [storage(good_storage()), numbers[0], numbers[1] + b"\x85", numbers[2] + b"\x85", b"\x89", empty]
    return call(name("torch._utils", "_rebuild_tensor_v2"), *arguments)

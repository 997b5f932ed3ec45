"""A pickle like the original: opcodes to the byte, every tensor replaced or declared, nothing overlooked."""

import pickletools
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ganforget.errors import InputError, ModelFileError
from ganforget.interchange import export_like, load_file
from ganforget.interchange.single_file import load_single, save_single
from ganforget.models.gan import Gan, load_gan, save_gan
from official_pickles import contents, dumps, easy, really_load, source_text
from small_gan import same_weights, small_gan


def original_of(folder: Path, protocol: int = 4, **more: Any) -> Path:
    """A snapshot whose G, G_ema and D all differ from what will be exported."""
    path = folder / "original.pkl"
    path.write_bytes(dumps(contents(small_gan(0), training=small_gan(1)) | more, protocol))
    return path


def unlearned() -> Gan:
    """Another GAN of the same architecture, with other noise and another w_avg as well."""
    gan = small_gan(2)
    for name, buffer in gan.G.named_buffers():
        if name.endswith("noise_const"):
            buffer.add_(1)
    return gan


def tensors_of(network: SimpleNamespace) -> dict[str, Tensor]:
    """Return the tensors of a network as the official tools load it."""
    found = {**network.state["_parameters"], **network.state["_buffers"]}
    for name, child in network.state["_modules"].items():
        found |= {f"{name}.{key}": value for key, value in tensors_of(child).items()}
    return {key: value for key, value in found.items() if value is not None}


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_the_official_loader_gets_the_new_tensors(tmp_path: Path, protocol: int):
    original, out, new = original_of(tmp_path, protocol), tmp_path / "out.pkl", unlearned()
    export_like(new, original, out)
    before, after = really_load(original.read_bytes()), really_load(out.read_bytes())
    for label, network in (("G", new.G), ("G_ema", new.G), ("D", new.D)):
        expected, found = network.state_dict(), tensors_of(after[label])
        assert found.keys() == expected.keys() == tensors_of(before[label]).keys()
        assert all(torch.equal(found[name], expected[name]) for name in expected)
        for name, old in tensors_of(before[label]).items():
            if not name.endswith("resample_filter"):  # the same filter in every network
                assert not torch.equal(found[name], old), f"{label}.{name} is still the original's"
    pipes = before["augment_pipe"].state["_buffers"], after["augment_pipe"].state["_buffers"]
    assert all(torch.equal(pipes[0][name], pipes[1][name]) for name in pipes[0])
    assert before["training_set_kwargs"] == after["training_set_kwargs"]


def test_every_tensor_is_accounted_for(tmp_path: Path):
    original, out = original_of(tmp_path), tmp_path / "out.pkl"
    placed = export_like(unlearned(), original, out)
    before = really_load(original.read_bytes())
    names = {f"{label}.{name}" for label in ("G", "D", "G_ema") for name in tensors_of(before[label])}
    names |= {f"augment_pipe.{name}" for name in before["augment_pipe"].state["_buffers"]}
    assert {p.name for p in placed} == names
    states = {p.name: p.state for p in placed}
    for name, state in states.items():
        kind = "kept" if name.startswith("augment_pipe") else "equal" if "resample_filter" in name else "replaced"
        assert state == kind, name
    assert states["G.mapping.w_avg"] == states["G_ema.synthesis.b8.conv0.noise_const"] == "replaced"
    assert Counter(states.values())["kept"] == 3


def opcodes(data: bytes) -> list[tuple[str, object, int | None]]:
    """Return all opcodes with their arguments; of a storage only its length."""
    found = []
    for op, argument, position in pickletools.genops(data):
        value: object = argument
        if isinstance(argument, bytes) and len(argument) > 200:
            value = len(argument)
        found.append((op.name, value, position))
    return found


def test_at_protocol_2_only_the_texts_of_storages_are_others(tmp_path: Path):
    """They spell bytes, of which half take two characters: their length changes, and nothing else does."""
    original, out = original_of(tmp_path, 2), tmp_path / "out.pkl"
    export_like(unlearned(), original, out)
    pairs = zip(opcodes(out.read_bytes()), opcodes(original.read_bytes()), strict=True)
    others = [(new, old) for (name, new, _), (_, old, _) in pairs if new != old or name == "STOP"]
    assert len(others) > 50
    for new, old in others[:-1]:
        assert isinstance(new, str)
        assert isinstance(old, str)
        assert len(new) == len(old)
        start = new.index("FloatStorage")  # torch writes that, and more, before the numbers
        assert new[:start] == old[:start]
    names = [[name for name, _, _ in opcodes(path.read_bytes())] for path in (out, original)]
    assert names[0] == names[1]


@pytest.mark.parametrize("protocol", [3, 4])
def test_the_structure_is_the_original_s_opcode_by_opcode(tmp_path: Path, protocol: int):
    original, out = original_of(tmp_path, protocol), tmp_path / "out.pkl"
    export_like(unlearned(), original, out)
    assert opcodes(out.read_bytes()) == opcodes(original.read_bytes())
    assert source_text().encode() in out.read_bytes()


@pytest.mark.parametrize("protocol", [2, 4])
def test_there_and_back_is_the_same_to_the_bit(tmp_path: Path, protocol: int):
    original, out = original_of(tmp_path, protocol), tmp_path / "out.pkl"
    gan = load_file(original)
    save_gan(gan, tmp_path / "model")
    export_like(load_gan(tmp_path / "model"), original, out)
    back = load_file(out)
    assert same_weights(back.G, gan.G)
    assert same_weights(back.D, gan.D)
    assert back.config.G == gan.config.G
    assert back.config.D == gan.config.D
    export_like(unlearned(), original, out)
    assert same_weights(load_file(out).G, unlearned().G)
    export_like(gan, out, tmp_path / "third.pkl")
    states = {p.state for p in export_like(gan, tmp_path / "third.pkl", tmp_path / "fourth.pkl")}
    assert states == {"equal", "kept"}


def test_half_precision_and_the_order_of_axes_are_the_original_s(tmp_path: Path):
    snapshot = contents(small_gan(0))
    last = snapshot["D"].state["_modules"]["b8"].state["_modules"]["conv1"].state["_parameters"]
    last["weight"] = nn.Parameter(last["weight"].detach().half().to(memory_format=torch.channels_last))
    (tmp_path / "original.pkl").write_bytes(dumps(snapshot))
    new = unlearned()
    export_like(new, tmp_path / "original.pkl", tmp_path / "out.pkl")
    found = tensors_of(really_load((tmp_path / "out.pkl").read_bytes())["D"])["b8.conv1.weight"]
    assert found.dtype == torch.float16
    assert torch.equal(found, new.D.state_dict()["b8.conv1.weight"].half())


def test_one_network_for_g_and_g_ema_is_written_once(tmp_path: Path):
    snapshot = contents(small_gan(0))
    (tmp_path / "original.pkl").write_bytes(dumps(snapshot | {"G": snapshot["G_ema"]}))
    placed = export_like(unlearned(), tmp_path / "original.pkl", tmp_path / "out.pkl")
    assert not any(p.name.startswith("G.") for p in placed)
    after = really_load((tmp_path / "out.pkl").read_bytes())
    assert torch.equal(tensors_of(after["G"])["mapping.w_avg"], unlearned().G.mapping.w_avg)


# ----------------------------------------------------------------------------
# What could be a copy and would stay.


def hidden_in_the_pipe(snapshot: dict[str, Any]) -> None:
    snapshot["augment_pipe"].state["_buffers"]["copy"] = torch.zeros(200, 200)


def slack(snapshot: dict[str, Any]) -> None:
    tensors = snapshot["G"].state["_modules"]["mapping"].state["_buffers"]
    tensors["w_avg"] = torch.zeros(64)[:8]


OVERLOOKED: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "a list of numbers": (
        lambda s: s.update(w_mean=[0.5] * 512),
        "w_mean is a list of 512 numbers, which would stay",
    ),
    "numbers of a layer": (
        lambda s: s["D"].state.update(mean=tuple(range(100))),
        r"D\.mean is a list of 100 numbers, which would stay",
    ),
    "a dict of numbers": (
        lambda s: s.update(means=easy({str(i): float(i) for i in range(80)})),
        "means is a list of 80 numbers",
    ),
    "bytes": (lambda s: s.update(copy=bytes(1000)), r"it holds bytes at byte \d+ \(1000 bytes\) that would stay"),
    "a long text": (lambda s: s.update(copy="00" * 4000), r"it holds a long text at byte \d+ \(8000 bytes\)"),
    "a large tensor of the pipe": (hidden_in_the_pipe, r"augment_pipe\.copy holds 40000 numbers, too many"),
    "a storage larger than its tensor": (slack, r"G\.mapping\.w_avg is a view of a larger storage, the rest of which"),
}


@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize("name", OVERLOOKED)
def test_what_would_stay_is_refused(tmp_path: Path, name: str, protocol: int):
    snapshot = contents(small_gan(0), training=small_gan(1))
    change, words = OVERLOOKED[name]
    change(snapshot)
    (tmp_path / "original.pkl").write_bytes(dumps(snapshot, protocol))
    with pytest.raises(ModelFileError, match=words):
        export_like(unlearned(), tmp_path / "original.pkl", tmp_path / "out.pkl")
    assert not (tmp_path / "out.pkl").exists()


def test_a_value_that_another_took_the_place_of_is_refused(tmp_path: Path):
    """A storage that lies in the file and in no network: a loader drops it, and a reader of the file does not."""
    data = dumps(contents(small_gan(0)), 3)
    lost = bytes(300)
    key = b"X\x04\x00\x00\x00kept"
    twice = key + b"B" + len(lost).to_bytes(4, "little") + lost + b"s" + key + b"Ns"
    (tmp_path / "original.pkl").write_bytes(data[:-1] + twice + b".")
    assert really_load((tmp_path / "original.pkl").read_bytes())["kept"] is None
    with pytest.raises(ModelFileError, match=r"it holds bytes at byte \d+ \(300 bytes\)"):
        export_like(unlearned(), tmp_path / "original.pkl", tmp_path / "out.pkl")


# ----------------------------------------------------------------------------
# Where it cannot go.


@pytest.mark.parametrize(
    ("networks", "words"),
    [
        ({"c_dim": 0}, "its G_ema is not of the model's architecture: c_dim is 0 there and 3 here"),
        ({"G": "resnet"}, "architecture is 'resnet' there and 'skip' here"),
        ({"D": "skip"}, "its D is not of the model's architecture: architecture is 'skip' there and 'orig' here"),
        ({"group": None}, "mbstd_group_size is None there and 4 here"),
        ({"resolution": 16}, "img_resolution is 16 there and 8 here"),
    ],
)
def test_another_architecture_is_named(tmp_path: Path, networks: dict[str, Any], words: str):
    (tmp_path / "original.pkl").write_bytes(dumps(contents(small_gan(**networks))))
    with pytest.raises(ModelFileError, match=words):
        export_like(unlearned(), tmp_path / "original.pkl", tmp_path / "out.pkl")
    assert [file.name for file in tmp_path.iterdir()] == ["original.pkl"]


def test_the_original_is_never_overwritten(tmp_path: Path):
    original = original_of(tmp_path)
    before = original.read_bytes()
    (tmp_path / "link.pkl").symlink_to(original)
    for out in (original, tmp_path / "link.pkl"):
        with pytest.raises(InputError, match="is the original itself"):
            export_like(unlearned(), original, out)
    assert original.read_bytes() == before


def test_nothing_half_written_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from ganforget.interchange import like

    def fail(*_: object) -> bytes:
        raise OSError(28, "No space left on device")

    original = original_of(tmp_path)
    monkeypatch.setattr(like, "as_stored", fail)
    with pytest.raises(InputError, match="No space left"):
        export_like(unlearned(), original, tmp_path / "out.pkl")
    assert [file.name for file in tmp_path.iterdir()] == ["original.pkl"]


# ----------------------------------------------------------------------------
# One safetensors file.


def test_a_single_file_comes_back_to_the_bit(tmp_path: Path):
    gan = unlearned()
    save_single(gan, tmp_path / "network.safetensors")
    found = load_single(tmp_path / "network.safetensors")
    assert same_weights(found.G, gan.G)
    assert same_weights(found.D, gan.D)
    assert found.config == gan.config
    assert same_weights(load_file(tmp_path / "network.safetensors").D, gan.D)


@pytest.mark.parametrize("keep", [0, 4, 100, -1])
def test_a_single_file_that_is_cut(tmp_path: Path, keep: int):
    save_single(unlearned(), tmp_path / "network.safetensors")
    path = tmp_path / "network.safetensors"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(ModelFileError, match=r"network\.safetensors is not a readable safetensors file"):
        load_file(path)

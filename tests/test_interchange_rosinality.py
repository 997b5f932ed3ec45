"""Rosinality-style checkpoints: the same activations as a second implementation, and strict about everything else."""

import os
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from ganforget.api.model import load_model
from ganforget.cli import main
from ganforget.errors import ModelFileError
from ganforget.interchange import torch_file
from ganforget.interchange.rosinality import describe_rosinality, read_rosinality
from ganforget.models.gan import load_gan, model_hash, save_gan
from rosinality_networks import checkpoint, discriminate, mapping, synthesis


def write(path: Path, content: Any, **options: Any) -> Path:
    torch.save(content, path, **options)
    return path


def error_of(ours: Tensor, theirs: Tensor) -> float:
    return float((ours - theirs).abs().max() / theirs.abs().max())


@pytest.mark.parametrize(("size", "layers", "legacy"), [(8, 1, False), (16, 3, True), (64, 8, False)])
def test_activations_are_those_of_a_second_implementation(tmp_path: Path, size: int, layers: int, legacy: bool):
    held = checkpoint(size, layers=layers)
    gan = read_rosinality(write(tmp_path / "000100.pt", held, _use_new_zipfile_serialization=not legacy))
    random = torch.Generator().manual_seed(1)
    z, images = torch.randn(8, 8, generator=random), torch.randn(8, 3, size, size, generator=random)
    with torch.no_grad():
        w = mapping(held["g_ema"], z)
        ws = gan.G.mapping(z, None)
        assert error_of(ws[:, 0], w) < 1e-5
        mixed = torch.randn(5, gan.G.num_ws, 8, generator=random)
        assert error_of(gan.G.synthesis(mixed, noise_mode="const"), synthesis(held["g_ema"], mixed)) < 1e-5
        assert error_of(gan.D(images), discriminate(held["d"], images)) < 1e-5
        assert error_of(gan.D(images[:3]), discriminate(held["d"], images[:3])) < 1e-5
    assert gan.G.mapping.w_avg.shape == (8,)
    many = mapping(held["g_ema"], torch.randn(4000, 8, generator=random))
    assert float((gan.G.mapping.w_avg - many.mean(0)).abs().max()) < 5 * float(many.std()) / 4000**0.5 + 0.02


def test_another_blur_kernel(tmp_path: Path):
    """Its second half is not its first: the direction counts too."""
    line = torch.tensor([1.0, 2, 4, 1]) / 8
    held = checkpoint(16, kernel=torch.outer(line, line))
    gan = read_rosinality(write(tmp_path / "x.pt", held))
    ws, images = torch.randn(2, gan.G.num_ws, 8), torch.randn(4, 3, 16, 16)
    with torch.no_grad():
        assert error_of(gan.G.synthesis(ws, noise_mode="const"), synthesis(held["g_ema"], ws)) < 1e-5
        assert error_of(gan.D(images), discriminate(held["d"], images)) < 1e-5


def test_the_mean_latent_where_somebody_added_it(tmp_path: Path):
    held = checkpoint() | {"latent_avg": torch.arange(8.0)}
    assert read_rosinality(write(tmp_path / "x.pt", held)).G.mapping.w_avg.tolist() == list(range(8))


def test_a_model_option_takes_the_file_and_a_model_folder_keeps_it(tmp_path: Path):
    held = checkpoint()
    gan = load_model(write(tmp_path / "x.pt", held))
    assert not any(p.requires_grad for p in gan.D.parameters())
    assert gan.config.training["imported"]["args"]["path"] == "faces.lmdb"
    save_gan(gan, tmp_path / "model")
    assert model_hash(load_gan(tmp_path / "model")) == model_hash(gan)
    facts = describe_rosinality(tmp_path / "x.pt")
    assert facts["problem"] is None
    assert facts["networks"]["d"]["parameters"] == sum(t.numel() for k, t in held["d"].items() if "kernel" not in k)


@pytest.mark.parametrize(("whole", "words"), [(True, "can be used yes"), (False, "can be used no")])
def test_inspect_says_what_a_file_holds(tmp_path: Path, capsys: pytest.CaptureFixture[str], *, whole: bool, words: str):
    write(tmp_path / "x.pt", checkpoint() if whole else {"g_ema": {}})
    assert main(["inspect", str(tmp_path / "x.pt")]) == 0
    assert words in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("network", ["g", "g_ema", "d"])
def test_every_tensor_is_needed_and_no_other(tmp_path: Path, network: str):
    for name in list(checkpoint(8)[network]):
        held = checkpoint(8)
        del held[network][name]
        with pytest.raises(ModelFileError, match=r"missing|lacks|another form|that fits"):
            read_rosinality(write(tmp_path / "x.pt", held))
    held = checkpoint(8)
    held[network]["convs.9.extra"] = torch.zeros(1)
    with pytest.raises(ModelFileError, match=rf"{network}\.convs\.9\.extra is unknown"):
        read_rosinality(write(tmp_path / "x.pt", held))


def with_tensor(network: str, name: str, tensor: Any) -> dict[str, Any]:
    held = checkpoint()
    held[network][name] = tensor
    return held


@pytest.mark.parametrize(
    ("held", "message"),
    [
        ([1, 2], "holds a list; expected a dict"),
        ({}, "holds nothing; expected .* g_ema is missing"),
        ({"g_ema": checkpoint()["g_ema"], "latent_avg": torch.zeros(8)}, "d is missing. Unlearning needs both"),
        (checkpoint() | {"e": {}}, "holds e, which no"),
        (checkpoint() | {"d": [1]}, "holds d as a list"),
        (checkpoint() | {"latent_avg": torch.zeros(7)}, r"w_avg is \[7\], expected \[8\]"),
        (checkpoint() | {"args": {"arch": "swagan"}}, "architecture swagan"),
        (with_tensor("d", "final_linear.1.bias", "text"), r"d\.final_linear\.1\.bias, which is no tensor"),
        (with_tensor("d", "final_linear.1.bias", torch.zeros(1, dtype=torch.int64)), "no tensor of real numbers"),
        (with_tensor("d", "final_linear.1.bias", torch.full([1], torch.nan)), "b4.out.bias has NaN"),
        (with_tensor("d", "convs.1.conv1.0.weight", torch.zeros(3, 3)), r"weight is \[3, 3\], expected \[8, 8, 3, 3\]"),
        (with_tensor("d", "convs.1.conv2.0.kernel", torch.eye(4) / 4), "no outer product"),
        (with_tensor("d", "convs.1.conv2.0.kernel", torch.full((4, 4), 1 / 16)), "differ from layer to layer"),
        (with_tensor("g_ema", "convs.0.conv.blur.kernel", torch.ones(3, 3)), r"blur kernel of \[3, 3\]"),
        (with_tensor("g_ema", "style.1.weight", torch.zeros(())), "in another form"),
        (with_tensor("g_ema", "input.input", torch.zeros(1, 5, 4, 4)), "fits|channels at"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, held: Any, message: str):
    path = write(tmp_path / "x.pt", held)
    with pytest.raises(ModelFileError, match=message):
        read_rosinality(path)
    assert describe_rosinality(path)["problem"]


def test_widths_that_our_networks_do_not_have(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("rosinality_networks.widths_of", lambda size: {4: 4, 8: 6, 16: 8})
    with pytest.raises(ModelFileError, match="ganforget builds no other widths"):
        read_rosinality(write(tmp_path / "x.pt", checkpoint(16)))


# ----------------------------------------------------------------------------
# Files that mean harm. The canary is a file that would appear.


class Harm:
    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.system, (f"touch {self.canary}",)


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("place", ["args", "g_ema", "latent_avg"])
def test_code_in_a_checkpoint_is_not_executed(tmp_path: Path, place: str, legacy: bool):
    canary = tmp_path / "canary"
    held = checkpoint() | {place: Harm(canary)}
    path = write(tmp_path / "x.pt", held, _use_new_zipfile_serialization=not legacy)
    with pytest.raises(ModelFileError, match=r"cannot|no checkpoint that can be read as weights only"):
        load_model(path)
    assert not canary.exists()


def test_files_that_are_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = write(tmp_path / "x.pt", checkpoint())
    data = path.read_bytes()
    for content in (b"", b"text", data[: len(data) // 2], data[: len(data) - 40], b"\x80\x02."):
        path.write_bytes(content)
        with pytest.raises(ModelFileError):
            read_rosinality(path)
    with pytest.raises(ModelFileError, match="There is no file"):
        read_rosinality(tmp_path / "nowhere.pt")
    path.write_bytes(data)
    monkeypatch.setattr(torch_file, "LARGEST_FILE", 1000)
    with pytest.raises(ModelFileError, match="expected at most 1000"):
        read_rosinality(path)


def test_compressed_entries_which_could_unpack_to_anything(tmp_path: Path):
    path = write(tmp_path / "x.pt", checkpoint())
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(tmp_path / "y.pt", "w", zipfile.ZIP_DEFLATED) as new:
        for entry in old.infolist():
            new.writestr(entry.filename, old.read(entry))
    with pytest.raises(ModelFileError, match=r"compressed, which torch.save never does"):
        read_rosinality(tmp_path / "y.pt")


def test_damage_anywhere_is_an_error_of_ours_or_no_damage(tmp_path: Path):
    """Eighty files with a byte changed: each ends in a model or in our error."""
    data = write(tmp_path / "x.pt", checkpoint(8) | {"latent_avg": torch.zeros(8)}).read_bytes()
    random = torch.Generator().manual_seed(0)
    path = tmp_path / "y.pt"
    for _ in range(80):
        at, value = (int(torch.randint(high, (1,), generator=random)) for high in (len(data), 256))
        path.write_bytes(data[:at] + bytes([value]) + data[at + 1 :])
        try:
            read_rosinality(path)
        except ModelFileError:
            continue

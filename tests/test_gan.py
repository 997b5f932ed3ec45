"""A GAN on disk: the same to the bit, or an error that says what is wrong."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from ganforget.errors import ModelFileError
from ganforget.models.gan import Gan, GanConfig, build_gan, load_gan, model_hash, save_gan
from small_gan import randn, same_weights, small_gan, some_labels


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_gan(small_gan(), tmp_path / "model")
    return tmp_path / "model"


@pytest.mark.parametrize("networks", [{}, {"c_dim": 0, "channels": 3}, {"D": "skip", "G": "resnet", "group": None}])
def test_a_gan_comes_back_to_the_bit(tmp_path: Path, networks: dict[str, Any]):
    gan = small_gan(**networks)
    gan = Gan(gan.G, gan.D, GanConfig(gan.config.G, gan.config.D, {"data": {"name": "digits"}, "images_seen": 5}))
    save_gan(gan, tmp_path)
    found = load_gan(tmp_path)
    assert same_weights(found.G, gan.G)
    assert same_weights(found.D, gan.D)
    assert found.config == gan.config
    assert model_hash(found) == model_hash(gan)
    assert not found.G.training
    assert not found.D.training


def test_two_files_and_nothing_else(folder: Path):
    assert sorted(file.name for file in folder.iterdir()) == ["config.json", "model.safetensors"]
    tensors = load_file(folder / "model.safetensors")
    assert {key.split(".")[0] for key in tensors} == {"G_ema", "D"}
    assert "G_ema.synthesis.b8.conv0.noise_const" in tensors
    assert "G_ema.mapping.w_avg" in tensors


def test_a_clone_is_independent():
    gan = small_gan()
    clone = gan.clone()
    before = model_hash(gan)
    assert model_hash(clone) == before
    clone.D.b4.out.bias.data.add_(1)
    assert model_hash(gan) == before
    assert model_hash(clone) != before


def test_the_hash_is_of_weights_and_nothing_else():
    assert model_hash(small_gan(0)) == model_hash(small_gan(0))
    assert model_hash(small_gan(0)) != model_hash(small_gan(1))
    moved = small_gan(0)
    moved.G.mapping.w_avg[0] += 1e-6
    assert model_hash(moved) != model_hash(small_gan(0))


# ----------------------------------------------------------------------------
# Damage.


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_a_missing_file_is_named(folder: Path, name: str):
    (folder / name).unlink()
    with pytest.raises(ModelFileError, match=name if name != "config.json" else "There is no model configuration"):
        load_gan(folder)


@pytest.mark.parametrize("keep", [0, 4, 100, -1, -1000])
def test_truncated_weights(folder: Path, keep: int):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(ModelFileError, match=r"model\.safetensors is not a readable safetensors file"):
        load_gan(folder)


def test_corrupt_weights(folder: Path):
    path = folder / "model.safetensors"
    path.write_bytes(b"\x80\x04\x95 a pickle" + path.read_bytes()[12:])
    with pytest.raises(ModelFileError, match=r"model\.safetensors"):
        load_gan(folder)


@pytest.mark.parametrize("text", ["", "{", "\x00", "[]", '"model"', '{"format": "other"}'])
def test_a_damaged_configuration(folder: Path, text: str):
    (folder / "config.json").write_text(text)
    with pytest.raises(ModelFileError):
        load_gan(folder)


def change_config(folder: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    config = json.loads((folder / "config.json").read_text())
    change(config)
    (folder / "config.json").write_text(json.dumps(config))


@pytest.mark.parametrize("version", [0, 2, "1", None])
def test_another_schema_version_is_named(folder: Path, version: object):
    change_config(folder, lambda config: config.update(schema_version=version))
    with pytest.raises(ModelFileError, match=f"schema version {version}; this ganforget reads 1"):
        load_gan(folder)


@pytest.mark.parametrize("part", ["G", "D", "training"])
@pytest.mark.parametrize("value", [None, 3, [1]])
def test_a_configuration_without_its_parts(folder: Path, part: str, value: object):
    change_config(folder, lambda config: config.update({part: value}))
    with pytest.raises(ModelFileError, match="lacks the arguments"):
        load_gan(folder)


def test_a_configuration_may_know_nothing_of_the_training(folder: Path):
    change_config(folder, lambda config: config.pop("training"))
    assert load_gan(folder).config.training == {}


@pytest.mark.parametrize(
    ("part", "name", "value"),
    [
        ("G", "img_resolution", 12),
        ("G", "img_resolution", "8"),
        ("G", "w_dim", -8),
        ("G", "img_channels", -2),
        ("D", "channel_base", 2),
        ("D", "c_dim", 2.5),
        ("G", "mapping_kwargs", {"layers": 2}),
        ("G", "mapping_kwargs", 7),
        ("D", "epilogue_kwargs", {"mbstd_group": 2}),
        ("D", "unheard_of", 1),
    ],
)
def test_arguments_that_fit_no_network(folder: Path, part: str, name: str, value: object):
    change_config(folder, lambda config: config[part].update({name: value}))
    with pytest.raises(ModelFileError, match="fits no StyleGAN2 network"):
        load_gan(folder)


def test_a_missing_argument(folder: Path):
    change_config(folder, lambda config: config["G"].pop("w_dim"))
    with pytest.raises(ModelFileError, match="w_dim"):
        load_gan(folder)


def change_tensors(folder: Path, change: Callable[[dict[str, Tensor]], Any]) -> None:
    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model.safetensors")


@pytest.mark.parametrize("key", ["G_ema.synthesis.b4.const", "D.b8.conv0.weight", "G_ema.mapping.w_avg"])
def test_tensors_that_do_not_fit_are_named(folder: Path, key: str):
    whole = load_file(folder / "model.safetensors")
    not_finite = whole[key].clone()
    not_finite.view(-1)[0] = torch.nan
    infinite = whole[key].clone()
    infinite.view(-1)[-1] = -torch.inf
    for value, words in [
        (None, f"{key} is missing"),
        (torch.zeros(2, 5), rf"{key} is \[2, 5\], expected \["),
        (not_finite, f"{key} has NaN or infinite values"),
        (infinite, f"{key} has NaN or infinite values"),
    ]:
        save_file(whole, folder / "model.safetensors")
        change_tensors(folder, lambda t, value=value: t.pop(key) if value is None else t.update({key: value}))
        with pytest.raises(ModelFileError, match=words):
            load_gan(folder)


@pytest.mark.parametrize("key", ["G_ema.synthesis.b16.conv0.weight", "D.more", "G.mapping.w_avg", "other"])
def test_tensors_that_nobody_asked_for_are_named(folder: Path, key: str):
    change_tensors(folder, lambda tensors: tensors.update({key: torch.zeros(1)}))
    with pytest.raises(ModelFileError, match=f"{key} is unknown"):
        load_gan(folder)


def test_many_problems_are_counted(folder: Path):
    change_config(folder, lambda config: config["G"].update(w_dim=16))
    with pytest.raises(ModelFileError, match=r"expected .* \(and \d+ more\)"):
        load_gan(folder)


def test_an_extra_file_does_not_matter(folder: Path):
    (folder / "README.md").write_text("mine")
    load_gan(folder)


def test_half_precision_weights_are_widened(folder: Path):
    change_tensors(folder, lambda tensors: tensors.update({k: v.half() for k, v in list(tensors.items())}))
    gan = load_gan(folder)
    assert {p.dtype for p in gan.G.parameters()} == {torch.float32}
    assert gan.D(randn(4, 1, 8, 8), some_labels(4)).dtype == torch.float32


def test_building_asks_no_global_seed_of_the_caller():
    networks = small_gan().config
    torch.manual_seed(0)
    first = build_gan(networks)
    torch.manual_seed(0)
    assert same_weights(first.G, build_gan(networks).G)

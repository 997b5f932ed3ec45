"""Official network pickles through the whole reader: the goldens' activations, both eras, and everything strict."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from ganforget.errors import ModelFileError
from ganforget.interchange import describe_file
from ganforget.interchange import load_file as load_network
from ganforget.models.gan import Gan, GanConfig, build_gan
from official_pickles import Layer, contents, dumps, easy, source_text
from small_gan import same_weights, small_gan
from test_golden import GOLDEN, NAMES, TOLERANCE, labels, relative_error

Snapshot = dict[str, Any]


def golden_gan(name: str) -> Gan:
    facts = json.loads((GOLDEN / f"{name}.json").read_text())
    gan = build_gan(GanConfig(facts["G_init_kwargs"], facts["D_init_kwargs"]))
    tensors = load_file(GOLDEN / f"{name}.safetensors")
    for network, prefix in ((gan.G, "G_ema."), (gan.D, "D.")):
        network.load_state_dict({k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)})
    return gan


def write(folder: Path, snapshot: Snapshot, protocol: int = 4, name: str = "network-snapshot-025000.pkl") -> Path:
    path = folder / name
    path.write_bytes(dumps(snapshot, protocol))
    return path


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("name", NAMES)
def test_the_golden_networks_come_through(tmp_path: Path, name: str, protocol: int):
    gan = load_network(write(tmp_path, contents(golden_gan(name)), protocol))
    t = load_file(GOLDEN / f"{name}.safetensors")
    c = labels(t)
    ws = gan.G.mapping(t["in.z"], c)
    truncated = gan.G.mapping(t["in.z"], c, truncation_psi=0.6, truncation_cutoff=3)
    assert relative_error(ws, t["out.ws"]) < TOLERANCE
    assert relative_error(truncated, t["out.ws_psi0.6_cutoff3"]) < TOLERANCE
    assert relative_error(gan.G.synthesis(ws, noise_mode="const"), t["out.img_noise_const"]) < TOLERANCE
    assert relative_error(gan.D(t["in.real"], c), t["out.logits_real"]) < TOLERANCE


def test_what_is_known_of_the_training_comes_along(tmp_path: Path):
    imported = load_network(write(tmp_path, contents(small_gan()))).config.training["imported"]
    assert imported["kimg"] == 25000
    assert imported["augment_p"] == 0.25
    assert imported["era"] == "StyleGAN2-ADA"
    assert imported["training_set_kwargs"]["path"] == "/data/x.zip"


# ----------------------------------------------------------------------------
# The StyleGAN2 of StyleGAN3's time: arguments at the top, other defaults.


def styled3(gan: Gan, *, forgetful: bool = False) -> Snapshot:
    """Return a snapshot as StyleGAN3's code writes it; ``forgetful`` layers do not remember their arguments."""
    G = {k: v for k, v in gan.config.G.items() if k != "synthesis_kwargs"} | gan.config.G["synthesis_kwargs"]
    G["fused_modconv_default"] = "inference_only"
    for name in ("num_fp16_res", "conv_clamp"):
        G.pop(name, None)
    D = {k: v for k, v in gan.config.D.items() if k not in ("num_fp16_res", "conv_clamp")}
    snapshot = contents(gan, G=G, D=D)
    for _, layer in all_layers(snapshot):
        if forgetful:
            for name in ("conv_clamp", "use_fp16", "w_avg_beta"):
                layer.state.pop(name, None)
    return snapshot


def all_layers(snapshot: Snapshot) -> list[tuple[str, Layer]]:
    found: list[tuple[str, Layer]] = []

    def visit(path: str, layer: Layer) -> None:
        found.append((path, layer))
        for name, child in layer.state.get("_modules", {}).items():
            visit(f"{path}.{name}", child)

    for label in ("G", "D", "G_ema"):
        visit(label, snapshot[label])
    return found


def layer_at(snapshot: Snapshot, path: str) -> Layer:
    return dict(all_layers(snapshot))[path]


def test_arguments_left_out_have_the_defaults_of_stylegan3(tmp_path: Path):
    gan = load_network(write(tmp_path, styled3(small_gan(), forgetful=True)))
    assert gan.config.training["imported"]["era"] == "StyleGAN3"
    assert gan.config.G["synthesis_kwargs"]["conv_clamp"] == gan.config.D["conv_clamp"] == 256
    assert gan.config.G["synthesis_kwargs"]["num_fp16_res"] == gan.config.D["num_fp16_res"] == 4
    assert gan.config.G["mapping_kwargs"]["w_avg_beta"] == 0.998
    assert same_weights(gan.G, small_gan().G)


def test_what_the_layers_remember_goes_before_a_default(tmp_path: Path):
    gan = load_network(write(tmp_path, styled3(small_gan())))  # made without a clamp, and they say so
    assert gan.config.G["synthesis_kwargs"]["conv_clamp"] is None
    assert gan.config.G["mapping_kwargs"]["w_avg_beta"] == 0.995


def test_positional_arguments_are_understood(tmp_path: Path):
    snapshot = contents(small_gan())
    state = snapshot["D"].state
    names = ("c_dim", "img_resolution", "img_channels")
    state["_init_args"] = tuple(state["_init_kwargs"].pop(name) for name in names)
    assert load_network(write(tmp_path, snapshot)).D.c_dim == 3


# ----------------------------------------------------------------------------
# Other number types, other orders of axes, fewer networks.


def test_half_precision_is_widened(tmp_path: Path):
    snapshot = contents(small_gan())
    parameters = layer_at(snapshot, "G_ema.synthesis.b8.conv0").state["_parameters"]
    weight = parameters["weight"].detach()
    parameters["weight"] = nn.Parameter(weight.half())
    found = load_network(write(tmp_path, snapshot)).G.state_dict()["synthesis.b8.conv0.weight"]
    assert torch.equal(found, weight.half().float())


def test_channels_last_weights_keep_their_places(tmp_path: Path):
    snapshot = contents(small_gan())
    parameters = layer_at(snapshot, "D.b8.conv1").state["_parameters"]
    weight = parameters["weight"].detach()
    parameters["weight"] = nn.Parameter(weight.to(memory_format=torch.channels_last))
    assert not parameters["weight"].is_contiguous()
    assert same_weights(load_network(write(tmp_path, snapshot)).D, small_gan().D)


def test_frozen_layers_have_their_weights_as_buffers(tmp_path: Path):
    snapshot = contents(small_gan())
    layer = layer_at(snapshot, "D.b8.fromrgb").state
    layer["_buffers"] |= {name: p.detach() for name, p in layer["_parameters"].items()}
    layer["_parameters"] = {}
    snapshot["D"].state["_init_kwargs"]["block_kwargs"] = easy({"freeze_layers": 1})
    assert same_weights(load_network(write(tmp_path, snapshot)).D, small_gan().D)


def test_a_training_generator_may_be_missing_or_be_the_averaged_one(tmp_path: Path):
    snapshot = contents(small_gan())
    without = {key: value for key, value in snapshot.items() if key != "G"}
    assert same_weights(load_network(write(tmp_path, without)).G, small_gan().G)
    assert same_weights(load_network(write(tmp_path, without | {"G": without["G_ema"]})).G, small_gan().G)


@pytest.mark.parametrize("label", ["D", "G_ema"])
def test_a_missing_network_is_named(tmp_path: Path, label: str):
    snapshot = {key: value for key, value in contents(small_gan()).items() if key != label}
    path = write(tmp_path, snapshot)
    with pytest.raises(ModelFileError, match=f"it holds no {label}, "):
        load_network(path)
    assert describe_file(path)["problem"] == f"it holds no {label}"


# ----------------------------------------------------------------------------
# Everything else is refused, by name.


def argument(label: str, name: str, value: object, inside: str | None = None) -> Callable[[Snapshot], None]:
    def change(snapshot: Snapshot) -> None:
        arguments = snapshot[label].state["_init_kwargs"]
        (arguments[inside] if inside else arguments)[name] = value

    return change


def attribute(path: str, name: str, value: object) -> Callable[[Snapshot], None]:
    return lambda snapshot: layer_at(snapshot, path).state.update({name: value})


def member(path: str, kind: str, name: str, value: object) -> Callable[[Snapshot], None]:
    def change(snapshot: Snapshot) -> None:
        members = layer_at(snapshot, path).state[kind]
        members.pop(name) if value is None else members.update({name: value})

    return change


def renamed(path: str, class_name: str) -> Callable[[Snapshot], None]:
    return lambda snapshot: setattr(layer_at(snapshot, path), "class_name", class_name)


def parameter(*shape: int) -> nn.Parameter:
    return nn.Parameter(torch.zeros(*shape))


def expanded(snapshot: Snapshot) -> None:
    """A tensor of 64 numbers in the place of one of 8×8, all of them the same one."""
    layer_at(snapshot, "D.b4.fc").state["_parameters"]["bias"] = nn.Parameter(torch.zeros(1).expand(8))


def viewing(snapshot: Snapshot) -> None:
    layer_at(snapshot, "D.b4.fc").state["_parameters"]["bias"] = nn.Parameter(torch.zeros(16)[:8])


def shared(snapshot: Snapshot) -> None:
    tensors = layer_at(snapshot, "D.b4.fc").state["_parameters"]
    layer_at(snapshot, "D.b4.conv").state["_parameters"]["bias"] = tensors["bias"]


def alias_free(snapshot: Snapshot) -> None:
    state: Snapshot = dict(vars(nn.Module()))
    first = Layer("SynthesisInput", state | {"size": np.array([36, 36]), "_parameters": {}}, source_text())
    for label in ("G", "G_ema"):
        layer_at(snapshot, f"{label}.synthesis").state["_modules"] = {"input": first}
        snapshot[label].state["_init_kwargs"] |= {"conv_kernel": 1, "use_radial_filters": True}


STRICT: dict[str, tuple[Callable[[Snapshot], Any], str]] = {
    "argument of G": (argument("G_ema", "beta_dim", 3), r"G_ema has the argument 'beta_dim', which StyleGAN2 has not"),
    "argument of synthesis": (
        argument("G", "skips", 3, "synthesis_kwargs"),
        r"G synthesis_kwargs has the argument 'skips'",
    ),
    "argument of mapping": (argument("G", "depth", 3, "mapping_kwargs"), r"G mapping_kwargs has the argument 'depth'"),
    "argument of D": (argument("D", "cmap", 3), r"D has the argument 'cmap'"),
    "argument of epilogue": (argument("D", "fc", 3, "epilogue_kwargs"), r"D epilogue_kwargs has the argument 'fc'"),
    "missing argument": (lambda s: s["G_ema"].state["_init_kwargs"].pop("w_dim"), r"G_ema lacks the argument w_dim"),
    "resolution": (argument("G", "img_resolution", 12), r"G has img_resolution = 12; expected a power of two"),
    "huge resolution": (argument("G", "img_resolution", 2**20), r"G has img_resolution = 1048576"),
    "huge layers": (argument("G", "num_layers", 10**9, "mapping_kwargs"), r"num_layers = 1000000000; expected"),
    "huge width": (argument("G", "channel_max", 10**9, "synthesis_kwargs"), r"channel_max = 1000000000; expected"),
    "text for a number": (argument("D", "c_dim", "3"), r"D has c_dim = '3'; expected a whole number"),
    "bool for a number": (argument("D", "c_dim", True), r"D has c_dim = True"),
    "architecture": (argument("D", "architecture", "unet"), r"D has architecture = 'unet'; expected orig, skip or"),
    "activation": (argument("G", "activation", "relu", "synthesis_kwargs"), r"activation = 'relu'; expected 'lrelu'"),
    "no noise": (argument("G", "use_noise", False, "synthesis_kwargs"), r"use_noise = False; expected True"),
    "remembered activation": (
        attribute("D.b8.conv0", "activation", "swish"),
        r"D\.b8\.conv0 has activation = 'swish', but",
    ),
    "remembered clamp": (attribute("G.synthesis.b8.conv0", "conv_clamp", 7), r"conv0 has conv_clamp = 7, but its"),
    "remembered group": (attribute("D.b4.mbstd", "group_size", 3), r"D\.b4\.mbstd has group_size = 3, but its"),
    "class of a network": (renamed("G", "StyleGAN"), r"G is a StyleGAN, expected a Generator"),
    "class of a layer": (
        renamed("G.mapping.fc0", "EqualLinear"),
        r"fc0 is a EqualLinear, expected a FullyC",
    ),
    "extra layer": (
        lambda s: layer_at(s, "D.b8").state["_modules"].update(attention=layer_at(s, "D.b8.conv0")),
        r"D\.b8 has a layer 'attention', which a DiscriminatorBlock of StyleGAN2 has not",
    ),
    "missing tensor": (
        member("G_ema.mapping.fc1", "_parameters", "bias", None),
        r"G_ema\.mapping\.fc1\.bias is miss",
    ),
    "extra tensor": (
        member("D.b4.out", "_buffers", "scale", torch.ones(2)),
        r"D\.b4\.out\.scale is unknown",
    ),
    "wrong shape": (
        member("D.b4.out", "_parameters", "bias", parameter(3, 3)),
        r"D\.b4\.out\.bias is \[3, 3\], expected \[8\]",
    ),
    "tensor at a wrong place": (
        attribute("D.b4.out", "copy", torch.ones(2)),
        r"D\.b4\.out\.copy is a tensor \[2\], which a FullyConnectedLayer has not",
    ),
    "no tensor": (member("D.b4.out", "_parameters", "bias", [1.0]), r"D\.b4\.out\.bias is a list, expected a tensor"),
    "hooks": (attribute("D.b4.out", "_forward_hooks", {1: "hook"}), r"D\.b4\.out\._forward_hooks is not empty"),
    "NaN": (
        member("G_ema.synthesis.b4", "_parameters", "const", nn.Parameter(torch.full((8, 4, 4), torch.nan))),
        r"G_ema\.synthesis\.b4\.const has NaN",
    ),
    "tensor twice": (member("D.b4.out", "_buffers", "bias", torch.zeros(8)), r"D\.b4\.out\.bias is there twice"),
    "whole numbers": (
        member("D.b4.conv", "_buffers", "resample_filter", torch.ones(4, 4, dtype=torch.int64)),
        r"D\.b4\.conv\.resample_filter holds int64, expected float32",
    ),
    "expanded": (expanded, r"D\.b4\.fc\.bias is a view of a larger storage"),
    "view": (viewing, r"D\.b4\.fc\.bias is a view of a larger storage"),
    "shared": (shared, r"shares its numbers with D\.b4\."),
    "one dimension": (lambda s: s.update(D=contents(small_gan(c_dim=2))["D"]), r"the networks differ in c_dim: G 3"),
    "another G": (lambda s: s.update(G=contents(small_gan(G="resnet"))["G"]), r"G and G_ema are not of one architect"),
    "alias-free": (alias_free, r"it holds an alias-free StyleGAN3 generator"),
    "optimizer": (lambda s: s.update(optimizer={"exp_avg": torch.ones(3)}), r"optimizer\.exp_avg is a tensor \[3\]"),
    "another network": (lambda s: s.update(E=s["D"]), r"E is a Discriminator, which a StyleGAN2 pickle has not"),
    "another pipe": (lambda s: s.update(augment_pipe=s["D"]), r"augment_pipe is a Discriminator, expected an Augment"),
    "no network": (lambda s: [s.pop(key) for key in ("G", "D", "G_ema")], r"it holds no network; its keys are augment"),
}


@pytest.mark.parametrize("name", STRICT)
def test_what_does_not_belong_is_named(tmp_path: Path, name: str):
    snapshot = contents(small_gan())
    change, words = STRICT[name]
    change(snapshot)
    path = write(tmp_path, snapshot)
    with pytest.raises(ModelFileError, match=words):
        load_network(path)
    if name not in ("NaN", "expanded", "view", "whole numbers"):  # a listing does not read the numbers
        assert describe_file(path)["problem"]


def test_a_network_without_its_dict(tmp_path: Path):
    (tmp_path / "network.pkl").write_bytes(dumps([1, 2]))
    with pytest.raises(ModelFileError, match="it holds a list, expected a dict with G, D and G_ema"):
        load_network(tmp_path / "network.pkl")


def test_a_tensorflow_pickle_is_told_from_others(tmp_path: Path):
    (tmp_path / "network.pkl").write_bytes(b"\x80\x03cdnnlib.tflib.network\nNetwork\n)\x81.")
    with pytest.raises(ModelFileError, match=r"a TensorFlow pickle; convert it with legacy\.py"):
        load_network(tmp_path / "network.pkl")


@pytest.mark.parametrize("protocol", [0, 1])
def test_old_protocols_are_named(tmp_path: Path, protocol: int):
    (tmp_path / "network.pkl").write_bytes(dumps({"G": 1}, protocol))
    with pytest.raises(ModelFileError, match=r"it is a pickle of .*expected protocol 2 or 3 or 4 or 5"):
        load_network(tmp_path / "network.pkl")


# ----------------------------------------------------------------------------
# A listing.


def test_a_listing_tells_what_is_there(tmp_path: Path):
    gan = small_gan()
    found = describe_file(write(tmp_path, contents(gan) | {"cur_nimg": 25_000_000}))
    parameters: dict[str, Tensor] = dict(gan.G.named_parameters())
    assert found["networks"]["G_ema"]["parameters"] == sum(p.numel() for p in parameters.values())
    assert found["networks"]["D"]["img_resolution"] == 8
    assert found["networks"]["D"]["c_dim"] == 3
    assert (found["kimg"], found["augment_p"], found["era"]) == (25000, 0.25, "StyleGAN2-ADA")
    assert (found["outside"], found["problem"], found["protocol"]) == ([], None, 4)
    assert found["other_keys"] == ["cur_nimg"]

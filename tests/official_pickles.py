"""Network pickles with the structure of the official ones, made by the real pickle around networks of ours.

The source text inside is our own, and writes a file if anything ever runs it.
"""

import pickle
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import nn

from ganforget.models import layers, stylegan2
from ganforget.models.gan import Gan

CLASSES: dict[type, str] = {
    stylegan2.Generator: "Generator",
    stylegan2.SynthesisNetwork: "SynthesisNetwork",
    stylegan2.SynthesisBlock: "SynthesisBlock",
    stylegan2.SynthesisLayer: "SynthesisLayer",
    stylegan2.ToRGB: "ToRGBLayer",
    stylegan2.MappingNetwork: "MappingNetwork",
    stylegan2.Discriminator: "Discriminator",
    stylegan2.DiscriminatorBlock: "DiscriminatorBlock",
    stylegan2.DiscriminatorEpilogue: "DiscriminatorEpilogue",
    layers.FullyConnected: "FullyConnectedLayer",
    layers.Conv2d: "Conv2dLayer",
    layers.MinibatchStd: "MinibatchStdLayer",
}

REMEMBERED = ("z_dim", "c_dim", "w_dim", "img_resolution", "img_channels", "num_ws", "num_layers", "w_avg_beta")
REMEMBERED += ("architecture", "conv_clamp", "activation", "group_size", "num_channels", "resolution", "up")
REMEMBERED += ("block_resolutions",)


class EasyDict(dict):
    """Stands for dnnlib's."""


class Layer:
    """A persistent object as torch_utils.persistence pickles one."""

    def __init__(self, class_name: str, state: dict[str, Any], source: str) -> None:
        self.class_name, self.state, self.source = class_name, state, source

    def __reduce__(self) -> tuple[Any, ...]:
        meta = EasyDict(
            type="class", version=6, module_src=self.source, class_name=self.class_name, state=dict(self.state)
        )
        return sys.modules["torch_utils.persistence"]._reconstruct_persistent_obj, (meta,), None


def _reconstruct_persistent_obj(meta: dict[str, Any]) -> SimpleNamespace:
    """Return what the official loader would make an object of; runs no source text."""
    return SimpleNamespace(**meta)


@contextmanager
def official_modules() -> Iterator[None]:
    """Have the names that official pickles refer to, for the time of a dump or of a real load."""
    persistence, util = ModuleType("torch_utils.persistence"), ModuleType("dnnlib.util")
    persistence._reconstruct_persistent_obj = _reconstruct_persistent_obj  # type: ignore[attr-defined]
    util.EasyDict = EasyDict  # type: ignore[attr-defined]
    _reconstruct_persistent_obj.__module__, EasyDict.__module__ = persistence.__name__, util.__name__
    names = {"torch_utils": ModuleType("torch_utils"), "dnnlib": ModuleType("dnnlib")}
    names |= {"torch_utils.persistence": persistence, "dnnlib.util": util}
    sys.modules.update(names)
    try:
        yield
    finally:
        for name in names:
            del sys.modules[name]


def source_text(canary: Path | str = "canary") -> str:
    """Return a source text that would create the file ``canary``; as long as one that stays in the file."""
    return f"import pathlib\npathlib.Path({str(canary)!r}).write_text('run')\n" + "# our own text\n" * 600


def as_layer(module: nn.Module, source: str, arguments: dict[str, Any] | None = None) -> Layer:
    """Return one of our modules as the official code would pickle it."""
    state = dict(vars(nn.Module()))
    state |= {"_init_args": (), "_init_kwargs": deepcopy(easy(arguments or {}))}
    state |= {name: getattr(module, name) for name in REMEMBERED if name in vars(module)}
    if isinstance(module, stylegan2.SynthesisLayer):
        state |= {"use_noise": True, "activation": "lrelu", "act_gain": np.sqrt(2), "padding": 1}
    if isinstance(module, layers.FullyConnected | layers.Conv2d | stylegan2.ToRGB):
        state["weight_gain"] = np.float64(0.5)
    if isinstance(module, stylegan2.SynthesisBlock | stylegan2.DiscriminatorBlock):
        state["use_fp16"] = module.half_precision
    state["_parameters"] = {
        name: None if p is None else nn.Parameter(p.detach().clone()) for name, p in module._parameters.items()
    }
    state["_buffers"] = {name: None if b is None else b.clone() for name, b in module._buffers.items()}
    state["_modules"] = {name: as_layer(child, source) for name, child in module.named_children()}
    return Layer(CLASSES[type(module)], state, source)


def easy(value: Any) -> Any:
    """Return dicts as the official code's own kind."""
    return EasyDict({k: easy(v) for k, v in value.items()}) if isinstance(value, dict) else value


def augment_pipe(source: str) -> Layer:
    state = dict(vars(nn.Module())) | {"_init_args": (), "_init_kwargs": easy({"xflip": 1, "rotate90": 1})}
    state["_buffers"] = {"p": torch.tensor(0.25), "Hz_geom": torch.ones(12), "Hz_fbank": torch.ones(4, 50)}
    return Layer("AugmentPipe", state, source)


def contents(gan: Gan, *, training: Gan | None = None, source: str = "", **arguments: Any) -> dict[str, Any]:
    """Return what a snapshot holds: G (of ``training``), D, G_ema, the augmentation pipe, and the data's arguments."""
    source = source or source_text()
    G, D = arguments.get("G", gan.config.G), arguments.get("D", gan.config.D)
    return {
        "training_set_kwargs": easy({"class_name": "training.dataset.ImageFolderDataset", "path": "/data/x.zip"}),
        "G": as_layer((training or gan).G, source, G),
        "D": as_layer(gan.D, source, D),
        "G_ema": as_layer(gan.G, source, G),
        "augment_pipe": augment_pipe(source),
    }


def dumps(value: Any, protocol: int = 4) -> bytes:
    """Return the pickle of a snapshot."""
    with official_modules():
        return pickle.dumps(value, protocol=protocol)


def really_load(data: bytes) -> Any:
    """Load by Python's own pickle and torch's own storages, as the official tools do, but for the source text."""
    with official_modules():
        return pickle.loads(data)

"""Everything that resuming a training needs, and its files."""

import copy
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

import safetensors.torch
import torch
from torch import Tensor

from ganforget.errors import ModelFileError
from ganforget.files import make_folder, read_json, write_bytes, write_json
from ganforget.models.gan import GanConfig, build_gan, load_strictly, read_tensors
from ganforget.models.stylegan2 import Discriminator, Generator
from ganforget.randomness import stream
from ganforget.training.config import TrainingConfig
from ganforget.training.networks import adam

__all__ = [
    "Sums",
    "TrainingState",
    "load_state",
    "new_state",
    "optimizer_tensors",
    "pair_tensors",
    "read_about",
    "restore_optimizer",
    "restore_pair",
    "save_state",
]


@dataclass
class Sums:
    """Running sums since the last tick; a part of the state, as ADA decides on them."""

    d_loss: float = 0.0
    g_loss: float = 0.0
    r1: float = 0.0
    real: float = 0.0
    fake: float = 0.0
    sign: float = 0.0
    steps: int = 0
    r1_steps: int = 0


@dataclass
class TrainingState:
    """Networks, optimisers and counters of a training in progress."""

    G: Generator
    D: Discriminator
    G_ema: Generator
    G_optimizer: torch.optim.Adam
    D_optimizer: torch.optim.Adam
    step: int = 0
    images_seen: int = 0
    seconds: float = 0.0
    augment_p: float = 0.0
    path_length_mean: float = 0.0
    sums: Sums = field(default_factory=Sums)


def new_state(config: TrainingConfig, networks: GanConfig, device: torch.device) -> TrainingState:
    """Return a training at its start; the initial weights come from the stream (seed, 'weights')."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(stream(config.seed, "weights").initial_seed() % 2**63)
        gan = build_gan(networks)
    G, D = gan.G.to(device).train(), gan.D.to(device).train()
    g_interval = config.path_length_interval if config.path_length_weight else 0
    return TrainingState(
        G,
        D,
        copy.deepcopy(G).eval().requires_grad_(False),
        adam(G, config.learning_rate, g_interval),
        adam(D, config.learning_rate, config.r1_interval),
        augment_p=config.augment_p,
    )


def optimizer_tensors(optimizer: torch.optim.Adam, prefix: str) -> dict[str, Tensor]:
    """Return the moments of Adam by parameter number, for safetensors."""
    tensors = {}
    for number, values in optimizer.state_dict()["state"].items():
        for name, value in values.items():
            tensors[f"{prefix}{number}.{name}"] = torch.as_tensor(value).detach().cpu().contiguous().clone()
    return tensors


def restore_optimizer(optimizer: torch.optim.Adam, tensors: dict[str, Tensor], prefix: str) -> None:
    """Put the moments that ``optimizer_tensors`` took back."""
    state: dict[int, dict[str, Any]] = {}
    for key, value in tensors.items():
        if key.startswith(prefix):
            number, name = key.removeprefix(prefix).split(".")
            state.setdefault(int(number), {})[name] = value
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


class _Pair(Protocol):
    """What a training and a cascade in progress have in common."""

    G: Generator
    D: Discriminator
    G_ema: Generator
    G_optimizer: torch.optim.Adam
    D_optimizer: torch.optim.Adam


_NETWORKS = ("G", "D", "G_ema")


def pair_tensors(state: _Pair) -> dict[str, Tensor]:
    """Return the weights of G, D and G_ema and the moments of both optimisers, for safetensors."""
    tensors: dict[str, Tensor] = {}
    for name in _NETWORKS:
        weights = getattr(state, name).state_dict()
        tensors |= {f"{name}.{key}": value.detach().cpu().contiguous().clone() for key, value in weights.items()}
    tensors |= optimizer_tensors(state.G_optimizer, "G_optimizer.")
    return tensors | optimizer_tensors(state.D_optimizer, "D_optimizer.")


def restore_pair(state: _Pair, tensors: dict[str, Tensor], folder: Path) -> None:
    """Put what ``pair_tensors`` took back; ModelFileError, naming ``folder``, where it does not fit."""
    for name in _NETWORKS:
        load_strictly(getattr(state, name), tensors, f"{name}.", folder)
    restore_optimizer(state.G_optimizer, tensors, "G_optimizer.")
    restore_optimizer(state.D_optimizer, tensors, "D_optimizer.")


_SCHEMA_VERSION = 1
_COUNTERS = ("step", "images_seen", "seconds", "augment_p", "path_length_mean")


def read_about(folder: Path, *, schema_version: int) -> dict[str, Any]:
    """Return what a resume state says about itself; ModelFileError where it is not of ``schema_version``."""
    about = read_json(folder / "about.json", kind="resume state")
    found = about.get("schema_version") if isinstance(about, dict) else None
    if found != schema_version:
        raise ModelFileError(
            f"The resume state in {folder} has schema version {found}, and this release reads {schema_version}; "
            "start the run anew, or go on with the release that began it."
        )
    return about


def save_state(state: TrainingState, folder: Path) -> None:
    """Write the resume state; the counters travel in the tensors' file, so that both change in one step."""
    make_folder(folder)
    counters = torch.tensor([float(getattr(state, name)) for name in _COUNTERS], dtype=torch.float64)
    sums = torch.tensor([float(value) for value in asdict(state.sums).values()], dtype=torch.float64)
    data = safetensors.torch.save(pair_tensors(state) | {"counters": counters, "sums": sums})
    write_bytes(folder / "state.safetensors", data)
    write_json(folder / "about.json", {"schema_version": _SCHEMA_VERSION, "kind": "training"})


def load_state(state: TrainingState, folder: Path) -> TrainingState:
    """Fill ``state`` (fresh, of the same configuration) from ``folder``; ModelFileError where it does not fit."""
    read_about(folder, schema_version=_SCHEMA_VERSION)
    tensors = read_tensors(folder / "state.safetensors")
    restore_pair(state, tensors, folder)
    if "counters" not in tensors:
        raise ModelFileError(f"The resume state in {folder} has no counters; it is damaged.")
    for name, value in zip(_COUNTERS, tensors["counters"].tolist(), strict=True):
        setattr(state, name, int(value) if name in ("step", "images_seen") else value)
    if "sums" in tensors:  # else the state of an early training, which lies at a tick
        sums = tensors["sums"].tolist()
        state.sums = Sums(*sums[:6], steps=int(sums[6]), r1_steps=int(sums[7]))
    return state

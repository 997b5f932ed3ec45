"""Everything that a cascade in progress needs to go on, and its files."""

import copy
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import safetensors.torch
import torch

from ganforget.errors import ModelFileError
from ganforget.files import make_folder, write_bytes, write_json
from ganforget.models.gan import Gan, read_tensors
from ganforget.models.half_precision import LossScale
from ganforget.models.stylegan2 import Discriminator, Generator
from ganforget.training.state import (
    optimizer_tensors,
    pair_tensors,
    read_about,
    restore_optimizer,
    restore_pair,
)
from ganforget.unlearning.config import CascadeConfig
from ganforget.work import Work

__all__ = ["Beside", "CascadeState", "load_cascade", "new_cascade", "save_cascade"]


@dataclass
class Beside:
    """A discriminator beside the unlearning one, whose head learns on all forget images but those of a fold."""

    D: Discriminator
    optimizer: torch.optim.Adam


@dataclass
class CascadeState:
    """The unlearning networks, their optimisers and counters."""

    G: Generator
    D: Discriminator
    G_ema: Generator
    G_optimizer: torch.optim.Adam
    D_optimizer: torch.optim.Adam
    step: int = 0
    cascade_seconds: float = 0.0
    check_seconds: float = 0.0
    d_reached: bool = False
    """Whether D was at its side of the destination at the last check: between checks it rests on that."""
    g_reached: bool = False
    found: dict[str, float] = field(default_factory=dict)
    """What the last check found."""
    substitution: float = 1.0
    """What the last look at G found."""
    look_ratio: float = 0.0
    """What all latents were in proportion to those that are looked at; 0 before the first look."""
    label_shift: float = 0.0
    """What has been added to the fake labels, so that scores meet a moving target (calibrated destination)."""
    beside: list[Beside] = field(default_factory=list)
    """A D for each fold of the cascade."""
    work: Work = field(default_factory=Work)
    """Images that steps and checks have taken through the networks."""
    G_scale: LossScale = field(default_factory=LossScale.none)
    """For the gradients of networks in half precision (CUDA)."""
    D_scale: LossScale = field(default_factory=LossScale.none)


def new_cascade(original: Gan, config: CascadeConfig, *, folds: int = 0) -> CascadeState:
    """Return a cascade at its start: G from G_ema of the original, D from its D, of which the head alone learns.

    The paper's preset trains all of D. ``folds`` is how many folds the cascade has.
    """
    start = original.clone()
    G, D = start.G.train().requires_grad_(True), start.D.train().requires_grad_(False)
    trunk = {id(part): part for name, part in D.named_children() if name not in ("b4", "mapping")}
    beside = [copy.deepcopy(D, dict(trunk)) for _ in range(folds)]  # with heads of their own
    learning = D.parameters() if config.preset == "paper" else D.head_parameters()
    return CascadeState(
        G,
        D,
        copy.deepcopy(G).eval().requires_grad_(False),
        torch.optim.Adam(G.parameters(), lr=config.g_learning_rate, betas=(config.momentum, 0.99), fused=True),
        _adam(learning, config),
        beside=[Beside(one, _adam(one.head_parameters(), config)) for one in beside],
        G_scale=LossScale.of(G, D),
        D_scale=LossScale.of(D),
    )


def _adam(weights: Iterable[torch.nn.Parameter], config: CascadeConfig) -> torch.optim.Adam:
    """Return the optimiser of what learns of a discriminator."""
    learning = [weight.requires_grad_(True) for weight in weights]
    return torch.optim.Adam(learning, lr=config.d_learning_rate, betas=(config.momentum, 0.99), fused=True)


def _head(D: Discriminator) -> dict[str, torch.nn.Parameter]:
    """Return the weights of D's head by name."""
    own = {id(weight) for weight in D.head_parameters()}
    return {name: weight for name, weight in D.named_parameters() if id(weight) in own}


_SCHEMA_VERSION = 3
_COUNTERS = {"step": int, "cascade_seconds": float, "check_seconds": float, "d_reached": bool, "g_reached": bool}
_COUNTERS |= {"substitution": float, "label_shift": float, "look_ratio": float}


def save_cascade(state: CascadeState, folder: Path) -> None:
    """Write the resume state; all that changes lies in one file, so that it changes in one step."""
    make_folder(folder)
    tensors = pair_tensors(state)
    tensors["counters"] = torch.tensor([float(getattr(state, name)) for name in _COUNTERS], dtype=torch.float64)
    tensors["scales"] = torch.tensor([state.G_scale.value, state.D_scale.value], dtype=torch.float64)
    tensors["work"] = torch.tensor(list(asdict(state.work).values()), dtype=torch.int64)
    for number, one in enumerate(state.beside):
        tensors |= {f"beside{number}.{key}": value.detach().cpu().clone() for key, value in _head(one.D).items()}
        tensors |= optimizer_tensors(one.optimizer, f"beside{number}_optimizer.")
    tensors["found"] = torch.tensor(list(json.dumps(state.found).encode()), dtype=torch.uint8)  # names and values
    write_bytes(folder / "state.safetensors", safetensors.torch.save(tensors))
    write_json(folder / "about.json", {"schema_version": _SCHEMA_VERSION, "kind": "unlearning"})


def load_cascade(state: CascadeState, folder: Path) -> CascadeState:
    """Fill ``state`` (fresh, of the same configuration) from ``folder``."""
    read_about(folder, schema_version=_SCHEMA_VERSION)
    tensors = read_tensors(folder / "state.safetensors")
    restore_pair(state, tensors, folder)
    counters = tensors["counters"].tolist() if "counters" in tensors else []
    if len(counters) != len(_COUNTERS) or not {"work", "found"} <= tensors.keys():
        raise ModelFileError(f"The resume state in {folder} lacks counters; it is damaged, or of another release.")
    for (name, kind), value in zip(_COUNTERS.items(), counters, strict=True):
        setattr(state, name, kind(value))
    try:
        found = json.loads(bytes(tensors["found"].tolist()))
        state.found = {name: float(value) for name, value in found.items()}
    except (ValueError, TypeError, AttributeError) as error:
        raise ModelFileError(f"The resume state in {folder} is damaged; start the run anew.") from error
    state.work = Work(*tensors["work"].tolist())
    for number, one in enumerate(state.beside):
        for key, value in _head(one.D).items():
            if f"beside{number}.{key}" not in tensors:
                raise ModelFileError(f"The resume state in {folder} lacks beside{number}.{key}; start the run anew.")
            value.data.copy_(tensors[f"beside{number}.{key}"])
        restore_optimizer(one.optimizer, tensors, f"beside{number}_optimizer.")
    if "scales" in tensors and tensors["scales"].numel() == 2:  # else a state of before there were any
        state.G_scale.value, state.D_scale.value = tensors["scales"].tolist()
    return state

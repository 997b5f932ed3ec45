"""A GAN on disk: ``config.json`` with the constructor arguments, ``model.safetensors`` with G_ema and D."""

import copy
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from ganforget.errors import ModelFileError, OutputError
from ganforget.files import make_folder, read_json, write_json, write_through
from ganforget.models.stylegan2 import Discriminator, Generator

__all__ = [
    "Gan",
    "GanConfig",
    "build_gan",
    "configuration_hash",
    "fill_gan",
    "load_gan",
    "model_hash",
    "save_gan",
    "save_tensors",
]

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class GanConfig:
    """Constructor arguments of both networks, and what is known about how they were trained."""

    G: dict[str, Any]
    D: dict[str, Any]
    training: dict[str, Any] = field(default_factory=dict)
    """Data set, split record, options and images seen; empty for a model from elsewhere."""


@dataclass
class Gan:
    """A trained generator (``G_ema``) and its discriminator, both in evaluation mode."""

    G: Generator
    D: Discriminator
    config: GanConfig

    def clone(self) -> "Gan":
        """Return an independent copy."""
        return Gan(copy.deepcopy(self.G), copy.deepcopy(self.D), self.config)

    def to(self, device: torch.device | str) -> "Gan":
        """Move both networks to ``device`` and return self."""
        self.G.to(device)
        self.D.to(device)
        return self


def build_gan(config: GanConfig) -> Gan:
    """Return a GAN with fresh weights; ModelFileError where the arguments fit no network."""
    try:
        return Gan(Generator(**config.G).eval(), Discriminator(**config.D).eval(), config)
    except (TypeError, ValueError, RuntimeError, ArithmeticError) as error:
        raise ModelFileError(f"The model's configuration fits no StyleGAN2 network: {error}") from error


def save_gan(gan: Gan, folder: Path) -> None:
    """Write ``config.json`` and ``model.safetensors`` into ``folder``."""
    make_folder(folder)
    write_through(folder / "model.safetensors", lambda place: save_tensors(gan, place))
    config = {"schema_version": SCHEMA_VERSION, "format": "ganforget-stylegan2"}
    config |= {"G": gan.config.G, "D": gan.config.D, "training": gan.config.training}
    write_json(folder / "config.json", config)


def save_tensors(gan: Gan, path: Path, metadata: dict[str, str] | None = None) -> None:
    """Write both networks' tensors, as ``G_ema.…`` and ``D.…``, to a safetensors file; one copy of them at a time."""
    tensors = {}
    for prefix, network in (("G_ema", gan.G), ("D", gan.D)):
        for name, value in network.state_dict().items():
            value = value.detach().cpu().contiguous()
            shared = value.untyped_storage().nbytes() != value.nbytes  # a view; safetensors wants whole tensors
            tensors[f"{prefix}.{name}"] = value.clone() if shared else value
    try:
        safetensors.torch.save_file(tensors, path, metadata)
    except SafetensorError as error:
        raise OutputError(f"Cannot write {path.parent} ({error}); choose another place.") from error


def load_gan(folder: Path) -> Gan:
    """Read a model folder strictly; ModelFileError names what is missing, damaged or unexpected."""
    try:
        raw = read_json(folder / "config.json", kind="model configuration")
    except Exception as error:
        raise ModelFileError(f"{folder} is not a model folder: {error}") from error
    if not isinstance(raw, dict) or raw.get("format") != "ganforget-stylegan2":
        raise ModelFileError(f"{folder / 'config.json'} does not describe a ganforget model.")
    if raw.get("schema_version") != SCHEMA_VERSION:
        found = raw.get("schema_version")
        raise ModelFileError(
            f"{folder} has schema version {found}; this ganforget reads {SCHEMA_VERSION}. Use a matching release."
        )
    parts = [raw.get("G"), raw.get("D"), raw.get("training", {})]
    if not all(isinstance(part, dict) for part in parts):
        raise ModelFileError(f"{folder / 'config.json'} lacks the arguments of G or D; the file is damaged.")
    return fill_gan(GanConfig(*parts), folder / "model.safetensors", folder)


def fill_gan(config: GanConfig, path: Path, source: Path) -> Gan:
    """Return the GAN of ``config`` with the tensors of the file at ``path``; ModelFileError speaks of ``source``."""
    gan = build_gan(config)
    tensors = read_tensors(path)
    foreign = sorted(key for key in tensors if not key.startswith(("G_ema.", "D.")))
    if foreign:
        raise ModelFileError(f"{source} does not fit its configuration: {', '.join(foreign[:3])} is unknown.")
    load_strictly(gan.G, tensors, "G_ema.", source)
    load_strictly(gan.D, tensors, "D.", source)
    return gan


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Read a safetensors file; ModelFileError where it is missing, truncated or corrupt."""
    try:
        return safetensors.torch.load_file(path)
    except FileNotFoundError as error:
        raise ModelFileError(f"There is no {path}; the model folder is incomplete.") from error
    except (SafetensorError, OSError, ValueError, KeyError) as error:
        raise ModelFileError(f"{path} is not a readable safetensors file ({error}); it may be truncated.") from error


def load_strictly(module: nn.Module, tensors: dict[str, Tensor], prefix: str, source: Path) -> None:
    """Load the tensors under ``prefix``; ModelFileError names any missing, extra, misshapen or non-finite tensor."""
    state = {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
    expected = module.state_dict()
    problems = [f"{prefix}{k} is missing" for k in expected if k not in state]
    problems += [f"{prefix}{k} is unknown" for k in state if k not in expected]
    for key in expected.keys() & state.keys():
        if state[key].shape != expected[key].shape:
            problems.append(f"{prefix}{key} is {list(state[key].shape)}, expected {list(expected[key].shape)}")
        elif not torch.isfinite(state[key].float()).all():
            problems.append(f"{prefix}{key} has NaN or infinite values")
    if problems:
        more = f" (and {len(problems) - 3} more)" if len(problems) > 3 else ""
        raise ModelFileError(f"{source} does not fit its configuration: {'; '.join(sorted(problems)[:3])}{more}.")
    module.load_state_dict({k: v.to(expected[k].dtype) for k, v in state.items()})


def model_hash(gan: Gan) -> str:
    """Return a sha256 over every tensor of both networks, by name."""
    import hashlib

    digest = hashlib.sha256()
    for prefix, module in (("G", gan.G), ("D", gan.D)):
        for key, value in sorted(module.state_dict().items()):
            digest.update(f"{prefix}.{key}{tuple(value.shape)}".encode())
            digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def configuration_hash(gan: Gan) -> str:
    """Return a sha256 over the arguments of both networks: what is made of the weights."""
    import hashlib

    arguments = json.dumps([gan.config.G, gan.config.D], sort_keys=True, default=str)
    return hashlib.sha256(arguments.encode()).hexdigest()

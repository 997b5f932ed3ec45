"""A GAN in one safetensors file: our tensors by name, and the configuration in the file's own header."""

import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from ganforget.errors import ModelFileError
from ganforget.files import write_through
from ganforget.models.gan import Gan, GanConfig, fill_gan, save_tensors

__all__ = ["describe_single", "load_single", "save_single"]

_KEY = "ganforget"


def save_single(gan: Gan, path: Path) -> None:
    """Write G_ema and D with their configuration to one file, in one step."""
    config = json.dumps({"G": gan.config.G, "D": gan.config.D, "training": gan.config.training}, allow_nan=False)
    write_through(path, lambda place: save_tensors(gan, place, {_KEY: config}))


def load_single(path: Path) -> Gan:
    """Return the GAN of a file that `save_single` wrote; ModelFileError names what does not fit."""
    return fill_gan(_config(path), path, path)


def describe_single(path: Path) -> dict[str, Any]:
    """Return the tensors' count and the configuration of a safetensors file, without reading its numbers."""
    facts: dict[str, Any] = {"networks": {}, "problem": None, "outside": [], "outside_count": 0}
    try:
        for name, size in _sizes(path).items():
            network = facts["networks"].setdefault(name.partition(".")[0], {"tensors": 0, "numbers": 0})
            network["tensors"] += 1
            network["numbers"] += size
        config = _config(path)
        for label, arguments in (("G_ema", config.G), ("D", config.D)):
            names = ("z_dim", "w_dim", "c_dim", "img_resolution", "img_channels")
            facts["networks"].setdefault(label, {}).update({n: arguments[n] for n in names if n in arguments})
    except ModelFileError as error:
        facts["problem"] = str(error)
    return facts


def _sizes(path: Path) -> dict[str, int]:
    try:
        with safe_open(path, "pt") as file:
            shapes = {name: file.get_slice(name).get_shape() for name in file.keys()}  # noqa: SIM118 (no mapping)
    except (SafetensorError, OSError, ValueError) as error:
        raise ModelFileError(f"{path} is not a readable safetensors file ({error}).") from error
    sizes = {}
    for name, shape in shapes.items():
        sizes[name] = 1
        for length in shape:
            sizes[name] *= length
    return sizes


def _config(path: Path) -> GanConfig:
    try:
        with safe_open(path, "pt") as file:
            text = (file.metadata() or {}).get(_KEY)
    except (SafetensorError, OSError, ValueError) as error:
        raise ModelFileError(f"{path} is not a readable safetensors file ({error}).") from error
    try:
        raw = json.loads(text) if text is not None else None
    except (ValueError, RecursionError) as error:
        raise ModelFileError(f"The configuration in {path} is damaged.") from error
    parts: list[Any] = [raw.get(name) if isinstance(raw, dict) else None for name in ("G", "D", "training")]
    if not all(isinstance(part, dict) for part in parts):
        raise ModelFileError(
            f"{path} holds no configuration of ganforget's; give a model folder, or a file that `export` wrote."
        )
    return GanConfig(*parts)

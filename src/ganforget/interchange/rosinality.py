"""Checkpoints of rosinality-style StyleGAN2 code (``g``, ``d``, ``g_ema`` in a ``.pt``), read strictly as weights only.

What differs there: both networks are unconditional; the mapping is ``style.1`` … ``style.N`` behind a normalisation
without weights, with a rate of 0.01; D is residual, with groups of 4 and no clamp; blur kernels are stored, those of
upsampling four times as large. The mean latent is not stored unless somebody added ``latent_avg``: where it is not, it
is estimated from the mapping.
"""

import argparse
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ganforget.errors import ModelFileError
from ganforget.interchange.rosinality_names import Entry, discriminator_entries, generator_entries
from ganforget.interchange.torch_file import read_torch_file
from ganforget.models.gan import Gan, GanConfig, build_gan, load_strictly
from ganforget.randomness import stream

__all__ = ["describe_rosinality", "is_rosinality", "read_rosinality"]

NETWORKS = ("g_ema", "d", "g")
_KNOWN = {*NETWORKS, "g_optim", "d_optim", "args", "ada_aug_p", "latent_avg"}
_RESOLUTIONS = tuple(2**i for i in range(3, 11))
_MEAN_SAMPLES = 10_000
_FLOATS = (torch.float32, torch.float16, torch.bfloat16, torch.float64)

Tensors = dict[str, Tensor]


def is_rosinality(path: Path, head: bytes = b"") -> bool:
    """Whether a file may be such a checkpoint, by its name: the first bytes are those of any file of torch."""
    return path.suffix.lower() in (".pt", ".pth")


def read_rosinality(path: Path) -> Gan:
    """Return ``g_ema`` and ``d`` of a checkpoint, on the CPU.

    Raises ModelFileError that names what is missing, unknown, misshapen, of another kind, or not finite.
    """
    held = _networks(path)
    widths, w_dim, layers, taps = _shape_of(path, held["g_ema"])
    filters: dict[str, tuple[float, ...]] = {}
    G = _renamed(path, "g_ema", held["g_ema"], list(generator_entries(widths, w_dim, layers, taps)), filters)
    D = _renamed(path, "d", held["d"], list(discriminator_entries(widths, taps)), filters)
    if "g" in held:
        _renamed(path, "g", held["g"], list(generator_entries(widths, w_dim, layers, taps)), filters)
    taps_of = next(iter(filters.values()))
    gan = build_gan(_config(path, widths, w_dim, layers, taps_of, held["args"]))
    average = held["latent_avg"]
    G["mapping.w_avg"] = torch.zeros(w_dim) if average is None else average
    for network, tensors in ((gan.G, G), (gan.D, D)):
        own = network.state_dict()
        tensors |= {name: own[name] for name in own if name.endswith("resample_filter")}
        load_strictly(network, tensors, "", path)
    if average is None:
        gan.G.mapping.w_avg.copy_(_mean_latent(gan))
    return gan


def describe_rosinality(path: Path) -> dict[str, Any]:
    """Return what a checkpoint holds, as JSON can hold it; ``problem`` says why it would be refused."""
    try:
        gan = read_rosinality(path)
    except ModelFileError as error:
        return {"problem": str(error), "networks": {}, "outside": [], "outside_count": 0}
    facts = {}
    for name, network in (("g_ema", gan.G), ("d", gan.D)):
        count = sum(p.numel() for p in network.parameters())
        size = {"img_resolution": network.img_resolution, "img_channels": network.img_channels, "c_dim": 0}
        facts[name] = {"parameters": count, **size}
    args = gan.config.training["imported"]["args"]
    return {"problem": None, "networks": facts, "outside": [], "outside_count": 0, "args": args}


def _networks(path: Path) -> dict[str, Any]:
    """Return the networks as dicts of tensors, with the arguments and the mean latent where they are held."""
    content = read_torch_file(path)
    if not isinstance(content, Mapping) or not all(isinstance(key, str) for key in content):
        raise ModelFileError(f"{path} holds a {type(content).__name__}; expected a dict with g_ema and d.")
    unknown = sorted(content.keys() - _KNOWN)
    missing = [name for name in ("g_ema", "d") if name not in content]
    if missing:
        raise ModelFileError(
            f"{path} holds {', '.join(sorted(content)[:8]) or 'nothing'}; expected a rosinality-style checkpoint with "
            f"g_ema and d, and {missing[0]} is missing. Unlearning needs both: use a checkpoint of the training."
        )
    if unknown:
        raise ModelFileError(f"{path} holds {', '.join(unknown[:3])}, which no rosinality-style checkpoint does.")
    held: dict[str, Any] = {"args": _plain_arguments(content.get("args")), "latent_avg": content.get("latent_avg")}
    for name in NETWORKS:
        if name in content:
            held[name] = _tensors(path, name, content[name])
    if held["args"].get("arch", "stylegan2") != "stylegan2":
        raise ModelFileError(f"{path} holds the architecture {held['args']['arch']}; ganforget reads stylegan2.")
    average = held["latent_avg"]
    if average is not None:
        held["latent_avg"] = _tensors(path, "latent_avg", {"it": average})["it"].flatten()
    return held


def _tensors(path: Path, name: str, value: Any) -> Tensors:
    if not isinstance(value, Mapping) or not value:
        raise ModelFileError(f"{path} holds {name} as a {type(value).__name__}; expected a dict of tensors.")
    wrong = [str(key) for key, tensor in value.items() if not isinstance(tensor, Tensor)]
    wrong += [str(key) for key, t in value.items() if isinstance(t, Tensor) and (t.dtype not in _FLOATS or t.is_sparse)]
    if wrong:
        raise ModelFileError(f"{path} holds {name}.{wrong[0]}, which is no tensor of real numbers.")
    return {str(key).removeprefix("module."): tensor for key, tensor in value.items()}


def _plain_arguments(value: Any) -> dict[str, Any]:
    """Return the training's arguments as JSON values, for the record."""
    values = vars(value) if isinstance(value, argparse.Namespace) else value
    if not isinstance(values, Mapping):
        return {}
    return {str(key): item for key, item in values.items() if isinstance(item, (str, int, float, bool)) or item is None}


def _shape_of(path: Path, g: Tensors) -> tuple[dict[int, int], int, int, int]:
    """Return widths by resolution, w_dim, layers of the mapping and taps of the filter, from shapes alone."""
    layers = sum(re.fullmatch(r"style\.\d+\.weight", name) is not None for name in g)
    count = sum(re.fullmatch(r"to_rgbs\.\d+\.bias", name) is not None for name in g)
    first, kernel, const = (g.get(name) for name in ("style.1.weight", "convs.0.conv.blur.kernel", "input.input"))
    if first is None or kernel is None or const is None or not 1 <= count <= len(_RESOLUTIONS):
        raise ModelFileError(
            f"{path} holds a g_ema that is no StyleGAN2 generator of rosinality's naming: style.1.weight, input.input, "
            "convs.0.conv.blur.kernel or to_rgbs.0.bias is missing."
        )
    if first.ndim != 2 or const.ndim != 4:
        raise ModelFileError(f"{path} has g_ema.style.1.weight or g_ema.input.input in another form than StyleGAN2.")
    if kernel.shape != (4, 4):
        raise ModelFileError(f"{path} was made with a blur kernel of {list(kernel.shape)}; ganforget reads [4, 4].")
    widths = {4: int(const.shape[1])}
    for i, res in enumerate(_RESOLUTIONS[:count]):
        bias = g.get(f"convs.{2 * i}.activate.bias")
        if bias is None or bias.ndim != 1:
            raise ModelFileError(f"{path} lacks g_ema.convs.{2 * i}.activate.bias, or has it in another form.")
        widths[res] = len(bias)
    return widths, int(first.shape[0]), layers, 4


def _renamed(
    path: Path, network: str, held: Tensors, entries: list[Entry], filters: dict[str, tuple[float, ...]]
) -> Tensors:
    """Return the tensors by our names; every name and shape must be as in ``entries``."""
    expected = {entry.theirs: entry for entry in entries}
    problems = [f"{network}.{name} is missing" for name in expected if name not in held]
    problems += [f"{network}.{name} is unknown" for name in held if name not in expected]
    for name in expected.keys() & held.keys():
        have, want = tuple(held[name].shape), expected[name].shape
        if have != want:
            problems.append(f"{network}.{name} is {list(have)}, expected {list(want)}")
    if problems:
        more = f" (and {len(problems) - 3} more)" if len(problems) > 3 else ""
        raise ModelFileError(f"{path} is no StyleGAN2 that fits: {'; '.join(sorted(problems)[:3])}{more}.")
    found = {}
    for name, entry in expected.items():
        tensor = held[name].detach().float()
        if entry.ours is None:
            filters[f"{network}.{name}"] = _taps(path, f"{network}.{name}", tensor / entry.gain)
        else:
            found[entry.ours] = tensor.reshape(_our_shape(entry)).clone()
    if len({tuple(round(tap, 5) for tap in taps) for taps in filters.values()}) > 1:
        raise ModelFileError(f"{path} has blur kernels that differ from layer to layer; ganforget reads one for all.")
    return found


def _our_shape(entry: Entry) -> tuple[int, ...]:
    """Return the shape here: without the leading ones, which stand for a batch there."""
    assert entry.ours is not None
    last = entry.ours.rpartition(".")[2]
    if last == "noise_strength":
        return ()
    if last == "bias":
        return (max(entry.shape),)
    if last == "noise_const":
        return entry.shape[2:]
    return entry.shape[1:] if entry.shape[0] == 1 and len(entry.shape) in (4, 5) else entry.shape


def _taps(path: Path, name: str, kernel: Tensor) -> tuple[float, ...]:
    """Return the line whose outer product is ``kernel``, summing to 8 as (1, 3, 3, 1) does."""
    line = kernel.sum(dim=0)
    if not torch.isfinite(kernel).all() or not torch.allclose(kernel, torch.outer(kernel.sum(dim=1), line), atol=1e-5):
        raise ModelFileError(f"{path} has {name}, which is no outer product that sums to 1; ganforget reads no other.")
    return tuple(round(8 * float(tap), 5) for tap in line)


def _config(
    path: Path, widths: dict[int, int], w_dim: int, layers: int, taps: tuple[float, ...], args: dict[str, Any]
) -> GanConfig:
    resolution = max(widths)
    base, most = widths[resolution] * resolution, max(widths.values())
    wrong = [res for res, width in widths.items() if width != min(base // res, most)]
    if wrong:
        raise ModelFileError(
            f"{path} has {widths[wrong[0]]} channels at {wrong[0]}×{wrong[0]}, where {base} ÷ resolution, at most "
            f"{most}, gives {min(base // wrong[0], most)}; ganforget builds no other widths."
        )
    shape: dict[str, Any] = {"c_dim": 0, "img_resolution": resolution, "img_channels": 3}
    common: dict[str, Any] = {"channel_base": base, "channel_max": most}
    G = {**shape, "z_dim": w_dim, "w_dim": w_dim, "mapping_kwargs": {"num_layers": layers}}
    own: dict[str, Any] = {} if taps == (1, 3, 3, 1) else {"resample_filter": list(taps)}
    G["synthesis_kwargs"] = {**common, **own}
    D = {**shape, **common, "architecture": "resnet", "epilogue_kwargs": {"mbstd_group_size": 4}}
    D |= {"block_kwargs": own} if own else {}
    return GanConfig(G, D, {"imported": {"file": path.name, "kind": "rosinality", "args": args}})


@torch.no_grad()
def _mean_latent(gan: Gan) -> Tensor:
    """Return the mean of the mapping's outputs at 10,000 latents of one stream."""
    z = torch.randn(_MEAN_SAMPLES, gan.G.z_dim, generator=stream(0, "rosinality/latent_avg"))
    return torch.stack([gan.G.mapping(part, None)[:, 0].mean(dim=0) for part in z.split(1000)]).mean(dim=0)

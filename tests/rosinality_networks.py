"""StyleGAN2 in the conventions of rosinality's code, written plainly from their description, and checkpoints of it.

A second implementation to compare with: weights are modulated sample by sample, filters are applied by inserting zeros,
padding and convolving, and nothing is shared with the package.
"""

import argparse
import math
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

Tensors = dict[str, Tensor]

KERNEL = torch.outer(torch.tensor([1.0, 3, 3, 1]), torch.tensor([1.0, 3, 3, 1])) / 64


def widths_of(size: int, *, base: int = 128, most: int = 12) -> dict[int, int]:
    return {2**i: min(base // 2**i, most) for i in range(2, int(math.log2(size)) + 1)}


def generator_tensors(size: int, dim: int, layers: int, kernel: Tensor = KERNEL) -> Tensors:
    """Random tensors of a generator, none of them zero."""
    widths, g = widths_of(size), {}

    def conv(name: str, low: int, high: int, k: int) -> None:
        g[f"{name}.conv.weight"] = torch.randn(1, high, low, k, k)
        g[f"{name}.conv.modulation.weight"] = torch.randn(low, dim)
        g[f"{name}.conv.modulation.bias"] = 1 + 0.1 * torch.randn(low)

    def styled(name: str, low: int, high: int) -> None:
        conv(name, low, high, 3)
        g[f"{name}.noise.weight"] = 0.2 * torch.randn(1)
        g[f"{name}.activate.bias"] = 0.3 * torch.randn(high)

    def to_rgb(name: str, low: int) -> None:
        conv(name, low, 3, 1)
        g[f"{name}.bias"] = 0.3 * torch.randn(1, 3, 1, 1)

    for i in range(1, layers + 1):
        g[f"style.{i}.weight"] = torch.randn(dim, dim) / 0.01
        g[f"style.{i}.bias"] = torch.randn(dim)
    g["input.input"] = torch.randn(1, widths[4], 4, 4)
    styled("conv1", widths[4], widths[4])
    to_rgb("to_rgb1", widths[4])
    g["noises.noise_0"] = torch.randn(1, 1, 4, 4)
    for i, res in enumerate(list(widths)[1:]):
        styled(f"convs.{2 * i}", widths[res // 2], widths[res])
        styled(f"convs.{2 * i + 1}", widths[res], widths[res])
        to_rgb(f"to_rgbs.{i}", widths[res])
        g[f"convs.{2 * i}.conv.blur.kernel"] = g[f"to_rgbs.{i}.upsample.kernel"] = kernel * 4
        g[f"noises.noise_{2 * i + 1}"] = torch.randn(1, 1, res, res)
        g[f"noises.noise_{2 * i + 2}"] = torch.randn(1, 1, res, res)
    return g


def discriminator_tensors(size: int, kernel: Tensor = KERNEL) -> Tensors:
    """Random tensors of a discriminator."""
    widths = widths_of(size)
    d = {"convs.0.0.weight": torch.randn(widths[size], 3, 1, 1), "convs.0.1.bias": 0.3 * torch.randn(widths[size])}
    for i, res in enumerate(sorted(widths, reverse=True)[:-1], start=1):
        high, low = widths[res], widths[res // 2]
        d[f"convs.{i}.conv1.0.weight"] = torch.randn(high, high, 3, 3)
        d[f"convs.{i}.conv1.1.bias"] = 0.3 * torch.randn(high)
        d[f"convs.{i}.conv2.0.kernel"] = d[f"convs.{i}.skip.0.kernel"] = kernel
        d[f"convs.{i}.conv2.1.weight"] = torch.randn(low, high, 3, 3)
        d[f"convs.{i}.conv2.2.bias"] = 0.3 * torch.randn(low)
        d[f"convs.{i}.skip.1.weight"] = torch.randn(low, high, 1, 1)
    width = widths[4]
    d["final_conv.0.weight"], d["final_conv.1.bias"] = torch.randn(width, width + 1, 3, 3), 0.3 * torch.randn(width)
    d["final_linear.0.weight"], d["final_linear.0.bias"] = torch.randn(width, 16 * width), torch.randn(width)
    d["final_linear.1.weight"], d["final_linear.1.bias"] = torch.randn(1, width), torch.randn(1)
    return d


def checkpoint(size: int = 16, dim: int = 8, layers: int = 3, seed: int = 0, kernel: Tensor = KERNEL) -> dict[str, Any]:
    """What the training there saves, with an optimiser's state and the arguments."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        g, g_ema = (generator_tensors(size, dim, layers, kernel) for _ in range(2))
        d = discriminator_tensors(size, kernel)
    optimizer = {"state": {0: {"step": 3, "exp_avg": torch.zeros(2)}}, "param_groups": [{"lr": 0.002, "params": [0]}]}
    args = argparse.Namespace(size=size, latent=dim, n_mlp=layers, arch="stylegan2", path="faces.lmdb", augment=False)
    return {"g": g, "d": d, "g_ema": g_ema, "g_optim": optimizer, "d_optim": optimizer, "args": args, "ada_aug_p": 0.0}


# ----------------------------------------------------------------------------
# The forward passes.


def filtered(x: Tensor, kernel: Tensor, up: int, down: int, before: int, after: int) -> Tensor:
    """Insert zeros, pad, convolve each channel, and leave pixels out."""
    n, c, h, w = x.shape
    spread = x.new_zeros(n, c, h * up, w * up)
    spread[:, :, ::up, ::up] = x
    spread = functional.pad(spread, [before, after, before, after])
    weight = kernel.flip(0, 1)[None, None].repeat(c, 1, 1, 1)
    return functional.conv2d(spread, weight, groups=c)[:, :, ::down, ::down]


def leaky(x: Tensor, bias: Tensor) -> Tensor:
    return functional.leaky_relu(x + bias.view(1, -1, *[1] * (x.ndim - 2)), 0.2) * 2**0.5


def linear(x: Tensor, weight: Tensor, bias: Tensor, rate: float = 1.0) -> Tensor:
    return x @ (weight * (rate / math.sqrt(weight.shape[1]))).t() + bias * rate


def mapping(g: Tensors, z: Tensor) -> Tensor:
    x = z / (z.square().mean(1, keepdim=True) + 1e-8).sqrt()
    for i in range(1, sum(name.startswith("style.") for name in g) // 2 + 1):
        weight = g[f"style.{i}.weight"]
        x = leaky(x @ (weight * (0.01 / math.sqrt(weight.shape[1]))).t(), g[f"style.{i}.bias"] * 0.01)
    return x


def modulated(g: Tensors, name: str, x: Tensor, w: Tensor, *, demodulate: bool, up: bool) -> Tensor:
    weight = g[f"{name}.conv.weight"]
    style = linear(w, g[f"{name}.conv.modulation.weight"], g[f"{name}.conv.modulation.bias"])
    out = []
    for image, s in zip(x, style, strict=True):
        own = weight[0] * s[None, :, None, None] / math.sqrt(weight[0, 0].numel())
        if demodulate:
            own = own / (own.square().sum(dim=[1, 2, 3], keepdim=True) + 1e-8).sqrt()
        if up:
            y = functional.conv_transpose2d(image[None], own.transpose(0, 1), stride=2)
            y = filtered(y, g[f"{name}.conv.blur.kernel"], 1, 1, 1, 1)
        else:
            y = functional.conv2d(image[None], own, padding=own.shape[-1] // 2)
        out.append(y)
    return torch.cat(out)


def synthesis(g: Tensors, ws: Tensor) -> Tensor:
    """Images of latents [N, layers, dim], with the stored noise."""

    def styled(name: str, x: Tensor, w: Tensor, number: int, up: bool) -> Tensor:
        x = modulated(g, name, x, w, demodulate=True, up=up)
        return leaky(x + g[f"{name}.noise.weight"] * g[f"noises.noise_{number}"], g[f"{name}.activate.bias"])

    x = styled("conv1", g["input.input"].repeat(len(ws), 1, 1, 1), ws[:, 0], 0, False)
    image = modulated(g, "to_rgb1", x, ws[:, 1], demodulate=False, up=False) + g["to_rgb1.bias"]
    for i in range(sum(name.endswith("upsample.kernel") for name in g)):
        x = styled(f"convs.{2 * i}", x, ws[:, 2 * i + 1], 2 * i + 1, True)
        x = styled(f"convs.{2 * i + 1}", x, ws[:, 2 * i + 2], 2 * i + 2, False)
        colour = modulated(g, f"to_rgbs.{i}", x, ws[:, 2 * i + 3], demodulate=False, up=False) + g[f"to_rgbs.{i}.bias"]
        image = colour + filtered(image, g[f"to_rgbs.{i}.upsample.kernel"], 2, 1, 2, 1)
    return image


def discriminate(d: Tensors, images: Tensor) -> Tensor:
    """Logits [N, 1]."""

    def scaled(name: str) -> Tensor:
        weight = d[name]
        return weight / math.sqrt(weight[0].numel())

    x = leaky(functional.conv2d(images, scaled("convs.0.0.weight")), d["convs.0.1.bias"])
    for i in range(1, sum(name.endswith("skip.1.weight") for name in d) + 1):
        y = leaky(functional.conv2d(x, scaled(f"convs.{i}.conv1.0.weight"), padding=1), d[f"convs.{i}.conv1.1.bias"])
        y = filtered(y, d[f"convs.{i}.conv2.0.kernel"], 1, 1, 2, 2)
        y = leaky(functional.conv2d(y, scaled(f"convs.{i}.conv2.1.weight"), stride=2), d[f"convs.{i}.conv2.2.bias"])
        s = filtered(x, d[f"convs.{i}.skip.0.kernel"], 1, 1, 1, 1)
        x = (y + functional.conv2d(s, scaled(f"convs.{i}.skip.1.weight"), stride=2)) / 2**0.5
    n, c, h, w = x.shape
    group = min(n, 4)
    y = x.view(group, n // group, 1, c, h, w)
    y = (y.var(dim=0, unbiased=False) + 1e-8).sqrt().mean(dim=[2, 3, 4], keepdim=True).squeeze(2)
    x = torch.cat([x, y.repeat(group, 1, h, w)], dim=1)
    x = leaky(functional.conv2d(x, scaled("final_conv.0.weight"), padding=1), d["final_conv.1.bias"])
    x = leaky(linear(x.flatten(1), d["final_linear.0.weight"], torch.zeros(1)), d["final_linear.0.bias"])
    return linear(x, d["final_linear.1.weight"], d["final_linear.1.bias"])

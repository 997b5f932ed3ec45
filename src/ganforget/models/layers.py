"""The layers that StyleGAN2's generator and discriminator share, in plain PyTorch with double backward.

Sources: Karras et al., "Analyzing and Improving the Image Quality of StyleGAN" (2020), and the activations in the
tests, which the official networks gave. Parameters keep the official names and run-time scaling (weights are drawn
from N(0, 1) and scaled where they are used).
"""

import math
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from ganforget.shapes import Images

__all__ = [
    "Conv2d",
    "FullyConnected",
    "MinibatchStd",
    "blur",
    "downsample",
    "lrelu_clamp",
    "normalize_second_moment",
    "resample_filter",
    "upsample",
]

Activation = Literal["linear", "lrelu"]

Kernel = Float[Tensor, "k k"]
Maps = Float[Tensor, "n c_out h_out w_out"]

_SLOPE = 0.2
_GAIN = {"linear": 1.0, "lrelu": math.sqrt(2)}


def normalize_second_moment(x: Float[Tensor, "n c"], eps: float = 1e-8) -> Float[Tensor, "n c"]:
    """Scale each row to a mean square of one."""
    return x * (x.square().mean(dim=1, keepdim=True) + eps).rsqrt()


def lrelu_clamp(x: Float[Tensor, "*shape"], activation: Activation, clamp: float | None) -> Float[Tensor, "*shape"]:
    """Apply the activation without its gain (the caller has folded it into x), then the clamp."""
    if activation == "lrelu":
        x = functional.leaky_relu(x, _SLOPE)
    return x if clamp is None else x.clamp(-clamp, clamp)


def activation_gain(activation: Activation) -> float:
    """Return the gain that keeps an activation's output at unit variance."""
    return _GAIN[activation]


# ----------------------------------------------------------------------------
# Resampling by a small FIR filter.


def resample_filter(taps: tuple[float, ...] = (1, 3, 3, 1)) -> Kernel:
    """Return the separable low-pass filter as a normalised kernel."""
    line = torch.tensor(taps, dtype=torch.float32)
    kernel = torch.outer(line, line)
    return kernel / kernel.sum()


def blur(
    x: Images, kernel: Kernel, padding: tuple[int, int], *, gain: float = 1.0, stride: int = 1
) -> Float[Tensor, "n c h_out w_out"]:
    """Convolve every channel with ``kernel``, zero-padded by (before, after) on both axes.

    The kernel is an outer product (StyleGAN2 has no other), so two passes of a line do it: on a CPU half the time.
    """
    channels, size = x.shape[1], kernel.shape[0]
    before, after = padding
    if before != after:
        x = functional.pad(x, [before, after, before, after])
        before = 0
    kernel = kernel.to(x.dtype)
    column = (kernel.sum(dim=1) * gain).flip(0).view(1, 1, size, 1).expand(channels, 1, size, 1)
    row = kernel.sum(dim=0).flip(0).view(1, 1, 1, size).expand(channels, 1, 1, size)
    x = functional.conv2d(x, column, stride=(stride, 1), padding=(before, 0), groups=channels)
    return functional.conv2d(x, row, stride=(1, stride), padding=(0, before), groups=channels)


def upsample(x: Images, kernel: Kernel) -> Float[Tensor, "n c 2*h 2*w"]:
    """Double the resolution."""
    channels, size = x.shape[1], kernel.shape[0]
    weight = (kernel * 4).to(x.dtype)[None, None].expand(channels, 1, -1, -1)
    before, after = (size + 1) // 2, (size - 2) // 2
    y = functional.conv_transpose2d(x, weight, stride=2, groups=channels)  # [N, C, 2H + k − 2, 2W + k − 2]
    start = size - 1 - before
    end = y.shape[-1] - (size - 2 - after)
    return y[:, :, start:end, start:end]


def downsample(x: Images, kernel: Kernel) -> Float[Tensor, "n c h//2 w//2"]:
    """Halve the resolution."""
    size = kernel.shape[0]
    return blur(x, kernel, ((size - 1) // 2, (size - 2) // 2), stride=2)


# ----------------------------------------------------------------------------
# Layers.


class FullyConnected(nn.Module):
    """A linear layer with run-time scaled weights, [N, in_features] → [N, out_features]."""

    def __init__(
        self,
        in_features: int,
        out_features: int,
        *,
        activation: Activation = "linear",
        lr_multiplier: float = 1.0,
        bias_init: float = 0.0,
    ) -> None:
        super().__init__()
        self.activation: Activation = activation
        self.weight = nn.Parameter(torch.randn(out_features, in_features) / lr_multiplier)
        self.bias = nn.Parameter(torch.full((out_features,), float(bias_init)))
        self.weight_gain = lr_multiplier / math.sqrt(in_features)
        self.bias_gain = lr_multiplier

    def forward(self, x: Float[Tensor, "n in_features"]) -> Float[Tensor, "n out_features"]:
        gain = activation_gain(self.activation)
        weight = self.weight.to(x.dtype) * (self.weight_gain * gain)
        bias = self.bias.to(x.dtype) * (self.bias_gain * gain)
        return lrelu_clamp(functional.linear(x, weight, bias), self.activation, None)


class Conv2d(nn.Module):
    """A convolution of odd kernel with optional halving of the resolution; run-time scaled weights."""

    resample_filter: Tensor

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        kernel_size: int,
        bias: bool = True,
        activation: Activation = "linear",
        resample: Literal["up", "down"] | None = None,
        filter_taps: tuple[float, ...] = (1, 3, 3, 1),
        conv_clamp: float | None = None,
    ) -> None:
        super().__init__()
        self.activation: Activation = activation
        self.resample = resample
        self.conv_clamp = conv_clamp
        self.register_buffer("resample_filter", resample_filter(filter_taps))
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, kernel_size, kernel_size))
        self.bias = nn.Parameter(torch.zeros(out_channels)) if bias else None
        self.weight_gain = 1 / math.sqrt(in_channels * kernel_size**2)

    def forward(self, x: Images, gain: float = 1.0) -> Maps:
        gain = activation_gain(self.activation) * gain
        weight = (self.weight * (self.weight_gain * gain)).to(x.dtype)
        bias = None if self.bias is None else (self.bias * gain).to(x.dtype)
        size = weight.shape[-1]
        if self.resample == "down" and size == 1:
            x = functional.conv2d(downsample(x, self.resample_filter), weight, bias)
        elif self.resample == "down":
            taps = self.resample_filter.shape[0]
            pad = (size // 2 + (taps - 1) // 2, size // 2 + (taps - 2) // 2)
            x = functional.conv2d(blur(x, self.resample_filter, pad), weight, bias, stride=2)
        elif self.resample == "up":  # only the 1×1 skip of the generator's resnet has this
            x = upsample(functional.conv2d(x, weight, bias), self.resample_filter)
        else:
            x = functional.conv2d(x, weight, bias, padding=size // 2)
        clamp = None if self.conv_clamp is None else self.conv_clamp * gain / activation_gain(self.activation)
        return lrelu_clamp(x, self.activation, clamp)


class MinibatchStd(nn.Module):
    """Append the standard deviation over groups of the batch as channels, [N, C, H, W] → [N, C + F, H, W].

    Image i shares its group with images i + N/g, i + 2N/g, …: a score depends on its neighbours.
    """

    def __init__(self, group_size: int | None, num_channels: int = 1) -> None:
        super().__init__()
        self.group_size = group_size
        self.num_channels = num_channels

    def forward(self, x: Images, group_size: int | None = None) -> Float[Tensor, "n c+{self.num_channels} h w"]:
        """``group_size`` replaces the layer's own for this call."""
        batch, channels, height, width = x.shape
        group_size = self.group_size if group_size is None else group_size
        group = batch if group_size is None else min(group_size, batch)
        features = self.num_channels
        y = x.reshape(group, -1, features, channels // features, height, width)  # [g, N/g, F, C/F, H, W]
        y = y - y.mean(dim=0)
        y = (y.square().mean(dim=0) + 1e-8).sqrt().mean(dim=[2, 3, 4])  # [N/g, F]
        y = y.reshape(-1, features, 1, 1).repeat(group, 1, height, width)
        return torch.cat([x, y], dim=1)

"""StyleGAN2's generator and discriminator, after Karras et al. 2020 (StyleGAN2, StyleGAN2-ADA).

Written from the papers, checked against activations of the official networks. Names of parameters, buffers and
arguments are the official ones, so that tensors can be exchanged by name. Images are float in [−1, 1]
[N, C, H, W]; labels ``c`` are one-hot [N, c_dim] or None; ``z`` is [N, z_dim], ``ws`` is [N, num_ws, w_dim].
"""

import math
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from ganforget.models.half_precision import as_maps, half_from, runs_in_half
from ganforget.models.layers import (
    Conv2d,
    FullyConnected,
    MinibatchStd,
    activation_gain,
    blur,
    downsample,
    lrelu_clamp,
    normalize_second_moment,
    resample_filter,
    upsample,
)
from ganforget.shapes import Features, Images, Labels, Latents, Logits, Rest, W, Z

__all__ = ["Discriminator", "Generator", "MappingNetwork", "SynthesisNetwork"]

Architecture = Literal["orig", "skip", "resnet"]
NoiseMode = Literal["random", "const", "none"]


def _block_channels(img_resolution: int, channel_base: int, channel_max: int) -> dict[int, int]:
    """Return the width of every block by its resolution, 4 … img_resolution."""
    if img_resolution < 4 or img_resolution & (img_resolution - 1):
        raise ValueError(f"img_resolution is {img_resolution}; expected a power of two of at least 4.")
    resolutions = [2**i for i in range(2, img_resolution.bit_length())]
    return {res: min(channel_base // res, channel_max) for res in resolutions}


# ----------------------------------------------------------------------------
# Generator.


class MappingNetwork(nn.Module):
    """Latents and labels → ``ws`` [N, num_ws, w_dim], or [N, w_dim] where num_ws is None (D's label mapping)."""

    w_avg: Tensor

    def __init__(
        self,
        z_dim: int,
        c_dim: int,
        w_dim: int,
        num_ws: int | None,
        num_layers: int = 8,
        embed_features: int | None = None,
        layer_features: int | None = None,
        lr_multiplier: float = 0.01,
        w_avg_beta: float | None = 0.995,
    ) -> None:
        super().__init__()
        self.z_dim, self.c_dim, self.w_dim, self.num_ws = z_dim, c_dim, w_dim, num_ws
        self.num_layers, self.w_avg_beta = num_layers, w_avg_beta
        embed_features = 0 if c_dim == 0 else (w_dim if embed_features is None else embed_features)
        hidden = w_dim if layer_features is None else layer_features
        if c_dim > 0:
            self.embed = FullyConnected(c_dim, embed_features)
        widths = [z_dim + embed_features, *[hidden] * (num_layers - 1), w_dim]
        for i in range(num_layers):
            layer = FullyConnected(widths[i], widths[i + 1], activation="lrelu", lr_multiplier=lr_multiplier)
            self.add_module(f"fc{i}", layer)
        if num_ws is not None and w_avg_beta is not None:
            self.register_buffer("w_avg", torch.zeros(w_dim))

    def forward(
        self,
        z: Z | None,
        c: Labels | None,
        truncation_psi: float = 1,
        truncation_cutoff: int | None = None,
    ) -> Latents | W:
        parts = []
        if self.z_dim > 0:
            assert z is not None
            parts.append(normalize_second_moment(z.float()))
        if self.c_dim > 0:
            if c is None or c.ndim != 2 or c.shape[1] != self.c_dim:
                got = None if c is None else list(c.shape)
                raise ValueError(f"This network has {self.c_dim} labels; expected c [N, {self.c_dim}], got {got}.")
            parts.append(normalize_second_moment(self.embed(c.float())))
        x = torch.cat(parts, dim=1)
        for i in range(self.num_layers):
            x = self.get_submodule(f"fc{i}")(x)
        if self.num_ws is None:
            return x
        ws = x.unsqueeze(1).repeat(1, self.num_ws, 1)  # [N, num_ws, w_dim]
        if truncation_psi != 1:
            cutoff = self.num_ws if truncation_cutoff is None else truncation_cutoff
            ws = torch.cat([self.w_avg.lerp(ws[:, :cutoff], truncation_psi), ws[:, cutoff:]], dim=1)
        return ws

    @torch.no_grad()
    def update_w_avg(self, ws: Latents) -> None:
        """Move ``w_avg`` towards the mean of a batch of ``ws``; the training loop calls this."""
        assert self.w_avg_beta is not None
        self.w_avg.copy_(ws[:, 0].mean(dim=0).lerp(self.w_avg, self.w_avg_beta))


def modulated(x: Tensor, weight: Tensor, styles: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Scale the inputs by ``styles`` and return (scaled x, shared weights, demodulation [N, out, 1, 1])."""
    if x.dtype == torch.float16:  # keep squares in range; demodulation takes the scale out again
        weight = weight / (weight.abs().amax(dim=[1, 2, 3], keepdim=True) * math.sqrt(weight[0].numel()))
        styles = styles / styles.abs().amax(dim=1, keepdim=True)
    energy = weight.square().sum(dim=[2, 3])  # [out, in]
    demodulation = (styles.square() @ energy.t() + 1e-8).rsqrt()  # [N, out]
    return x * styles[:, :, None, None].to(x.dtype), weight.to(x.dtype), demodulation[:, :, None, None]


class SynthesisLayer(nn.Module):
    """Modulated 3×3 convolution, noise, bias and leaky ReLU; ``up`` doubles the resolution."""

    resample_filter: Tensor
    noise_const: Tensor

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        w_dim: int,
        resolution: int,
        *,
        up: bool,
        filter_taps: tuple[float, ...],
        conv_clamp: float | None,
    ) -> None:
        super().__init__()
        self.resolution, self.up, self.conv_clamp = resolution, up, conv_clamp
        self.register_buffer("resample_filter", resample_filter(filter_taps))
        self.affine = FullyConnected(w_dim, in_channels, bias_init=1)
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, 3, 3))
        self.register_buffer("noise_const", torch.randn(resolution, resolution))
        self.noise_strength = nn.Parameter(torch.zeros([]))
        self.bias = nn.Parameter(torch.zeros(out_channels))

    def forward(
        self,
        x: Tensor,
        w: Tensor,
        noise_mode: NoiseMode,
        generator: torch.Generator | None,
        gain: float = 1.0,
    ) -> Tensor:
        styles = self.affine(w)  # [N, in]
        x, weight, demodulation = modulated(x, self.weight, styles)
        if self.up:
            x = functional.conv_transpose2d(x, weight.transpose(0, 1), stride=2)
            taps = self.resample_filter.shape[0]
            x = blur(x, self.resample_filter, ((taps + 1) // 2 - 1, (taps - 2) // 2), gain=4)
        else:
            x = functional.conv2d(x, weight, padding=1)
        total_gain = activation_gain("lrelu") * gain  # the activation is homogeneous: its gain goes before it
        x = x * (demodulation * total_gain).to(x.dtype)
        noise = self._noise(x, noise_mode, generator)
        if noise is not None:
            x = x + (noise * (self.noise_strength * total_gain)).to(x.dtype)
        x = x + (self.bias * total_gain).to(x.dtype)[None, :, None, None]
        return lrelu_clamp(x, "lrelu", None if self.conv_clamp is None else self.conv_clamp * gain)

    def _noise(self, x: Tensor, mode: NoiseMode, generator: torch.Generator | None) -> Tensor | None:
        if mode == "const":
            return self.noise_const
        if mode == "random":
            shape = (x.shape[0], 1, self.resolution, self.resolution)
            device = generator.device if generator is not None else x.device
            return torch.randn(shape, generator=generator, device=device).to(x.device)
        return None


class ToRGB(nn.Module):
    """Modulated 1×1 convolution to image channels, without demodulation."""

    def __init__(self, in_channels: int, img_channels: int, w_dim: int, *, conv_clamp: float | None) -> None:
        super().__init__()
        self.conv_clamp = conv_clamp
        self.affine = FullyConnected(w_dim, in_channels, bias_init=1)
        self.weight = nn.Parameter(torch.randn(img_channels, in_channels, 1, 1))
        self.bias = nn.Parameter(torch.zeros(img_channels))
        self.weight_gain = 1 / math.sqrt(in_channels)

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        styles = self.affine(w) * self.weight_gain  # [N, in]
        weight = self.weight[:, :, 0, 0][None] * styles[:, None, :]  # [N, channels, in]
        y = torch.baddbmm(self.bias[None, :, None], weight, x.flatten(2).float())
        y = y.reshape(x.shape[0], -1, *x.shape[2:])
        return lrelu_clamp(y, "linear", self.conv_clamp)


class SynthesisBlock(nn.Module):
    """The layers of one resolution."""

    resample_filter: Tensor

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        w_dim: int,
        resolution: int,
        img_channels: int,
        *,
        is_last: bool,
        architecture: Architecture,
        filter_taps: tuple[float, ...],
        conv_clamp: float | None,
        half_precision: bool,
    ) -> None:
        super().__init__()
        self.architecture: Architecture = architecture
        self.is_first, self.half_precision = in_channels == 0, half_precision
        self.register_buffer("resample_filter", resample_filter(filter_taps))
        self.num_conv = 1 if self.is_first else 2
        self.num_torgb = 1 if is_last or architecture == "skip" else 0
        options: dict[str, Any] = {"filter_taps": filter_taps, "conv_clamp": conv_clamp}
        if self.is_first:
            self.const = nn.Parameter(torch.randn(out_channels, resolution, resolution))
        else:
            self.conv0 = SynthesisLayer(in_channels, out_channels, w_dim, resolution, up=True, **options)
        self.conv1 = SynthesisLayer(out_channels, out_channels, w_dim, resolution, up=False, **options)
        if self.num_torgb:
            self.torgb = ToRGB(out_channels, img_channels, w_dim, conv_clamp=conv_clamp)
        if not self.is_first and architecture == "resnet":
            self.skip = Conv2d(
                in_channels, out_channels, kernel_size=1, bias=False, resample="up", filter_taps=filter_taps
            )

    def forward(
        self,
        x: Tensor | None,
        img: Tensor | None,
        ws: Tensor,
        noise_mode: NoiseMode,
        generator: torch.Generator | None,
        force_fp32: bool,
    ) -> tuple[Tensor, Tensor | None]:
        half = runs_in_half(self, ws.device) and not force_fp32
        latents = iter(ws.unbind(dim=1))
        if self.is_first:
            x = self.const[None].repeat(ws.shape[0], 1, 1, 1)  # 4×4 is never in half precision
            x = self.conv1(x, next(latents), noise_mode, generator)
        elif self.architecture == "resnet":
            assert x is not None
            x = as_maps(x, half)
            y = self.skip(x, gain=math.sqrt(0.5))
            x = self.conv0(x, next(latents), noise_mode, generator)
            x = y + self.conv1(x, next(latents), noise_mode, generator, gain=math.sqrt(0.5))
        else:
            assert x is not None
            x = self.conv0(as_maps(x, half), next(latents), noise_mode, generator)
            x = self.conv1(x, next(latents), noise_mode, generator)
        if img is not None:
            img = upsample(img, self.resample_filter)
        if self.num_torgb:
            y = self.torgb(x, next(latents))
            img = y if img is None else img + y
        assert x is not None
        return x, img


class SynthesisNetwork(nn.Module):
    """``ws`` [N, num_ws, w_dim] → images [N, img_channels, img_resolution, img_resolution]."""

    def __init__(
        self,
        w_dim: int,
        img_resolution: int,
        img_channels: int,
        channel_base: int = 32768,
        channel_max: int = 512,
        num_fp16_res: int = 0,
        architecture: Architecture = "skip",
        resample_filter: list[float] | tuple[float, ...] = (1, 3, 3, 1),
        conv_clamp: float | None = None,
    ) -> None:
        super().__init__()
        self.w_dim, self.img_resolution, self.img_channels = w_dim, img_resolution, img_channels
        channels = _block_channels(img_resolution, channel_base, channel_max)
        self.block_resolutions = list(channels)
        self.num_ws = 0
        for res, width in channels.items():
            block = SynthesisBlock(
                channels[res // 2] if res > 4 else 0,
                width,
                w_dim,
                res,
                img_channels,
                is_last=res == img_resolution,
                architecture=architecture,
                filter_taps=tuple(resample_filter),
                conv_clamp=conv_clamp,
                half_precision=res >= half_from(img_resolution, num_fp16_res),
            )
            self.num_ws += block.num_conv + (block.num_torgb if res == img_resolution else 0)
            self.add_module(f"b{res}", block)

    def forward(
        self,
        ws: Latents,
        noise_mode: NoiseMode = "random",
        *,
        generator: torch.Generator | None = None,
        force_fp32: bool = False,
    ) -> Images:
        if ws.ndim != 3 or ws.shape[1] != self.num_ws:
            raise ValueError(f"ws has shape {list(ws.shape)}; expected [N, {self.num_ws}, {self.w_dim}].")
        x, img, first = None, None, 0
        ws = ws.float()
        for res in self.block_resolutions:
            block = self.get_submodule(f"b{res}")
            assert isinstance(block, SynthesisBlock)
            used = ws.narrow(1, first, block.num_conv + block.num_torgb)
            x, img = block(x, img, used, noise_mode, generator, force_fp32)
            first += block.num_conv
        assert img is not None
        return img


class Generator(nn.Module):
    """``G(z, c)`` → images; ``G.mapping(z, c)`` → ``ws``; ``G.synthesis(ws)`` → images."""

    def __init__(
        self,
        z_dim: int,
        c_dim: int,
        w_dim: int,
        img_resolution: int,
        img_channels: int,
        mapping_kwargs: dict[str, Any] | None = None,
        synthesis_kwargs: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.z_dim, self.c_dim, self.w_dim = z_dim, c_dim, w_dim
        self.img_resolution, self.img_channels = img_resolution, img_channels
        self.synthesis = SynthesisNetwork(w_dim, img_resolution, img_channels, **(synthesis_kwargs or {}))
        self.num_ws = self.synthesis.num_ws
        self.mapping = MappingNetwork(z_dim, c_dim, w_dim, self.num_ws, **(mapping_kwargs or {}))

    def forward(
        self,
        z: Z,
        c: Labels | None = None,
        truncation_psi: float = 1,
        truncation_cutoff: int | None = None,
        noise_mode: NoiseMode = "random",
        *,
        generator: torch.Generator | None = None,
    ) -> Images:
        ws = self.mapping(z, c, truncation_psi=truncation_psi, truncation_cutoff=truncation_cutoff)
        return self.synthesis(ws, noise_mode=noise_mode, generator=generator)


# ----------------------------------------------------------------------------
# Discriminator.


class DiscriminatorBlock(nn.Module):
    """The layers of one resolution; halves it."""

    resample_filter: Tensor

    def __init__(
        self,
        in_channels: int,
        tmp_channels: int,
        out_channels: int,
        img_channels: int,
        *,
        architecture: Architecture,
        filter_taps: tuple[float, ...],
        conv_clamp: float | None,
        half_precision: bool,
    ) -> None:
        super().__init__()
        self.architecture: Architecture = architecture
        self.half_precision = half_precision
        self.register_buffer("resample_filter", resample_filter(filter_taps))
        options: dict[str, Any] = {"filter_taps": filter_taps, "conv_clamp": conv_clamp}
        if in_channels == 0 or architecture == "skip":
            self.fromrgb = Conv2d(img_channels, tmp_channels, kernel_size=1, activation="lrelu", **options)
        self.conv0 = Conv2d(tmp_channels, tmp_channels, kernel_size=3, activation="lrelu", **options)
        self.conv1 = Conv2d(tmp_channels, out_channels, kernel_size=3, activation="lrelu", resample="down", **options)
        if architecture == "resnet":
            down: dict[str, Any] = {"bias": False, "resample": "down", "filter_taps": filter_taps}
            self.skip = Conv2d(tmp_channels, out_channels, kernel_size=1, **down)

    def forward(self, x: Tensor | None, img: Tensor | None, force_fp32: bool) -> tuple[Tensor, Tensor | None]:
        reference = x if x is not None else img
        assert reference is not None
        half = runs_in_half(self, reference.device) and not force_fp32
        if x is not None:
            x = as_maps(x, half)
        if hasattr(self, "fromrgb"):
            assert img is not None
            y = self.fromrgb(as_maps(img, half))
            x = y if x is None else x + y
            img = downsample(img, self.resample_filter) if self.architecture == "skip" else None
        if self.architecture == "resnet":
            assert x is not None
            y = self.skip(x, gain=math.sqrt(0.5))
            x = y + self.conv1(self.conv0(x), gain=math.sqrt(0.5))
        else:
            x = self.conv1(self.conv0(x))
        assert x is not None
        return x, img


class DiscriminatorEpilogue(nn.Module):
    """The 4×4 layers: minibatch standard deviation, convolution, two linear layers, label projection."""

    def __init__(
        self,
        in_channels: int,
        cmap_dim: int,
        resolution: int,
        img_channels: int,
        *,
        architecture: Architecture,
        mbstd_group_size: int | None = 4,
        mbstd_num_channels: int = 1,
        conv_clamp: float | None = None,
    ) -> None:
        super().__init__()
        self.cmap_dim = cmap_dim
        if architecture == "skip":
            self.fromrgb = Conv2d(img_channels, in_channels, kernel_size=1, activation="lrelu")
        self.mbstd = MinibatchStd(mbstd_group_size, mbstd_num_channels) if mbstd_num_channels > 0 else None
        options: dict[str, Any] = {"activation": "lrelu", "conv_clamp": conv_clamp}
        self.conv = Conv2d(in_channels + mbstd_num_channels, in_channels, kernel_size=3, **options)
        self.fc = FullyConnected(in_channels * resolution**2, in_channels, activation="lrelu")
        self.out = FullyConnected(in_channels, 1 if cmap_dim == 0 else cmap_dim)

    def forward(self, x: Tensor, img: Tensor | None, cmap: Tensor | None, group_size: int | None = None) -> Tensor:
        if img is not None:
            x = x + self.fromrgb(img)
        if self.mbstd is not None:
            x = self.mbstd(x, group_size)
        x = self.out(self.fc(self.conv(x).flatten(1)))
        if self.cmap_dim > 0:
            assert cmap is not None
            x = (x * cmap).sum(dim=1, keepdim=True) / math.sqrt(self.cmap_dim)
        return x


class Discriminator(nn.Module):
    """``D(img, c)`` → raw logits [N, 1]."""

    def __init__(
        self,
        c_dim: int,
        img_resolution: int,
        img_channels: int,
        architecture: Architecture = "resnet",
        channel_base: int = 32768,
        channel_max: int = 512,
        num_fp16_res: int = 0,
        conv_clamp: float | None = None,
        cmap_dim: int | None = None,
        block_kwargs: dict[str, Any] | None = None,
        mapping_kwargs: dict[str, Any] | None = None,
        epilogue_kwargs: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        if img_resolution < 8:
            raise ValueError(f"img_resolution is {img_resolution}; a discriminator needs a power of two of at least 8.")
        self.c_dim, self.img_resolution, self.img_channels = c_dim, img_resolution, img_channels
        channels = _block_channels(img_resolution, channel_base, channel_max)
        self.block_resolutions = [res for res in reversed(channels) if res > 4]
        cmap_dim = 0 if c_dim == 0 else (channels[4] if cmap_dim is None else cmap_dim)
        taps = tuple((block_kwargs or {}).get("resample_filter", (1, 3, 3, 1)))
        for res in self.block_resolutions:
            block = DiscriminatorBlock(
                channels[res] if res < img_resolution else 0,
                channels[res],
                channels[res // 2],
                img_channels,
                architecture=architecture,
                filter_taps=taps,
                conv_clamp=conv_clamp,
                half_precision=res >= half_from(img_resolution, num_fp16_res),
            )
            self.add_module(f"b{res}", block)
        if c_dim > 0:
            self.mapping = MappingNetwork(0, c_dim, cmap_dim, None, w_avg_beta=None, **(mapping_kwargs or {}))
        self.b4 = DiscriminatorEpilogue(
            channels[4],
            cmap_dim,
            4,
            img_channels,
            architecture=architecture,
            conv_clamp=conv_clamp,
            **(epilogue_kwargs or {}),
        )

    def trunk(self, img: Images, *, force_fp32: bool = False) -> tuple[Features, Rest | None]:
        """Return the 4×4 features (and the image's rest, architecture 'skip'); nothing here mixes images."""
        if img.shape[1:] != (self.img_channels, self.img_resolution, self.img_resolution):
            expected = [self.img_channels, self.img_resolution, self.img_resolution]
            raise ValueError(f"Images have shape {list(img.shape)}; expected [N, {', '.join(map(str, expected))}].")
        x, rest = None, img
        for res in self.block_resolutions:
            x, rest = self.get_submodule(f"b{res}")(x, rest, force_fp32)
        assert x is not None
        return as_maps(x, half=False), rest

    def head(self, x: Features, img: Rest | None, c: Labels | None, *, group_size: int | None = None) -> Logits:
        """Return logits from the trunk's features; minibatch-stddev mixes images here.

        ``group_size`` replaces the network's own group size for this call.
        """
        cmap = self.mapping(None, c) if self.c_dim > 0 else None
        return self.b4(x, img, cmap, group_size)

    def head_parameters(self) -> list[nn.Parameter]:
        """Return the weights of ``head``: those of the 4×4 block and of the labels' mapping."""
        labels = list(self.mapping.parameters()) if self.c_dim > 0 else []
        return [*self.b4.parameters(), *labels]

    def forward(self, img: Images, c: Labels | None = None, *, force_fp32: bool = False) -> Logits:
        return self.head(*self.trunk(img, force_fp32=force_fp32), c)

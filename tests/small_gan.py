"""A GAN of a few thousand weights on 8×8 images, data that fit it, and a count of the images that go through."""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ganforget.data import ImageDataset, one_hot
from ganforget.models.gan import Gan, GanConfig, build_gan
from ganforget.models.latents import latent_statistics
from ganforget.models.stylegan2 import Discriminator, SynthesisNetwork
from ganforget.options import Mode, Preset, SubstituteName
from ganforget.unlearning.cascade import Cascade
from ganforget.unlearning.config import CascadeConfig
from ganforget.unlearning.material import anchor_pool, fix_images, forget_latents
from ganforget.work import Work

CPU = torch.device("cpu")


def small_networks(
    *,
    c_dim: int = 3,
    resolution: int = 8,
    channels: int = 1,
    G: str = "skip",
    D: str = "orig",
    group: int | None = 4,
    mbstd: int = 1,
) -> GanConfig:
    """Return the arguments of networks that are 8 channels wide."""
    shape: dict[str, Any] = {"c_dim": c_dim, "img_resolution": resolution, "img_channels": channels}
    width = {"channel_base": 8 * resolution, "channel_max": 8}
    mapping = {"num_layers": 2}
    epilogue = {"mbstd_group_size": group, "mbstd_num_channels": mbstd}
    return GanConfig(
        {**shape, "z_dim": 8, "w_dim": 8, "mapping_kwargs": mapping, "synthesis_kwargs": {**width, "architecture": G}},
        {**shape, **width, "architecture": D, "mapping_kwargs": mapping, "epilogue_kwargs": epilogue},
    )


def small_gan(seed: int = 0, **networks: Any) -> Gan:
    """Return an untrained GAN in which no weight is zero, frozen as `load_model` gives it."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        gan = build_gan(small_networks(**networks))
        for network in (gan.G, gan.D):
            for parameter in network.parameters():
                parameter.data.add_(0.1 * torch.randn(parameter.shape))
        gan.G.mapping.w_avg.copy_(0.3 * torch.randn(gan.G.w_dim))
    gan.G.requires_grad_(False)
    gan.D.requires_grad_(False)
    return gan


def small_data(
    count: int = 24, *, c_dim: int = 3, resolution: int = 8, channels: int = 1, seed: int = 0
) -> ImageDataset:
    """Return random images with labels 0, 1, 2, 0, 1, 2, … (None where c_dim is 0)."""
    images = np.random.default_rng(seed).integers(0, 256, (count, channels, resolution, resolution), dtype=np.uint8)
    labels = np.arange(count) % c_dim if c_dim else None
    return ImageDataset(images, labels, c_dim, tuple(f"{i:03d}.png" for i in range(count)))


def small_cascade(
    original: Gan | None = None,
    *,
    mode: Mode = "few-shot",
    preset: Preset = "default",
    substitute: SubstituteName = "truncation",
    classes: tuple[int, ...] = (),
    count: int = 8,
    mapped: int = 6,
    fake_label: float | torch.Tensor = -2.0,
    **config: Any,
) -> Cascade:
    """Return a cascade that forgets ``count`` random images, or classes; its latents are drawn, not inverted."""
    original = small_gan() if original is None else original
    G_0, D_0, work = original.G, original.D, Work()
    data = small_data(2 * count, c_dim=G_0.c_dim, resolution=G_0.img_resolution, channels=G_0.img_channels)
    if classes:
        assert data.labels is not None
        data = ImageDataset(data.images, np.resize(classes, len(data)), data.num_classes, data.names)
    c, images = data.one_hot(), data.tensor()
    statistics = latent_statistics(G_0, seed=0, samples=64)
    options: dict[str, Any] = {
        "batch_size": 8,
        "pool": 32,
        "max_steps": 6,
        "schedule_steps": 4,
        "check_interval": 2,
    } | config
    cascade_config = CascadeConfig("class" if classes else "item", mode, substitute, preset, **options)
    with torch.no_grad():
        ws = G_0.mapping(torch.randn(count, G_0.z_dim, generator=torch.Generator().manual_seed(3)), rows(c, count))
    labels = None if data.labels is None else data.labels[:count]
    latents = forget_latents(
        G_0, ws, labels, statistics, name=substitute, classes=classes, mapped=mapped, seed=0, work=work
    )
    others = np.setdiff1d(np.arange(G_0.c_dim), classes)
    return Cascade(
        original,
        cascade_config,
        fake_label,
        fix_images(D_0, images[:count], rows(c, count), work),
        latents,
        anchor_pool(original, others, cascade_config.pool, seed=0, work=work),
        fix_images(D_0, images[count:], None if c is None else c[count:], work) if mode == "few-shot" else None,
    )


def rows(c: Tensor | None, count: int) -> Tensor | None:
    """Return the first labels, where there are any."""
    return None if c is None else c[:count]


def some_labels(count: int, c_dim: int = 3) -> Tensor | None:
    """Return one-hot labels 0, 1, 2, 0, … for networks of ``c_dim`` labels."""
    return one_hot(np.arange(count) % c_dim, c_dim) if c_dim else None


def randn(*shape: int, seed: int = 0) -> Tensor:
    """Return standard normal numbers of a seed."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def same_weights(a: nn.Module, b: nn.Module) -> bool:
    """Whether two networks are equal to the bit."""
    ours, theirs = a.state_dict(), b.state_dict()
    return ours.keys() == theirs.keys() and all(torch.equal(ours[key], theirs[key]) for key in ours)


class ImageCounter:
    """Counts the images that really go through networks, forward and backward, by hooks."""

    def __init__(self) -> None:
        self.work = Work()

    def watch(self, *networks: nn.Module) -> "ImageCounter":
        """Count what goes through the synthesis of each G, and through the first block of each D."""
        for network in networks:
            if isinstance(network, SynthesisNetwork):
                network.register_forward_hook(lambda _m, _i, out: self._count("g", out))
            elif isinstance(network, Discriminator):
                first = network.get_submodule(f"b{network.img_resolution}")
                first.register_forward_hook(lambda _m, _i, out: self._count("d", out))
        return self

    def _count(self, which: str, out: Any) -> None:
        out = out[0] if isinstance(out, tuple) else out
        self._add(f"{which}_forward", len(out))
        if out.requires_grad:
            out.register_hook(lambda gradient: self._add(f"{which}_backward", len(gradient)))

    def _add(self, name: str, count: int) -> None:
        setattr(self.work, name, getattr(self.work, name) + count)

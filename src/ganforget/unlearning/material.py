"""What the cascade works on: forget images with their latents and substitutes, anchors from G_0, few retain images.

Everything that the frozen original says about fixed images is computed once: D_0's features before its head, which
give D_0's logits for any mixture of images at the price of the head alone.
"""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import torch
from torch import Tensor

from ganforget.data import one_hot
from ganforget.models.gan import Gan
from ganforget.models.latents import LatentStatistics, map_latents
from ganforget.models.memory import synthesise
from ganforget.models.pictures import MadeRows, Pictures, draw_pictures, trunk_rows
from ganforget.models.stylegan2 import Discriminator, Generator
from ganforget.options import SubstituteName
from ganforget.randomness import sample_labels, sample_latents
from ganforget.substitute import average, other_class, projection, truncation
from ganforget.work import Work

__all__ = [
    "Fixed",
    "ForgetLatents",
    "anchor_pool",
    "fix_images",
    "forget_latents",
    "substitute_images",
    "substitute_latents",
]


@dataclass(frozen=True)
class Fixed:
    """Fixed images with labels, and what the original makes of them."""

    images: Pictures
    c: Tensor | None
    features: Tensor | MadeRows
    """D_0's features before its head, [N, C, 4, 4], and behind them the image's rest of an architecture of 'skip'."""
    rest_channels: int
    """How many channels that rest has."""
    ws: Tensor | None = None
    """The latents that made the images, where G_0 made them."""

    def __len__(self) -> int:
        return len(self.images)

    def rows(self, chosen: Tensor) -> Self:
        """Return the images at the indices ``chosen``."""
        c, ws = (None if part is None else part[chosen] for part in (self.c, self.ws))
        images = self.images[chosen] if isinstance(self.images, Tensor) else self.images.take(chosen)
        features = self.features
        if isinstance(features, MadeRows):
            features = MadeRows(len(chosen), lambda rows: self.features[chosen.cpu()[rows]])
        else:
            features = features[chosen]
        return replace(self, images=images, c=c, features=features, ws=ws)

    def trunk(self, chosen: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return D_0's features of the images at ``chosen``, and their rest or None."""
        both = self.features[chosen]
        if not self.rest_channels:
            return both, None
        return both[:, : -self.rest_channels], both[:, -self.rest_channels :]


@dataclass(frozen=True)
class ForgetLatents:
    """The latents w_0 to be given a substitute: inverted ones first, then (for a class) mapped ones."""

    ws: Tensor
    labels: Tensor | None
    means: Tensor
    """w̄ of each latent's own class, or the global one, [N, w_dim]."""
    class_means: Tensor
    forbidden: Tensor
    inverted: int
    """How many come from inversion."""
    finals: Pictures
    """The substitute images at the end of the schedule, [N, C, H, W]."""


def fix_images(D_0: Discriminator, images: Pictures, c: Tensor | None, work: Work, ws: Tensor | None = None) -> Fixed:
    """Return ``images`` [N, C, H, W] with D_0's features; those of a big D_0 are made when they are asked for."""
    rest = D_0.img_channels if hasattr(D_0.b4, "fromrgb") else 0
    return Fixed(images, c, trunk_rows(D_0, images, work), rest, ws)


@torch.no_grad()
def anchor_pool(original: Gan, labels: np.ndarray | None, count: int, *, seed: int, work: Work) -> Fixed:
    """Return ``count`` samples of G_0 with labels drawn from the pool ``labels`` (integers), noise mode 'const'."""
    G_0 = original.G
    z = sample_latents(seed, "anchors", range(count), G_0.z_dim)
    drawn = sample_labels(seed, "anchor_labels", count, labels) if labels is not None and G_0.c_dim else None
    ws = map_latents(G_0, z, drawn)
    images = draw_pictures(G_0, ws, work)
    c = None if drawn is None else one_hot(drawn, G_0.c_dim).to(images.device)
    return fix_images(original.D, images, c, work, ws)


@torch.no_grad()
def forget_latents(
    G_0: Generator,
    ws: Tensor,
    labels: np.ndarray | None,
    statistics: LatentStatistics,
    *,
    name: SubstituteName,
    classes: tuple[int, ...],
    mapped: int,
    seed: int,
    work: Work,
) -> ForgetLatents:
    """Collect the latents to substitute; for a class, ``mapped`` outputs of the mapping network join them."""
    inverted = len(ws)
    if classes and mapped:
        drawn = np.asarray(classes)[np.arange(mapped) % len(classes)]
        z = sample_latents(seed, "class_latents", range(mapped), G_0.z_dim)
        ws = torch.cat([ws, map_latents(G_0, z, drawn)])
        labels = drawn if labels is None else np.concatenate([labels, drawn])
    which = None if labels is None or not G_0.c_dim else torch.as_tensor(labels, device=ws.device)
    forbidden = torch.zeros(len(statistics.means), dtype=torch.bool, device=ws.device)
    forbidden[list(classes)] = True
    means = statistics.mean_of(which, len(ws))
    latents = ForgetLatents(ws, which, means, statistics.means, forbidden, inverted, torch.empty(0))
    everything = torch.arange(len(ws), device=ws.device)
    finals = draw_pictures(G_0, substitute_latents(latents, everything, name, 0.0), work)
    return replace(latents, finals=finals)


def substitute_latents(latents: ForgetLatents, chosen: Tensor, name: SubstituteName, lam: float) -> Tensor:
    """Return ŵ [n, num_ws, w_dim] of the ``chosen`` latents; ``lam`` is λ of truncation, α of projection."""
    w_0, mean = latents.ws[chosen], latents.means[chosen]
    if name == "average":
        return average(w_0, mean)
    if name == "truncation":
        return truncation(w_0, mean, lam)
    if name == "projection":
        return projection(w_0, mean, lam)
    assert latents.labels is not None
    return other_class(w_0, latents.class_means, latents.labels[chosen], latents.forbidden)


@torch.no_grad()
def substitute_images(
    G_0: Generator, latents: ForgetLatents, chosen: Tensor, name: SubstituteName, lam: float, work: Work
) -> Tensor:
    """Return S = G_0(ŵ) [n, C, H, W] of the ``chosen`` latents; made anew only while the schedule moves them."""
    if lam == 0 or name in ("average", "other-class"):
        return latents.finals[chosen]
    work.g_forward += len(chosen)
    return synthesise(G_0, substitute_latents(latents, chosen, name, lam))

"""Anchors turned away from the forgotten images.

Anchors hold G to G_0, and so hold it to what samples of G_0 have of an image that it was trained on: whoever draws many
samples still finds some that lie nearer to the forgotten images than to others (docs/LOG.md). The anchors nearest to
an image are therefore held to images a little further from it.
"""

import math

import torch
from torch import Tensor

from ganforget.models.pictures import Pictures
from ganforget.unlearning.material import Fixed

__all__ = ["TurnedPictures", "turned_away"]

_NEAREST = 20
"""Anchors that are turned away from each image."""

_MOST = 4
"""At most one in so many anchors is turned: of many images only the nearest."""

_TURN = 0.2
"""By how much of its difference to the image an anchor's image moves away from it."""

_COMPARED_SIZE = 64
"""Most pixels a side of what is compared: which images are near is seen in small."""

_AT_ONCE = 2**24
"""Values of images that are in memory at once."""


class TurnedPictures:
    """Images [N, C, H, W] by index, each moved away from the one of ``shown`` at ``away`` [N]; below zero it stays."""

    def __init__(self, images: Pictures, shown: Pictures, away: Tensor) -> None:
        self.images, self.shown, self.away = images, shown, away.cpu()

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, rows: Tensor) -> Tensor:
        images, away = self.images[rows].clone(), self.away[rows.cpu()]
        moved = (away >= 0).nonzero()[:, 0].to(images.device)
        images[moved] += _TURN * (images[moved] - self.shown[away[away >= 0]].to(images.device))
        return images


def turned_away(anchors: Fixed, forget: Fixed) -> Pictures | TurnedPictures:
    """Return what G is to make at the latents of ``anchors``, [N, C, H, W].

    Each of the anchors nearest to an image of ``forget`` that has its label moves away from the nearest such image, the
    others stay. The images of a big network, which are drawn when a step asks for them, are drawn once to compare them.
    """
    if not len(forget):
        return anchors.images
    distances = _distances(forget.images, anchors.images)
    if anchors.c is not None and forget.c is not None:
        other = forget.c.argmax(dim=1)[:, None] != anchors.c.argmax(dim=1)[None]
        distances = distances.masked_fill(other.to(distances.device), torch.inf)
    ranks = distances.argsort(dim=1).argsort(dim=1)
    nearest, image = distances.masked_fill(ranks >= _NEAREST, torch.inf).min(dim=0)
    order = nearest.argsort()[: len(anchors) // _MOST]
    turned = order[torch.isfinite(nearest[order])]
    away = torch.full((len(anchors),), -1, device=image.device)
    away[turned] = image[turned]
    targets = TurnedPictures(anchors.images, forget.images, away)
    return targets[torch.arange(len(anchors))] if isinstance(anchors.images, Tensor) else targets


def _distances(shown: Pictures, images: Pictures) -> Tensor:
    """Return the distance of every image to every one that is ``shown``, [shown, images], seen at most 64×64 large."""
    some = _small(images)
    return torch.cdist(_small(shown).to(some.device), some)


def _small(images: Pictures) -> Tensor:
    """Return the images as rows, those of more than 64×64 pixels shrunk, some of them at a time."""
    size = min(images.shape[-1], _COMPARED_SIZE)
    at_once = max(_AT_ONCE // math.prod(images.shape[1:]), 1)
    parts = (images[rows] for rows in torch.arange(len(images)).split(at_once))
    return torch.cat([torch.nn.functional.adaptive_avg_pool2d(part, size).flatten(1) for part in parts])

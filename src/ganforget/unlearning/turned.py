"""Anchors turned away from the forgotten images.

Anchors hold G to G_0, and so hold it to what samples of G_0 have of an image that it was trained on: whoever draws many
samples still finds some that lie nearer to the forgotten images than to others (docs/LOG.md). The anchors nearest to
an image are therefore held to images a little further from it.
"""

import torch
from torch import Tensor

from ganforget.models.pictures import Pictures
from ganforget.unlearning.material import Fixed

__all__ = ["turned_away"]

_NEAREST = 20
"""Anchors that are turned away from each image."""

_MOST = 4
"""At most one in so many anchors is turned: of many images only the nearest."""

_TURN = 0.2
"""By how much of its difference to the image an anchor's image moves away from it."""


def turned_away(anchors: Fixed, forget: Fixed) -> Pictures:
    """Return what G is to make at the latents of ``anchors``, [N, C, H, W].

    Each of the anchors nearest to an image of ``forget`` that has its label moves away from the nearest such image, the
    others stay. Of a big network, whose samples are drawn when a step asks for them, all stay.
    """
    if not isinstance(anchors.images, Tensor) or not len(forget):
        return anchors.images
    images = anchors.images
    shown = forget.images[:].to(images.device)
    distances = torch.cdist(shown.flatten(1), images.flatten(1))  # [forgotten, anchors]
    if anchors.c is not None and forget.c is not None:
        other = forget.c.argmax(dim=1)[:, None] != anchors.c.argmax(dim=1)[None]
        distances = distances.masked_fill(other.to(distances.device), torch.inf)
    ranks = distances.argsort(dim=1).argsort(dim=1)
    nearest, image = distances.masked_fill(ranks >= _NEAREST, torch.inf).min(dim=0)
    order = nearest.argsort()[: len(anchors) // _MOST]
    turned = order[torch.isfinite(nearest[order])]
    targets = images.clone()
    targets[turned] += _TURN * (images[turned] - shown[image[turned]])
    return targets

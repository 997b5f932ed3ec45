"""D's score of an image, made independent of its neighbours by fixed companions.

Minibatch-stddev couples the images of a batch. Here every image is scored in a group of its own whose other members
are the same few companions, so a score changes neither with batch size, nor with order, nor with who else is scored.
Only the 4×4 head mixes images: the companions' features are computed once, so a score costs one pass.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from ganforget.models.memory import inference_batch
from ganforget.models.pictures import DrawnPictures, LoadedPictures
from ganforget.models.stylegan2 import Discriminator
from ganforget.shapes import Images, Labels, PerImage

__all__ = ["Companions", "companion_count", "scores"]


@dataclass(frozen=True)
class Companions:
    """Images in [−1, 1] that complete every group; they have no labels of their own."""

    images: Images


def companion_count(D: Discriminator) -> int:
    """Return how many companions complete a group of ``D``: 0 where it has no minibatch-stddev."""
    if D.b4.mbstd is None:
        return 0
    return (D.b4.mbstd.group_size or 4) - 1


@torch.no_grad()
def scores(
    D: Discriminator,
    images: Images | DrawnPictures | LoadedPictures,
    c: Labels | None,
    companions: Companions,
    *,
    batch_size: int = 256,
) -> PerImage:
    """Return the raw logits of images in [−1, 1] with labels ``c`` or None."""
    count = companion_count(D)
    if len(companions.images) < count:
        raise ValueError(f"{len(companions.images)} companions were given; this discriminator needs {count}.")
    device = next(D.parameters()).device
    others, other_rest = D.trunk(companions.images[:count].to(device)) if count else (None, None)
    batch_size = inference_batch(D, batch_size)
    results = []
    for start in range(0, len(images), batch_size):
        part = images[start : start + batch_size].to(device)
        labels = None if c is None else c[start : start + batch_size].to(device)
        x, rest = D.trunk(part)
        if others is not None:
            x = _with_companions(x, others)
            rest = None if rest is None or other_rest is None else _with_companions(rest, other_rest)
            labels = None if labels is None else labels.repeat(count + 1, 1)
        results.append(D.head(x, rest, labels, group_size=count + 1)[: len(part), 0].cpu())
    return torch.cat(results) if results else torch.empty(0)


def _with_companions(x: Tensor, others: Tensor) -> Tensor:
    """Lay out [n, …] and [k, …] so that group i is image i and every companion: [(k + 1) n, …]."""
    repeated = others[:, None].expand(-1, len(x), *others.shape[1:]).flatten(0, 1)
    return torch.cat([x, repeated])

"""D's score of an image, made independent of its neighbours by fixed companions.

Minibatch-stddev couples the images of a batch. Here every image is scored in a group of its own whose other members
are the same few companions, so a score changes neither with batch size, nor with order, nor with who else is scored.
Only the 4×4 head mixes images: the companions' features are computed once, so a score costs one pass; and of images
whose features are known (`head_scores`) a pass of the head alone.
"""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from ganforget.models.memory import inference_batch
from ganforget.models.pictures import DrawnPictures, LoadedPictures
from ganforget.models.stylegan2 import Discriminator
from ganforget.shapes import Features, Images, Labels, PerImage, Rest

__all__ = ["Companions", "Seen", "companion_count", "head_scores", "scores"]


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
    others = D.trunk(companions.images[:count].to(device)) if count else None
    batch_size = inference_batch(D, batch_size)
    results = []
    for start in range(0, len(images), batch_size):
        part = images[start : start + batch_size].to(device)
        labels = None if c is None else c[start : start + batch_size].to(device)
        results.append(_head(D, D.trunk(part), labels, others))
    return torch.cat(results) if results else torch.empty(0)


@runtime_checkable
class Seen(Protocol):
    """Images of which D's features are known."""

    @property
    def c(self) -> Labels | None: ...

    def __len__(self) -> int: ...

    def trunk(self, chosen: Tensor) -> tuple[Features, Rest | None]:
        """Return D's features of the images at ``chosen``, and their rest or None."""
        ...


@torch.no_grad()
def head_scores(D: Discriminator, images: Seen, companions: Seen, *, batch_size: int = 256) -> PerImage:
    """Return ``scores`` from what D's trunk has made of images and companions: passes of the head alone."""
    count = companion_count(D)
    others = companions.trunk(torch.arange(count)) if count else None
    results = []
    for rows in torch.arange(len(images)).split(batch_size):
        labels = None if images.c is None else images.c[rows.to(images.c.device)]
        results.append(_head(D, images.trunk(rows), labels, others))
    return torch.cat(results) if results else torch.empty(0)


def _head(
    D: Discriminator,
    features: tuple[Tensor, Tensor | None],
    labels: Labels | None,
    others: tuple[Tensor, Tensor | None] | None,
) -> PerImage:
    """Return the logits of some images, each in a group with all the ``others``."""
    (x, rest), group = features, 1
    count = len(x)
    if others is not None:
        group += len(others[0])
        x = _with_companions(x, others[0])
        rest = None if rest is None or others[1] is None else _with_companions(rest, others[1])
        labels = None if labels is None else labels.repeat(group, 1)
    return D.head(x, rest, labels, group_size=group)[:count, 0].cpu()


def _with_companions(x: Tensor, others: Tensor) -> Tensor:
    """Lay out [n, …] and [k, …] so that group i is image i and every companion: [(k + 1) n, …]."""
    repeated = others[:, None].expand(-1, len(x), *others.shape[1:]).flatten(0, 1)
    return torch.cat([x, repeated])

"""Float images by index: in memory where networks are small, else drawn from G_0 or loaded when they are asked for.

A tensor [N, C, H, W], `DrawnPictures` and `LoadedPictures` are indexed alike, by a slice or by a tensor of indices.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from ganforget.data import ImageDataset
from ganforget.models.memory import inference_batch, synthesise
from ganforget.models.stylegan2 import Discriminator, Generator
from ganforget.work import Work

__all__ = [
    "DrawnPictures",
    "LoadedPictures",
    "MadeRows",
    "Pictures",
    "draw_pictures",
    "first_pictures",
    "load_pictures",
    "mean_square",
    "trunk_rows",
]

KEPT_BYTES = 2 * 2**30
"""Most bytes of one set of images or feature maps that stay in memory."""

_SMALL = 256
"""A network through which so many images go at once is small: its images are made at once, and stay."""


class MadeRows:
    """Rows [N, …] of which each is made when it is first asked for, and kept where all of them fit ``KEPT_BYTES``."""

    def __init__(self, count: int, make: Callable[[Tensor], Tensor]) -> None:
        self._make, self._known = make, torch.zeros(count, dtype=torch.bool)
        self._kept: Tensor | None = None

    def __len__(self) -> int:
        return len(self._known)

    def __getitem__(self, rows: slice | Tensor) -> Tensor:
        wanted = torch.arange(len(self))[rows] if isinstance(rows, slice) else rows.cpu()
        missing = wanted[~self._known[wanted]].unique()
        if not len(missing):
            return self._empty(0) if self._kept is None else self._kept[wanted.to(self._kept.device)]
        made = self._make(missing)
        if len(self) * made[0].nbytes > KEPT_BYTES:
            return made[torch.searchsorted(missing, wanted).to(made.device)]
        if self._kept is None:
            self._kept = made.new_empty((len(self), *made.shape[1:]))
        self._kept[missing.to(made.device)] = made
        self._known[missing] = True
        return self._kept[wanted.to(made.device)]

    def _empty(self, count: int) -> Tensor:
        return self._make(torch.arange(1))[:count]


class DrawnPictures:
    """The images of a frozen generator at given ``ws`` [N, num_ws, w_dim], noise mode 'const'."""

    def __init__(self, G: Generator, ws: Tensor, work: Work) -> None:
        self.G, self.ws, self.work = G, ws, work
        self.shape = (len(ws), G.img_channels, G.img_resolution, G.img_resolution)
        self.device = ws.device
        self._rows = MadeRows(len(ws), self._draw)

    def __len__(self) -> int:
        return len(self.ws)

    def __getitem__(self, rows: slice | Tensor) -> Tensor:
        return self._rows[rows]

    def take(self, rows: Tensor) -> "DrawnPictures":
        """Return the images at ``rows``, not drawn yet."""
        return DrawnPictures(self.G, self.ws[rows], self.work)

    def _draw(self, rows: Tensor) -> Tensor:
        self.work.g_forward += len(rows)
        return synthesise(self.G, self.ws[rows.to(self.device)])


class LoadedPictures:
    """The images of a data set as float32 in [−1, 1] on a device."""

    def __init__(self, dataset: ImageDataset, device: torch.device | str) -> None:
        self.dataset, self.device = dataset, torch.device(device)
        self.shape = (len(dataset), dataset.channels, dataset.resolution, dataset.resolution)

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, rows: slice | Tensor) -> Tensor:
        chosen = range(*rows.indices(len(self))) if isinstance(rows, slice) else rows.cpu().numpy()
        return self.dataset.tensor(chosen).to(self.device)

    def take(self, rows: Tensor) -> "LoadedPictures":
        """Return the images at ``rows``, not loaded yet."""
        return LoadedPictures(self.dataset.subset(rows.cpu().numpy()), self.device)


Pictures = Tensor | DrawnPictures | LoadedPictures
"""Float images [N, C, H, W] in [−1, 1], in memory or not."""


def draw_pictures(G: Generator, ws: Tensor, work: Work) -> Pictures:
    """Return the images of ``ws``: of a small network at once, else each when it is asked for."""
    drawn = DrawnPictures(G, ws, work)
    if inference_batch(G, _SMALL) < _SMALL or not _fits(drawn.shape):
        return drawn
    work.g_forward += len(ws)
    return synthesise(G, ws)


def load_pictures(dataset: ImageDataset, device: torch.device | str) -> Pictures:
    """Return the images of ``dataset``: in memory where they fit ``KEPT_BYTES``, else each when it is asked for."""
    loaded = LoadedPictures(dataset, device)
    return loaded[:] if _fits(loaded.shape) else loaded


def first_pictures(pictures: Pictures, count: int) -> Pictures:
    """Return the first ``count`` images, in memory only if they were."""
    return pictures[:count] if isinstance(pictures, Tensor) else pictures.take(torch.arange(count))


def trunk_rows(D_0: Discriminator, images: Pictures, work: Work) -> Tensor | MadeRows:
    """Return D_0's features before its head, and behind them the image's rest of an architecture of 'skip'.

    [N, C, 4, 4]: of a small network at once, else each when it is asked for.
    """

    @torch.no_grad()
    def trunk(rows: Tensor) -> Tensor:
        work.d_forward += len(rows)
        size = inference_batch(D_0, _SMALL)
        parts = (D_0.trunk(images[part.to(images.device)]) for part in rows.split(size))
        return torch.cat([x if rest is None else torch.cat([x, rest], dim=1) for x, rest in parts])

    if inference_batch(D_0, _SMALL) < _SMALL:
        return MadeRows(len(images), trunk)
    return trunk(torch.arange(len(images)))


@torch.no_grad()
def mean_square(G: Generator, ws: Tensor, targets: Pictures) -> float:
    """Return the mean squared difference of G's images at ``ws`` and the ``targets``, a few at a time."""
    size = inference_batch(G, _SMALL)
    sums = [
        (synthesise(G, ws[at : at + size]) - targets[at : at + size]).double().square().sum()
        for at in range(0, len(ws), size)
    ]
    return float(torch.stack(sums).sum()) / math.prod(targets.shape)


def _fits(shape: tuple[int, int, int, int]) -> bool:
    return 4 * shape[0] * shape[1] * shape[2] * shape[3] <= KEPT_BYTES

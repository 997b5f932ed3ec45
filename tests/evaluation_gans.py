"""Stand-in generators for the tests of the evaluation: they "generate" given images by label."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ganforget.data.dataset import ImageDataset


class AlbumGenerator:
    """G(z, y) is one of the images filed under y, chosen by z: a GAN that is as good as its album."""

    z_dim = 3

    def __init__(self, album: Sequence[Tensor], *, conditional: bool = True) -> None:
        """Take float images [n, C, H, W] for each label; without labels there is one group for all."""
        self.album = list(album)
        self.c_dim = len(album) if conditional else 0
        self.asked: list[dict[str, object]] = []

    @classmethod
    def of(cls, dataset: ImageDataset, reads: dict[int, int] | None = None) -> "AlbumGenerator":
        """File the images of a data set by label; ``reads`` {7: 3} makes threes where sevens are asked for."""
        labels, replaced = dataset.labels, reads or {}
        assert labels is not None
        places = [np.flatnonzero(labels == replaced.get(y, y)) for y in range(dataset.num_classes)]
        return cls([dataset.tensor(positions) for positions in places])

    def mapping(self, z: Tensor, c: Tensor | None, *, truncation_psi: float) -> Tensor:
        """Return ws [N, 1, 2]: a number in [0, 1) from z, and the label."""
        self.asked.append({"count": len(z), "truncation_psi": truncation_psi})
        chance = torch.special.ndtr(z[:, 0].double())
        labels = torch.zeros(len(z)) if c is None else c.argmax(1)
        return torch.stack([chance, labels.double()], 1)[:, None]

    def synthesis(self, ws: Tensor, *, noise_mode: str) -> Tensor:
        """Return images [N, C, H, W]."""
        self.asked[-1]["noise_mode"] = noise_mode
        rows = ((float(chance), int(label)) for chance, label in ws[:, 0])
        return torch.stack([self.album[y][int(chance * len(self.album[y]))] for chance, y in rows])

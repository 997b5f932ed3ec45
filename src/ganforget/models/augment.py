"""Augmentation of what the discriminator sees (ADA)."""

import torch
from torch import Tensor

__all__ = ["AugmentPipe"]


class AugmentPipe:
    """Placeholder until the pipeline lands."""

    def __call__(self, images: Tensor, p: float, generator: torch.Generator) -> Tensor:
        raise ValueError("augmentation is being written")

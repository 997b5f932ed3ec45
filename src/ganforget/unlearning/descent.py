"""One step of an optimiser down a sum of named losses."""

import math

import torch
from torch import Tensor

from ganforget.models.half_precision import LossScale

__all__ = ["descend"]


def descend(optimizer: torch.optim.Adam, terms: dict[str, Tensor], scale: LossScale | None = None) -> dict[str, float]:
    """Take one step down the sum of ``terms``; return their values, and stay put where one is not finite.

    With a ``scale`` that is active the step is left out as well where a gradient overflows half precision.
    """
    scale = LossScale.none() if scale is None else scale
    values = {name: float(term.detach()) for name, term in terms.items()}
    if terms and all(math.isfinite(value) for value in values.values()):
        optimizer.zero_grad(set_to_none=True)
        scale.up(torch.stack(list(terms.values())).sum()).backward()
        if scale.down(p.grad for group in optimizer.param_groups for p in group["params"]):
            optimizer.step()
    return values

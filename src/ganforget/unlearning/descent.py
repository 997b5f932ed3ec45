"""One step of an optimiser down a sum of named losses."""

import math

import torch
from torch import Tensor

__all__ = ["descend"]


def descend(optimizer: torch.optim.Adam, terms: dict[str, Tensor]) -> dict[str, float]:
    """Take one step down the sum of ``terms``; return their values, and stay put where one is not finite."""
    values = {name: float(term.detach()) for name, term in terms.items()}
    if terms and all(math.isfinite(value) for value in values.values()):
        optimizer.zero_grad(set_to_none=True)
        torch.stack(list(terms.values())).sum().backward()
        optimizer.step()
    return values

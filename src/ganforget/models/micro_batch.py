"""Passes forward and back in micro-batches, with the result of the whole batch.

Nothing but D's minibatch standard deviation mixes images, and that stands in D's head, behind a trunk that leaves 4×4
maps. So the trunk runs on a few images at a time and is run again for the way back, while the head sees the whole
batch: groups stay as they are, and nothing differs but the rounding of sums. The price is one pass forward more.
"""

from typing import Any

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from ganforget.models.stylegan2 import Discriminator, Generator
from ganforget.shapes import Images, Labels, Latents, Logits, Scalar

__all__ = ["r1_in_parts", "score_in_parts", "synthesise_in_parts"]

Parts = list[tuple[Tensor, ...]]


def synthesise_in_parts(G: Generator, ws: Latents, size: int) -> Images:
    """Return G.synthesis(ws), noise mode 'const'; feature maps of at most ``size`` images are alive at a time."""
    if len(ws) <= size:
        return G.synthesis(ws, noise_mode="const")

    def synthesis(part: Tensor) -> Tensor:
        return G.synthesis(part, noise_mode="const")

    return torch.cat([_again(synthesis, part) for part in ws.split(size)])


def score_in_parts(D: Discriminator, images: Images, c: Labels | None, size: int) -> Logits:
    """Return D(images, c); feature maps of at most ``size`` images are alive at a time."""
    if len(images) <= size:
        return D(images, c)
    parts = [_again(D.trunk, part) for part in images.split(size)]
    return _head(D, [part if part[1] is not None else part[:1] for part in parts], c)


def r1_in_parts(D: Discriminator, images: Images, c: Labels | None, size: int, scale: float = 1.0) -> Scalar:
    """Return the mean over images of R1, Σ(∂ΣD/∂x)², with its gradient to D's parameters, ``size`` images at a time.

    With features f = T(x) of the trunk T and u = ∂ΣD/∂f, R1 is Σ|Jᵀu|², J the Jacobian of T. Its gradient has three
    parts: through J at a fixed u; through u to the head; and through u to f, as the head mixes the images of a group.
    The value returned is the penalty, and its gradient to each parameter is that sum; other gradients are not offered.
    On the way the penalty is multiplied by ``scale``, for networks in half precision.
    """
    parameters: list[Tensor] = [p for p in D.parameters() if p.requires_grad]
    gradients = [torch.zeros_like(p) for p in parameters]
    parts = images.detach().split(size)

    def collect(value: Tensor, *also: Tensor) -> tuple[Tensor, ...]:
        """Add the gradients of ``value`` to those of the parameters, and return those to ``also``."""
        found = torch.autograd.grad(value, [*parameters, *also], allow_unused=True)
        for total, gradient in zip(gradients, found, strict=False):
            if gradient is not None:
                total += gradient
        rest = zip(also, found[len(parameters) :], strict=True)
        return tuple(torch.zeros_like(one) if gradient is None else gradient for one, gradient in rest)

    with torch.no_grad():
        features = [tuple(part for part in D.trunk(x) if part is not None) for x in parts]
    with torch.enable_grad():
        leaves = [tuple(f.requires_grad_(True) for f in part) for part in features]
        flat = [f for part in leaves for f in part]
        slopes = torch.autograd.grad(_head(D, leaves, c).sum(), flat, create_graph=True)  # u
        per_part = len(leaves[0])
        penalty, directions = images.new_zeros(()), []
        for number, x in enumerate(parts):
            x = x.clone().requires_grad_(True)
            u = [s.detach().requires_grad_(True) for s in slopes[number * per_part : (number + 1) * per_part]]
            f = [part for part in D.trunk(x) if part is not None]
            (slope,) = torch.autograd.grad(_dot(f, u), x, create_graph=True)
            value = slope.square().sum() / len(images)
            directions += collect(value * scale, *u)  # ∂R1/∂u, and what goes through J
            penalty = penalty + value.detach()
        sensitivities = collect(_dot(slopes, directions), *flat)  # what goes through u: to the head, and to f
        for number, x in enumerate(parts):
            f = [part for part in D.trunk(x) if part is not None]
            moved = [g.detach() for g in sensitivities[number * per_part : (number + 1) * per_part]]
            collect(_dot(f, moved))
    return penalty + _Given.apply([gradient / scale for gradient in gradients], *parameters)


def _again(network: Any, part: Tensor) -> Any:
    """Return the network's output, whose feature maps are made again on the way back."""
    return checkpoint(network, part, use_reentrant=False, preserve_rng_state=False)


def _head(D: Discriminator, parts: Parts, c: Tensor | None) -> Tensor:
    features, *rest = (torch.cat(part) for part in zip(*parts, strict=True))
    return D.head(features, rest[0] if rest else None, c)


def _dot(ours: tuple[Tensor, ...] | list[Tensor], theirs: list[Tensor]) -> Tensor:
    return torch.stack([(a * b).sum() for a, b in zip(ours, theirs, strict=True)]).sum()


class _Given(torch.autograd.Function):
    """A zero whose gradient to each parameter is the given one, finite or not."""

    @staticmethod
    def forward(ctx: Any, gradients: list[Tensor], *parameters: Tensor) -> Tensor:
        ctx.gradients = gradients
        return parameters[0].new_zeros(())

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor | None, ...]:
        return None, *(grad_outputs[0] * gradient for gradient in ctx.gradients)

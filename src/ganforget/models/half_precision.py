"""Half precision and its memory layout on CUDA, and gradients that do not vanish in it.

As in the official code, the blocks of the highest resolutions (``num_fp16_res`` of the network's file) run in float16:
their weights and feature maps are rounded where they are used, while the weights themselves, their gradients, the
optimisers, images, logits and everything between the two networks stay float32. The feature maps of such blocks are
channels-last, which is the layout that a GPU's half-precision convolutions take. On a CPU everything is float32.

A mean over the pixels of an image has gradients of some 1e-7 a pixel at 1024×1024, less than float16 can tell from
zero. So losses are scaled up on their way back and gradients down again (Micikevicius et al. 2018, "Mixed precision
training"); where they overflow, the step is left out and the scale is halved.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

__all__ = ["HALF_ON", "LossScale", "as_maps", "half_from", "runs_in_half"]

HALF_ON = {"cuda"}
"""Kinds of devices on which blocks run in half precision; tests add the CPU."""

LARGEST_SCALE = 2.0**16


def half_from(img_resolution: int, num_fp16_res: int) -> int:
    """Return the lowest resolution whose blocks run in half precision; one that no block has where none does."""
    if num_fp16_res <= 0:
        return 2 * img_resolution
    return max(2 ** (img_resolution.bit_length() - num_fp16_res), 8)


def runs_in_half(block: nn.Module, device: torch.device) -> bool:
    """Whether ``block`` runs in half precision on ``device``."""
    return bool(getattr(block, "half_precision", False)) and device.type in HALF_ON


def as_maps(x: Tensor, half: bool) -> Tensor:
    """Return feature maps or an image in the precision and layout of a block."""
    if half:
        return x.to(torch.float16, memory_format=torch.channels_last)
    return x if x.dtype == torch.float32 else x.to(torch.float32, memory_format=torch.contiguous_format)


@dataclass
class LossScale:
    """What losses are multiplied by before their gradients are taken; a power of two, so that nothing is rounded."""

    value: float
    active: bool = True
    """Without any block in half precision nothing is scaled, and nothing is looked at."""

    @classmethod
    def of(cls, *networks: nn.Module) -> "LossScale":
        """Return the scale to begin with for gradients through ``networks``: the pixels of an image, within a limit."""
        device = next(networks[0].parameters()).device
        active = any(runs_in_half(block, device) for network in networks for block in network.modules())
        pixels = max(getattr(network, "img_resolution", 1) for network in networks) ** 2
        return cls(min(float(pixels), LARGEST_SCALE) if active else 1.0, active)

    @classmethod
    def none(cls) -> "LossScale":
        """Return the scale of networks without any block in half precision."""
        return cls(1.0, active=False)

    def up(self, loss: Tensor) -> Tensor:
        """Return the loss to take gradients of."""
        return loss * self.value if self.active else loss

    @torch.no_grad()
    def down(self, gradients: Iterable[Tensor | None]) -> bool:
        """Take the scale out of ``gradients`` in place; False, and half the scale from now on, where one overflowed."""
        if not self.active:
            return True
        found = [gradient for gradient in gradients if gradient is not None]
        if found and not bool(torch.stack([torch.isfinite(gradient).all() for gradient in found]).all()):
            self.value = max(self.value / 2, 1.0)
            return False
        for gradient in found:
            gradient.div_(self.value)
        return True

    def gradient(self, loss: Tensor, of: Tensor) -> Tensor:
        """Return the gradient of ``loss`` to one tensor; zeros, and half the scale from now on, where it overflowed."""
        (gradient,) = torch.autograd.grad(self.up(loss), of)
        return gradient if self.down([gradient]) else torch.zeros_like(gradient)

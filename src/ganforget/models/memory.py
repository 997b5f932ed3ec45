"""How many images go through a network at a time, so that big networks stay within a stated memory.

Measured on a CPU in float32, 256×256 with 16384 / resolution channels, per byte of one feature map of each resolution:
a pass without gradients holds 3.4 bytes (G) and 3.0 (D), a pass forward and back 11.3 and 8.7, a double backward pass
of D 24; 64×64 with 8192 / resolution channels 16 and 12 forward and back. Networks of a few dozen pixels fit whole.
"""

from typing import Any

import torch
from torch import Tensor

from ganforget.models.half_precision import runs_in_half
from ganforget.models.stylegan2 import Discriminator, Generator
from ganforget.shapes import Images, Latents

__all__ = ["inference_batch", "learning_batch", "synthesise"]

INFERENCE_BYTES = 2**30
"""Most bytes of feature maps in a pass without gradients."""

LEARNING_BYTES = 4 * 2**30
"""Most bytes of feature maps in a pass forward and back."""

_HELD_IN_INFERENCE = 3.5
_HELD_IN_LEARNING = 12.0


def inference_batch(network: Any, most: int) -> int:
    """Return how many images, at least 1 and at most ``most``, fit a pass without gradients through ``network``.

    What is neither a `Generator` nor a `Discriminator` is taken to be small.
    """
    if not isinstance(network, (Generator, Discriminator)):
        return most
    return max(1, min(most, int(INFERENCE_BYTES / (_HELD_IN_INFERENCE * _map_bytes(network)))))


def learning_batch(network: Generator | Discriminator) -> int:
    """Return how many images, at least 1, fit a pass forward and back: the micro-batch."""
    return max(1, int(LEARNING_BYTES / (_HELD_IN_LEARNING * _map_bytes(network))))


@torch.no_grad()
def synthesise(G: Generator, ws: Latents, most: int = 256) -> Images:
    """Return the images of ``ws`` without gradients, noise mode 'const', as many at a time as fit."""
    parts: list[Tensor] = [G.synthesis(part, noise_mode="const") for part in ws.split(inference_batch(G, most))]
    return parts[0] if len(parts) == 1 else torch.cat(parts)


def _map_bytes(network: Generator | Discriminator) -> int:
    """Return the bytes of one feature map of each resolution, of half as many where a block runs in half precision."""
    if isinstance(network, Generator):
        blocks = [network.synthesis.get_submodule(f"b{res}") for res in network.synthesis.block_resolutions]
        widths = [block.get_parameter("conv1.weight").shape[0] for block in blocks]
        resolutions = network.synthesis.block_resolutions
    else:
        blocks = [network.get_submodule(f"b{res}") for res in network.block_resolutions]
        widths = [block.get_parameter("conv0.weight").shape[0] for block in blocks]
        resolutions = network.block_resolutions
    device = next(network.parameters()).device
    sizes = [2 if runs_in_half(block, device) else 4 for block in blocks]
    return sum(size * width * res * res for size, width, res in zip(sizes, widths, resolutions, strict=True))

"""Affine resampling of images, differentiable any number of times.

``torch.nn.functional.grid_sample`` can be differentiated twice in torch 2.13, but not in older builds
("derivative for aten::grid_sampler_2d_backward is not implemented", reported up to 2.5 at least), and R1
through an augmented image needs it. So the four taps are gathered by index here, which has derivatives of
every order on every build and device.
"""

from typing import Literal

import torch
from torch import Tensor

__all__ = ["Padding", "warp"]

Padding = Literal["reflect", "black"]


def warp(images: Tensor, matrices: Tensor, padding: Padding = "reflect") -> Tensor:
    """Resample ``images`` [N, C, H, W] bilinearly where ``matrices`` [N, 3, 3] send each pixel of the result.

    Matrices act on pixels from the centre, (x, y, 1) with x to the right and y downwards. Beyond the border
    the image goes on mirrored at the centre of its last pixels, or is black (−1). The result is linear in the
    images up to that constant, exact where a pixel falls on a pixel, and differentiable any number of times.
    """
    count, channels, height, width = images.shape
    dtype = torch.promote_types(images.dtype, torch.float32)  # half precision cannot tell pixels apart
    matrices = matrices.to(dtype).to(images.device)
    centre_x, centre_y = (width - 1) / 2, (height - 1) / 2
    rows = torch.arange(height, device=images.device, dtype=dtype)[:, None] - centre_y
    columns = torch.arange(width, device=images.device, dtype=dtype)[None, :] - centre_x
    places = torch.stack([columns.expand(height, -1), rows.expand(-1, width), torch.ones_like(rows + columns)])
    x, y, _ = (matrices @ places.flatten(1)).unbind(1)  # [N, H·W]
    level = 0.0 if padding == "reflect" else -1.0
    flat = images.flatten(2) - level if level else images.flatten(2)
    result = torch.zeros_like(flat)
    for tap_x, weight_x in _taps(x + centre_x):
        for tap_y, weight_y in _taps(y + centre_y):
            weight = weight_x * weight_y
            if padding == "black":
                weight = weight * _inside(tap_x, width) * _inside(tap_y, height)
            index = _mirror(tap_y, height) * width + _mirror(tap_x, width)
            taken = flat.gather(2, index[:, None].expand(-1, channels, -1))
            result = result + taken * weight[:, None].to(images.dtype)
    return (result + level if level else result).reshape(count, channels, height, width)


def _taps(place: Tensor) -> list[tuple[Tensor, Tensor]]:
    """Return the pixels on both sides of ``place`` with their bilinear weights."""
    below = place.floor()
    fraction = place - below
    return [(below.long(), 1 - fraction), (below.long() + 1, fraction)]


def _mirror(index: Tensor, size: int) -> Tensor:
    """Fold any index into 0 … size − 1 by reflection at the first and the last pixel."""
    period = max(2 * (size - 1), 1)
    index = index.remainder(period)
    return torch.minimum(index, period - index) if size > 1 else torch.zeros_like(index)


def _inside(index: Tensor, size: int) -> Tensor:
    return (index >= 0) & (index < size)

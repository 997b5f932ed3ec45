"""Augmentation of what the discriminator sees, after Karras et al., "Training GANs with limited data" (2020).

Pixel blitting, general geometry and colour, in the paper's order and with its distributions (appendix B),
each transform drawn for each image with probability p. All geometry is one affine matrix and one resampling
an image, all colour one matrix. What differs from the paper: resampling is bilinear, without the orthogonal
wavelet low-pass, so a fractional shift blurs a little and a strong reduction aliases; filters and corruptions
of image space are left out, as they are in the paper's own default ("bgc").
"""

import math
from dataclasses import dataclass, fields
from typing import Literal

import torch
from torch import Tensor

from ganforget.errors import InputError
from ganforget.models.warp import Padding, warp

__all__ = ["AugmentConfig", "AugmentPipe", "AugmentPreset", "augment_preset"]

AugmentPreset = Literal["paper", "digits"]


@dataclass(frozen=True)
class AugmentConfig:
    """How strong each transform is where it is applied; 0 or False switches it off. Defaults: the paper's."""

    x_flip: bool = True
    """Mirror from left to right, in half of the draws."""

    rotate_90: bool = True
    """Turn by 0, 90, 180 or 270 degrees."""

    integer_translation: float = 0.125
    """Largest shift by whole pixels on each axis, as a share of the image's side."""

    scale: float = 0.2
    """Standard deviation of the zoom, in octaves."""

    rotation: float = 180.0
    """Largest angle of the rotations before and after the anisotropic scale, in degrees."""

    anisotropic_scale: float = 0.2
    """Standard deviation of the stretch (one axis longer, the other shorter), in octaves."""

    translation: float = 0.125
    """Standard deviation of the sub-pixel shift on each axis, as a share of the image's side."""

    brightness: float = 0.2
    """Standard deviation of what is added to every channel; images span [−1, 1]."""

    contrast: float = 0.5
    """Standard deviation of the gain, in octaves."""

    luma_flip: bool = True
    """Turn light into dark and keep the colour, in half of the draws."""

    hue: float = 180.0
    """Largest turn of the hue, in degrees; grey images have none."""

    saturation: float = 1.0
    """Standard deviation of the gain of the colour, in octaves; grey images have none."""

    padding: Padding = "reflect"
    """What lies beyond the border: the image mirrored there, or black (−1)."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name != "padding" and not (math.isfinite(value) and value >= 0):
                raise InputError(f"{field.name} is {value}; expected zero (off) or a positive number.")
        if self.padding not in ("reflect", "black"):
            raise InputError(f"padding is {self.padding!r}; expected 'reflect' or 'black'.")


def augment_preset(name: str) -> AugmentConfig:
    """Return the transforms called ``name``: "paper" for natural images, "digits" for handwriting on black.

    A digit is not symmetric: a mirrored 2 is no 2, and a 6 turned by 180 degrees is a 9. With few images such
    a transform leaks into what G makes, and under a label it teaches the wrong class. So "digits" neither
    mirrors nor turns by quarters, tilts by at most 10 degrees before and after the stretch, and keeps shifts
    and zooms small enough for strokes at the border to stay legible. Black lies beyond the border, where a
    mirrored stroke would pass for ink, and ink stays light on dark.
    """
    if name == "paper":
        return AugmentConfig()
    if name == "digits":
        return AugmentConfig(
            x_flip=False,
            rotate_90=False,
            integer_translation=0.125,
            scale=0.1,
            rotation=10.0,
            anisotropic_scale=0.1,
            translation=0.05,
            brightness=0.1,
            contrast=0.25,
            luma_flip=False,
            padding="black",
        )
    raise InputError(f"There is no augmentation preset {name!r}; expected 'paper' or 'digits'.")


class AugmentPipe:
    """Augments batches of images; differentiable twice with respect to the images, and without a state."""

    def __init__(self, config: AugmentConfig | None = None) -> None:
        self.config = config or AugmentConfig()

    def __call__(self, images: Tensor, p: float, generator: torch.Generator) -> Tensor:
        """Return ``images`` with each transform at probability p; p = 0 gives the images themselves.

        ``images`` are [N, C, side, side], float, about [−1, 1], C = 1 or 3; the result is not clamped. All
        random numbers come from ``generator``, on its device, the same count whatever the configuration. So
        image i sees the same transforms wherever the images are and (generator on the CPU) in any larger
        batch, a larger p transforms the same images and more, and switching one transform off changes no
        other. InputError for other shapes or another p.
        """
        if not 0 <= p <= 1:
            raise InputError(f"The augmentation probability is {p}; expected a number from 0 to 1.")
        if images.ndim != 4 or images.shape[1] not in (1, 3) or images.shape[2] != images.shape[3]:
            raise InputError(
                f"Images to augment have the shape {list(images.shape)}; expected [N, 1 or 3, side, side]."
            )
        if p == 0 or len(images) == 0:
            return images
        draws = _Draws(len(images), p, generator)
        if self._moves:
            matrices = sampling_matrices(draws, self.config, side=images.shape[3])
            images = warp(images, matrices, self.config.padding)
        if self._colours:
            images = recolour(images, colour_matrices(draws, self.config, channels=images.shape[1]))
        return images

    @property
    def _moves(self) -> bool:
        c = self.config
        shifts = c.integer_translation or c.translation
        return bool(c.x_flip or c.rotate_90 or shifts or c.scale or c.rotation or c.anisotropic_scale)

    @property
    def _colours(self) -> bool:
        c = self.config
        return bool(c.brightness or c.contrast or c.luma_flip or c.hue or c.saturation)


# ----------------------------------------------------------------------------
# Random parameters: for each image and transform one number that decides, and two that say how much.

_TRANSFORMS = (
    *("x_flip", "rotate_90", "integer_translation", "scale", "rotation_before", "anisotropic_scale"),
    *("rotation_after", "translation", "brightness", "contrast", "luma_flip", "hue", "saturation"),
)


class _Draws:
    """Uniform numbers [N, transforms, 3] of a batch; neutral parameters where a transform is off."""

    def __init__(self, count: int, p: float, generator: torch.Generator) -> None:
        shape = (count, len(_TRANSFORMS), 3)
        self.p = p
        self.numbers = torch.rand(shape, dtype=torch.float64, generator=generator, device=generator.device)

    def _take(self, name: str, p: float | None = None) -> tuple[Tensor, Tensor, Tensor]:
        gate, first, second = self.numbers[:, _TRANSFORMS.index(name)].unbind(1)
        return gate < (self.p if p is None else p), first, second

    def choice(self, name: str, options: int) -> Tensor:
        """Integers [N] from 0 to options − 1; 0 where not applied."""
        on, first, _ = self._take(name)
        return (first * options).floor() * on

    def uniform(self, name: str, limit: float, p: float | None = None) -> tuple[Tensor, Tensor]:
        """Two numbers [N] within ±limit; 0 where not applied."""
        on, first, second = self._take(name, p)
        return (2 * first - 1) * limit * on, (2 * second - 1) * limit * on

    def normal(self, name: str, deviation: float) -> tuple[Tensor, Tensor]:
        """Two normal numbers [N]; 0 where not applied."""
        on, first, second = self._take(name)
        x, y = (torch.special.ndtri(u.clamp(min=1e-12)) for u in (first, second))
        return x * deviation * on, y * deviation * on


# ----------------------------------------------------------------------------
# Geometry, in pixels from the image's centre: x to the right, y downwards.


def _affine(a: Tensor, b: Tensor, tx: Tensor, c: Tensor, d: Tensor, ty: Tensor) -> Tensor:
    zero, one = torch.zeros_like(a), torch.ones_like(a)
    return torch.stack([a, b, tx, c, d, ty, zero, zero, one], dim=1).reshape(-1, 3, 3)


def _scaling(x: Tensor, y: Tensor) -> Tensor:
    zero = torch.zeros_like(x)
    return _affine(x, zero, zero, zero, y, zero)


def _shift(x: Tensor, y: Tensor) -> Tensor:
    one, zero = torch.ones_like(x), torch.zeros_like(x)
    return _affine(one, zero, x, zero, one, y)


def _turn(cos: Tensor, sin: Tensor) -> Tensor:
    zero = torch.zeros_like(cos)
    return _affine(cos, -sin, zero, sin, cos, zero)


def sampling_matrices(draws: _Draws, config: AugmentConfig, *, side: int) -> Tensor:
    """Return for each image the matrix [N, 3, 3] from a place in the result to the place it is sampled from.

    That is the inverse of the transforms in their order: the product of their inverses in the same order.
    """
    steps: list[Tensor] = []
    if config.x_flip:
        sign = 1 - 2 * draws.choice("x_flip", 2)
        steps.append(_scaling(sign, torch.ones_like(sign)))
    if config.rotate_90:
        angle = draws.choice("rotate_90", 4) * (math.pi / 2)
        steps.append(_turn(angle.cos().round(), angle.sin().round()))
    if config.integer_translation:
        x, y = draws.uniform("integer_translation", config.integer_translation * side)
        steps.append(_shift(x.round(), y.round()))
    if config.scale:
        zoom = torch.exp2(draws.normal("scale", config.scale)[0])
        steps.append(_scaling(1 / zoom, 1 / zoom))
    p_turn = 1 - math.sqrt(1 - draws.p)  # so that at least one of the two turns happens with probability p
    if config.rotation:
        angle, _ = draws.uniform("rotation_before", math.radians(config.rotation), p_turn)
        steps.append(_turn(angle.cos(), angle.sin()))
    if config.anisotropic_scale:
        stretch = torch.exp2(draws.normal("anisotropic_scale", config.anisotropic_scale)[0])
        steps.append(_scaling(1 / stretch, stretch))
    if config.rotation:
        angle, _ = draws.uniform("rotation_after", math.radians(config.rotation), p_turn)
        steps.append(_turn(angle.cos(), angle.sin()))
    if config.translation:
        steps.append(_shift(*draws.normal("translation", config.translation * side)))
    product = steps[0]
    for step in steps[1:]:
        product = product @ step
    return product


# ----------------------------------------------------------------------------
# Colour: an affine map of each pixel. The luma axis is (1, 1, 1)/√3; a grey image has that axis alone.


def colour_matrices(draws: _Draws, config: AugmentConfig, *, channels: int) -> Tensor:
    """Return for each image the matrix [N, C, C + 1] that maps its pixels; the last column is added."""
    eye = torch.eye(channels, dtype=torch.float64, device=draws.numbers.device)
    luma = torch.full_like(eye, 1 / channels)  # projection on the luma axis, v·vᵀ
    gain = eye.expand(len(draws.numbers), -1, -1)
    offset = draws.normal("brightness", config.brightness)[0][:, None, None]  # [N, 1, 1]
    contrast = torch.exp2(draws.normal("contrast", config.contrast)[0])[:, None, None]
    gain, offset = contrast * gain, contrast * offset
    if config.luma_flip:
        flipped = draws.choice("luma_flip", 2)[:, None, None]
        gain, offset = (eye - 2 * luma * flipped) @ gain, offset * (1 - 2 * flipped)
    if channels == 3 and config.hue:
        gain = _hue_rotation(draws.uniform("hue", math.radians(config.hue))[0], eye, luma) @ gain
    if channels == 3 and config.saturation:
        colour = torch.exp2(draws.normal("saturation", config.saturation)[0])[:, None, None]
        gain = (colour * eye + (1 - colour) * luma) @ gain
    return torch.cat([gain, offset.expand(-1, channels, 1)], dim=2)


def _hue_rotation(angle: Tensor, eye: Tensor, luma: Tensor) -> Tensor:
    """Rotations [N, 3, 3] by ``angle`` [N] around the luma axis (Rodrigues' formula)."""
    cross = (eye.roll(-1, dims=1) - eye.roll(1, dims=1)) / math.sqrt(3)  # cross @ x = v × x
    cos, sin = angle.cos()[:, None, None], angle.sin()[:, None, None]
    return cos * eye + (1 - cos) * luma + sin * cross


def recolour(images: Tensor, matrices: Tensor) -> Tensor:
    """Map every pixel of ``images`` [N, C, H, W] by ``matrices`` [N, C, C + 1]."""
    matrices = matrices.to(images.dtype).to(images.device)
    mapped = matrices[:, :, :-1] @ images.flatten(2) + matrices[:, :, -1:]
    return mapped.reshape(images.shape)

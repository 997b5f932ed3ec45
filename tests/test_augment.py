"""ADA's augmentation: identities, transforms worked by hand, statistics, and two derivatives."""

import math

import pytest
import torch
from torch import Tensor

from ganforget.errors import InputError
from ganforget.models.augment import (
    AugmentConfig,
    AugmentPipe,
    augment_preset,
    colour_matrices,
    sampling_matrices,
)
from ganforget.models.augment import _Draws as Draws
from ganforget.models.warp import Padding
from ganforget.randomness import stream

NOTHING = AugmentConfig(False, False, 0, 0, 0, 0, 0, 0, 0, False, 0, 0)
STRENGTHS = {
    "x_flip": True,
    "rotate_90": True,
    "integer_translation": 0.125,
    "scale": 0.2,
    "rotation": 180.0,
    "anisotropic_scale": 0.2,
    "translation": 0.125,
    "brightness": 0.2,
    "contrast": 0.5,
    "luma_flip": True,
    "hue": 180.0,
    "saturation": 1.0,
}


def only(**strengths: float) -> AugmentConfig:
    return AugmentConfig(**{**dict.fromkeys(STRENGTHS, False), **strengths})  # type: ignore[arg-type]


def some_images(count: int, channels: int = 3, side: int = 8) -> Tensor:
    return torch.rand(count, channels, side, side, generator=stream(0, "images")) * 2 - 1


def augment(images: Tensor, config: AugmentConfig, p: float, seed: int = 0) -> Tensor:
    return AugmentPipe(config)(images, p, stream(seed, "augment"))


def changed(before: Tensor, after: Tensor) -> Tensor:
    return (before != after).flatten(1).any(dim=1)


# ----------------------------------------------------------------------------
# Identities.


def test_probability_zero_returns_the_very_images():
    images = some_images(4)
    assert augment(images, AugmentConfig(), 0.0) is images


def test_nothing_switched_on_changes_nothing():
    images = some_images(4)
    assert only() == NOTHING
    assert torch.equal(augment(images, NOTHING, 1.0), images)


@pytest.mark.parametrize("channels", [1, 3])
def test_images_that_are_not_chosen_stay_bit_equal(channels: int):
    images = some_images(200, channels)
    after = augment(images, AugmentConfig(), 0.02)
    share = changed(images, after).float().mean().item()
    assert 0.05 < share < 0.4  # 12 or so transforms at 2 % each: most images must come back untouched


# ----------------------------------------------------------------------------
# Known geometry.


def test_forced_mirror_gives_the_image_or_its_mirror_image():
    images = some_images(400)
    after = augment(images, only(x_flip=True), 1.0)
    flipped = changed(images, after)
    assert torch.equal(after, torch.where(flipped[:, None, None, None], images.flip(3), images))
    assert 0.4 < flipped.float().mean().item() < 0.6


def test_forced_quarter_turns_are_all_four():
    images = some_images(200)
    after = augment(images, only(rotate_90=True), 1.0)
    turns = torch.stack([images.rot90(k, (2, 3)) for k in range(4)])
    match = (turns == after).flatten(2).all(dim=2)  # [4, N]
    assert (match.sum(dim=0) == 1).all()
    assert (match.float().mean(dim=1) > 0.15).all()


def test_integer_translation_moves_whole_pixels_within_its_limit():
    images = some_images(1000, side=16)
    after = augment(images, only(integer_translation=0.125), 1.0)
    padded = torch.nn.functional.pad(images, (2, 2, 2, 2), mode="reflect")
    shifts = [(y, x) for y in range(5) for x in range(5)]
    options = torch.stack([padded[:, :, y : y + 16, x : x + 16] for y, x in shifts])
    match = (options == after).flatten(2).all(dim=2)  # [25, N]
    assert (match.sum(dim=0) == 1).all()
    assert match.any(dim=1).all()


def test_scale_enlarges_and_reduces_about_the_centre():
    ramp = torch.arange(-8.0, 9.0).expand(100, 1, 17, 17)  # x, in pixels from the centre
    after = augment(ramp, only(scale=0.2), 1.0)
    assert (after[:, 0, :, 8] == 0).all()
    zoom = 1 / after[:, 0, 8, 9]
    assert 0.15 < zoom.log2().std().item() < 0.25
    torch.testing.assert_close(after[:, 0, 8, 5:12], ramp[:, 0, 8, 5:12] / zoom[:, None])


def test_anisotropic_scale_keeps_the_area():
    x = torch.arange(-8.0, 9.0).expand(50, 17, 17)
    after = augment(torch.stack([x, x.mT, x], dim=1), only(anisotropic_scale=0.2), 1.0)
    product = after[:, 0, 8, 9] * after[:, 1, 9, 8]
    torch.testing.assert_close(product, torch.ones(50))


def test_rotation_keeps_the_distance_from_the_centre_and_its_limit():
    x = torch.arange(-8.0, 9.0).expand(200, 17, 17)
    after = augment(torch.stack([x, x.mT, x], dim=1), only(rotation=10.0), 1.0)
    place = after[:, :2, 8, 10]  # where (2, 0) is sampled from
    torch.testing.assert_close(place.norm(dim=1), torch.full((200,), 2.0))
    angle = torch.rad2deg(torch.atan2(place[:, 1], place[:, 0]))
    assert angle.abs().max().item() <= 20.0 + 1e-3  # before and after the stretch: twice ten
    assert angle.abs().max().item() > 12


def test_translation_is_a_share_of_the_side():
    x = torch.arange(-16.0, 17.0).expand(500, 1, 33, 33)
    after = augment(x, only(translation=0.05), 1.0)
    assert after[:, 0, 16, 16].std().item() == pytest.approx(0.05 * 33, rel=0.15)


# ----------------------------------------------------------------------------
# Probability and randomness.


@pytest.mark.parametrize("name", [n for n in STRENGTHS if n not in ("integer_translation",)])
@pytest.mark.parametrize("p", [0.2, 0.7])
def test_each_transform_is_applied_with_probability_p(name: str, p: float):
    images = some_images(2000, side=4)
    share = changed(images, augment(images, only(**{name: STRENGTHS[name]}), p)).float().mean().item()
    neutral = {"x_flip": 1 / 2, "luma_flip": 1 / 2, "rotate_90": 1 / 4}.get(name, 0.0)
    expected = p * (1 - neutral)  # one of the two or four draws leaves the image as it is
    assert share == pytest.approx(expected, abs=4 * math.sqrt(expected * (1 - expected) / 2000))


def test_the_same_stream_gives_the_same_images():
    images = some_images(16)
    first = augment(images, AugmentConfig(), 0.8)
    assert torch.equal(first, augment(images, AugmentConfig(), 0.8))
    assert not torch.equal(first, augment(images, AugmentConfig(), 0.8, seed=1))


def test_the_global_generator_is_neither_read_nor_moved():
    state = torch.random.get_rng_state()
    augment(some_images(4), AugmentConfig(), 1.0)
    assert torch.equal(state, torch.random.get_rng_state())


def test_an_image_does_not_depend_on_its_batch():
    images = some_images(33)
    whole = augment(images, AugmentConfig(), 0.8)
    for count in (1, 5, 20):
        part = augment(images[:count], AugmentConfig(), 0.8)
        torch.testing.assert_close(part, whole[:count], rtol=0, atol=1e-5)


def test_a_larger_p_changes_the_same_images_and_more():
    images = some_images(300)
    few = changed(images, augment(images, only(brightness=0.2, scale=0.2), 0.2))
    more = changed(images, augment(images, only(brightness=0.2, scale=0.2), 0.6))
    assert (few <= more).all()
    assert more.sum() > few.sum()


def test_one_transform_does_not_disturb_another():
    images = some_images(50)
    bright = augment(images, only(brightness=0.2), 0.5) - images
    both = augment(images, only(brightness=0.2, x_flip=True), 0.5)
    flipped = augment(images, only(x_flip=True), 0.5)
    torch.testing.assert_close(both, flipped + bright)


# ----------------------------------------------------------------------------
# Derivatives.


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("padding", ["reflect", "black"])
def test_first_and_second_derivative(channels: int, padding: Padding):
    images = some_images(2, channels, side=3).double().requires_grad_(True)
    config = AugmentConfig(padding=padding)

    def curved(x: Tensor) -> Tensor:
        return augment(x, config, 1.0).square()

    assert torch.autograd.gradcheck(curved, (images,))
    assert torch.autograd.gradgradcheck(curved, (images,))


def test_r1_through_the_augmentation_trains_the_discriminator():
    images = some_images(2).requires_grad_(True)
    weight = torch.randn(3 * 64, generator=stream(0, "weight")).requires_grad_(True)
    logits = (augment(images, AugmentConfig(), 1.0).flatten(1) @ weight).square()
    (gradient,) = torch.autograd.grad(logits.sum(), images, create_graph=True)
    (second,) = torch.autograd.grad(gradient.square().sum(), weight)
    assert second.isfinite().all()
    assert second.abs().sum() > 0


# ----------------------------------------------------------------------------
# Presets, kinds of images, bad input.


def test_the_digits_preset_keeps_digits_upright_and_light():
    config = augment_preset("digits")
    draws = Draws(1000, 1.0, stream(0, "digits"))
    moves = sampling_matrices(draws, config, side=16)
    assert (torch.linalg.det(moves) > 0).all()  # no mirror image
    tilt = torch.rad2deg(torch.atan2(moves[:, 1, 0], moves[:, 0, 0]))
    assert tilt.abs().max().item() < 30
    assert (colour_matrices(draws, config, channels=1)[:, 0, 0] > 0).all()


def test_presets_by_name():
    assert augment_preset("paper") == AugmentConfig()
    with pytest.raises(InputError, match="no augmentation preset 'bgcfnc'"):
        augment_preset("bgcfnc")


def test_half_precision_keeps_its_type():
    images = some_images(4, side=32).half()
    after = augment(images, AugmentConfig(), 1.0)
    assert after.dtype == torch.float16
    torch.testing.assert_close(after.float(), augment(images.float(), AugmentConfig(), 1.0), rtol=0, atol=0.02)


def test_an_empty_batch_stays_empty():
    assert augment(some_images(0), AugmentConfig(), 1.0).shape == (0, 3, 8, 8)


@pytest.mark.parametrize("p", [-0.1, 1.1, math.nan])
def test_a_p_that_is_no_probability(p: float):
    with pytest.raises(InputError, match="from 0 to 1"):
        augment(some_images(1), AugmentConfig(), p)


@pytest.mark.parametrize("shape", [(3, 8, 8), (1, 2, 8, 8), (1, 3, 8, 9)])
def test_images_of_another_shape(shape: tuple[int, ...]):
    with pytest.raises(InputError, match="shape"):
        augment(torch.zeros(shape), AugmentConfig(), 0.5)


def test_configurations_that_cannot_be():
    with pytest.raises(InputError, match=r"scale is -0\.1"):
        AugmentConfig(scale=-0.1)
    with pytest.raises(InputError, match="padding is 'zeros'"):
        AugmentConfig(padding="zeros")  # type: ignore[arg-type]

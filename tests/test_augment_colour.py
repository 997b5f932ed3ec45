"""Colour augmentation: its matrices against numbers worked by hand."""

import torch
from torch import Tensor

from ganforget.models.augment import AugmentConfig, colour_matrices, recolour
from ganforget.models.augment import _Draws as Draws
from ganforget.randomness import stream

NO_COLOUR = {"brightness": 0.0, "contrast": 0.0, "luma_flip": False, "hue": 0.0, "saturation": 0.0}


def only(**strengths: float) -> AugmentConfig:
    return AugmentConfig(**{**NO_COLOUR, **strengths})  # type: ignore[arg-type]


def one_matrix(config: AugmentConfig, channels: int = 3, **numbers: tuple[float, float]) -> Tensor:
    """The colour matrix for given uniform numbers, everything forced."""
    draws = Draws(1, 1.0, stream(0, "colour"))
    names = ("brightness", "contrast", "luma_flip", "hue", "saturation")
    for name in names:
        position = 8 + names.index(name)
        draws.numbers[0, position, 1:] = torch.tensor(numbers.get(name, (0.5, 0.5)), dtype=torch.float64)
    return colour_matrices(draws, config, channels=channels)[0]


ONE_SIGMA = (0.841344746068543, 0.5)  # the normal distribution's value of 1


def test_brightness_then_contrast_by_hand():
    m = one_matrix(only(brightness=0.2, contrast=1.0), brightness=ONE_SIGMA, contrast=ONE_SIGMA)
    expected = torch.tensor([[2, 0, 0, 0.4], [0, 2, 0, 0.4], [0, 0, 2, 0.4]], dtype=torch.float64)
    torch.testing.assert_close(m, expected)


def test_luma_flip_by_hand():
    m = one_matrix(only(luma_flip=True, brightness=0.2), luma_flip=(0.9, 0.5), brightness=ONE_SIGMA)
    third = 1 / 3
    expected = torch.tensor([[third, -2 * third, -2 * third], [-2 * third, third, -2 * third], [0, 0, 0]])
    expected[2] = torch.tensor([-2 * third, -2 * third, third])
    torch.testing.assert_close(m[:, :3], expected.double())
    torch.testing.assert_close(m[:, 3], torch.full((3,), -0.2, dtype=torch.float64))


def test_a_third_of_a_hue_turn_permutes_the_channels():
    m = one_matrix(only(hue=120.0), hue=(1.0, 0.5))[:, :3]
    red = m @ torch.tensor([1.0, 0, 0], dtype=torch.float64)
    torch.testing.assert_close(red, torch.tensor([0.0, 1, 0], dtype=torch.float64))
    torch.testing.assert_close(torch.linalg.det(m), torch.tensor(1.0, dtype=torch.float64))


def test_saturation_by_hand():
    m = one_matrix(only(saturation=1.0), saturation=ONE_SIGMA)[:, :3]
    colour, grey = torch.tensor([1.0, -1, 0]).double(), torch.tensor([0.3, 0.3, 0.3]).double()
    torch.testing.assert_close(m @ colour, 2 * colour)
    torch.testing.assert_close(m @ grey, grey)


def test_grey_images_know_brightness_contrast_and_luma_alone():
    config = AugmentConfig(brightness=0.2, contrast=1.0, luma_flip=True, hue=120, saturation=1.0)
    bright = {"brightness": ONE_SIGMA, "contrast": ONE_SIGMA}
    extreme = {"hue": (1.0, 0.5), "saturation": ONE_SIGMA}
    m = one_matrix(config, 1, **bright, **extreme, luma_flip=(0.0, 0.5))
    torch.testing.assert_close(m, torch.tensor([[2.0, 0.4]]).double())
    m = one_matrix(config, 1, **bright, **extreme, luma_flip=(0.9, 0.5))
    torch.testing.assert_close(m, torch.tensor([[-2.0, -0.4]]).double())


def test_recolour_maps_every_pixel():
    images = torch.rand(2, 3, 8, 8, generator=stream(0, "images")) * 2 - 1
    m = torch.randn(2, 3, 4, generator=stream(1, "matrix"))
    after = recolour(images, m)
    expected = m[1, :, :3] @ images[1, :, 5, 2] + m[1, :, 3]
    torch.testing.assert_close(after[1, :, 5, 2], expected)

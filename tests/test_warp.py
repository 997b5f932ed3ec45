"""Affine resampling: transforms worked by hand, borders, and torch's own sampler where that agrees."""

import numpy as np
import pytest
import torch
from torch import Tensor

from ganforget.models.warp import Padding, warp
from ganforget.randomness import stream


def some_images(count: int, side: int = 8) -> Tensor:
    return torch.rand(count, 3, side, side, generator=stream(0, "images")) * 2 - 1


def matrix(*rows: list[float]) -> Tensor:
    return torch.tensor([*rows, [0.0, 0.0, 1.0]])[None]


@pytest.mark.parametrize("padding", ["reflect", "black"])
@pytest.mark.parametrize("side", [1, 2, 7, 8])
def test_the_identity_matrix_is_exact(padding: Padding, side: int):
    images = some_images(2, side=side)
    identity = torch.eye(3).expand(2, 3, 3)
    torch.testing.assert_close(warp(images, identity, padding), images, rtol=0, atol=1e-7)


def test_warp_mirrors_turns_and_shifts_exactly():
    images = some_images(1)
    assert torch.equal(warp(images, matrix([-1, 0, 0], [0, 1, 0])), images.flip(3))
    assert torch.equal(warp(images, matrix([0, -1, 0], [1, 0, 0])), images.rot90(1, (2, 3)))
    shifted = warp(images, matrix([1, 0, -2], [0, 1, 1]))  # two pixels to the right, one up
    padded = np.pad(images.numpy(), ((0, 0), (0, 0), (2, 2), (2, 2)), mode="reflect")
    assert np.array_equal(shifted.numpy(), padded[:, :, 3:11, 0:8])
    assert torch.equal(shifted[:, :, :7, 2:], images.roll((-1, 2), dims=(2, 3))[:, :, :7, 2:])


def test_black_padding_lies_beyond_the_border():
    images = some_images(1)
    shifted = warp(images, matrix([1, 0, -2], [0, 1, 0]), "black")
    assert (shifted[..., :2] == -1).all()
    torch.testing.assert_close(shifted[..., 2:], images[..., :-2], rtol=0, atol=1e-6)


def test_half_a_pixel_is_the_mean_of_two():
    images = some_images(1)
    shifted = warp(images, matrix([1, 0, 0.5], [0, 1, 0]))
    torch.testing.assert_close(shifted[..., :-1], (images[..., :-1] + images[..., 1:]) / 2)


def test_reflection_far_outside_folds_more_than_once():
    images = torch.arange(4.0).reshape(1, 1, 1, 4).expand(1, 1, 4, 4)
    row = warp(images, matrix([1, 0, 7], [0, 1, 0]))[0, 0, 0]
    assert row.tolist() == np.pad(np.arange(4), (0, 12), mode="reflect")[7:11].tolist()


def test_warp_agrees_with_grid_sample_inside():
    images = some_images(3, side=9)
    matrices = torch.eye(3).repeat(3, 1, 1)
    matrices[:, :2, :2] = torch.tensor([[0.5, 0.2], [-0.3, 0.4]])  # everything is sampled inside the image
    matrices[:, :2, 2] = torch.tensor([[0.0, 0.0], [0.7, -0.4], [-0.3, 0.1]])
    theta = matrices[:, :2].clone()
    theta[:, :, 2] *= 2 / 9  # its coordinates run from −1 to 1
    grid = torch.nn.functional.affine_grid(theta, [3, 3, 9, 9], align_corners=False)
    expected = torch.nn.functional.grid_sample(images, grid, align_corners=False)
    torch.testing.assert_close(warp(images, matrices), expected, rtol=0, atol=1e-5)

"""Where images lie in W."""

import numpy as np
import pytest
import torch

from ganforget.models.latents import LatentStatistics, latent_statistics, map_latents
from ganforget.randomness import sample_latents
from small_gan import randn, small_gan, some_labels


def test_means_and_spread_are_those_of_the_mapping():
    G = small_gan().G
    found = latent_statistics(G, seed=4, samples=50)
    z = sample_latents(4, "latent_statistics", range(50), 8)
    rows = torch.stack([G.mapping(z, torch.eye(3)[[y] * 50])[:, 0] for y in range(3)])  # [classes, samples, w_dim]
    assert torch.allclose(found.means, rows.mean(1), atol=1e-6)
    assert found.std == pytest.approx(float((rows - rows.mean(1, keepdim=True)).square().mean().sqrt()), rel=1e-5)


def test_without_labels_there_is_one_mean():
    G = small_gan(c_dim=0).G
    found = latent_statistics(G, seed=0, samples=50)
    assert found.means.shape == (1, 8)
    z = sample_latents(0, "latent_statistics", range(50), 8)
    assert torch.allclose(found.means[0], G.mapping(z, None)[:, 0].mean(0), atol=1e-6)
    assert torch.equal(found.mean_of(None, 5), found.means.expand(5, 8))


def test_each_image_gets_the_mean_of_its_class():
    means = randn(3, 8)
    found = LatentStatistics(means, 1.0).mean_of(torch.tensor([2, 0, 2]), 3)
    assert torch.equal(found, means[[2, 0, 2]])


def test_latents_are_mapped_with_their_labels():
    G = small_gan().G
    z = randn(4, 8)
    assert torch.equal(map_latents(G, z, np.array([0, 1, 2, 0])), G.mapping(z, some_labels(4)))
    plain = small_gan(c_dim=0).G
    assert torch.equal(map_latents(plain, z, None), plain.mapping(z, None))

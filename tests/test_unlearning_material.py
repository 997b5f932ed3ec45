"""Latents with their means, substitutes and anchors."""

import numpy as np
import pytest
import torch
from torch import Tensor

from ganforget.models.gan import Gan
from ganforget.models.latents import latent_statistics
from ganforget.options import SubstituteName
from ganforget.substitute import average, other_class, projection, truncation
from ganforget.unlearning.material import (
    ForgetLatents,
    anchor_pool,
    fix_images,
    forget_latents,
    substitute_images,
    substitute_latents,
)
from ganforget.work import Work
from small_gan import randn, small_cascade, small_gan, some_labels


def test_anchors_are_samples_of_the_original_with_the_labels_that_remain():
    gan, work = small_gan(), Work()
    pool = anchor_pool(gan, np.array([0, 2]), 300, seed=0, work=work)
    assert work == Work(g_forward=300, d_forward=300)
    assert pool.ws is not None
    assert pool.c is not None
    assert len(pool) == 300
    assert torch.allclose(gan.G.synthesis(pool.ws[250:], noise_mode="const"), pool.images[250:], atol=1e-5)
    counts = pool.c.sum(0).tolist()
    assert counts[1] == 0
    assert min(counts[0], counts[2]) > 100
    again = anchor_pool(gan, np.array([0, 2]), 20, seed=0, work=work)
    assert torch.equal(again.ws, pool.ws[:20]) if again.ws is not None else False
    assert not torch.equal(anchor_pool(gan, np.array([0, 2]), 20, seed=1, work=work).images[:], again.images[:])


def test_anchors_of_a_gan_without_labels():
    pool = anchor_pool(small_gan(c_dim=0), np.array([]), 5, seed=0, work=Work())
    assert pool.c is None
    assert pool.images.shape == (5, 1, 8, 8)


@pytest.mark.parametrize("architecture", ["orig", "skip"])
def test_fixed_images_carry_what_the_original_sees(architecture: str):
    D = small_gan(D=architecture).D
    images, c, work = randn(300, 1, 8, 8), some_labels(300), Work()
    fixed = fix_images(D, images, c, work)
    features, rest = D.trunk(images[:4])
    assert work == Work(d_forward=300)
    found = fixed.trunk(torch.arange(4))
    assert torch.allclose(found[0], features, atol=1e-5)
    assert (found[1] is None) == (rest is None)
    assert found[1] is None or rest is None or torch.allclose(found[1], rest, atol=1e-5)
    assert len(fixed.features) == 300


def collect(gan: Gan, ws: Tensor, labels: list[int] | None, classes: tuple[int, ...], mapped: int) -> ForgetLatents:
    name = "other-class" if classes else "truncation"
    statistics = latent_statistics(gan.G, seed=0, samples=32)
    given = None if labels is None else np.array(labels)
    return forget_latents(gan.G, ws, given, statistics, name=name, classes=classes, mapped=mapped, seed=0, work=Work())


def test_an_items_mean_is_that_of_its_class():
    gan = small_gan()
    ws = randn(4, gan.G.num_ws, 8)
    latents = collect(gan, ws, [2, 0, 1, 2], (), 99)
    assert latents.inverted == 4
    assert torch.equal(latents.ws, ws), "items get no mapped latents"
    assert torch.equal(latents.means, latents.class_means[[2, 0, 1, 2]])
    assert not latents.forbidden.any()


def test_an_items_mean_is_the_global_one_without_labels():
    gan = small_gan(c_dim=0)
    latents = collect(gan, randn(4, gan.G.num_ws, 8), None, (), 0)
    assert torch.equal(latents.means, latents.class_means.expand(4, 8))
    assert latents.labels is None


def test_mapped_latents_join_those_of_a_class():
    gan = small_gan()
    ws = randn(3, gan.G.num_ws, 8)
    latents = collect(gan, ws, [0, 2, 2], (0, 2), 5)
    assert latents.inverted == 3
    assert torch.equal(latents.ws[:3], ws)
    assert latents.labels is not None
    assert latents.labels.tolist() == [0, 2, 2, 0, 2, 0, 2, 0]
    assert torch.equal(latents.means, latents.class_means[latents.labels])
    assert latents.forbidden.tolist() == [True, False, True]
    mapped = latents.ws[3:]
    assert torch.equal(mapped, mapped[:, :1].expand_as(mapped)), "the mapping network gives one w for all layers"


@pytest.mark.parametrize("name", ["average", "truncation", "projection"])
@pytest.mark.parametrize("lam", [0.0, 0.4, 1.0])
def test_substitutes_are_images_of_the_original(name: SubstituteName, lam: float):
    """Those at the end of the schedule are made once; others when they are asked for, which counts as work."""
    cascade = small_cascade(substitute=name, count=6)
    latents, G_0, work = cascade.latents, cascade.original.G, Work()
    chosen = torch.tensor([5, 1, 1])
    ws_hat = substitute_latents(latents, chosen, name, lam)
    found = substitute_images(G_0, latents, chosen, name, lam, work)
    assert torch.allclose(found, G_0.synthesis(ws_hat, noise_mode="const"), atol=1e-5)
    assert work == Work(g_forward=0 if lam == 0 or name == "average" else 3)


@pytest.mark.parametrize("name", ["average", "truncation", "projection"])
def test_a_substitute_by_name(name: SubstituteName):
    latents = small_cascade(count=6).latents
    chosen = torch.tensor([4, 0, 4])
    w_0, mean = latents.ws[chosen], latents.means[chosen]
    expected = {
        "average": average(w_0, mean),
        "truncation": truncation(w_0, mean, 0.3),
        "projection": projection(w_0, mean, 0.3),
    }
    assert torch.equal(substitute_latents(latents, chosen, name, 0.3), expected[name])


def test_another_class_takes_a_forgotten_one_s_place():
    latents = small_cascade(classes=(1,), substitute="other-class", count=6).latents
    chosen = torch.arange(12)
    found = substitute_latents(latents, chosen, "other-class", 0.3)
    assert latents.labels is not None
    assert torch.equal(found, other_class(latents.ws, latents.class_means, latents.labels, latents.forbidden))
    for w_hat in found[:, 0]:
        assert any(torch.equal(w_hat, latents.class_means[y]) for y in (0, 2))

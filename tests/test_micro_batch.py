"""Micro-batches give what the whole batch gives, also through minibatch stddev and for R1's double backward."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ganforget.models import micro_batch
from ganforget.models.micro_batch import r1_in_parts, score_in_parts, synthesise_in_parts
from ganforget.training.losses import d_loss, r1_penalty
from small_gan import randn, small_gan, some_labels


def gradients(network: nn.Module, value: Tensor) -> dict[str, Tensor]:
    named = dict(network.named_parameters())
    found = torch.autograd.grad(value, list(named.values()), allow_unused=True)
    return {name: torch.zeros_like(p) if g is None else g for (name, p), g in zip(named.items(), found, strict=True)}


def assert_close(ours: dict[str, Tensor], theirs: dict[str, Tensor]) -> None:
    largest = max(float(g.abs().max()) for g in theirs.values())
    for name, gradient in theirs.items():
        assert float((ours[name] - gradient).abs().max()) <= 2e-6 * largest + 2e-5 * float(gradient.abs().max()), name


NETWORKS = [
    {"D": "orig"},
    {"D": "resnet", "group": 2},
    {"D": "skip", "channels": 3},
    {"D": "resnet", "c_dim": 0, "group": None},
    {"D": "skip", "mbstd": 0, "c_dim": 0},
    {"D": "resnet", "resolution": 16, "mbstd": 2},
]


@pytest.mark.parametrize("networks", NETWORKS, ids=str)
@pytest.mark.parametrize("size", [1, 3])
def test_r1_and_its_gradient(networks: dict[str, Any], size: int):
    D = small_gan(**networks).D.requires_grad_(True)
    images, c = randn(8, D.img_channels, D.img_resolution, D.img_resolution), some_labels(8, D.c_dim)
    real = images.clone().requires_grad_(True)
    whole = r1_penalty(D(real, c), real).mean()
    parts = r1_in_parts(D, images, c, size)
    assert parts.item() == pytest.approx(whole.item(), rel=1e-5)
    assert_close(gradients(D, parts), gradients(D, whole))
    assert all(p.grad is None for p in D.parameters())


@pytest.mark.parametrize("networks", NETWORKS, ids=str)
def test_scores_and_their_gradients(networks: dict[str, Any]):
    """Also to the images, as G's losses need it."""
    D = small_gan(**networks).D.requires_grad_(True)
    images = randn(8, D.img_channels, D.img_resolution, D.img_resolution).requires_grad_(True)
    c = some_labels(8, D.c_dim)
    whole, parts = D(images, c), score_in_parts(D, images, c, 3)
    assert torch.allclose(whole, parts, atol=1e-5)
    losses = [d_loss(logits[:4], logits[4:]) for logits in (whole, parts)]
    found = [torch.autograd.grad(loss, images, retain_graph=True)[0] for loss in losses]
    assert torch.allclose(found[0], found[1], atol=1e-6)
    assert_close(gradients(D, losses[1]), gradients(D, losses[0]))


@pytest.mark.parametrize("architecture", ["skip", "resnet", "orig"])
def test_images_and_their_gradients(architecture: str):
    G = small_gan(G=architecture).G.requires_grad_(True)
    ws = randn(7, G.num_ws, G.w_dim)
    whole, parts = G.synthesis(ws, noise_mode="const"), synthesise_in_parts(G, ws, 2)
    assert torch.allclose(whole, parts, atol=1e-5)
    target = randn(*whole.shape, seed=1)
    ours, theirs = (gradients(G, (images - target).square().mean()) for images in (parts, whole))
    assert_close(ours, theirs)


def test_no_more_images_than_asked_for_go_through_at_once(monkeypatch: pytest.MonkeyPatch):
    gan = small_gan()
    seen: list[int] = []
    gan.D.get_submodule("b8").register_forward_hook(lambda _m, _i, out: seen.append(len(out[0])))
    gan.G.synthesis.get_submodule("b8").register_forward_hook(lambda _m, _i, out: seen.append(len(out[0])))
    gan.D.requires_grad_(True)
    gan.G.requires_grad_(True)
    images = synthesise_in_parts(gan.G, randn(8, gan.G.num_ws, 8), 2)
    score_in_parts(gan.D, images, some_labels(8), 2).sum().backward()
    r1_in_parts(gan.D, images, some_labels(8), 2)
    assert set(seen) == {2}


def test_a_whole_batch_takes_the_plain_way(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(micro_batch, "checkpoint", None)
    gan = small_gan()
    images = synthesise_in_parts(gan.G, randn(4, gan.G.num_ws, 8), 4)
    assert torch.equal(score_in_parts(gan.D, images, some_labels(4), 4), gan.D(images, some_labels(4)))

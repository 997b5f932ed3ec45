"""Anchors turned away from forgotten images, against a slow count."""

import math
from dataclasses import replace
from typing import cast

import numpy as np
import pytest
import torch

from ganforget.data import ImageDataset
from ganforget.models.pictures import DrawnPictures, LoadedPictures
from ganforget.unlearning import turned
from ganforget.unlearning.default_preset import default_step
from ganforget.unlearning.material import Fixed
from ganforget.unlearning.state import new_cascade
from ganforget.unlearning.turned import TurnedPictures, turned_away
from ganforget.work import Work
from small_gan import randn, small_cascade, small_gan
from test_unlearning_presets import NOWHERE


def fixed(images: torch.Tensor, labels: list[int] | None) -> Fixed:
    c = None if labels is None else torch.eye(3)[labels]
    return Fixed(images, c, torch.empty(len(images), 1, 4, 4), 0)


def slow(anchors: torch.Tensor, labels: list[int], forget: torch.Tensor, of: list[int], nearest: int) -> torch.Tensor:
    """Image by image: each anchor among the nearest of an image of its label moves away from its nearest such image."""
    targets, best = anchors.clone(), dict[int, tuple[float, int]]()
    for i, image in enumerate(forget):
        own = [j for j in range(len(anchors)) if labels[j] == of[i]]
        for j in sorted(own, key=lambda j: float((anchors[j] - image).norm()))[:nearest]:
            best[j] = min(best.get(j, (float("inf"), -1)), (float((anchors[j] - image).norm()), i))
    for j in sorted(best, key=lambda j: best[j][0])[: len(anchors) // 4]:
        targets[j] = anchors[j] + 0.2 * (anchors[j] - forget[best[j][1]])
    return targets


@pytest.mark.parametrize(("count", "forgotten"), [(200, 2), (40, 5)])
def test_the_nearest_anchors_move_away(count: int, forgotten: int):
    """Of many anchors twenty for each image; of few a fourth in all."""
    anchors, forget = randn(count, 1, 8, 8, seed=1), randn(forgotten, 1, 8, 8, seed=2)
    labels, of = [j % 3 for j in range(count)], [i % 3 for i in range(forgotten)]
    targets = turned_away(fixed(anchors, labels), fixed(forget, of))
    assert isinstance(targets, torch.Tensor)
    assert torch.allclose(targets, slow(anchors, labels, forget, of, 20), atol=1e-6)
    moved = (targets != anchors).flatten(1).any(dim=1)
    assert int(moved.sum()) == min(20 * forgotten, count // 4)


def test_without_labels_all_anchors_may_move():
    anchors, forget = randn(100, 1, 8, 8, seed=1), randn(1, 1, 8, 8, seed=2)
    targets = turned_away(fixed(anchors, None), fixed(forget, None))
    assert isinstance(targets, torch.Tensor)
    assert torch.allclose(targets, slow(anchors, [0] * 100, forget, [0], 20), atol=1e-6)


def test_a_label_without_anchors_moves_none():
    anchors = randn(12, 1, 8, 8, seed=1)
    targets = turned_away(fixed(anchors, [0] * 12), fixed(randn(2, 1, 8, 8, seed=2), [1, 2]))
    assert torch.equal(cast(torch.Tensor, targets), anchors)


def test_what_is_drawn_when_it_is_asked_for_is_turned_alike(monkeypatch: pytest.MonkeyPatch):
    """Of a big network: a few at a time, in any order, and given images that are loaded when they are asked for."""
    gan = small_gan(c_dim=3)
    drawn = DrawnPictures(gan.G, randn(40, gan.G.num_ws, gan.G.w_dim, seed=1), Work())
    labels, of = [j % 3 for j in range(40)], [0, 1]
    pixels = np.random.default_rng(0).integers(0, 256, (2, *drawn.shape[1:]), dtype=np.uint8)
    loaded = LoadedPictures(ImageDataset(pixels, None, 0, ("a", "b")), "cpu")
    kept = turned_away(fixed(drawn[:], labels), fixed(loaded[:], of))
    monkeypatch.setattr(turned, "_AT_ONCE", 7 * math.prod(drawn.shape[1:]))
    asked = turned_away(replace(fixed(drawn[:], labels), images=drawn), replace(fixed(loaded[:], of), images=loaded))
    assert isinstance(asked, TurnedPictures)
    rows = torch.tensor([5, 39, 0, 5])
    assert not torch.equal(asked[torch.arange(40)], drawn[:])
    assert torch.allclose(asked[torch.arange(40)], cast(torch.Tensor, kept), atol=1e-6)
    assert torch.equal(asked[rows], asked[torch.arange(40)][rows])


def test_large_images_are_compared_in_small_and_loaded_once(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(turned, "_COMPARED_SIZE", 4)
    monkeypatch.setattr(turned, "_AT_ONCE", 5 * 64)
    anchors, forget = randn(40, 1, 8, 8, seed=1), randn(12, 1, 8, 8, seed=2)
    asked: list[int] = []

    class Loaded:
        shape = forget.shape

        def __len__(self) -> int:
            return len(forget)

        def __getitem__(self, rows: torch.Tensor) -> torch.Tensor:
            asked.extend(rows.tolist())
            return forget[rows]

    found = turned._distances(cast(LoadedPictures, Loaded()), anchors)
    assert asked == list(range(12))
    shown, others = (torch.nn.functional.avg_pool2d(images, 2).flatten(1) for images in (forget, anchors))
    assert torch.allclose(found, torch.cdist(shown, others), atol=1e-5)


def test_g_is_held_to_the_turned_images():
    """At the first step G is G_0, so that the anchors' loss is what they were turned by; D's part does not change."""
    found = []
    for by in (0.0, 0.5):
        cascade = small_cascade()
        cascade.anchor_images = cascade.anchors.images[:] + by
        found.append(default_step(cascade, new_cascade(cascade.original, cascade.config), NOWHERE))
    assert found[0]["anchor"] == pytest.approx(0, abs=1e-8)
    assert found[1]["anchor"] == pytest.approx(cascade.config.anchor * 0.25, rel=1e-5)
    assert found[1]["d_unlearning"] == found[0]["d_unlearning"]

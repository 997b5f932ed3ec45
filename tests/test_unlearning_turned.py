"""Anchors turned away from forgotten images, against a slow count."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch

from ganforget.unlearning.default_preset import default_step
from ganforget.unlearning.material import Fixed
from ganforget.unlearning.state import new_cascade
from ganforget.unlearning.turned import turned_away
from small_gan import randn, small_cascade
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


def test_what_is_not_in_memory_stays():
    drawn: Any = SimpleNamespace()
    anchors = replace(fixed(randn(12, 1, 8, 8), [0] * 12), images=drawn)
    assert turned_away(anchors, fixed(randn(2, 1, 8, 8), [0, 0])) is drawn


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

"""A score belongs to its image: not to its batch, its place, or its neighbours."""

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ganforget.models.scoring import Companions, companion_count, scores
from small_gan import randn, small_gan, some_labels

IMAGES, COMPANIONS = randn(10, 1, 8, 8, seed=1), Companions(randn(4, 1, 8, 8, seed=2))
KINDS: list[dict[str, Any]] = [
    {},
    {"D": "skip"},
    {"D": "resnet"},
    {"c_dim": 0},
    {"group": None},
    {"group": 2},
    {"group": 1},
    {"mbstd": 0},
    {"mbstd": 2},
]
every_kind = pytest.mark.parametrize("networks", KINDS, ids=str)


@every_kind
@pytest.mark.parametrize("batch_size", [1, 3, 10, 256])
def test_the_batch_size_does_not_matter(networks: dict[str, Any], batch_size: int):
    D = small_gan(**networks).D
    c = some_labels(10, D.c_dim)
    whole = scores(D, IMAGES, c, COMPANIONS)
    assert whole.shape == (10,)
    assert torch.allclose(scores(D, IMAGES, c, COMPANIONS, batch_size=batch_size), whole, atol=1e-5)


@every_kind
@settings(max_examples=15)
@given(chosen=st.lists(st.integers(0, 9), min_size=1, max_size=12))
def test_neither_order_nor_company_matters(networks: dict[str, Any], chosen: list[int]):
    """Any selection of the images, in any order and with repeats, gives each image its own score."""
    D = small_gan(**networks).D
    c = some_labels(10, D.c_dim)
    alone = torch.cat(
        [scores(D, IMAGES[i : i + 1], None if c is None else c[i : i + 1], COMPANIONS) for i in range(10)]
    )
    found = scores(D, IMAGES[chosen], None if c is None else c[chosen], COMPANIONS, batch_size=5)
    assert torch.allclose(found, alone[chosen], atol=1e-5)


@pytest.mark.parametrize("networks", [{}, {"D": "skip"}, {"D": "resnet"}, {"c_dim": 0}, {"group": None}, {"group": 2}])
def test_a_score_is_that_of_a_whole_group(networks: dict[str, Any]):
    """By the slow way: image and companions through D as one batch, all with the image's label."""
    D = small_gan(**networks).D
    count, c = companion_count(D), some_labels(10, D.c_dim)
    found = scores(D, IMAGES, c, COMPANIONS)
    for i in range(10):
        group = torch.cat([IMAGES[i : i + 1], COMPANIONS.images[:count]])
        labels = None if c is None else c[i : i + 1].repeat(count + 1, 1)
        assert float(found[i]) == pytest.approx(float(D(group, labels)[0]), abs=1e-5)


def test_a_plain_batch_mixes_scores():
    """What the companions are for: without them a score depends on who else is there."""
    D, c = small_gan().D, some_labels(8)
    assert not torch.allclose(D(IMAGES[:8], c)[:, 0], scores(D, IMAGES[:8], c, COMPANIONS), atol=1e-3)
    assert not torch.allclose(D(IMAGES[:8], c)[:4], D(IMAGES[:8].flip(2), c)[4:], atol=1e-3)


def test_without_minibatch_statistics_a_score_is_the_logit():
    D, c = small_gan(mbstd=0).D, some_labels(10)
    assert companion_count(D) == 0
    assert torch.allclose(scores(D, IMAGES, c, Companions(torch.empty(0, 1, 8, 8))), D(IMAGES, c)[:, 0], atol=1e-5)


@pytest.mark.parametrize(("networks", "count"), [({}, 3), ({"group": 2}, 1), ({"group": 1}, 0), ({"group": None}, 3)])
def test_companions_fill_a_group(networks: dict[str, Any], count: int):
    D = small_gan(**networks).D
    assert companion_count(D) == count
    if count:
        with pytest.raises(ValueError, match=f"needs {count}"):
            scores(D, IMAGES, some_labels(10), Companions(IMAGES[: count - 1]))


def test_more_companions_than_needed_change_nothing():
    D, c = small_gan().D, some_labels(10)
    assert torch.equal(scores(D, IMAGES, c, COMPANIONS), scores(D, IMAGES, c, Companions(COMPANIONS.images[:3])))


def test_no_images_have_no_scores():
    assert scores(small_gan().D, IMAGES[:0], some_labels(0), COMPANIONS).shape == (0,)


def test_scoring_leaves_no_gradient():
    D = small_gan().D.requires_grad_(True)
    assert not scores(D, IMAGES, some_labels(10), COMPANIONS).requires_grad

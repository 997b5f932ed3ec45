"""Which images and latents a step sees."""

from collections import Counter

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ganforget.unlearning.batches import cyclic, forget_count, head_logits, latent_batch, latent_count, rows_of
from small_gan import CPU, small_cascade, small_gan


@given(total=st.integers(1, 20), count=st.integers(0, 30), steps=st.integers(1, 6))
def test_batches_go_through_everything_in_turn(total: int, count: int, steps: int):
    """However large the batch: nobody is seen a second time more than anybody else."""
    seen = [int(row) for step in range(steps) for row in cyclic(total, count, 0, "forget", step, CPU)]
    assert len(seen) == count * steps
    for start in range(0, len(seen), total):
        part = seen[start : start + total]
        assert len(set(part)) == len(part)
        assert set(part) <= set(range(total))


def test_a_batch_is_its_step_alone():
    assert torch.equal(cyclic(9, 4, 3, "held", 5, CPU), cyclic(9, 4, 3, "held", 5, CPU))
    orders = [
        cyclic(9, 9, seed, name, step, CPU).tolist()
        for seed, name, step in ((0, "a", 0), (0, "b", 0), (7, "a", 0), (0, "a", 1))
    ]
    assert len({tuple(order) for order in orders}) == 4


@pytest.mark.parametrize(
    ("images", "batch_size", "group", "count"),
    [(1, 64, 4, 4), (3, 64, 4, 4), (5, 64, 4, 8), (100, 64, 4, 64), (100, 6, 4, 8), (1, 64, None, 1), (7, 64, 2, 8)],
)
def test_batches_are_whole_groups(images: int, batch_size: int, group: int | None, count: int):
    cascade = small_cascade(small_gan(group=group), count=images, batch_size=batch_size)
    assert forget_count(cascade) == count


@pytest.mark.parametrize(("images", "most", "count"), [(1, 4, 4), (8, 20, 8), (64, 20, 20), (64, None, 16)])
def test_a_step_of_g_takes_no_groups(images: int, most: int | None, count: int):
    """Official networks for CIFAR-10 have groups of 32, which G's step never sees."""
    assert latent_count(small_cascade(small_gan(group=32), count=images, batch_size=16), most) == count


def test_without_minibatch_statistics_any_number_will_do():
    assert forget_count(small_cascade(small_gan(mbstd=0), count=3)) == 3


def test_items_use_inverted_latents_alone():
    cascade = small_cascade(count=6)
    chosen = torch.cat([latent_batch(cascade, 4, step) for step in range(3)])
    assert Counter(chosen.tolist()) == dict.fromkeys(range(6), 2)


def test_a_class_uses_mapped_latents_besides():
    cascade = small_cascade(classes=(1,), substitute="other-class", count=6, mapped=10)
    chosen = [latent_batch(cascade, 8, step) for step in range(3)]
    assert all((rows[:2] < 6).all() and (rows[2:] >= 6).all() for rows in chosen)
    assert Counter(torch.cat([rows[:2] for rows in chosen]).tolist()) == dict.fromkeys(range(6), 1)
    assert max(Counter(torch.cat([rows[2:] for rows in chosen]).tolist()).values()) == 2


def test_a_class_of_one_image_without_groups():
    """A batch of one: a quarter of it is nobody."""
    cascade = small_cascade(small_gan(mbstd=0), classes=(1,), substitute="other-class", count=1, mapped=4)
    assert latent_batch(cascade, 1, 0).shape == (1,)


@pytest.mark.parametrize("architecture", ["orig", "skip", "resnet"])
@pytest.mark.parametrize("c_dim", [0, 3])
def test_the_originals_logits_come_from_stored_features(architecture: str, c_dim: int):
    """Of any mixture of fixed images, as if the mixture went through D_0 as one batch."""
    gan = small_gan(D=architecture, c_dim=c_dim)
    cascade = small_cascade(gan)
    assert cascade.retain is not None
    parts = [(cascade.forget, torch.tensor([0, 5, 5, 2])), (cascade.anchors, torch.tensor([9, 1, 30, 4]))]
    images = torch.cat([fixed.images[rows] for fixed, rows in parts])
    c = torch.cat([fixed.c[rows] for fixed, rows in parts if fixed.c is not None]) if c_dim else None
    assert torch.allclose(head_logits(gan.D, parts), gan.D(images, c)[:, 0], atol=1e-5)


def test_rows_of_nothing_are_nothing():
    assert rows_of(None, torch.tensor([1])) is None

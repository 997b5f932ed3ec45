"""Named random streams: the same by name, different by anything else, and never by the global generator."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from ganforget.randomness import numpy_stream, permutation, sample_labels, sample_latents, stream

SEEDS = st.integers(-(2**40), 2**40)
NAMES = st.text(max_size=12)


def draw(generator: torch.Generator) -> list[float]:
    return torch.randn(4, generator=generator).tolist()


@given(seed=SEEDS, name=NAMES, index=st.lists(st.integers(0, 10**9), max_size=3))
def test_a_stream_is_its_seed_name_and_index(seed: int, name: str, index: list[int]):
    assert draw(stream(seed, name, *index)) == draw(stream(seed, name, *index))
    assert numpy_stream(seed, name, *index).random() == numpy_stream(seed, name, *index).random()


@given(first=st.tuples(SEEDS, NAMES, st.integers(0, 99)), second=st.tuples(SEEDS, NAMES, st.integers(0, 99)))
def test_other_streams_are_other_numbers(first: tuple[int, str, int], second: tuple[int, str, int]):
    assert (draw(stream(*first)) == draw(stream(*second))) == (first == second)
    assert (numpy_stream(*first).random() == numpy_stream(*second).random()) == (first == second)


def test_streams_are_those_of_every_release():
    """A saved run goes on with the numbers that it began with."""
    assert stream(0, "weights").initial_seed() == 7344282353231169617
    assert permutation(0, "epoch", 6).tolist() == [2, 5, 3, 1, 0, 4]


def test_the_global_generators_are_neither_read_nor_moved():
    torch.manual_seed(1)
    before, state = draw(stream(0, "x", 1)), torch.get_rng_state()
    sample_latents(0, "z", range(3), 4)
    permutation(0, "p", 5)
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(2)
    assert draw(stream(0, "x", 1)) == before


@given(seed=SEEDS, count=st.integers(0, 200))
def test_a_permutation_holds_everything_once(seed: int, count: int):
    found = permutation(seed, "forget", count)
    assert sorted(found.tolist()) == list(range(count))
    assert np.array_equal(found, permutation(seed, "forget", count))


@given(st.lists(st.integers(0, 1000), max_size=12, unique=True))
def test_a_latent_depends_on_its_number_alone(samples: list[int]):
    together = sample_latents(5, "z", samples, 7)
    assert together.shape == (len(samples), 7)
    assert together.dtype == torch.float32
    for row, number in zip(together, samples, strict=True):
        assert torch.equal(row, sample_latents(5, "z", [number], 7)[0])


def test_latents_are_standard_normal():
    z = sample_latents(0, "z", range(4000), 4)
    assert abs(float(z.mean())) < 0.03
    assert abs(float(z.std()) - 1) < 0.03


@given(first=st.integers(0, 50), more=st.integers(0, 50), pool=st.lists(st.integers(0, 9), min_size=1, max_size=5))
def test_prefixes_of_labels_agree(first: int, more: int, pool: list[int]):
    short, long = (sample_labels(3, "labels", n, np.array(pool)) for n in (first, first + more))
    assert np.array_equal(short, long[:first])
    assert set(long.tolist()) <= set(pool)


def test_labels_are_drawn_as_the_pool_holds_them():
    labels = sample_labels(0, "labels", 8000, np.array([0, 1, 1, 1]))
    assert abs(labels.mean() - 0.75) < 0.02

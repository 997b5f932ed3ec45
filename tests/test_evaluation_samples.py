"""Samples: independent of the batch, as they would be saved, and refused where they are broken."""

import numpy as np
import pytest
import torch

from evaluation_gans import AlbumGenerator
from ganforget.errors import InputError, NumericalError
from ganforget.evaluation.samples import dequantise, generate, quantise


def greys(conditional: bool = True) -> AlbumGenerator:
    """Two labels of 50 grey levels each: 0..49 and 100..149."""
    levels = torch.cat([torch.arange(50), torch.arange(100, 150)]) / 127.5 - 1
    images = levels[:, None, None, None].expand(-1, 1, 2, 2)
    return AlbumGenerator([images[:50], images[50:]], conditional=conditional)


def test_quantising_is_rounding_and_clipping_as_in_a_saved_image():
    values = torch.tensor([-2.0, -1.0, -1 + 0.49 / 127.5, -1 + 0.51 / 127.5, 0.0, 1.0, 1.7]).view(-1, 1, 1, 1)
    assert quantise(values).flatten().tolist() == [0, 0, 0, 1, 128, 255, 255]
    every = torch.arange(256, dtype=torch.uint8).view(-1, 1, 1, 1)
    assert torch.equal(quantise(dequantise(every)), every)


def test_quantising_refuses_broken_pixels():
    images = torch.zeros(3, 1, 2, 2)
    images[1, 0, 0, 0] = float("inf")
    with pytest.raises(NumericalError, match="1 of 3"):
        quantise(images)


def test_samples_depend_on_seed_and_name_but_not_on_batch_or_count():
    labels = np.tile([0, 1], 15)
    whole = generate(greys(), labels, count=30, seed=0, name="a")
    assert whole.dtype == torch.uint8
    assert whole.shape == (30, 1, 2, 2)
    assert torch.equal(generate(greys(), labels, count=30, seed=0, name="a", batch=7), whole)
    assert torch.equal(generate(greys(), labels[:9], count=9, seed=0, name="a"), whole[:9])
    assert not torch.equal(generate(greys(), labels, count=30, seed=1, name="a"), whole)
    assert not torch.equal(generate(greys(), labels, count=30, seed=0, name="b"), whole)
    assert ((whole[:, 0, 0, 0] >= 100) == torch.from_numpy(labels == 1)).all()


def test_no_truncation_and_constant_noise():
    G = greys()
    generate(G, np.zeros(4, np.int64), count=4, seed=0, name="a", batch=3)
    assert G.asked == [
        {"count": 3, "truncation_psi": 1, "noise_mode": "const"},
        {"count": 1, "truncation_psi": 1, "noise_mode": "const"},
    ]


def test_labels_must_fit_the_generator():
    with pytest.raises(InputError, match="takes one of 2 labels"):
        generate(greys(), None, count=2, seed=0, name="a")
    with pytest.raises(InputError, match="up to 2 for 2 samples do not fit a generator of 2 labels"):
        generate(greys(), np.array([0, 2]), count=2, seed=0, name="a")
    with pytest.raises(InputError, match="a generator of 0 labels"):
        generate(greys(conditional=False), np.array([0, 1]), count=2, seed=0, name="a")
    assert len(generate(greys(conditional=False), None, count=2, seed=0, name="a")) == 2

"""Fresh inversions: which holdout images stand beside the forget images, and how sure the comparison is."""

import numpy as np
import pytest
import torch

from ganforget.api import reconstruction
from ganforget.api.reconstruction import reconstruction_errors
from ganforget.data import ImageDataset
from ganforget.inversion.invert import Inversion
from ganforget.work import Work
from small_gan import small_gan


def images(labels: list[int] | None, first: int, count: int) -> ImageDataset:
    """Images whose pixels are all ``first``, ``first`` + 1, …"""
    values = np.arange(first, first + count, dtype=np.uint8)
    pixels = np.broadcast_to(values[:, None, None, None], (count, 1, 16, 16)).copy()
    return ImageDataset(pixels, None if labels is None else np.array(labels), 10, tuple(str(v) for v in values))


@pytest.fixture
def by_pixel(monkeypatch: pytest.MonkeyPatch) -> list[list[int]]:
    """In place of an inversion each image's error is the value of its pixels; returns what was inverted."""
    asked: list[list[int]] = []

    def invert(G: object, pixels: torch.Tensor, *_: object) -> Inversion:
        values = ((pixels[:, 0, 0, 0] + 1) * 127.5).round()
        asked.append(values.int().tolist())
        return Inversion(torch.zeros(len(values), 4, 8), values, 0.0, Work())

    monkeypatch.setattr(reconstruction, "invert", invert)
    return asked


def test_holdout_images_have_the_labels_of_the_forget_images(by_pixel: list[list[int]]):
    forget, holdout = images([3, 3, 1], 100, 3), images([1, 2, 3, 3, 3, 1, 2, 2], 0, 8)
    found = reconstruction_errors(small_gan(), forget, holdout, classes=(), latent="w", seed=0)
    assert sorted(by_pixel[0]) == [100, 101, 102]
    labels = {100: 3, 101: 3, 102: 1} | dict(enumerate([1, 2, 3, 3, 3, 1, 2, 2]))
    assert [labels[v] for v in by_pixel[0]] == [labels[v] for v in by_pixel[1]]
    assert len(set(by_pixel[1])) == 3
    assert found["rec_u"] == 101
    assert found["rec_t"] == pytest.approx(np.mean(by_pixel[1]))
    gaps = np.subtract(by_pixel[0], by_pixel[1])
    assert found["rec_gap_error"] == pytest.approx(gaps.std(ddof=1) / 3**0.5)


def test_where_a_label_runs_out_others_stand_in(by_pixel: list[list[int]]):
    forget, holdout = images([3, 3, 3], 100, 3), images([3, 1, 2, 1], 0, 4)
    found = reconstruction_errors(small_gan(), forget, holdout, classes=(), latent="w", seed=0)
    assert 0 in by_pixel[1]
    assert len(set(by_pixel[1])) == 3
    u, t = np.array(by_pixel[0]), np.array(by_pixel[1])
    assert found["rec_gap_error"] == pytest.approx((u.var(ddof=1) / 3 + t.var(ddof=1) / 3) ** 0.5)


def test_of_images_of_one_label_only_those_with_a_partner_are_inverted(by_pixel: list[list[int]]):
    forget, holdout = images([8] * 20, 100, 20), images([8] * 9 + [1] * 40, 0, 49)
    found = reconstruction_errors(small_gan(), forget, holdout, classes=(), latent="w", seed=0)
    assert sorted(by_pixel[1]) == list(range(9)), "every 8 there is, and no 1"
    assert len(set(by_pixel[0])) == 9
    assert found["rec_images"] == 9
    gaps = np.subtract(by_pixel[0], by_pixel[1])
    assert found["rec_gap_error"] == pytest.approx(gaps.std(ddof=1) / 3)


def test_a_class_without_holdout_images_has_no_yardstick(by_pixel: list[list[int]]):
    found = reconstruction_errors(
        small_gan(), images([7, 7], 100, 2), images([1, 2], 0, 2), classes=(7,), latent="w", seed=0
    )
    assert len(by_pixel) == 1
    assert found == {"rec_u": 100.5, "rec_t": None, "rec_gap_error": None}

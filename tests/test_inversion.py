"""Inversion: the latents of images that the generator has made itself, and what is kept of them."""

from dataclasses import astuple, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from ganforget.errors import Interrupted, NumericalError
from ganforget.interruption import StopRequest
from ganforget.inversion.cache import (
    cached_inversions,
    generator_hash,
    inversion_key,
    read_inversion,
    write_inversion,
)
from ganforget.inversion.invert import Inversion, InversionConfig, invert, reconstruction_error
from ganforget.models.gan import Gan
from ganforget.models.latents import latent_statistics, map_latents
from ganforget.work import Work
from small_gan import ImageCounter, randn, small_gan

LABELS = np.array([0, 1, 2, 0, 1, 2])
CONFIG = InversionConfig(steps=60, start_samples=16)


@pytest.fixture(scope="module")
def gan() -> Gan:
    return small_gan()


@pytest.fixture(scope="module")
def images(gan: Gan) -> Tensor:
    return gan.G.synthesis(map_latents(gan.G, randn(6, 8, seed=7), LABELS), noise_mode="const")


def run(gan: Gan, images: Tensor, labels: np.ndarray | None = LABELS, **changes: Any) -> Inversion:
    statistics = latent_statistics(gan.G, seed=0, samples=128)
    return invert(gan.G, images, labels, statistics, replace(CONFIG, **changes))


def test_errors_by_hand():
    errors = reconstruction_error(torch.tensor([1.0, 3.0]).view(1, 1, 1, 2), torch.zeros(1, 1, 1, 2))
    assert errors.tolist() == [5.0]


@pytest.mark.parametrize("start", ["best", "mean"])
@pytest.mark.parametrize("latent", ["w", "w+"])
def test_images_of_the_generator_are_found_again(gan: Gan, images: Tensor, start: str, latent: str):
    found = run(gan, images, start=start, latent=latent)
    begin = run(gan, images, start=start, latent=latent, steps=0)
    assert found.ws.shape == (6, gan.G.num_ws, 8)
    assert found.errors.mean() < 0.1 * begin.errors.mean()
    assert (found.errors <= begin.errors).all()
    again = reconstruction_error(gan.G.synthesis(found.ws, noise_mode="const"), images)
    assert torch.allclose(again, found.errors, atol=1e-5), "the latents are those of the errors"
    assert found.seconds > 0


def test_w_is_one_latent_for_all_layers(gan: Gan, images: Tensor):
    plain, plus = run(gan, images), run(gan, images, latent="w+")
    assert torch.equal(plain.ws, plain.ws[:, :1].expand_as(plain.ws))
    assert not torch.allclose(plus.ws, plus.ws[:, :1].expand_as(plus.ws), atol=1e-3)


def test_w_plus_is_no_worse(gan: Gan):
    """Images that the generator has not made: more freedom makes a nearer image."""
    images = randn(6, 1, 8, 8, seed=3)
    assert run(gan, images, latent="w+").errors.mean() < run(gan, images).errors.mean()


def test_where_an_inversion_starts(gan: Gan, images: Tensor):
    statistics = latent_statistics(gan.G, seed=0, samples=128)
    mean, best = (run(gan, images, start=start, steps=0) for start in ("mean", "best"))
    assert torch.allclose(mean.ws[:, 0], statistics.means[torch.from_numpy(LABELS)])
    assert best.errors.mean() < mean.errors.mean()
    more = run(gan, images, steps=0, start_samples=200)
    assert (more.errors <= best.errors + 1e-6).all(), "the first samples are among the more"


def test_the_best_that_was_seen_is_kept(gan: Gan, images: Tensor):
    """At a rate that leaps about, the last step is not the best one."""
    begin, end = run(gan, images, steps=0), run(gan, images, steps=5, learning_rate=50.0)
    assert (end.errors <= begin.errors).all()
    again = reconstruction_error(gan.G.synthesis(end.ws, noise_mode="const"), images)
    assert torch.allclose(again, end.errors, atol=1e-5)


def test_of_several_starts_the_best_is_kept(gan: Gan, images: Tensor):
    images = images + 0.2 * randn(6, 1, 8, 8, seed=3)
    found = run(gan, images, steps=3, restarts=3, batch_size=4)
    alone = [run(gan, images, steps=3, seed=seed, batch_size=4) for seed in (0, 1, 2)]
    errors = torch.stack([each.errors for each in alone])
    best = errors.argmin(dim=0)
    assert len(best.unique()) > 1, "no start is the best for all images"
    assert torch.equal(found.errors, errors.min(dim=0).values)
    assert torch.equal(found.ws, torch.stack([each.ws for each in alone])[best, torch.arange(6)])
    assert found.work == Work(*(sum(part) for part in zip(*(astuple(each.work) for each in alone), strict=True)))


def test_images_do_not_see_each_other(gan: Gan, images: Tensor):
    together, apart = run(gan, images), run(gan, images, batch_size=4)
    assert torch.allclose(together.ws, apart.ws, atol=2e-2)
    assert torch.allclose(together.errors, apart.errors, atol=1e-3)


def test_without_labels():
    gan = small_gan(c_dim=0)
    images = gan.G(randn(3, 8), noise_mode="const")
    found = run(gan, images, None)
    assert found.errors.mean() < 0.1 * run(gan, images, None, start="mean", steps=0).errors.mean()


def test_the_seed_is_the_seed(gan: Gan, images: Tensor):
    first, second = run(gan, images, steps=3), run(gan, images, steps=3)
    assert torch.equal(first.ws, second.ws)
    assert not torch.equal(first.ws, run(gan, images, steps=3, seed=1).ws)


def test_the_generator_stays_as_it_is(gan: Gan, images: Tensor):
    run(gan, images, steps=2)
    assert all(p.grad is None and not p.requires_grad for p in gan.G.parameters())


def test_work_is_what_goes_through_the_generator(images: Tensor):
    gan = small_gan()
    counter = ImageCounter().watch(gan.G.synthesis)
    found = run(gan, images, steps=5, batch_size=4)
    assert found.work == counter.work
    assert found.work == Work(g_forward=3 * 16 + 6 * 6, g_backward=6 * 5)


def test_progress_is_in_image_steps(gan: Gan, images: Tensor):
    heard: list[tuple[int, int]] = []
    statistics = latent_statistics(gan.G, seed=0, samples=16)
    config = replace(CONFIG, steps=5, batch_size=4)
    invert(gan.G, images, LABELS, statistics, config, on_step=lambda done, total: heard.append((done, total)))
    done = [number for number, _ in heard]
    assert done == sorted(done)
    assert done[0] == 0
    assert heard[-1] == (30, 30)


def test_a_stop_is_obeyed(gan: Gan, images: Tensor):
    stop, steps = StopRequest(), 0

    def on_step(_done: int, _total: int) -> None:
        nonlocal steps
        steps += 1
        stop.requested = steps == 3

    statistics = latent_statistics(gan.G, seed=0, samples=16)
    with pytest.raises(Interrupted, match="nothing was changed"):
        invert(gan.G, images, LABELS, statistics, CONFIG, stop=stop, on_step=on_step)
    assert steps == 3


def test_nan_is_an_error(gan: Gan, images: Tensor):
    broken = images.clone()
    broken[2] = torch.nan
    with pytest.raises(NumericalError, match="Inversion became NaN"):
        run(gan, broken, steps=2)


# ----------------------------------------------------------------------------
# The cache.


@pytest.fixture
def inversion(gan: Gan, images: Tensor) -> Inversion:
    return replace(run(gan, images, steps=2), seconds=12.25)


def test_a_cached_inversion_comes_back(tmp_path: Path, inversion: Inversion):
    write_inversion(tmp_path / "new", "key", inversion, generator="g", images=["a", "b"])
    found = read_inversion(tmp_path / "new", "key")
    assert found is not None
    assert torch.equal(found.ws, inversion.ws)
    assert torch.equal(found.errors, inversion.errors)
    assert found.seconds == 12.25, "the time that it took is counted again"
    assert found.work == inversion.work


def test_the_key_is_the_content(gan: Gan, images: Tensor):
    key = inversion_key(gan.G, images, LABELS, CONFIG)
    threads = torch.get_num_threads()
    torch.set_num_threads(threads + 1)
    assert inversion_key(gan.G, images, LABELS, CONFIG) != key, "its seconds are others"
    torch.set_num_threads(threads)
    assert key == inversion_key(small_gan().G, images.clone(), LABELS.astype(np.int32), replace(CONFIG))
    moved = images.clone()
    moved[0, 0, 0, 0] += 1e-3
    others = [
        inversion_key(small_gan(1).G, images, LABELS, CONFIG),
        inversion_key(gan.G, moved, LABELS, CONFIG),
        inversion_key(gan.G, images.flip(0), LABELS, CONFIG),
        inversion_key(gan.G, images, LABELS[::-1], CONFIG),
        inversion_key(gan.G, images, None, CONFIG),
        inversion_key(gan.G, images, LABELS, replace(CONFIG, latent="w+")),
        inversion_key(gan.G, images, LABELS, replace(CONFIG, seed=1)),
    ]
    assert len({key, *others}) == 8


def test_the_cache_says_of_which_generator_and_images(tmp_path: Path, inversion: Inversion):
    write_inversion(tmp_path, "key", inversion, generator="g", images=["a", "b"])
    save_file(load_file(tmp_path / "key.safetensors"), tmp_path / "older.safetensors")
    (tmp_path / "broken.safetensors").write_bytes(b"x")
    listed = {entry.path.stem: (entry.generator, entry.images) for entry in cached_inversions(tmp_path)}
    assert listed == {"key": ("g", {"a", "b"}), "older": (None, frozenset()), "broken": (None, frozenset())}
    assert cached_inversions(tmp_path / "no") == []
    assert generator_hash(small_gan().G) == generator_hash(small_gan().G) != generator_hash(small_gan(1).G)


def test_nothing_kept_is_none(tmp_path: Path):
    assert read_inversion(tmp_path, "key") is None
    assert read_inversion(tmp_path / "no", "key") is None


@pytest.mark.parametrize("content", [b"", b"{}", b"\x00" * 100, None])
def test_a_damaged_file_counts_as_none(tmp_path: Path, inversion: Inversion, content: bytes | None):
    write_inversion(tmp_path, "key", inversion, generator="g", images=["a", "b"])
    path = tmp_path / "key.safetensors"
    path.write_bytes(path.read_bytes()[:-7] if content is None else content)
    assert read_inversion(tmp_path, "key") is None


@pytest.mark.parametrize("missing", ["ws", "errors", "seconds", "work"])
def test_a_file_without_a_part_counts_as_none(tmp_path: Path, inversion: Inversion, missing: str):
    write_inversion(tmp_path, "key", inversion, generator="g", images=["a", "b"])
    path = tmp_path / "key.safetensors"
    save_file({name: value for name, value in load_file(path).items() if name != missing}, path)
    assert read_inversion(tmp_path, "key") is None

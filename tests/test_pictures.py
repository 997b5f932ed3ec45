"""Pictures by index: the same images whether they are kept, drawn or loaded, and no more work than asked for."""

from typing import Any

import pytest
import torch

from ganforget.interruption import StopRequest
from ganforget.models import memory, pictures
from ganforget.models.memory import inference_batch, learning_batch, synthesise
from ganforget.models.pictures import (
    DrawnPictures,
    LoadedPictures,
    MadeRows,
    draw_pictures,
    first_pictures,
    load_pictures,
    mean_square,
    trunk_rows,
)
from ganforget.unlearning.cascade import Check
from ganforget.unlearning.loop import run_cascade
from ganforget.unlearning.state import CascadeState, new_cascade
from ganforget.work import Work
from small_gan import ImageCounter, randn, small_cascade, small_data, small_gan


@pytest.fixture
def big(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the small networks count as big: two images at a time, and one learning."""
    gan = small_gan()
    monkeypatch.setattr(memory, "INFERENCE_BYTES", int(2.5 * 3.5 * memory._map_bytes(gan.G)))
    monkeypatch.setattr(memory, "LEARNING_BYTES", int(1.5 * 12 * memory._map_bytes(gan.G)))


def test_small_networks_take_everything_at_once():
    gan = small_gan()
    assert inference_batch(gan.G, 256) == inference_batch(gan.D, 256) == 256
    assert learning_batch(gan.G) > 64
    assert inference_batch(object(), 250) == 250


def test_bytes_of_a_map_of_each_resolution_by_hand():
    gan = small_gan(resolution=16)  # 8 channels at 4, 8 and 16; D has no block of 4
    assert memory._map_bytes(gan.G) == 4 * 8 * (16 + 64 + 256)
    assert memory._map_bytes(gan.D) == 4 * 8 * (64 + 256)


def test_images_are_the_same_a_few_at_a_time(big: None):
    G = small_gan().G
    ws = randn(7, G.num_ws, G.w_dim)
    assert inference_batch(G, 256) == 2
    assert torch.allclose(synthesise(G, ws), G.synthesis(ws, noise_mode="const"), atol=1e-5)


def test_each_row_is_made_once():
    asked: list[int] = []

    def make(rows: torch.Tensor) -> torch.Tensor:
        asked.extend(rows.tolist())
        return rows[:, None].float() * 10

    made = MadeRows(6, make)
    assert made[torch.tensor([4, 1, 4])].flatten().tolist() == [40, 10, 40]
    assert made[1:5].flatten().tolist() == [10, 20, 30, 40]
    assert made[torch.tensor([2, 1])].flatten().tolist() == [20, 10]
    assert sorted(asked) == [1, 2, 3, 4]
    assert made[:0].shape == (0, 1)


def test_rows_that_do_not_fit_are_made_again(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(pictures, "KEPT_BYTES", 10)
    made = MadeRows(6, lambda rows: rows[:, None].float() * 10)
    for _ in range(2):
        assert made[torch.tensor([4, 1, 4])].flatten().tolist() == [40, 10, 40]
    assert made._kept is None


def test_drawn_pictures(big: None):
    G, work = small_gan().G, Work()
    ws = randn(5, G.num_ws, G.w_dim)
    drawn, whole = draw_pictures(G, ws, work), G.synthesis(ws, noise_mode="const")
    assert isinstance(drawn, DrawnPictures)
    assert work.g_forward == 0
    assert torch.allclose(drawn[torch.tensor([3, 0])], whole[[3, 0]], atol=1e-5)
    assert torch.allclose(drawn[2:], whole[2:], atol=1e-5)
    assert work.g_forward == 4
    assert torch.allclose(first_pictures(drawn, 2)[:], whole[:2], atol=1e-5)
    assert mean_square(G, ws, drawn) == pytest.approx(0, abs=1e-9)
    expected = float((G.synthesis(ws + 1, noise_mode="const") - whole).square().mean())
    assert mean_square(G, ws + 1, drawn) == pytest.approx(expected, rel=1e-5)


def test_loaded_pictures(monkeypatch: pytest.MonkeyPatch):
    data = small_data(9)
    assert isinstance(load_pictures(data, "cpu"), torch.Tensor)
    monkeypatch.setattr(pictures, "KEPT_BYTES", 10)
    loaded = load_pictures(data, "cpu")
    assert isinstance(loaded, LoadedPictures)
    assert torch.equal(loaded[torch.tensor([7, 2])], data.tensor([7, 2]))
    assert torch.equal(loaded[3:5], data.tensor([3, 4]))
    assert torch.equal(loaded.take(torch.tensor([8, 1]))[1:], data.tensor([1]))
    assert loaded.shape == (9, 1, 8, 8)


@pytest.mark.parametrize("architecture", ["orig", "skip"])
def test_features_are_made_when_they_are_asked_for(big: None, architecture: str):
    D, work, images = small_gan(D=architecture).D, Work(), randn(5, 1, 8, 8)
    rows = trunk_rows(D, images, work)
    assert isinstance(rows, MadeRows)
    parts = [part for part in D.trunk(images) if part is not None]
    assert torch.allclose(rows[torch.tensor([4, 4, 0])], torch.cat(parts, dim=1)[[4, 4, 0]], atol=1e-5)
    assert work.d_forward == 2


def run(preset: Any, mode: Any, *, resolution: int = 8, **config: Any) -> tuple[CascadeState, Work]:
    """Without a schedule: where it begins G is at its targets, and Adam would take whole steps along rounding."""
    given: dict[str, Any] = {"max_steps": 4, "schedule_steps": 0, "r1_interval": 2} | config
    cascade = small_cascade(small_gan(resolution=resolution), preset=preset, mode=mode, **given)
    state = new_cascade(cascade.original, cascade.config)
    counter = ImageCounter().watch(state.G.synthesis, state.D)
    run_cascade(cascade, state, lambda *_: Check({}, False, False), stop=StopRequest(), on_check=lambda *_: None)
    return state, counter.work


@pytest.mark.parametrize("preset", ["default", "paper"])
@pytest.mark.parametrize("mode", ["few-shot", "zero-shot"])
def test_a_cascade_in_micro_batches_ends_where_the_whole_batch_does(preset: Any, mode: Any, monkeypatch: Any):
    """D's groups are those of the whole batch, also for R1; what differs is rounding. Images are drawn, not kept."""
    whole, _ = run(preset, mode)
    assert_same_end(run(preset, mode, micro_batch=3)[0], whole)
    monkeypatch.setattr(memory, "INFERENCE_BYTES", 1)
    monkeypatch.setattr(memory, "LEARNING_BYTES", 1)
    monkeypatch.setattr(pictures, "KEPT_BYTES", 1)
    assert_same_end(run(preset, mode)[0], whole)


def assert_same_end(ours: CascadeState, theirs: CascadeState) -> None:
    for name in ("G", "D"):
        began = dict(getattr(small_gan(), name).named_parameters())
        a, b = (dict(getattr(state, name).named_parameters()) for state in (ours, theirs))
        moved = torch.cat([(b[key] - began[key]).flatten() for key in b]).norm()
        apart = torch.cat([(b[key] - a[key]).flatten() for key in b]).norm()
        assert moved > 1e-3
        assert apart <= 2e-3 * moved, name  # Adam divides by small gradients, which magnifies rounding


@pytest.mark.parametrize("preset", ["default", "paper"])
def test_the_work_of_micro_batches_is_counted(preset: Any):
    """The passes that are made again count too. (The preparation is in the cascade's own count.)"""
    state, counted = run(preset, "few-shot", micro_batch=3, resolution=16)
    assert (state.work.d_forward, state.work.d_backward) == (counted.d_forward, counted.d_backward)
    assert state.work.g_backward == counted.g_backward

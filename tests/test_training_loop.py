"""The training loop: what a step changes, what a resumed run repeats, what NaN leaves behind."""

import math
from collections import Counter
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from ganforget.errors import NumericalError
from ganforget.interruption import StopRequest
from ganforget.models.gan import Gan, model_hash
from ganforget.training import loop, speed
from ganforget.training.config import TrainingConfig
from ganforget.training.ema import ema_decay
from ganforget.training.loop import Tick, TrainingBatches, train, training_step
from ganforget.training.losses import path_length_loss, path_lengths
from ganforget.training.networks import network_config
from ganforget.training.state import TrainingState, load_state, new_state, optimizer_tensors, save_state
from small_gan import CPU, randn, same_weights, small_data, small_gan, some_labels

DATA = small_data(20)
SIZES: dict[str, Any] = {"z_dim": 8, "w_dim": 8, "channel_base": 64, "channel_max": 8, "batch_size": 8}
CONFIG = TrainingConfig(**SIZES, kimg=0.16, tick_kimg=0.032, snapshot_kimg=0.08)  # 20 steps, ticks of 4
EVERYTHING = replace(
    CONFIG,
    augment="ada",
    augment_p=0.2,
    ada_kimg=0.5,
    style_mixing=0.5,
    mirror=True,
    path_length_weight=2.0,
    r1_interval=3,
)


def begin(config: TrainingConfig = CONFIG) -> TrainingState:
    return new_state(config, network_config(config, DATA), CPU)


def batches(config: TrainingConfig = CONFIG) -> TrainingBatches:
    return TrainingBatches(DATA, config, CPU, DATA.num_classes if config.conditional else 0)


def test_neighbouring_seeds_have_orders_of_their_own():
    """Retrained GANs of seeds 0, 1, 2 are to be independent draws."""
    config = replace(CONFIG, batch_size=4)
    assert len(DATA) % 4 == 0, "so that an epoch is whole batches"
    second = batches(replace(config, seed=0)).real(len(DATA) // 4)[0]
    other = batches(replace(config, seed=1)).real(0)[0]
    assert not torch.equal(second, other)


class StopBefore(StopRequest):
    """A stop that somebody asks for before the given step of a training."""

    def __init__(self, state: TrainingState, step: int) -> None:
        self.state, self.step = state, step

    @property
    def requested(self) -> bool:  # type: ignore[override]
        return self.state.step >= self.step


def run(state: TrainingState, config: TrainingConfig, *, until: int = 10**9) -> tuple[list[Tick], list[int]]:
    """Train on; return the ticks and the steps at which snapshots were taken."""
    ticks: list[Tick] = []
    snapshots: list[int] = []
    train(
        state,
        config,
        DATA,
        device=CPU,
        stop=StopBefore(state, until),
        on_tick=lambda _, tick: ticks.append(tick),
        on_snapshot=lambda state: snapshots.append(state.step),
    )
    return ticks, snapshots


def assert_same(a: TrainingState, b: TrainingState) -> None:
    """Everything but the clock is the same to the bit."""
    for name in ("G", "D", "G_ema"):
        assert same_weights(getattr(a, name), getattr(b, name)), name
    for name in ("G_optimizer", "D_optimizer"):
        ours, theirs = (optimizer_tensors(getattr(state, name), "") for state in (a, b))
        assert ours.keys() == theirs.keys()
        assert all(torch.equal(ours[key], theirs[key]) for key in ours), name
    for name in ("step", "images_seen", "augment_p", "path_length_mean", "sums"):
        assert getattr(a, name) == getattr(b, name), name


# ----------------------------------------------------------------------------
# One step.


@pytest.mark.parametrize("conditional", [True, False])
def test_a_step_changes_both_networks(conditional: bool):
    config = replace(CONFIG, conditional=conditional)
    state, before = begin(config), begin(config)
    training_step(state, config, batches(config), None)
    for ours, theirs in ((state.G, before.G), (state.D, before.D), (state.G_ema, before.G_ema)):
        moved = [not torch.equal(a, b) for a, b in zip(ours.parameters(), theirs.parameters(), strict=True)]
        assert np.mean(moved) > 0.9
    assert not torch.equal(state.G.mapping.w_avg, before.G.mapping.w_avg)
    assert (state.step, state.images_seen, state.sums.steps) == (1, 8, 1)
    assert all(p.requires_grad for p in [*state.G.parameters(), *state.D.parameters()])
    assert not any(p.requires_grad for p in state.G_ema.parameters())


def test_the_average_follows_by_its_formula():
    state = begin()
    training_step(state, CONFIG, batches(), None)
    before = {name: p.clone() for name, p in state.G_ema.named_parameters()}
    training_step(state, CONFIG, batches(), None)
    decay = ema_decay(8, CONFIG.ema_kimg, 16, CONFIG.ema_rampup)
    for (name, average), now in zip(state.G_ema.named_parameters(), state.G.parameters(), strict=True):
        assert torch.allclose(average, decay * before[name] + (1 - decay) * now, atol=1e-6), name


def test_r1_is_lazy():
    state, lone = begin(), batches()
    found = []
    for _ in range(34):
        before = state.sums.r1_steps
        training_step(state, CONFIG, lone, None)
        if state.sums.r1_steps > before:
            found.append(state.step - 1)
    assert found == [0, 16, 32]
    assert state.sums.r1 > 0


@pytest.mark.parametrize("off", [{"r1_gamma": 0}, {"r1_interval": 0}])
def test_r1_can_be_off(off: dict[str, Any]):
    config = replace(CONFIG, **off)
    state = begin(config)
    training_step(state, config, batches(config), None)
    assert state.sums.r1_steps == 0


def test_path_length_is_lazy_and_moves_the_generator():
    config = replace(CONFIG, path_length_weight=2.0)
    state, plain = begin(config), begin(config)
    moments = []
    for _ in range(9):
        before = state.path_length_mean
        training_step(state, config, batches(), None)
        if state.path_length_mean != before:
            moments.append(state.step - 1)
    assert moments == [0, 4, 8]
    assert state.path_length_mean > 0
    training_step(plain, replace(config, path_length_weight=0.0), batches(), None)
    again = begin(config)
    training_step(again, config, batches(), None)
    assert not same_weights(again.G, plain.G)


def test_path_length_can_be_minimised():
    """Down its gradient the lengths come nearer to their mean."""
    G = begin().G
    optimizer = torch.optim.Adam(G.synthesis.parameters(), lr=0.003)
    ws, noise = G.mapping(randn(8, 8), some_labels(8)).detach(), randn(8, 1, 8, 8, seed=1)
    target, penalties = torch.tensor(0.05), []
    for _ in range(10):
        ws.requires_grad_(True)
        penalty, _ = path_length_loss(path_lengths(G.synthesis(ws, noise_mode="const"), ws, noise), target)
        optimizer.zero_grad()
        penalty.backward()
        optimizer.step()
        penalties.append(penalty.item())
    assert penalties[-1] < 0.8 * penalties[0]


@pytest.mark.parametrize("probability", [0.0, 0.5, 1.0])
def test_style_mixing(probability: float):
    """A mixed image has one w on its first layers and another one on the rest."""
    config = replace(CONFIG, style_mixing=probability, batch_size=64)
    state, seen = begin(config), []
    state.G.synthesis.register_forward_hook(lambda _m, inputs, _o: seen.append(inputs[0].detach()))
    training_step(state, config, batches(config), None)
    changes = torch.cat([(ws[:, 1:] != ws[:, :-1]).any(-1).sum(1) for ws in seen])  # switches between layers
    assert set(changes.tolist()) <= {0, 1}
    assert float(changes.float().mean()) == pytest.approx(probability, abs=0.2)


def test_d_sees_augmented_images_and_g_makes_plain_ones(monkeypatch: pytest.MonkeyPatch):
    calls: list[tuple[int, float]] = []

    def augment(images: torch.Tensor, p: float, _generator: torch.Generator) -> torch.Tensor:
        calls.append((len(images), p))
        return images

    state = begin()
    training_step(state, CONFIG, batches(), augment)  # type: ignore[arg-type]
    assert calls == [], "with p = 0 nothing is augmented"
    state.augment_p = 0.3
    training_step(state, CONFIG, batches(), augment)  # type: ignore[arg-type]
    assert calls == [(8, 0.3)] * 3, "what G's step shows, real images, and generated ones"


# ----------------------------------------------------------------------------
# Batches.


def names_of(images: torch.Tensor) -> list[int]:
    """Which images of the data these are."""
    everything = DATA.tensor()
    return [int((everything - image).flatten(1).abs().sum(1).argmin()) for image in images]


def test_an_epoch_shows_every_image_once():
    lone = batches()
    shown = [name for step in range(10) for name in names_of(lone.real(step)[0])]  # 80 images, 4 epochs of 20
    epochs = [shown[start : start + 20] for start in range(0, 80, 20)]
    assert all(sorted(epoch) == list(range(20)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 4


def test_a_batch_is_its_step_alone():
    first, second = batches(), batches()
    for step in range(6):
        first.real(step)
    assert torch.equal(first.real(4)[0], second.real(4)[0])


def test_labels_belong_to_their_images():
    for step in range(4):
        images, c = batches().real(step)
        assert c is not None
        assert DATA.labels is not None
        assert c.argmax(1).tolist() == DATA.labels[names_of(images)].tolist()


def test_a_batch_may_be_larger_than_the_data():
    images, _ = batches(replace(CONFIG, batch_size=44)).real(0)
    assert sorted(Counter(names_of(images)).values()) == [2] * 16 + [3] * 4


def test_mirrored_images():
    plain, mirrored = (batches(replace(CONFIG, batch_size=200, mirror=m)).real(0)[0] for m in (False, True))
    same = (plain == mirrored).flatten(1).all(1)
    assert torch.equal(mirrored[~same], plain[~same].flip(3))
    assert 60 < int(same.sum()) < 140


def test_labels_of_generated_images_are_drawn_from_the_data():
    c = batches(replace(CONFIG, batch_size=2000)).labels("g_labels", 0)
    assert c is not None
    shares = c.mean(0).tolist()
    assert DATA.labels is not None
    assert shares == pytest.approx(np.bincount(DATA.labels) / 20, abs=0.04)
    assert batches(replace(CONFIG, conditional=False)).labels("g_labels", 0) is None


# ----------------------------------------------------------------------------
# The whole loop.


def test_a_training_ticks_and_snapshots():
    state = begin()
    ticks, snapshots = run(state, CONFIG)
    assert (state.step, state.images_seen) == (20, 160)
    assert [tick.kimg for tick in ticks] == pytest.approx([0.032, 0.064, 0.096, 0.128, 0.16])
    assert snapshots == [10, 20]
    assert all(math.isfinite(value) for tick in ticks for value in asdict(tick).values())
    assert all(tick.images_per_second > 0 for tick in ticks)


@pytest.mark.parametrize(("config", "stop"), [(CONFIG, 7), (EVERYTHING, 7), (EVERYTHING, 8)])
def test_a_resumed_training_is_the_uninterrupted_one(tmp_path: Path, config: TrainingConfig, stop: int):
    whole = begin(config)
    ticks, _ = run(whole, config)
    first = begin(config)
    before, snapshots = run(first, config, until=stop)
    assert snapshots == [stop]
    save_state(first, tmp_path)
    second = load_state(begin(replace(config, seed=0)), tmp_path)
    assert_same(second, first)
    after, _ = run(second, config)
    assert_same(second, whole)
    timeless = [[replace(t, seconds=0, images_per_second=0) for t in part] for part in (ticks, before + after)]
    assert timeless[0] == timeless[1]


def test_saving_after_every_step_changes_nothing(tmp_path: Path):
    whole, state = begin(EVERYTHING), begin(EVERYTHING)
    run(whole, EVERYTHING, until=6)
    for step in range(1, 7):
        run(state, EVERYTHING, until=step)
        save_state(state, tmp_path)
        state = load_state(begin(EVERYTHING), tmp_path)
    assert_same(state, whole)


def test_the_clock_counts_training_alone(monkeypatch: pytest.MonkeyPatch):
    """A step of 8 images takes half a second, a snapshot a hundred, which are no training time."""
    clock = 0.0

    def step(state: TrainingState, *_: object) -> None:
        nonlocal clock
        clock += 0.5
        state.step, state.images_seen, state.sums.steps = state.step + 1, state.images_seen + 8, state.sums.steps + 1

    def on_snapshot(_state: TrainingState) -> None:
        nonlocal clock
        clock += 100

    monkeypatch.setattr(loop, "training_step", step)
    monkeypatch.setattr(loop, "time", SimpleNamespace(perf_counter=lambda: clock))
    state, ticks = begin(), []
    hear = {"on_tick": lambda _, tick: ticks.append(tick), "on_snapshot": on_snapshot}
    train(state, CONFIG, DATA, device=CPU, stop=StopRequest(), **hear)
    assert [tick.seconds for tick in ticks] == [2, 4, 6, 8, 10]
    assert [tick.images_per_second for tick in ticks] == [16] * 5
    assert state.seconds == 10


def test_a_stop_asked_for_at_once_still_leaves_a_snapshot():
    state = begin()
    assert run(state, CONFIG, until=0) == ([], [0])


def test_the_seed_decides_everything():
    def trained(seed: int) -> str:
        state = begin(replace(CONFIG, seed=seed))
        run(state, replace(CONFIG, seed=seed), until=2)
        return model_hash(Gan(state.G, state.D, network_config(CONFIG, DATA)))

    torch.manual_seed(1)
    first, position = trained(0), torch.get_rng_state()
    torch.manual_seed(2)
    assert trained(0) == first
    assert trained(1) != first
    torch.manual_seed(1)
    assert torch.equal(torch.get_rng_state(), position), "nobody has drawn from the global generator"


@pytest.mark.parametrize(("target", "way"), [(-2.0, 1), (2.0, -1)])
def test_ada_moves_towards_its_target(target: float, way: int):
    """Scores more often positive than wanted: D knows the images by heart, and p rises; else it falls."""
    config = replace(CONFIG, augment="ada", augment_p=0.5, ada_target=target, ada_kimg=1.0)
    state = begin(config)
    ticks, _ = run(state, config)
    assert [t.augment_p for t in ticks] == pytest.approx([0.5 + way * 0.032 * n for n in range(1, 6)])


@pytest.mark.parametrize(("target", "end"), [(-2.0, 1.0), (2.0, 0.0)])
def test_ada_stays_a_probability(target: float, end: float):
    config = replace(CONFIG, augment="ada", augment_p=0.5, ada_target=target, ada_kimg=0.1)
    state = begin(config)
    ticks, _ = run(state, config)
    assert [t.augment_p for t in ticks][1:] == [end] * 4


def test_a_fixed_augmentation_stays():
    config = replace(CONFIG, augment="fixed", augment_p=0.3)
    state = begin(config)
    assert {t.augment_p for t in run(state, config)[0]} == {0.3}


@pytest.mark.parametrize("network", ["G", "D"])
def test_nan_stops_a_training_at_its_last_good_state(tmp_path: Path, network: str):
    """A weight becomes NaN at the third tick; the snapshot of step 10 is what is left."""
    state, ticks = begin(), 0

    def on_tick(state: TrainingState, _tick: Tick) -> None:
        nonlocal ticks
        ticks += 1
        if ticks == 3:
            next(getattr(state, network).parameters()).data.view(-1)[0] = torch.nan

    with pytest.raises(NumericalError, match=r"NaN or infinite at 0\.104 kimg.*lower learning rate"):
        train(
            state,
            CONFIG,
            DATA,
            device=CPU,
            stop=StopRequest(),
            on_tick=on_tick,
            on_snapshot=lambda state: save_state(state, tmp_path),
        )
    whole = begin()
    run(whole, CONFIG, until=10)
    assert_same(load_state(begin(), tmp_path), whole)


def test_a_learning_rate_that_explodes_is_noticed():
    config = replace(CONFIG, learning_rate=1e30)
    with pytest.raises(NumericalError, match="NaN or infinite"):
        run(begin(config), config)


# ----------------------------------------------------------------------------
# The unit of cost.


def test_the_speed_is_a_cycle_of_median_steps(monkeypatch: pytest.MonkeyPatch):
    """A step with R1 takes 9 s and one without 1 s, but for warming up and one of each that was disturbed."""
    clock, steps = 0.0, []

    def step(state: TrainingState, config: TrainingConfig, *_: object) -> None:
        nonlocal clock
        steps.append(state.step)
        clock += 50 if len(steps) in (1, 2, 4, 8) else 9 if state.step % 16 == 0 else 1
        state.step += 1
        assert config.batch_size == 64
        assert config.augment == "none"

    monkeypatch.setattr(speed, "training_step", step)
    monkeypatch.setattr(speed, "time", SimpleNamespace(perf_counter=lambda: clock))
    assert speed.seconds_per_kimg(network_config(CONFIG, DATA), CPU) == pytest.approx((9 + 15) / 16 * 1000 / 64)
    assert steps == [0, 1, 0, 0, 0, *[1] * 7]


@pytest.mark.parametrize(("fits", "batch"), [(50, 16), (3, 1), (1, 1)])
def test_the_speed_of_big_networks_is_taken_from_two_steps(monkeypatch: pytest.MonkeyPatch, fits: int, batch: int):
    """D sees two images for each: a step with R1 takes 9 s, one without 1 s, and a cycle is 1 and 15 of them."""
    clock, steps = 0.0, []

    def step(state: TrainingState, config: TrainingConfig, *_: object) -> None:
        nonlocal clock
        steps.append(state.step)
        clock += 9 if state.step % 16 == 0 else 1
        state.step += 1
        assert config.batch_size == batch

    monkeypatch.setattr(speed, "training_step", step)
    monkeypatch.setattr(speed, "learning_batch", lambda _: fits)
    monkeypatch.setattr(speed, "time", SimpleNamespace(perf_counter=lambda: clock))
    assert speed.seconds_per_kimg(network_config(CONFIG, DATA), CPU) == pytest.approx((9 + 15) / 16 / batch * 1000)
    assert steps == [0, 1, 0, 1], "each is taken once before it is timed"


@pytest.mark.parametrize(("group", "batch"), [(3, 63), (6, 60), (32, 64), (100, 64), (4, 64), (None, 64)])
def test_the_speed_is_of_whole_minibatch_groups(monkeypatch: pytest.MonkeyPatch, group: int | None, batch: int):
    sizes = []
    monkeypatch.setattr(speed, "_seconds", lambda _, config, __: sizes.append(config.batch_size) or 1.0)
    assert speed.seconds_per_kimg(small_gan(group=group).config, CPU) == pytest.approx(1000 / batch)
    assert set(sizes) == {batch}


def test_the_speed_of_an_odd_group_can_be_taken():
    assert speed.seconds_per_kimg(small_gan(group=3).config, CPU) > 0


def test_the_speed_is_of_the_real_step():
    assert speed.training_step is loop.training_step

"""The cascade's loop: when it ends, what a resumed one repeats, what NaN leaves behind."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from ganforget.errors import InputError, ModelFileError, NumericalError
from ganforget.interruption import StopRequest
from ganforget.models.gan import model_hash
from ganforget.training.state import optimizer_tensors
from ganforget.unlearning.cascade import Cascade, Check, StopRule
from ganforget.unlearning.loop import run_cascade
from ganforget.unlearning.state import CascadeState, load_cascade, new_cascade, save_cascade
from small_gan import same_weights, small_cascade, small_gan


def always(d_reached: bool, g_reached: bool) -> StopRule:
    return lambda _state, _previous: Check({"auc_lu": 0.5}, d_reached, g_reached)


def reached_from(d_step: int, g_step: int) -> StopRule:
    """D's side is reached from a step on, and G's from another one."""
    return lambda state, _: Check({"step": state.step}, state.step >= d_step, state.step >= g_step)


def by_weights(state: CascadeState, _: Check | None) -> Check:
    """A rule that depends on the weights and on nothing else, with sides that come and go."""
    values = {"d": float(state.D.b4.out.bias.detach().sum()), "g": float(state.G_ema.synthesis.b4.const.sum())}  # type: ignore[union-attr]
    return Check(values, values["d"] * 1e3 % 1 < 0.5, values["g"] * 1e3 % 1 < 0.5)


class StopBefore(StopRequest):
    """A stop that somebody asks for before the given step."""

    def __init__(self, state: CascadeState, step: int) -> None:
        self.state, self.step = state, step

    @property
    def requested(self) -> bool:  # type: ignore[override]
        return self.state.step >= self.step


def run(
    cascade: Cascade,
    rule: StopRule,
    *,
    state: CascadeState | None = None,
    until: int = 10**9,
    steps: int | None = None,
    on_check: Callable[..., Any] = lambda *_: None,
) -> tuple[CascadeState, Check]:
    state = new_cascade(cascade.original, cascade.config) if state is None else state
    check = run_cascade(cascade, state, rule, stop=StopBefore(state, until), on_check=on_check, steps=steps)
    return state, check


def assert_same(a: CascadeState, b: CascadeState) -> None:
    """Everything but the clocks and the work of one more check is the same to the bit."""
    for name in ("G", "D", "G_ema"):
        assert same_weights(getattr(a, name), getattr(b, name)), name
    for name in ("G_optimizer", "D_optimizer"):
        ours, theirs = (optimizer_tensors(getattr(state, name), "") for state in (a, b))
        assert ours.keys() == theirs.keys()
        assert all(torch.equal(ours[key], theirs[key]) for key in ours), name
    for name in ("step", "d_reached", "g_reached", "work"):
        assert getattr(a, name) == getattr(b, name), name


# ----------------------------------------------------------------------------
# The end.


@pytest.mark.parametrize("preset", ["default", "paper"])
@pytest.mark.parametrize(("schedule", "expected"), [(0, 2), (2, 2), (3, 4), (4, 4), (5, 6)])
def test_no_destination_counts_before_the_schedule_has_ended(preset: Any, schedule: int, expected: int):
    """A rule that always says reached is asked every 2 steps."""
    cascade = small_cascade(preset=preset, schedule_steps=schedule, max_steps=8)
    state, check = run(cascade, always(True, True))
    assert state.step == expected
    assert check.reached


def test_a_schedule_that_is_cut_short_reaches_nothing():
    cascade = small_cascade(schedule_steps=5, max_steps=4)
    state, check = run(cascade, always(True, True))
    assert state.step == 4
    assert not check.reached
    assert check.values == {"auc_lu": 0.5}


@pytest.mark.parametrize("sides", [(True, False), (False, True), (False, False)])
def test_one_side_is_not_enough(sides: tuple[bool, bool]):
    state, check = run(small_cascade(max_steps=5), always(*sides))
    assert state.step == 5
    assert not check.reached


def test_the_cascade_ends_at_the_first_check_that_finds_both_sides_reached():
    state, check = run(small_cascade(schedule_steps=0, max_steps=12), reached_from(3, 5))
    assert state.step == 6
    assert check.reached


def test_checks_come_every_few_steps_and_at_the_end():
    heard = []
    cascade = small_cascade(max_steps=5)
    run(cascade, always(False, False), on_check=lambda state, losses, check: heard.append((state.step, bool(losses))))
    assert heard == [(0, False), (2, True), (4, True), (5, True)]


@pytest.mark.parametrize(("from_step", "ends"), [(0, 2), (3, 4), (9, 8)])
def test_a_cascade_that_has_cost_enough_gives_up_at_its_next_check(from_step: int, ends: int):
    cascade = small_cascade(schedule_steps=0, max_steps=8)
    state = new_cascade(cascade.original, cascade.config)
    rule, seen = always(False, False), []
    check = run_cascade(
        cascade,
        state,
        rule,
        stop=StopRequest(),
        on_check=lambda *_: seen.append(state.step),
        spent=lambda state: state.step >= from_step,
    )
    assert (state.step, seen[-1], check.reached) == (ends, ends, False)


def test_exactly_so_many_steps():
    """A sham run takes the steps of the run beside it, whatever the rule says and however many are allowed."""
    state, _ = run(small_cascade(schedule_steps=0, max_steps=3), always(True, True), steps=5)
    assert state.step == 5


def test_networks_rest_between_checks_as_the_last_check_found():
    """D has arrived at step 2: from then on it stays as it is, while G goes on."""
    kept: dict[int, torch.Tensor] = {}
    cascade = small_cascade(schedule_steps=0, max_steps=6)

    def on_check(state: CascadeState, _losses: object, _check: Check) -> None:
        kept[state.step] = torch.cat([p.detach().flatten().clone() for p in state.D.parameters()])

    run(cascade, reached_from(2, 99), on_check=on_check)
    assert torch.equal(kept[2], kept[4])
    assert torch.equal(kept[2], kept[6])


def test_what_is_delivered_is_the_average_of_g():
    cascade = small_cascade(schedule_steps=0, max_steps=1, ema_steps=2.0)
    state, _ = run(cascade, always(False, False))
    share = 0.5**0.5
    for average, began, now in zip(
        state.G_ema.parameters(), cascade.original.G.parameters(), state.G.parameters(), strict=True
    ):
        assert torch.allclose(average, share * began + (1 - share) * now, atol=1e-6)


def test_the_start_is_the_original():
    original = small_gan()
    state = new_cascade(original, small_cascade(original).config)
    assert same_weights(state.G, original.G)
    assert same_weights(state.G_ema, original.G)
    assert same_weights(state.D, original.D)
    state.G.synthesis.get_parameter("b4.const").data.add_(1)
    assert not same_weights(state.G, original.G)


def test_the_original_stays_as_it_is():
    cascade = small_cascade()
    before = model_hash(cascade.original)
    run(cascade, always(False, False))
    assert model_hash(cascade.original) == before


# ----------------------------------------------------------------------------
# Stop and resume.


@pytest.mark.parametrize(
    ("preset", "mode", "stop"),
    [
        ("default", "few-shot", 1),
        ("default", "few-shot", 4),
        ("default", "zero-shot", 3),
        ("paper", "few-shot", 3),
        ("paper", "zero-shot", 1),
    ],
)
def test_a_resumed_cascade_is_the_uninterrupted_one(tmp_path: Path, preset: Any, mode: Any, stop: int):
    """Also where it is stopped between two checks: networks go on resting as the last check found."""
    cascade = small_cascade(preset=preset, mode=mode, max_steps=9, check_interval=4, r1_interval=2, schedule_steps=2)
    whole, check = run(cascade, by_weights)
    first, _ = run(cascade, by_weights, until=stop)
    assert first.step == stop
    save_cascade(first, tmp_path)
    second = load_cascade(new_cascade(cascade.original, cascade.config), tmp_path)
    assert_same(second, first)
    assert (second.cascade_seconds, second.check_seconds) == (first.cascade_seconds, first.check_seconds)
    _, found = run(cascade, by_weights, state=second)
    assert_same(second, whole)
    assert found == check


def test_saving_after_every_step_changes_nothing(tmp_path: Path):
    cascade = small_cascade(max_steps=7, check_interval=3, schedule_steps=0)
    whole, _ = run(cascade, reached_from(3, 99))
    state = new_cascade(cascade.original, cascade.config)
    for step in range(1, 8):
        run(cascade, reached_from(3, 99), state=state, until=step)
        save_cascade(state, tmp_path)
        state = load_cascade(new_cascade(cascade.original, cascade.config), tmp_path)
    assert_same(state, whole)


def test_a_cascade_that_has_arrived_takes_no_further_step(tmp_path: Path):
    cascade = small_cascade(schedule_steps=2, max_steps=9)
    whole, _ = run(cascade, reached_from(0, 3))
    assert whole.step == 4
    save_cascade(whole, tmp_path)
    again = load_cascade(new_cascade(cascade.original, cascade.config), tmp_path)
    _, check = run(cascade, reached_from(0, 3), state=again)
    assert again.step == 4
    assert check.reached


def test_a_stop_asked_for_at_once():
    state, _ = run(small_cascade(), always(False, False), until=0)
    assert state.step == 0


def test_the_seed_decides_everything():
    def unlearned(seed: int) -> str:
        state, _ = run(small_cascade(seed=seed, max_steps=2), always(False, False))
        return model_hash(type(small_gan())(state.G_ema, state.D, small_gan().config))

    torch.manual_seed(1)
    first, position = unlearned(0), torch.get_rng_state()
    torch.manual_seed(2)
    assert unlearned(0) == first
    assert unlearned(1) != first
    torch.manual_seed(1)
    assert torch.equal(torch.get_rng_state(), position), "nobody has drawn from the global generator"


def test_no_state_is_an_input_error(tmp_path: Path):
    cascade = small_cascade()
    with pytest.raises(InputError, match="There is no resume state"):
        load_cascade(new_cascade(cascade.original, cascade.config), tmp_path)


def test_a_state_of_another_release(tmp_path: Path):
    cascade = small_cascade()
    save_cascade(new_cascade(cascade.original, cascade.config), tmp_path)
    about = json.loads((tmp_path / "about.json").read_text())
    (tmp_path / "about.json").write_text(json.dumps(about | {"schema_version": 99}))
    with pytest.raises(ModelFileError, match="has schema version 99, and this release reads 3; start the run anew"):
        load_cascade(new_cascade(cascade.original, cascade.config), tmp_path)


@pytest.mark.parametrize("key", ["counters", "work", "G.synthesis.b4.const", "D.b4.out.bias", "G_ema.mapping.w_avg"])
def test_a_state_without_a_part(tmp_path: Path, key: str):
    cascade = small_cascade()
    save_cascade(new_cascade(cascade.original, cascade.config), tmp_path)
    tensors = load_file(tmp_path / "state.safetensors")
    del tensors[key]
    save_file(tensors, tmp_path / "state.safetensors")
    with pytest.raises(ModelFileError, match="lacks counters" if key in ("counters", "work") else f"{key} is missing"):
        load_cascade(new_cascade(cascade.original, cascade.config), tmp_path)


# ----------------------------------------------------------------------------
# NaN.


@pytest.mark.parametrize("preset", ["default", "paper"])
@pytest.mark.parametrize("network", ["G", "D"])
def test_nan_stops_a_cascade_and_what_was_saved_is_good(tmp_path: Path, preset: Any, network: str):
    cascade = small_cascade(preset=preset, max_steps=9)

    def on_check(state: CascadeState, _losses: object, _check: Check) -> None:
        save_cascade(state, tmp_path)
        if state.step == 4:
            weights = state.D.head_parameters() if network == "D" else list(state.G.parameters())
            weights[0].data.view(-1)[0] = torch.nan

    with pytest.raises(NumericalError, match="NaN or infinite at step 4"):
        run(cascade, always(False, False), on_check=on_check)
    whole, _ = run(cascade, always(False, False), until=4)
    assert_same(load_cascade(new_cascade(cascade.original, cascade.config), tmp_path), whole)


@pytest.mark.parametrize("network", ["G", "D"])
def test_weights_are_looked_at_before_they_are_checked_or_saved(monkeypatch: pytest.MonkeyPatch, network: str):
    """A sound loss can have a step to infinity: the step before a check, or the last one before a stop."""
    from ganforget.unlearning import loop

    def to_infinity(_cascade: Cascade, state: CascadeState, _check: Check) -> dict[str, float]:
        if state.step == 2:
            next(getattr(state, network).parameters()).data.view(-1)[0] = torch.inf
        return {"g": 1.0}

    monkeypatch.setattr(loop, "default_step", to_infinity)
    heard: list[int] = []
    for until, interval in ((10**9, 3), (3, 9)):
        cascade = small_cascade(max_steps=9, check_interval=interval)
        with pytest.raises(NumericalError, match="at step 3"):
            run(cascade, always(False, False), until=until, on_check=lambda state, *_: heard.append(state.step))
    assert heard == [0, 0], "the checks before the first step"


@pytest.mark.parametrize("rate", ["g_learning_rate", "d_learning_rate"])
def test_a_learning_rate_that_explodes_is_noticed(rate: str):
    rates: dict[str, Any] = {rate: 1e30}
    cascade = small_cascade(max_steps=9, schedule_steps=0, **rates)
    with pytest.raises(NumericalError, match="Lower --lambda1"):
        run(cascade, always(False, False))


def test_a_check_that_finds_no_number(tmp_path: Path):
    with pytest.raises(NumericalError, match="at step 0"):
        run(small_cascade(), lambda *_: Check({"substitution": float("nan")}, False, False))


@pytest.mark.parametrize("label", [float("inf"), 1e30])
def test_a_fake_label_out_of_this_world(label: float):
    cascade = small_cascade(fake_label=label)
    before = model_hash(cascade.original)
    with pytest.raises(NumericalError):
        run(cascade, always(False, False))
    assert model_hash(cascade.original) == before

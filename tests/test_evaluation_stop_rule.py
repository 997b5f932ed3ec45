"""The stop rule's estimates against direct computations, and when each side counts as reached."""

import math
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, cast

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ganforget.evaluation import stop_rule
from ganforget.evaluation.class_stop import ClassEstimate, ClassStopCheck
from ganforget.evaluation.stop_rule import (
    LOOK,
    DiscriminatorCheck,
    StopRuleForClass,
    StopRuleForItems,
    predicted_auc,
)
from ganforget.evaluation.substitution import GeneratorCheck, look_at_generator
from ganforget.models.scoring import Companions, scores
from ganforget.options import Destination, Preset
from ganforget.unlearning.cascade import Cascade, Check
from ganforget.unlearning.material import fix_images
from ganforget.unlearning.state import CascadeState, new_cascade
from ganforget.work import Work
from small_gan import ImageCounter, randn, small_cascade, small_gan, some_labels

Scores = list[float]
COMPANIONS = Companions(randn(3, 1, 8, 8, seed=11))
PROBES, PROBE_C = randn(5, 1, 8, 8, seed=12), some_labels(5)


def watch(cascade: Cascade) -> DiscriminatorCheck:
    """The check of a cascade whose forget images stand for retain images, as in zero-shot."""
    D_0, forget = cascade.original.D, cascade.forget
    reference = scores(D_0, forget.images, forget.c, COMPANIONS)
    before = scores(D_0, PROBES, PROBE_C, COMPANIONS)
    companions, probes = (fix_images(D_0, *of, Work()) for of in ((COMPANIONS.images, None), (PROBES, PROBE_C)))
    whole = cascade.config.preset == "paper"
    return DiscriminatorCheck(companions, forget, reference, reference, probes, before, whole=whole)


def generator_check(cascade: Cascade) -> GeneratorCheck:
    targets = cascade.latents.finals[: cascade.latents.inverted]
    with torch.no_grad():
        images = cascade.original.G.synthesis(cascade.latents.ws[: len(targets)], noise_mode="const")
    return GeneratorCheck(targets, float((images - targets).square().mean()))


def begin(**options: Any) -> tuple[Cascade, CascadeState]:
    cascade = small_cascade(mode="zero-shot", **options)
    return cascade, new_cascade(cascade.original, cascade.config)


# ----------------------------------------------------------------------------
# The estimates.


def slow_prediction(reference: Scores, before: Scores, now: Scores, forget: Scores) -> float:
    """A line through the probes by NumPy's polyfit, then pair by pair: Φ(gap ÷ scatter), or a count without scatter."""
    slope, height = np.polyfit(before, now, 1) if len(before) >= 4 else (1.0, np.mean(now) - np.mean(before))
    left = np.subtract(now, slope * np.array(before) + height)
    scatter = math.sqrt(float((left**2).sum()) / (len(before) - 2)) if len(before) >= 4 else 0.0
    shares = []
    for r in reference:
        for u in forget:
            gap = slope * r + height - u
            if scatter < 1e-6:
                shares.append(float(gap > 0) + 0.5 * float(gap == 0))
            else:
                shares.append(0.5 * (1 + math.erf(gap / scatter / math.sqrt(2))))
    return float(np.mean(shares))


def draw(count: int, seed: int) -> Scores:
    return np.random.default_rng(seed).normal(size=count).tolist()


def predict(reference: Scores, before: Scores, now: Scores, forget: Scores) -> float:
    return predicted_auc(*(torch.tensor(values) for values in (reference, before, now, forget)))


@given(seed=st.integers(0, 1000), probes=st.integers(4, 12), slope=st.floats(-2, 2), noise=st.floats(0.05, 2))
def test_the_prediction_is_a_slow_one(seed: int, probes: int, slope: float, noise: float):
    before, errors = draw(probes, seed), draw(probes, seed + 1)
    now = [slope * score + 0.7 + noise * error for score, error in zip(before, errors, strict=True)]
    scores_of = (draw(5, seed + 2), before, now, draw(7, seed + 3))
    assert predict(*scores_of) == pytest.approx(slow_prediction(*scores_of), abs=1e-4)


@pytest.mark.parametrize("probes", [1, 2, 3])
def test_few_probes_tell_a_shift_alone(probes: int):
    """Probes that are now 1 lower on average, whatever the line: reference scores 1 and 3 are taken for 0 and 2."""
    before = [0.0, 2.0, 4.0][:probes]
    now = [float(np.mean(before)) - 1] * probes
    assert predict([1.0, 3.0], before, now, [-0.5, 1.0]) == pytest.approx(0.75)
    assert predict([1.0, 3.0], before, now, [0.0, 2.0]) == pytest.approx(0.5)


def test_probes_that_were_all_alike_tell_a_shift_alone():
    assert predict([1.0, 3.0], [2.0] * 5, [1.0] * 5, [-0.5, 1.0]) == pytest.approx(0.75)


def test_a_line_without_scatter_is_taken_as_it_is():
    """now = 0.5 · before + 1: reference scores 0 and 4 become 1 and 3."""
    before = [-2.0, 0.0, 2.0, 4.0]
    now = [0.0, 1.0, 2.0, 3.0]
    assert predict([0.0, 4.0], before, now, [2.0, 2.5, 0.0, 0.5]) == pytest.approx((2 + 4) / 8)


def test_scatter_blurs_a_difference():
    """References 1 above the forget images, a scatter of 1 about the line: Φ(1) = 0.8413."""
    before, now = [0.0, 0.0, 1.0, 1.0], [0.0, 0.0, 1.0, 1.0]
    spread = math.sqrt(2 / 4)  # four residuals of this size and two degrees of freedom make a scatter of 1
    now = [value + sign * spread for value, sign in zip(now, (1, -1, 1, -1), strict=True)]
    assert predict([3.0], before, now, [2.0]) == pytest.approx(0.8413, abs=1e-4)


def test_the_estimate_of_the_original_is_a_half():
    """Forget images against themselves, and probes that have not moved; ties may fall either way."""
    cascade, state = begin()
    found = watch(cascade).estimate(state)
    assert found["auc_lu"] == pytest.approx(0.5, abs=0.07)
    assert found["score_drift"] == pytest.approx(0, abs=1e-6)
    assert found["score_forget"] == pytest.approx(float(watch(cascade).reference_scores.mean()), abs=1e-5)


@pytest.mark.parametrize("preset", ["default", "paper"])
def test_the_estimate_is_of_scores_now(preset: Preset):
    """Ours has moved the head alone, the paper's all of D."""
    cascade, state = begin(preset=preset)
    for parameter in state.D.head_parameters() if preset == "default" else state.D.parameters():
        parameter.data.add_(0.1 * randn(*parameter.shape, seed=parameter.numel()))
    check = watch(cascade)
    now = scores(state.D, cascade.forget.images, cascade.forget.c, COMPANIONS).tolist()
    probes = scores(state.D, PROBES, PROBE_C, COMPANIONS).tolist()
    found = check.estimate(state)
    expected = slow_prediction(check.reference_scores.tolist(), check.probe_scores.tolist(), probes, now)
    assert found["auc_lu"] == pytest.approx(expected, abs=1e-4)
    assert found["score_forget"] == pytest.approx(np.mean(now), abs=1e-5)
    assert found["score_drift"] == pytest.approx(np.mean(probes) - float(check.probe_scores.mean()), abs=1e-5)
    assert abs(found["score_drift"]) > 0.01


def test_a_drift_of_all_scores_alike_is_no_forgetting():
    """D without labels whose logits all fall by 3: probes fall as forget images do."""
    cascade, state = begin(original=small_gan(c_dim=0))
    state.D.b4.out.bias.data.sub_(3)
    check = watch(cascade)
    check = replace(check, probes=replace(check.probes, c=None))
    found = check.estimate(state)
    assert found["score_drift"] == pytest.approx(-3, abs=1e-5)
    assert found["auc_lu"] == pytest.approx(0.5, abs=0.07)


def test_forgetting_raises_the_estimate():
    """Forget scores pushed below everything else, probes as they were."""
    cascade, state = begin()
    check = watch(cascade)
    higher = replace(check, reference_scores=check.reference_scores + 100)
    assert higher.estimate(state)["auc_lu"] == pytest.approx(1.0)


def test_substitution_is_a_share_of_the_distance():
    cascade, state = begin()
    check = generator_check(cascade)
    assert check.measure(cascade, state) == pytest.approx(1.0, rel=1e-5), "the original has forgotten nothing"
    for parameter in state.G_ema.parameters():
        parameter.data.add_(0.05 * randn(*parameter.shape, seed=parameter.numel()))
    with torch.no_grad():
        now = state.G_ema.synthesis(cascade.latents.ws[: cascade.latents.inverted], noise_mode="const")
    expected = float((now - check.targets).square().mean()) / check.original_distance
    assert check.measure(cascade, state) == pytest.approx(expected, rel=1e-5)
    assert GeneratorCheck(now, check.original_distance).measure(cascade, state) == pytest.approx(0, abs=1e-8)


def test_substitution_where_the_image_is_its_own_substitute():
    cascade, state = begin()
    with torch.no_grad():
        images = state.G.synthesis(cascade.latents.ws, noise_mode="const")
    assert GeneratorCheck(images, 0.0).measure(cascade, state) == pytest.approx(0, abs=1e-8)


def test_substitution_looks_at_inverted_latents_and_at_the_average_of_g():
    cascade, state = begin(classes=(1,), substitute="other-class", count=4, mapped=6)
    check = generator_check(cascade)
    before = check.measure(cascade, state)
    cascade.latents.ws[4:] += 1
    for parameter in state.G.parameters():
        parameter.data.zero_()
    assert check.measure(cascade, state) == before


@pytest.mark.parametrize(("preset", "through_d"), [("default", False), ("paper", True)])
def test_checks_count_their_work(preset: Preset, through_d: bool):
    """What goes through all of a network: ours takes D's features of fixed images as they are."""
    cascade, state = begin(preset=preset)
    discriminator, generator = watch(cascade), generator_check(cascade)
    counter = ImageCounter().watch(state.D, state.G_ema.synthesis)
    state.step = 4
    StopRuleForItems(cascade, discriminator, generator)(state, None)
    assert state.work == counter.work
    assert (state.work.d_forward > 0) == through_d
    assert state.work.g_forward == 8
    assert cascade.work.d_backward == 0


def test_what_is_known_of_the_original_is_not_computed_again():
    cascade, state = begin()
    check = watch(cascade)
    at_once = StopRuleForItems(cascade, check, generator_check(cascade))(state, None)
    assert state.work.d_forward == 0
    assert {name: at_once.values[name] for name in check.before()} == pytest.approx(check.estimate(state), abs=1e-6)


@pytest.mark.parametrize(
    ("preset", "rested", "again"), [("default", True, False), ("default", False, True), ("paper", True, True)]
)
def test_a_discriminator_that_rests_is_not_looked_at_again(preset: Preset, rested: bool, again: bool):
    """The default preset rests a network that is at its side; the paper's goes on training it."""
    cascade, state = begin(preset=preset)
    state.step = 5
    known = {"auc_lu": 0.9, "score_forget": -3.0, "score_drift": 0.1}
    found = StopRuleForItems(cascade, watch(cascade), generator_check(cascade))(state, Check(known, rested, False))
    assert ({name: found.values[name] for name in known} == known) != again


@pytest.mark.parametrize(
    ("preset", "scored", "checks", "again"),
    [
        ("default", 2, 1, False),
        ("default", 2, 2, True),
        ("default", 1, 1, True),
        ("paper", 2, 1, True),
    ],
)
def test_a_discriminator_of_many_images_is_looked_at_less_often(
    preset: Preset, scored: int, checks: int, again: bool, monkeypatch: pytest.MonkeyPatch
):
    """Where it scores ``scored`` times what every check may, it is looked at in so few of them, and at the last one."""
    cascade, state = begin(preset=preset)
    check = watch(cascade)
    monkeypatch.setattr(stop_rule, "_SCORES_A_CHECK", -(-len(check) // scored))
    rule = StopRuleForItems(cascade, check, generator_check(cascade))
    previous = Check({"auc_lu": 0.7, "score_forget": -3.0, "score_drift": 0.1}, False, False)
    state.step = checks * cascade.config.check_interval
    assert (rule(state, previous).values["score_forget"] != -3.0) == again
    state.step = cascade.config.max_steps
    assert rule(state, previous).values["score_forget"] != -3.0


def test_checks_change_nothing():
    cascade, state = begin()
    state.step = 5
    before = {name: value.clone() for name, value in state.D.state_dict().items()}
    StopRuleForItems(cascade, watch(cascade), generator_check(cascade))(state, None)
    assert all(torch.equal(value, before[name]) for name, value in state.D.state_dict().items())
    assert state.D.training
    assert all(p.grad is None for p in state.D.parameters())


def test_the_papers_auc_is_over_the_very_images_that_it_learns():
    """No prediction: P(D scores a learned image above a forget image), counted over all pairs."""
    cascade, state = begin(preset="paper")
    check = replace(watch(cascade), learned=True)
    with torch.no_grad():
        for weight in state.D.parameters():
            weight += 0.1 * randn(*weight.shape, seed=3)
    learned = scores(state.D, PROBES, PROBE_C, COMPANIONS)
    forget = scores(state.D, cascade.forget.images, cascade.forget.c, COMPANIONS)
    pairs = [float(a > b) + 0.5 * float(a == b) for a in learned for b in forget]
    found = check.estimate(state)
    assert "auc_lu" not in found
    assert found["auc_lu_seen"] == pytest.approx(sum(pairs) / len(pairs))
    rule = StopRuleForItems(cascade, check, generator_check(cascade))
    state.step = 5
    assert rule(state, None).values["auc_lu_seen"] == found["auc_lu_seen"]
    assert 0 < found["auc_lu_seen"] < 1, "else counting would be no test"


# ----------------------------------------------------------------------------
# Reached or not.


class Says:
    """Stands for a check: says what it was told to say."""

    folds, auc_name = (), "auc_lu"

    def __init__(self, value: Any, watched: int = 8) -> None:
        self.value = value
        self.watched = range(watched)

    def before(self) -> Any:
        return dict(self.value)

    def __len__(self) -> int:
        return 8

    def estimate(self, *_: object) -> Any:
        return dict(self.value) if isinstance(self.value, Mapping) else self.value

    def measure(self, *_: object) -> Any:
        return self.value

    look = measure


def items(
    auc: float, substitution: float, destination: Destination = "separated", *, watched: int = 8, **margins: float
):
    cascade, state = begin(destination=destination, **{"auc_margin": 0.05, "margin": 0.02, **margins})
    discriminator = cast(DiscriminatorCheck, Says({"auc_lu": auc}, watched))
    state.step = 4
    return StopRuleForItems(cascade, discriminator, cast(GeneratorCheck, Says(substitution)))(state, None)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("auc", "substitution", "d_reached", "g_reached"),
    [
        (0.86, 0.22, True, True),
        (0.85, 0.249, False, True),
        (0.84, 0.25, False, False),
        (1.0, 1.0, True, False),
        (0.0, 0.0, False, True),
    ],
)
def test_items_need_both_sides_and_for_what_is_estimated_a_margin(
    auc: float, substitution: float, d_reached: bool, g_reached: bool
):
    check = items(auc, substitution)
    assert (check.d_reached, check.g_reached, check.reached) == (d_reached, g_reached, d_reached and g_reached)
    assert check.values == {"auc_lu": auc, "substitution": substitution}


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(("watched", "needed"), [(8, 0.85), (64, 0.85), (256, 0.825), (512, 0.8177)])
def test_the_more_images_the_smaller_the_margin(watched: int, needed: float):
    assert not items(needed - 1e-3, 0.2, watched=watched).reached
    assert items(needed + 1e-3, 0.2, watched=watched).reached


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(("auc", "reached"), [(0.8, False), (0.8001, True)])
def test_the_papers_destination_is_auc_alone_and_strict(auc: float, reached: bool):
    check = items(auc, 1.0, "paper", auc_margin=0.0, margin=0.0)
    assert check.reached == reached
    assert check.values["substitution"] == 1.0


def class_check(
    auc: float,
    fd_u: float,
    substitution: float,
    recall: float | None,
    destination: Destination = "separated",
    *,
    asks_recall: bool = True,
):
    cascade, state = begin(
        classes=(1,), substitute="other-class", destination=destination, auc_margin=0.05, margin=0.02
    )
    classes = Says(ClassEstimate(fd_u, recall))
    classes.count, classes.references = 10, {1: None, 2: None}  # type: ignore[attr-defined]
    discriminator, generator = Says({"auc_lu": auc}), Says(substitution)
    rule = StopRuleForClass(
        cascade,
        cast(DiscriminatorCheck, discriminator),
        cast(GeneratorCheck, generator),
        cast(ClassStopCheck, classes),
        150.0,
        asks_recall,
    )
    state.step = cascade.config.schedule_steps
    check = rule(state, None)
    assert state.work == Work(g_forward=20), "samples of both classes"
    return check


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("auc", "fd_u", "substitution", "recall", "d_reached", "g_reached"),
    [
        (0.86, 154.0, 0.22, 0.02, True, True),
        (0.84, 154.0, 0.22, 0.02, False, True),
        (0.86, 152.0, 0.22, 0.02, True, False),
        (0.86, 154.0, 0.25, 0.02, True, False),
        (0.86, 154.0, 0.22, 0.04, True, False),
        (0.86, 154.0, 0.22, None, True, True),
    ],
)
def test_a_class_needs_everything(
    auc: float, fd_u: float, substitution: float, recall: float | None, d_reached: bool, g_reached: bool
):
    check = class_check(auc, fd_u, substitution, recall)
    assert (check.d_reached, check.g_reached) == (d_reached, g_reached)
    assert check.values["fd_u"] == fd_u
    assert check.values.get("class_recall") == recall


@pytest.mark.usefixtures("unchecked")
def test_recall_counts_only_where_it_is_asked_for():
    """An average image of the class may well be legible; it is reported, and is no part of the destination."""
    check = class_check(0.9, 154.0, 0.1, 0.9, asks_recall=False)
    assert check.reached
    assert check.values["class_recall"] == 0.9


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(("fd_u", "reached"), [(154.0, True), (152.0, False)])
def test_the_papers_destination_of_a_class_is_distance_alone(fd_u: float, reached: bool):
    check = class_check(0.0, fd_u, 1.0, 1.0, "paper")
    assert (check.d_reached, check.g_reached) == (reached, reached)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("few", "many", "step", "promising", "reached", "samples"),
    [
        (154.0, 100.0, 80, False, False, LOOK + 100),
        (154.0, 154.0, 80, False, True, LOOK + 100),
        (152.0, 154.0, 80, False, False, LOOK),
        (152.0, 154.0, 80, True, True, 100),
        (154.0, 154.0, 40, False, False, LOOK),
        (154.0, 154.0, 40, True, False, LOOK),
    ],
)
def test_a_look_that_says_reached_is_confirmed(
    few: float, many: float, step: int, promising: bool, reached: bool, samples: int
):
    """Few samples that say no, or that come before the schedule's end, are enough; after a promising look many are."""

    class Looks:
        count, references = 100, MappingProxyType({1: None})

        def estimate(self, _: object, count: int) -> ClassEstimate:
            return ClassEstimate(few if count == LOOK else many, None)

    cascade, state = begin(classes=(1,), substitute="other-class", schedule_steps=80, margin=0.02)
    state.step = step
    discriminator, generator = Says({"auc_lu": 1.0}), Says(0.0)
    checks = (cast(DiscriminatorCheck, discriminator), cast(GeneratorCheck, generator), cast(ClassStopCheck, Looks()))
    before = {"fd_u": 154.0 if promising else 10.0, "substitution": 0.0, "auc_lu": 1.0}
    previous = Check(before, d_reached=False, g_reached=False)
    check = StopRuleForClass(cascade, *checks, 150.0, recall=False)(state, previous)
    assert check.g_reached == reached
    assert state.work == Work(g_forward=samples)


def of_many_latents(cascade: Cascade, check: GeneratorCheck, count: int) -> GeneratorCheck:
    """Give the cascade ``count`` latents, the same ones again and again."""
    assert isinstance(check.targets, torch.Tensor)
    ws, targets = (x.repeat(count, *[1] * (x.dim() - 1))[:count] for x in (cascade.latents.ws, check.targets))
    cascade.latents = replace(cascade.latents, ws=ws)
    return replace(check, targets=targets)


def test_a_part_of_many_latents_is_looked_at_until_it_says_reached():
    cascade, state = begin()
    check = of_many_latents(cascade, generator_check(cascade), 200)
    targets = check.targets[:].clone()
    targets[1::2] += 0.5  # half of them are further away
    check = replace(check, targets=targets)
    check = replace(check, original_distance=check.original_distance * check.measure(cascade, state) / 0.6)
    everything, state.work = 0.6, Work()
    assert check.look(cascade, state) == pytest.approx(everything)
    assert state.work.g_forward == 64 + 200, "the first look says how a part stands to all"
    assert check.look(cascade, state) == pytest.approx(everything)
    assert state.work.g_forward == 64 + 200 + 64
    near = replace(check, original_distance=check.original_distance * everything / 0.2)
    state.look_ratio *= 0.2 / everything
    assert near.look(cascade, state) == pytest.approx(0.2)
    assert state.work.g_forward == 64 + 200 + 64 + 64 + 200, "what looks reached is measured"
    state.look_ratio *= 0.5  # a part that gives in before the others is found out
    assert near.look(cascade, state) == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("step", "latents", "before", "looked"),
    [
        (0, 8, 1.0, False),  # G_0 is where it is
        (2, 8, 0.9, False),
        (4, 8, 0.9, True),
        (2, 8, 0.34, True),
        (6, 8, 0.9, True),  # the last step
        (2, 80, 0.34, False),
        (4, 80, 0.34, True),
        (4, 80, 0.9, False),
        (6, 80, 0.9, True),
    ],
)
def test_a_generator_that_is_far_or_has_many_latents_is_looked_at_in_fewer_checks(
    step: int, latents: int, before: float, looked: bool
):
    cascade, state = begin()  # a check every 2 steps, at most 6
    state.step, state.substitution = step, before
    check = generator_check(cascade)
    check = of_many_latents(cascade, check, latents)
    found = look_at_generator(check, cascade, state)
    assert found == state.substitution == (pytest.approx(1.0, rel=1e-5) if looked else before)
    assert (state.work.g_forward > 0) == looked

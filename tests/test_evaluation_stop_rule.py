"""The stop rule's estimates against direct computations, and when each side counts as reached."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

import numpy as np
import pytest
import torch
from scipy.stats import norm

from ganforget.evaluation.class_stop import ClassEstimate, ClassStopCheck
from ganforget.evaluation.stop_rule import (
    DiscriminatorCheck,
    GeneratorCheck,
    StopRuleForClass,
    StopRuleForItems,
    predicted_auc,
)
from ganforget.models.scoring import Companions, scores
from ganforget.options import Destination
from ganforget.unlearning.cascade import Cascade
from ganforget.unlearning.state import CascadeState, new_cascade
from ganforget.work import Work
from small_gan import ImageCounter, randn, small_cascade, small_gan, some_labels

COMPANIONS = Companions(randn(3, 1, 8, 8, seed=11))
PROBES, PROBE_C = randn(5, 1, 8, 8, seed=12), some_labels(5)


def watch(cascade: Cascade) -> DiscriminatorCheck:
    """The check of a cascade whose forget images stand for retain images, as in zero-shot."""
    D_0, forget = cascade.original.D, cascade.forget
    reference = scores(D_0, forget.images, forget.c, COMPANIONS)
    return DiscriminatorCheck(COMPANIONS, reference, PROBES, PROBE_C, scores(D_0, PROBES, PROBE_C, COMPANIONS))


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


def test_the_estimate_of_the_original_is_a_half():
    """Forget images against themselves, and no drift."""
    cascade, state = begin()
    found = watch(cascade).estimate(cascade, state)
    assert found["auc_lu"] == pytest.approx(0.5, abs=0.01), "the line may miss the 8 ties by rounding"
    assert found["score_drift"] == pytest.approx(0, abs=1e-6)
    assert found["score_forget"] == pytest.approx(float(watch(cascade).reference_scores.mean()), abs=1e-5)


def test_the_estimate_by_pairs():
    """P(predicted reference > score of a forget image), over all pairs, one by one, with NumPy's line and SciPy's Φ."""
    cascade, state = begin()
    for parameter in state.D.parameters():
        parameter.data.add_(0.1 * randn(*parameter.shape, seed=parameter.numel()))
    check = watch(cascade)
    forget = scores(state.D, cascade.forget.images, cascade.forget.c, COMPANIONS).tolist()
    before, now = check.probe_scores.numpy(), scores(state.D, PROBES, PROBE_C, COMPANIONS).numpy()
    slope, offset = np.polyfit(before.astype(float), now.astype(float), 1)
    scatter = np.sqrt(((now - slope * before - offset) ** 2).sum() / (len(now) - 2))
    wins = [norm.cdf((slope * a + offset - u) / scatter) for a in check.reference_scores.tolist() for u in forget]
    found = check.estimate(cascade, state)
    assert found["auc_lu"] == pytest.approx(np.mean(wins), abs=1e-5)
    assert found["score_drift"] == pytest.approx(float((now - before).mean()), abs=1e-6)
    assert abs(found["score_drift"]) > 0.01


def test_few_probes_give_a_shift_alone():
    """Three probes fallen by 1: the references fall by 1, 2 of 4 pairs win and 1 is equal."""
    before = torch.tensor([0.0, 1.0, 2.0])
    assert predicted_auc(torch.tensor([3.0, 1.0]), before, before - 1, torch.tensor([0.0, 1.0])) == pytest.approx(0.625)


def test_a_flattened_discriminator_is_predicted_flat():
    """Scores halved: the line says so, where a shift would leave the references as far apart as they were."""
    before = torch.linspace(-2, 2, 9)
    found = predicted_auc(torch.tensor([4.0, -4.0]), before, before / 2, torch.tensor([-1.9, 1.9, 2.1]))
    assert found == pytest.approx(2 / 6)  # 2 beats −1.9 and 1.9, −2 beats none


def test_a_drift_of_all_scores_alike_is_no_forgetting():
    """D without labels whose logits all fall by 3: probes fall as forget images do."""
    cascade, state = begin(original=small_gan(c_dim=0))
    state.D.b4.out.bias.data.sub_(3)
    check = replace(watch(cascade), probe_c=None)
    found = check.estimate(cascade, state)
    assert found["score_drift"] == pytest.approx(-3, abs=1e-5)
    assert found["auc_lu"] == pytest.approx(0.5, abs=0.07), "the 8 ties may fall either way"


def test_forgetting_raises_the_estimate():
    """Forget scores pushed below everything else, probes as they were."""
    cascade, state = begin()
    check = watch(cascade)
    higher = replace(check, reference_scores=check.reference_scores + 100)
    assert higher.estimate(cascade, state)["auc_lu"] == 1.0


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


def test_checks_count_their_work():
    cascade, state = begin()
    discriminator, generator = watch(cascade), generator_check(cascade)
    counter = ImageCounter().watch(state.D, state.G_ema.synthesis)
    StopRuleForItems(cascade, discriminator, generator)(state)
    assert state.work == counter.work
    assert state.work.d_forward > 0
    assert state.work.g_forward == 8
    assert cascade.work.d_backward == 0


def test_checks_change_nothing():
    cascade, state = begin()
    before = {name: value.clone() for name, value in state.D.state_dict().items()}
    StopRuleForItems(cascade, watch(cascade), generator_check(cascade))(state)
    assert all(torch.equal(value, before[name]) for name, value in state.D.state_dict().items())
    assert state.D.training
    assert all(p.grad is None for p in state.D.parameters())


# ----------------------------------------------------------------------------
# Reached or not.


class Says:
    """Stands for a check: says what it was told to say."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def estimate(self, *_: object) -> Any:
        return dict(self.value) if isinstance(self.value, Mapping) else self.value

    def measure(self, *_: object) -> Any:
        return self.value


def items(auc: float, substitution: float, destination: Destination = "default", **margins: float):
    cascade, state = begin(destination=destination, **{"auc_margin": 0.05, "margin": 0.02, **margins})
    discriminator = cast(DiscriminatorCheck, Says({"auc_lu": auc}))
    return StopRuleForItems(cascade, discriminator, cast(GeneratorCheck, Says(substitution)))(state)


@pytest.mark.parametrize(
    ("auc", "substitution", "d_reached", "g_reached"),
    [
        (0.86, 0.22, True, True),
        (0.85, 0.23, False, True),
        (0.84, 0.24, False, False),
        (1.0, 1.0, True, False),
        (0.0, 0.0, False, True),
    ],
)
def test_items_need_both_sides_beyond_their_margins(auc: float, substitution: float, d_reached: bool, g_reached: bool):
    check = items(auc, substitution)
    assert (check.d_reached, check.g_reached, check.reached) == (d_reached, g_reached, d_reached and g_reached)
    assert check.values == {"auc_lu": auc, "substitution": substitution}


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
    destination: Destination = "default",
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
    check = rule(state)
    assert state.work == Work(g_forward=20), "samples of both classes"
    return check


@pytest.mark.parametrize(
    ("auc", "fd_u", "substitution", "recall", "d_reached", "g_reached"),
    [
        (0.86, 154.0, 0.22, 0.02, True, True),
        (0.84, 154.0, 0.22, 0.02, False, True),
        (0.86, 152.0, 0.22, 0.02, True, False),
        (0.86, 154.0, 0.24, 0.02, True, False),
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


def test_recall_counts_only_where_it_is_asked_for():
    """An average image of the class may well be legible; it is reported, and is no part of the destination."""
    check = class_check(0.9, 154.0, 0.1, 0.9, asks_recall=False)
    assert check.reached
    assert check.values["class_recall"] == 0.9


@pytest.mark.parametrize(("fd_u", "reached"), [(154.0, True), (152.0, False)])
def test_the_papers_destination_of_a_class_is_distance_alone(fd_u: float, reached: bool):
    check = class_check(0.0, fd_u, 1.0, 1.0, "paper")
    assert (check.d_reached, check.g_reached) == (reached, reached)

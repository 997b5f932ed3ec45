"""Comparison with retrained GANs: numbers by hand, and coverage by simulation."""

import numpy as np
import pytest
from scipy.stats import t

from ganforget.audit.comparison import (
    Chance,
    Effect,
    deviations_needed,
    klom,
    measure_effect,
    prediction_interval,
    privacy_leak_ratio,
)
from ganforget.audit.statistics import bootstrap
from ganforget.evaluation.auc import auc


def gan(random: np.random.Generator, shift: float = 0.0, n: int = 64, m: int = 180) -> tuple[np.ndarray, np.ndarray]:
    return random.normal(shift, 1, n), random.normal(0, 1, m)


def test_prediction_interval_by_hand():
    # mean 2, s = 1, t(0.975, 2) = 4.302653, half = 4.302653 · √(4/3)
    low, high = prediction_interval([1.0, 2.0, 3.0])
    assert (low, high) == pytest.approx((2 - 4.968275, 2 + 4.968275), abs=1e-5)


def test_prediction_intervals_hold_the_next_value():
    random = np.random.default_rng(0)
    held = 0
    for _ in range(400):
        *known, new = random.normal(0.5, 0.03, 4)
        low, high = prediction_interval(known)
        held += low <= new <= high
    assert held / 400 == pytest.approx(0.95, abs=0.04)


def test_effect_is_the_difference_from_the_mean_of_the_references():
    random = np.random.default_rng(1)
    scores, references = gan(random, 1.0), [gan(random), gan(random)]
    effect = measure_effect(scores, references, bootstrap(64, 180), exchangeable=True)
    assert effect.expected == pytest.approx(np.mean([auc(*pair) for pair in references]))
    assert effect.value == pytest.approx(auc(*scores) - effect.expected)
    assert effect.p < 1e-4
    low, high = effect.interval()
    assert low < effect.value < high


def test_pairing_by_image_narrows_the_interval():
    random = np.random.default_rng(2)
    easy = gan(random)
    near = [tuple(0.95 * d + 0.1 * random.normal(size=len(d)) for d in easy) for _ in range(3)]
    drawn = bootstrap(64, 180)
    alone = measure_effect(near[0], [], drawn, exchangeable=True)  # type: ignore[arg-type]
    paired = measure_effect(near[0], near[1:], drawn, exchangeable=True)  # type: ignore[arg-type]
    assert paired.deviation < 0.4 * alone.deviation


@pytest.mark.parametrize("references", [0, 1, 3])
def test_no_effect_is_called_one_as_seldom_as_the_level_says(references: int):
    random = np.random.default_rng(3)
    p_values = []
    for seed in range(120):
        easy = gan(random)
        own, *others = [tuple(0.7 * d + 0.7 * random.normal(size=len(d)) for d in easy) for _ in range(references + 1)]
        drawn = bootstrap(64, 180, seed=seed, draws=150)
        p_values.append(measure_effect(own, others, drawn, exchangeable=True).p)  # type: ignore[arg-type]
    assert np.mean(np.array(p_values) < 0.1) == pytest.approx(0.1, abs=0.08)


def test_against_one_half_the_level_is_exact():
    drawn = bootstrap(4, 5, draws=50)
    effect = measure_effect((np.array([5.0, 6, 7, 8]), np.arange(5.0)), [], drawn, exchangeable=True)
    assert effect.p == pytest.approx(2 / 126)  # of 9 over 4 orders two are as extreme


def test_a_set_that_is_not_random_needs_three_references():
    random = np.random.default_rng(4)
    few = measure_effect(gan(random, 3.0), [gan(random), gan(random)], bootstrap(64, 180), exchangeable=False)
    assert few.deviation == np.inf
    assert few.p == 1
    member, references = gan(random, 3.0), [gan(random) for _ in range(3)]
    three = measure_effect(member, references, bootstrap(64, 180), exchangeable=False)
    spread = np.std([auc(*pair) for pair in references], ddof=1) * np.sqrt(4 / 3)
    assert three.p == pytest.approx(2 * t.sf(three.value / spread, 2))
    low, _ = three.interval()
    assert three.value - low == pytest.approx(t.isf(0.025, 2) * spread)
    more = [*references, *(gan(random) for _ in range(5))]
    assert measure_effect(member, more, bootstrap(64, 180), exchangeable=False).p < 1e-4
    areas = [auc(*gan(np.random.default_rng(s))) for s in range(3)]
    assert prediction_interval(areas)[0] < np.mean(areas)


@pytest.mark.parametrize("count", [3, 5])
def test_the_training_s_chance_is_student_s_at_every_level(count: int):
    random, p_values = np.random.default_rng(6), []
    drawn = bootstrap(400, 400, draws=40)
    easy = gan(random, n=400, m=400)
    for _ in range(800):
        # GANs that differ by a shift of their own, and hardly in the images
        shifts = random.normal(0, 0.6, count + 1)
        own, *others = [(easy[0] + shift, easy[1]) for shift in shifts]
        p_values.append(measure_effect(own, others, drawn, exchangeable=False).p)
    assert np.mean(np.array(p_values) < 0.01) <= 0.018
    assert np.mean(np.array(p_values) < 0.05) == pytest.approx(0.05, abs=0.025)


@pytest.mark.parametrize("count", [4, 8])
def test_few_images_make_no_departure(count: int):
    random, p_values = np.random.default_rng(7), []
    for seed in range(400):
        easy = gan(random, n=count, m=60)
        own, *others = [tuple(0.7 * d + 0.7 * random.normal(size=len(d)) for d in easy) for _ in range(3)]
        drawn = bootstrap(count, 60, seed=seed, draws=100)
        p_values.append(measure_effect(own, others, drawn, exchangeable=True).p)  # type: ignore[arg-type]
    assert np.mean(np.array(p_values) < 0.01) <= 0.02  # normal tails: 0.07 and 0.04


def test_the_wider_of_two_chances_counts():
    # 4 images: t(0.95, 3) = 2.3534; 3 GANs: t(0.95, 2) = 2.9200
    effect = Effect(0.1, 0.5, (Chance(0.1, 3), Chance(0.05, 2)), 0.4)
    assert effect.deviation == 0.1
    assert effect.interval(0.9) == pytest.approx((-0.13534, 0.33534), abs=1e-4)
    assert Chance(0.05, 2).p(0.1) == pytest.approx(0.18350, abs=1e-4)
    assert Chance(np.inf).p(0.4) == 1
    # t(0.995, 2) · √(4/3) = 9.9248 · 1.1547
    assert deviations_needed(3, 0.01) == pytest.approx(11.460, abs=1e-3)


def test_leak_ratio_and_margins():
    assert privacy_leak_ratio(0.2, 0.5) == pytest.approx(-0.6)
    random = np.random.default_rng(5)
    references = [gan(random, n=4000, m=4000) for _ in range(2)]
    assert klom(gan(random, n=4000, m=4000), references) == pytest.approx(0, abs=0.01)
    # KL(N(1, 1) ‖ N(0, 1)) = ½, whatever the scale of the GAN's scores
    member, outside = gan(random, 1.0, n=4000, m=4000)
    assert klom((7 * member + 3, 7 * outside + 3), references) == pytest.approx(0.5, abs=0.06)

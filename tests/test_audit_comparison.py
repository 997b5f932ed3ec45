"""Comparison with retrained GANs: numbers by hand, and coverage by simulation."""

import numpy as np
import pytest

from ganforget.audit.comparison import klom, measure_effect, prediction_interval, privacy_leak_ratio
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
    enough = measure_effect(gan(random, 3.0), [gan(random) for _ in range(3)], bootstrap(64, 180), exchangeable=False)
    assert enough.p < 0.01
    areas = [auc(*gan(np.random.default_rng(s))) for s in range(3)]
    assert prediction_interval(areas)[0] < np.mean(areas)


def test_leak_ratio_and_margins():
    assert privacy_leak_ratio(0.2, 0.5) == pytest.approx(-0.6)
    random = np.random.default_rng(5)
    references = [gan(random, n=4000, m=4000) for _ in range(2)]
    assert klom(gan(random, n=4000, m=4000), references) == pytest.approx(0, abs=0.01)
    # KL(N(1, 1) ‖ N(0, 1)) = ½, whatever the scale of the GAN's scores
    member, outside = gan(random, 1.0, n=4000, m=4000)
    assert klom((7 * member + 3, 7 * outside + 3), references) == pytest.approx(0.5, abs=0.06)

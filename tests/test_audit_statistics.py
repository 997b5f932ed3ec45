"""The audit's statistics against scikit-learn, SciPy and slow counting."""

import numpy as np
import pytest
from scipy.stats import mannwhitneyu, norm
from sklearn.metrics import roc_auc_score, roc_curve

from ganforget.audit.comparison import measure_effect
from ganforget.audit.statistics import (
    bootstrap,
    measure_separation,
    minimum_detectable_auc,
    roc_points,
    tpr_at_fpr,
    two_sided,
)
from ganforget.errors import InputError
from ganforget.evaluation.auc import auc


def groups(seed: int, n: int = 60, m: int = 230, shift: float = 0.7) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    # rounded, so that there are ties
    return np.round(random.normal(shift, 1, n), 1), np.round(random.normal(0, 1, m), 1)


def labels(member: np.ndarray, outside: np.ndarray) -> np.ndarray:
    return np.repeat([1, 0], [len(member), len(outside)])


def test_two_sided_is_the_better_sign():
    assert two_sided(0.2) == pytest.approx(0.8)
    assert two_sided(0.7) == 0.7


@pytest.mark.parametrize("seed", range(4))
def test_roc_is_that_of_scikit_learn(seed: int):
    member, outside = groups(seed)
    fpr, tpr, _ = roc_curve(labels(member, outside), np.concatenate([member, outside]), drop_intermediate=False)
    ours = roc_points(member, outside)
    np.testing.assert_allclose(ours, (fpr, tpr), atol=1e-12)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("rate", [0.005, 0.01, 0.05, 0.3, 1.0])
def test_true_positives_at_a_rate_are_those_of_scikit_learn(seed: int, rate: float):
    member, outside = groups(seed)
    fpr, tpr, _ = roc_curve(labels(member, outside), np.concatenate([member, outside]), drop_intermediate=False)
    assert tpr_at_fpr(member, outside, rate) == pytest.approx(tpr[fpr <= rate + 1e-12].max())


def test_a_rate_below_one_image_is_not_measurable():
    member, outside = groups(0, m=99)
    assert tpr_at_fpr(member, outside, 0.01) is None
    assert tpr_at_fpr(member, np.append(outside, 0.0), 0.01) is not None


def test_bootstrap_areas_equal_resampling_by_hand():
    member, outside = groups(1, n=7, m=9)
    drawn = bootstrap(7, 9, seed=5, draws=20)
    assert (drawn.member_counts.sum(axis=1) == 7).all()
    expected = [
        roc_auc_score(labels(a, b), np.concatenate([a, b]))
        for a, b in (
            (np.repeat(member, u.astype(int)), np.repeat(outside, v.astype(int)))
            for u, v in zip(drawn.member_counts, drawn.outside_counts, strict=True)
        )
    ]
    np.testing.assert_allclose(drawn.areas(member, outside), expected, atol=1e-12)


def test_bootstrap_rates_equal_resampling_by_hand():
    member, outside = groups(2, n=12, m=40)
    drawn = bootstrap(12, 40, seed=3, draws=30)
    pairs = [
        (np.repeat(member, u.astype(int)), np.repeat(outside, v.astype(int)))
        for u, v in zip(drawn.member_counts, drawn.outside_counts, strict=True)
    ]
    for rate in (0.05, 0.3, 1.0):
        expected = np.array([tpr_at_fpr(*pair, rate) for pair in pairs], float)
        np.testing.assert_allclose(drawn.rates(member, outside, rate), expected)


def test_bootstrap_steps_equal_distribution_functions_by_hand():
    member, outside = groups(2, n=9, m=14)
    drawn = bootstrap(9, 14, seed=3, draws=10)

    def below(scores: np.ndarray, at: float) -> float:
        return float(np.mean([score <= at for score in scores]))

    expected = []
    for u, v in zip(drawn.member_counts, drawn.outside_counts, strict=True):
        a, b = np.repeat(member, u.astype(int)), np.repeat(outside, v.astype(int))
        gaps = [
            (below(a, x) - below(member, x)) - (below(b, x) - below(outside, x)) for x in np.append(member, outside)
        ]
        expected.append(max(map(abs, gaps)))
    np.testing.assert_allclose(drawn.steps(member, outside), expected, atol=1e-12)


@pytest.mark.parametrize(("shift", "least_rate"), [(0.0, 73), (0.7, 70)])
def test_intervals_of_rates_and_distances_hold_the_truth(shift: float, least_rate: int):
    # KS of N(s, 1) and N(0, 1) is 2 Φ(s / 2) − 1; the rate at 1 % is P(N(s, 1) > 2.326)
    distance, rate, held = 2 * norm.cdf(shift / 2) - 1, norm.sf(norm.isf(0.01) - shift), np.zeros(2)
    for seed in range(80):
        random = np.random.default_rng(seed)
        member, outside = random.normal(shift, 1, 64), random.normal(0, 1, 180)
        found = measure_separation(member, outside, bootstrap(64, 180, seed=seed, draws=150))
        low, high = found.tpr_interval["0.01"]  # type: ignore[misc]
        held += [found.ks_low <= distance <= found.ks_high, low <= rate <= high]
    assert held[0] >= 71  # 76 or more are expected
    assert held[1] >= least_rate


def test_where_nothing_is_found_the_interval_is_not_a_point():
    found = measure_separation(np.zeros(64), np.linspace(1, 2, 200), bootstrap(64, 200, draws=50))
    assert found.tpr["0.01"] == 0
    # Clopper and Pearson: 1 − 0.025^(1/64)
    assert found.tpr_interval["0.01"] == pytest.approx((0, 1 - 0.025 ** (1 / 64)))
    assert found.tpr_interval["0.001"] is None


def test_intervals_hold_the_truth_as_often_as_they_say():
    # P(N(0.7, 1) > N(0, 1)) = Φ(0.7 / √2) = 0.6897
    held = 0
    for seed in range(120):
        random = np.random.default_rng(seed)
        member, outside = random.normal(0.7, 1, 64), random.normal(0, 1, 180)
        found = measure_separation(member, outside, bootstrap(64, 180, seed=seed, draws=200))
        held += found.auc_low <= 0.6897 <= found.auc_high
    assert 107 <= held <= 119  # 114 expected, standard deviation 2.4


def test_both_tails_are_measured():
    random = np.random.default_rng(0)
    member, outside = random.normal(0, 0.1, 50) - 6, random.normal(0, 1, 200)
    found = measure_separation(member, outside, bootstrap(50, 200))
    assert found.auc == 0
    assert found.auc_two_sided == 1
    assert found.tpr["0.01"] == 0
    assert found.tpr["low 0.01"] == 1
    assert found.tpr["low 0.001"] is None
    assert found.ks == 1


def test_the_detectable_effect_is_found_as_often_as_it_says():
    n, m, alpha, power = 64, 180, 0.05, 0.8
    area = minimum_detectable_auc(n, m, alpha=alpha, power=power)
    shift = float(norm.ppf(area)) * 2**0.5
    random = np.random.default_rng(0)
    found = [
        mannwhitneyu(random.normal(shift, 1, n), random.normal(0, 1, m)).pvalue < alpha  # type: ignore[attr-defined]
        for _ in range(400)
    ]
    assert np.mean(found) == pytest.approx(power, abs=0.07)
    areas = [minimum_detectable_auc(n, m) or 1.0 for n, m in ((1000, 5000), (64, 180), (10, 20))]
    assert areas == sorted(areas)


@pytest.mark.parametrize("members", [8, 16])
def test_the_detectable_effect_against_retrained_gans_is_found_as_often_as_it_says(members: int):
    """By the resamples' deviation and Student's t, as a random forget set is read against them."""
    outside, alpha, power = 90, 0.01, 0.8
    area = minimum_detectable_auc(members, outside, alpha=alpha, power=power, resampled=True)
    assert area is not None
    found = 0
    for seed in range(150):
        random = np.random.default_rng(seed)
        shift = float(norm.ppf(area)) * 2**0.5
        own = (random.normal(shift, 1, members), random.normal(0, 1, outside))
        resamples = bootstrap(members, outside, seed=seed, draws=150)
        found += measure_effect(own, [], resamples, exchangeable=True).chances[0].p(auc(*own) - 0.5) < alpha
    assert found / 150 == pytest.approx(power, abs=0.12)


@pytest.mark.parametrize("members", [1, 2, 4, 8])
def test_intervals_of_few_images_hold_the_truth_at_least_as_often(members: int):
    held = 0
    for seed in range(100):
        random = np.random.default_rng(seed)
        member, outside = random.normal(0.954, 1, members), random.normal(0, 1, 90)  # an AUC of 0.75
        found = measure_separation(member, outside, bootstrap(members, 90, seed=seed, draws=200))
        held += found.auc_low <= 0.75 <= found.auc_high
    assert held >= 90


def test_nothing_to_compare_is_an_error():
    with pytest.raises(InputError, match="at least one"):
        measure_separation(np.empty(0), np.ones(3), bootstrap(1, 3))


def test_area_of_the_roc_is_the_auc():
    member, outside = groups(3)
    fpr, tpr = roc_points(member, outside)
    assert np.trapezoid(tpr, fpr) == pytest.approx(auc(member, outside))

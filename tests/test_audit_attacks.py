"""Every attack against a second, slow, obvious implementation, on networks of a few thousand weights."""

import copy
import math

import numpy as np
import pytest
import torch
from torch.nn.functional import softplus

from audit_worlds import TINY, knowledge, some_targets
from ganforget.audit.attacks.calibrated import lira, reconstruction_calibrated, rmia
from ganforget.audit.attacks.d_difference import d_difference
from ganforget.audit.attacks.latent_search import latent_search
from ganforget.audit.attacks.logan import logan
from ganforget.audit.attacks.monte_carlo import monte_carlo
from ganforget.audit.attacks.nearest_sample import nearest_sample
from ganforget.audit.attacks.partial_black_box import partial_black_box
from ganforget.audit.attacks.reconstruction import reconstruction
from ganforget.audit.attacks.registry import ATTACKS
from ganforget.audit.attacks.relearning import relearned, relearning, relearning_curve, relearning_neighbours
from ganforget.audit.knowledge import INVERSION_RATE, Knowledge, Targets
from ganforget.data import one_hot
from ganforget.evaluation.auc import auc
from ganforget.inversion import InversionConfig, invert
from ganforget.models.gan import Gan
from ganforget.models.latents import latent_statistics
from ganforget.randomness import numpy_stream, stream
from small_gan import same_weights, small_gan

GAN = small_gan()
TARGETS = some_targets()


def label(targets: Targets, at: int, c_dim: int = 3) -> torch.Tensor:
    assert targets.labels is not None
    return one_hot(targets.labels[at : at + 1], c_dim)


def slow_score(gan: Gan, targets: Targets, held: Knowledge, at: int) -> float:
    """One image in a group of its own with the companions."""
    group = torch.cat([targets.images[at : at + 1], held.companions.images])
    return float(gan.D(group, label(targets, at).expand(len(group), -1))[0])


def slow_scores(gan: Gan, targets: Targets, held: Knowledge) -> np.ndarray:
    with torch.no_grad():
        return np.array([slow_score(gan, targets, held, at) for at in range(len(targets))])


def latent(seed: int, name: str, at: int, dim: int = 8) -> torch.Tensor:
    return torch.from_numpy(numpy_stream(seed, name, at).standard_normal(dim, dtype=np.float32))[None]


@torch.no_grad()
def slow_distances(gan: Gan, targets: Targets, at: int) -> list[float]:
    """Root mean squared differences of one image to every sample of its label, one by one."""
    made = [gan.G(latent(5, "audit/samples", i), label(targets, at), noise_mode="const") for i in range(TINY.samples)]
    return [math.sqrt(float((image[0] - targets.images[at]).square().mean())) for image in made]


def test_logan_is_the_score_of_each_image_alone():
    held = knowledge()
    np.testing.assert_allclose(logan(GAN, TARGETS, held), slow_scores(GAN, TARGETS, held), atol=1e-5)


def test_d_difference_is_after_less_before():
    held = knowledge()
    assert held.original is not None
    expected = slow_scores(GAN, TARGETS, held) - slow_scores(held.original, TARGETS, held)
    np.testing.assert_allclose(d_difference(GAN, TARGETS, held), expected, atol=1e-5)
    assert (d_difference(held.original, TARGETS, held) == 0).all()


def margins(gan: Gan, held: Knowledge) -> np.ndarray:
    others = slow_scores(gan, held.population, held)
    return (slow_scores(gan, TARGETS, held) - np.mean(others)) / np.std(others)


@pytest.mark.parametrize("count", [1, 2])
def test_lira_by_loops(count: int):
    references = tuple(small_gan(seed=1 + i) for i in range(count))
    held = knowledge(references)
    others = [margins(reference, held) for reference in references]
    own, expected = margins(GAN, held), []
    spread = 1.0
    if count == 2:
        # the variance of two values is half of their squared difference
        spread = math.sqrt(np.mean([(a - b) ** 2 / 2 for a, b in zip(*others, strict=True)]))
    for at in range(len(TARGETS)):
        expected.append((own[at] - sum(other[at] for other in others) / count) / spread)
    np.testing.assert_allclose(lira(GAN, TARGETS, held), expected, rtol=1e-3, atol=1e-4)


def test_rmia_ranks_as_the_share_of_population_images_below():
    references = (small_gan(seed=1), small_gan(seed=2))
    held = knowledge(references)

    def p(gan: Gan, targets: Targets) -> list[float]:
        others = slow_scores(gan, held.population, held)
        scores = slow_scores(gan, targets, held)
        return [1 / (1 + math.exp(-(score - np.mean(others)) / np.std(others))) for score in scores]

    def ratios(targets: Targets) -> list[float]:
        others = zip(*(p(reference, targets) for reference in references), strict=True)
        return [2 * own / sum(pair) for own, pair in zip(p(GAN, targets), others, strict=True)]

    own, population = ratios(TARGETS), ratios(held.population)
    shares = [sum(z <= x for z in population) / len(population) for x in own]
    found = rmia(GAN, TARGETS, held)
    np.testing.assert_allclose(found, shares, atol=1 / len(population) / 2)
    assert (np.argsort(found) == np.argsort(own)).all()


def test_reconstruction_is_a_fresh_inversion_of_each_image():
    held = knowledge()
    statistics = latent_statistics(GAN.G, seed=6)
    assert TARGETS.labels is not None
    one_by_one = [
        -min(
            float(
                invert(
                    GAN.G,
                    TARGETS.images[i : i + 1],
                    TARGETS.labels[i : i + 1],
                    statistics,
                    InversionConfig(steps=TINY.inversion_steps, learning_rate=INVERSION_RATE, seed=seed),
                ).errors
            )
            for seed in (6, 7)
        )
        for i in range(3)
    ]
    np.testing.assert_allclose(reconstruction(GAN, TARGETS, held)[:3], one_by_one, rtol=1e-3)


def test_calibration_takes_the_references_mean_away():
    references = (small_gan(seed=1), small_gan(seed=2))
    known = {
        id(GAN): np.array([5.0, 1.0]),
        id(references[0]): np.array([1.0, 1.0]),
        id(references[1]): np.array([2.0, 5]),
    }

    def recall(attack: str, gan: Gan) -> np.ndarray:
        assert attack == "reconstruction"
        return known[id(gan)]

    found = reconstruction_calibrated(GAN, TARGETS.rows(np.arange(2)), knowledge(references, recall=recall))
    assert found.tolist() == [3.5, -2.0]


def test_nearest_sample_by_loops():
    expected = [-min(slow_distances(GAN, TARGETS, at)) for at in range(len(TARGETS))]
    np.testing.assert_allclose(nearest_sample(GAN, TARGETS, knowledge()), expected, rtol=1e-3)


def test_an_image_that_the_generator_makes_is_nearest():
    with torch.no_grad():
        made = GAN.G(latent(5, "audit/samples", 7), label(TARGETS, 0), noise_mode="const")
    targets = Targets(torch.cat([made, TARGETS.images[:3]]), np.array([0, 0, 1, 2]))
    assert nearest_sample(GAN, targets, knowledge()).argmax() == 0
    assert nearest_sample(GAN, targets, knowledge())[0] == pytest.approx(0, abs=1e-3)
    assert partial_black_box(GAN, targets, knowledge()).argmax() == 0
    assert monte_carlo(GAN, targets, knowledge()).argmax() == 0


def test_monte_carlo_by_loops():
    distances = [sorted(slow_distances(GAN, TARGETS, at)) for at in range(len(TARGETS))]
    radius = sorted(row[4] for row in distances)[(len(TARGETS) - 1) // 2]  # the fifth nearest of each, their median
    expected = [sum(-math.log(d / radius) for d in row if d < radius) / TINY.samples for row in distances]
    np.testing.assert_allclose(monte_carlo(GAN, TARGETS, knowledge()), expected, rtol=1e-2, atol=1e-5)


@torch.no_grad()
def test_partial_black_box_by_loops():
    found = partial_black_box(GAN, TARGETS, knowledge())
    moves = [torch.randn(len(TARGETS), 8, generator=stream(5, "audit/walk", s)) for s in range(TINY.walk_steps)]
    for at in range(len(TARGETS)):
        distances = slow_distances(GAN, TARGETS, at)
        z, best = latent(5, "audit/samples", int(np.argmin(distances))), min(distances) ** 2
        for step, move in enumerate(moves):
            moved = z + 0.5 * 0.1 ** (step / (TINY.walk_steps - 1)) * move[at]
            image = GAN.G(moved, label(TARGETS, at), noise_mode="const")[0]
            error = float((image - TARGETS.images[at]).square().mean())
            if error < best:
                z, best = moved, error
        assert found[at] == pytest.approx(-best, rel=1e-3)


def test_latent_search_keeps_the_best_of_its_starts():
    found = latent_search(GAN, TARGETS, knowledge())
    statistics = latent_statistics(GAN.G, seed=5)
    runs = []
    for seed in (7, 8):
        config = InversionConfig(
            latent="w+", steps=TINY.inversion_steps, learning_rate=INVERSION_RATE, start_samples=16, seed=seed
        )
        runs.append(invert(GAN.G, TARGETS.images, TARGETS.labels, statistics, config).errors.tolist())
    np.testing.assert_allclose(found, [-min(pair) for pair in zip(*runs, strict=True)], rtol=1e-4)
    assert runs[0] != runs[1]


def tuned_on(gan: Gan, few: Targets, steps: int, seed: int) -> Gan:
    (tuned,) = relearned(gan, few, (steps,), seed=seed)
    return tuned


def test_relearning_by_hand():
    held = knowledge()
    before = copy.deepcopy(GAN)
    found = relearning(GAN, TARGETS, held)
    assert np.isnan(found[[1, 4]]).all()
    others = [at for at in range(len(TARGETS)) if at not in (1, 4)]
    tuned = tuned_on(GAN, TARGETS.rows(held.few), 3, seed=5)
    gain = slow_scores(tuned, TARGETS, held) - slow_scores(GAN, TARGETS, held)
    np.testing.assert_allclose(found[others], gain[others], atol=1e-4)
    assert np.abs(found[others]).max() > 1e-3
    assert same_weights(GAN.G, before.G)
    assert same_weights(GAN.D, before.D)


def test_relearning_trains_on_the_few_alone():
    """D's loss on the few falls; the first step is Adam's on equations 2 and 3."""
    few = TARGETS.rows(np.array([1, 4]))

    def real_loss(gan: Gan) -> float:
        with torch.no_grad():
            return float(softplus(-gan.D(few.images.repeat(2, 1, 1, 1), few.c(3).repeat(2, 1))).mean())  # type: ignore[union-attr]

    assert real_loss(tuned_on(GAN, few, 12, seed=0)) < real_loss(GAN)
    assert same_weights(tuned_on(GAN, few, 0, seed=0).D, GAN.D)


def test_a_stop_on_the_way_changes_nothing():
    few = TARGETS.rows(np.array([1, 4]))
    halfway, end = relearned(GAN, few, (2, 5), seed=0)
    assert same_weights(halfway.D, tuned_on(GAN, few, 2, seed=0).D)
    assert same_weights(end.G, tuned_on(GAN, few, 5, seed=0).G)


def test_relearning_from_neighbours_by_hand():
    held = knowledge()
    assert held.neighbours is not None
    tuned = tuned_on(GAN, held.neighbours, 3, seed=5)
    gain = slow_scores(tuned, TARGETS, held) - slow_scores(GAN, TARGETS, held)
    found = relearning_neighbours(GAN, TARGETS, held)
    np.testing.assert_allclose(found, gain, atol=1e-4)
    assert np.abs(found).max() > 1e-3


def test_relearning_curves_leave_out_what_is_trained_on():
    held = knowledge()
    assert held.neighbours is not None
    scores = slow_scores(GAN, TARGETS, held)
    curve = relearning_curve(GAN, TARGETS, 6, held, neighbours=False)
    assert len(curve) == 3
    assert curve[0] == auc(scores[[0, 2, 3, 5]], scores[6:])
    beside = relearning_curve(GAN, TARGETS, 6, held, neighbours=True)
    assert beside[0] == auc(scores[:6], scores[6:])
    tuned = slow_scores(tuned_on(GAN, held.neighbours, 3, seed=5), TARGETS, held)
    assert beside[2] == auc(tuned[:6], tuned[6:])


def test_every_attack_is_registered_by_its_own_name_and_scores_unlabelled_images_too():
    plain, targets = small_gan(c_dim=0), some_targets(c_dim=0)
    references = (small_gan(seed=1, c_dim=0), small_gan(seed=2, c_dim=0))
    unlabelled = {"population": some_targets(8, c_dim=0, seed=3), "neighbours": some_targets(2, c_dim=0, seed=4)}
    held = knowledge(references, original=small_gan(seed=3, c_dim=0), **unlabelled)
    held = knowledge(
        references,
        original=held.original,
        **unlabelled,
        recall=lambda name, gan: ATTACKS[name].score(gan, targets, held),
    )
    for name, attack in ATTACKS.items():
        assert attack.score.__name__ == name == attack.name
        found = attack.score(plain, targets, held)
        assert found.shape == (len(targets),)
        assert found.dtype == np.float64
        assert np.isfinite(found).sum() >= len(targets) - 2

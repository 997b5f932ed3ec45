"""A random change of D as large as asked for, everywhere, the same from the same seed."""

from typing import Any

import pytest
import torch
from torch import Tensor

from ganforget.errors import InputError
from ganforget.models.scoring import Companions, scores
from ganforget.models.stylegan2 import Discriminator
from ganforget.options import UnlearnOptions
from ganforget.unlearning.perturbation import perturbed_discriminator
from ganforget.unlearning.presets import PERTURBATION, cascade_config
from small_gan import randn, same_weights, small_gan, some_labels

IMAGES, C = randn(64, 1, 8, 8, seed=1), some_labels(64)
COMPANIONS = Companions(randn(3, 1, 8, 8, seed=2))


def score(D: Discriminator) -> Tensor:
    return scores(D, IMAGES, C, COMPANIONS)


@pytest.mark.parametrize("amount", [0.25, PERTURBATION])
def test_scores_move_by_the_amount_asked_for(amount: float):
    D_0 = small_gan().D
    changed = perturbed_discriminator(D_0, score, amount, seed=0)
    moved = score(changed) - score(D_0)
    assert float(moved.std() / score(D_0).std()) == pytest.approx(amount, rel=0.1)


def test_every_weight_moves_in_proportion_and_no_bias():
    D_0 = small_gan().D
    changed = perturbed_discriminator(D_0, score, 0.5, seed=0)
    sizes = []
    for (name, before), after in zip(D_0.named_parameters(), changed.parameters(), strict=True):
        if before.ndim > 1:
            sizes.append(float((after - before).std() / before.std()))
        else:
            assert torch.equal(before, after), name
    assert len(sizes) > 5
    assert max(sizes) < 2 * min(sizes), "the same proportion, but for the chance of small tensors"


def test_the_original_stays_and_seeds_count():
    D_0 = small_gan().D
    kept = small_gan().D
    first, again, other = (perturbed_discriminator(D_0, score, 0.5, seed=seed) for seed in (0, 0, 1))
    assert same_weights(D_0, kept)
    assert same_weights(first, again)
    assert not same_weights(first, other)


def test_only_the_calibrated_destination_perturbs_by_itself():
    items = UnlearnOptions("digits", "digits", forget_random=8)
    assert cascade_config(items, "item", "truncation", n_forget=4).perturbation == PERTURBATION
    others: list[dict[str, Any]] = [{"destination": "separated"}, {"preset": "paper"}, {"perturbation": 0.0}]
    for more in others:
        asked = UnlearnOptions("digits", "digits", forget_random=8, **more)
        assert cascade_config(asked, "item", "truncation", n_forget=4).perturbation == 0
    asked = UnlearnOptions("digits", "digits", forget_random=8, destination="separated", perturbation=0.3)
    assert cascade_config(asked, "item", "truncation", n_forget=4).perturbation == 0.3
    with pytest.raises(InputError, match="perturbation is -1"):
        UnlearnOptions("digits", "digits", forget_random=8, perturbation=-1)

"""Folds of the forget images: in zero-shot a D beside for each tells what D does to images not learned on."""

from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from ganforget.errors import ModelFileError
from ganforget.evaluation.stop_rule import DiscriminatorCheck, StopRuleForItems, predicted_auc
from ganforget.evaluation.substitution import GeneratorCheck
from ganforget.models.scoring import Companions, scores
from ganforget.unlearning.cascade import Cascade, Check
from ganforget.unlearning.default_preset import default_step
from ganforget.unlearning.material import fix_images
from ganforget.unlearning.state import CascadeState, load_cascade, new_cascade, save_cascade
from ganforget.work import Work
from small_gan import randn, same_weights, small_cascade

COMPANIONS = Companions(randn(3, 1, 8, 8, seed=11))
FOLDS = (torch.tensor([1, 4, 5, 7]), torch.tensor([0, 2, 3, 6]))
G_RESTS = Check({}, d_reached=False, g_reached=True)


def begin() -> tuple[Cascade, CascadeState, DiscriminatorCheck]:
    """A cascade of eight forget images in two folds."""
    cascade = small_cascade(mode="zero-shot", schedule_steps=0)
    cascade.folds = FOLDS
    D_0, forget = cascade.original.D, cascade.forget
    before = scores(D_0, forget.images, forget.c, COMPANIONS)
    companions = fix_images(D_0, COMPANIONS.images, None, Work())
    check = DiscriminatorCheck(companions, forget, before, before, forget, before, FOLDS)
    return cascade, new_cascade(cascade.original, cascade.config, folds=2), check


def steps(cascade: Cascade, state: CascadeState, count: int) -> None:
    for _ in range(count):
        default_step(cascade, state, G_RESTS)
        state.step += 1


def test_the_estimate_is_what_they_do_to_their_folds():
    cascade, state, check = begin()
    steps(cascade, state, 5)
    expected, drifts = [], []
    for one, fold, others in zip(state.beside, FOLDS, FOLDS[::-1], strict=True):
        now = scores(one.D, cascade.forget.images, cascade.forget.c, COMPANIONS)
        before = check.watched_scores
        expected.append(predicted_auc(before, before[fold], now[fold], now[others]))
        drifts.append(float((now - before)[fold].mean()))
    found = check.estimate(state)
    assert found["auc_lu"] == pytest.approx(np.mean(expected), abs=1e-5)
    assert found["score_drift"] == pytest.approx(np.mean(drifts), abs=1e-5)
    own = scores(state.D, cascade.forget.images, cascade.forget.c, COMPANIONS)
    assert found["score_forget"] == pytest.approx(float(own.mean()), abs=1e-5)
    assert expected[0] != pytest.approx(expected[1], abs=1e-3)


def changed(forget: Tensor, rows: Tensor) -> Tensor:
    found = forget.clone()
    found[rows] = randn(len(rows), *forget.shape[1:], seed=5)
    return found


def test_a_d_beside_learns_on_all_but_its_fold():
    """What the images of its fold are makes no difference to it, and one to all others."""
    found = []
    for rows in (FOLDS[0][:0], FOLDS[0]):
        cascade, state, _ = begin()
        assert isinstance(cascade.forget.features, Tensor)
        cascade.forget = replace(cascade.forget, features=changed(cascade.forget.features, rows))
        steps(cascade, state, 3)
        found.append(state)
    assert same_weights(found[0].beside[0].D, found[1].beside[0].D)
    assert not same_weights(found[0].beside[1].D, found[1].beside[1].D)
    assert not same_weights(found[0].D, found[1].D)


def test_d_does_not_know_of_them():
    cascade, state, _ = begin()
    steps(cascade, state, 3)
    cascade.folds = ()
    alone = new_cascade(cascade.original, cascade.config)
    steps(cascade, alone, 3)
    assert same_weights(state.D, alone.D)


def test_they_share_ds_trunk():
    _, state, _ = begin()
    own = {id(weight) for weight in state.D.head_parameters()}
    for one in state.beside:
        heads = {id(weight) for weight in one.D.head_parameters()}
        assert not heads & own
        assert {id(weight) for weight in one.D.parameters()} - heads == {id(w) for w in state.D.parameters()} - own


def test_they_are_resumed(tmp_path: Path):
    cascade, state, _ = begin()
    steps(cascade, state, 2)
    save_cascade(state, tmp_path)
    resumed = load_cascade(new_cascade(cascade.original, cascade.config, folds=2), tmp_path)
    steps(cascade, state, 2)
    steps(cascade, resumed, 2)
    for one, other in zip(state.beside, resumed.beside, strict=True):
        assert same_weights(one.D, other.D)
        assert not same_weights(one.D, cascade.original.D)


def test_a_resume_state_without_them_is_refused(tmp_path: Path):
    cascade, state, _ = begin()
    save_cascade(state, tmp_path)
    tensors = load_file(tmp_path / "state.safetensors")
    save_file({key: value for key, value in tensors.items() if "beside1" not in key}, tmp_path / "state.safetensors")
    with pytest.raises(ModelFileError, match="lacks beside1"):
        load_cascade(new_cascade(cascade.original, cascade.config, folds=2), tmp_path)


class Says:
    """Stands for a check of either network: says what it was told to say."""

    folds, auc_name, watched = FOLDS, "auc_lu", range(8)

    def __init__(self, auc_lu: float) -> None:
        self.auc_lu = auc_lu

    def __len__(self) -> int:
        return 8

    def estimate(self, _: CascadeState) -> dict[str, float]:
        return {"auc_lu": self.auc_lu}

    def measure(self, *_: object) -> float:
        return 0.1

    look = measure


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(("auc_lu", "reached"), [(0.89, False), (0.91, True)])
def test_few_probes_ask_for_a_wide_margin(auc_lu: float, reached: bool):
    cascade, state, _ = begin()
    state.step = 10
    rule = StopRuleForItems(cascade, cast(DiscriminatorCheck, Says(auc_lu)), cast(GeneratorCheck, Says(auc_lu)))
    assert rule(state, None).d_reached == reached

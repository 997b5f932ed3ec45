"""Zero-shot means zero, and few-shot means few: what the cascade is not to see may be noise, to the bit.

Everything from options to weights runs as in a real run: selection, inversion, preparation, cascade and stop rule, on
a small GAN and 200 digits. Only the loading of the data is replaced, and less is drawn than in a real run.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ganforget.api import task as task_room
from ganforget.api import watch
from ganforget.api.preparation import Prepared, prepare
from ganforget.api.task import UnlearningTask, resolve_task
from ganforget.data import DataSpec, DataSplits, ImageDataset, load_data
from ganforget.evaluation.calibration import StopRuleCalibrated
from ganforget.evaluation.reference import measure_reference
from ganforget.evaluation.stop_rule import StopRuleForItems
from ganforget.interruption import StopRequest
from ganforget.options import UnlearnOptions
from ganforget.progress import Silent
from ganforget.unlearning.loop import run_cascade
from ganforget.unlearning.material import fix_images
from ganforget.unlearning.state import CascadeState, new_cascade
from ganforget.work import Work
from small_gan import CPU, same_weights
from small_runs import save_digits_gan, take_few_steps

ITEMS: dict[str, Any] = {"forget_random": 6, "destination": "separated"}
PAPER: dict[str, Any] = ITEMS | {"preset": "paper", "destination": "default"}
SEVEN: dict[str, Any] = {"forget_class": (7,), "invert": 6}
KINDS: list[dict[str, Any]] = [
    ITEMS,
    ITEMS | {"substitute": "projection", "latent": "w+", "lambda2": 0.5},
    PAPER,
    ITEMS | {"forget_random": 32},
    SEVEN,
    SEVEN | {"preset": "paper", "substitute": "average"},
]

CALIBRATED: dict[str, Any] = ITEMS | {"destination": "calibrated"}


@pytest.fixture(autouse=True)
def little(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take fewer steps of inversion and fewer samples than a real run does."""
    take_few_steps(monkeypatch, pool=64)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_digits_gan(tmp_path_factory.mktemp("model"))


def resolve(model: Path, mode: str, kind: dict[str, Any]) -> UnlearningTask:
    options = {"data": "digits", "max_steps": 5, "schedule_steps": 2, "cache": False, "probe": False} | kind
    return resolve_task(UnlearnOptions(str(model), mode=mode, **options))  # type: ignore[arg-type]


def unlearn(task: UnlearningTask) -> tuple[Prepared, CascadeState]:
    prepared = prepare(task, CPU, Silent(), StopRequest())
    state = new_cascade(task.original, prepared.cascade.config, folds=len(prepared.cascade.folds))
    run_cascade(prepared.cascade, state, prepared.stop_rule, stop=StopRequest(), on_check=lambda *_: None)
    assert state.step == 5
    assert not same_weights(state.G, task.original.G)
    assert not same_weights(state.D, task.original.D)
    return prepared, state


def with_noise(dataset: ImageDataset, keep: np.ndarray) -> ImageDataset:
    """Replace every image but those to keep by noise."""
    images = np.random.default_rng(1).integers(0, 256, dataset.images.shape, dtype=np.uint8)
    images[keep] = dataset.images[keep]
    return replace(dataset, images=images)


def load_only(keep: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make every later task find noise in place of all training images but ``keep``, and of the holdout set."""

    def load(spec: DataSpec, **more: Any) -> DataSplits:
        splits = load_data(spec, **more)
        nothing = np.empty(0, np.int64)
        return replace(splits, train=with_noise(splits.train, keep), holdout=with_noise(splits.holdout, nothing))

    monkeypatch.setattr(task_room, "load_data", load)


def assert_same(ours: tuple[Prepared, CascadeState], theirs: tuple[Prepared, CascadeState]) -> None:
    for name in ("G", "D", "G_ema"):
        assert same_weights(getattr(ours[1], name), getattr(theirs[1], name)), name
    labels = [torch.as_tensor(prepared.cascade.fake_label) for prepared, _ in (ours, theirs)]
    assert torch.equal(*labels)
    assert ours[0].class_destination == theirs[0].class_destination
    assert ours[0].stop_rule(ours[1], None) == theirs[0].stop_rule(theirs[1], None)


@pytest.mark.parametrize("kind", [*KINDS, CALIBRATED | {"seed": 1}], ids=str)
def test_zero_shot_sees_no_retain_and_no_holdout_image(
    model: Path, kind: dict[str, Any], monkeypatch: pytest.MonkeyPatch
):
    task = resolve(model, "zero-shot", kind)
    assert task.forget.indices is not None
    assert len(task.seen) == 0
    real = unlearn(task)
    load_only(np.array(task.forget.indices), monkeypatch)
    blind = resolve(model, "zero-shot", kind)
    assert blind.splits is not None
    assert task.splits is not None
    same = (np.asarray(blind.splits.train.images) == np.asarray(task.splits.train.images)).all(axis=(1, 2, 3))
    assert np.flatnonzero(same).tolist() == list(task.forget.indices), "everything else is noise indeed"
    assert blind.forget.hashes == task.forget.hashes
    assert_same(unlearn(blind), real)


@pytest.mark.parametrize("kind", KINDS[1:4], ids=str)
def test_few_shot_sees_few(model: Path, kind: dict[str, Any], monkeypatch: pytest.MonkeyPatch):
    """As many retain images as are forgotten, and none of the others."""
    task = resolve(model, "few-shot", kind)
    assert task.forget.indices is not None
    assert len(task.seen) == len(task.forget)
    assert not set(task.seen.tolist()) & set(task.forget.indices)
    assert not set(task.seen.tolist()) & set(task.companions.tolist())
    real = unlearn(task)
    load_only(np.concatenate([task.forget.indices, task.seen]), monkeypatch)
    assert_same(unlearn(resolve(model, "few-shot", kind)), real)


def test_few_shot_does_see_those(model: Path, monkeypatch: pytest.MonkeyPatch):
    """That the comparison can fail: noise in place of the retain images it sees leads elsewhere."""
    task = resolve(model, "few-shot", ITEMS)
    real = unlearn(task)
    load_only(np.array(task.forget.indices), monkeypatch)
    assert not same_weights(unlearn(resolve(model, "few-shot", ITEMS))[1].D, real[1].D)


def test_calibrated_few_shot_sees_half_of_the_holdout_set(model: Path, monkeypatch: pytest.MonkeyPatch):
    """The half that calibrates is no part of what measures; without it the run is another."""
    task = resolve(model, "few-shot", CALIBRATED)
    assert task.splits is not None
    assert 0 < len(task.calibration) < len(task.splits.holdout)
    groups = measure_reference(task.splits, task.forget, calibration=task.calibration).groups
    assert not set(groups.holdout.tolist()) & set(task.calibration.tolist())
    assert len(groups.holdout) + len(task.calibration) == len(task.splits.holdout)
    assert len(resolve(model, "few-shot", ITEMS).calibration) == 0
    assert len(resolve(model, "zero-shot", CALIBRATED).calibration) == 0
    real = unlearn(task)
    assert task.forget.indices is not None
    load_only(np.concatenate([task.forget.indices, task.seen]), monkeypatch)
    blind = unlearn(resolve(model, "few-shot", CALIBRATED))
    assert not same_weights(blind[1].D, real[1].D)


def test_zero_shot_does_see_the_forget_images(model: Path, monkeypatch: pytest.MonkeyPatch):
    real = unlearn(resolve(model, "zero-shot", ITEMS))
    load_only(np.empty(0, np.int64), monkeypatch)
    other = unlearn(resolve(model, "zero-shot", ITEMS))
    assert not same_weights(other[1].D, real[1].D)
    assert not same_weights(other[1].G, real[1].G)


@pytest.mark.parametrize("mode", ["few-shot", "zero-shot"])
def test_a_class_is_forgotten_by_mapped_latents_as_well(model: Path, mode: str):
    prepared = prepare(resolve(model, mode, SEVEN), CPU, Silent(), StopRequest())
    latents = prepared.cascade.latents
    assert latents.inverted == 6
    assert len(latents.ws) > 100
    assert latents.labels is not None
    assert (latents.labels == 7).all()
    assert latents.forbidden.tolist() == [y == 7 for y in range(10)]
    assert prepared.cascade.anchors.c is not None
    assert not prepared.cascade.anchors.c[:, 7].any(), "anchors are of the other classes"
    assert torch.equal(prepared.substitutes[:], latents.finals[:6])


@pytest.mark.parametrize(
    ("mode", "kind", "count"),
    [
        ("zero-shot", ITEMS | {"forget_random": 33}, 4),
        ("zero-shot", ITEMS | {"forget_random": 31}, 0),
        ("zero-shot", ITEMS | {"forget_random": 33, "destination": "calibrated"}, 0),
        ("zero-shot", PAPER | {"forget_random": 33}, 0),
        ("zero-shot", SEVEN, 0),
        ("few-shot", ITEMS | {"forget_random": 33}, 0),
    ],
    ids=str,
)
def test_zero_shot_cuts_many_images_into_folds(model: Path, mode: str, kind: dict[str, Any], count: int):
    """Each image is in one of them."""
    prepared = prepare(resolve(model, mode, kind), CPU, Silent(), StopRequest())
    folds = prepared.cascade.folds
    assert len(folds) == count
    if folds:
        assert sorted(torch.cat(folds).tolist()) == list(range(33))
        assert min(len(fold) for fold in folds) == 8
        assert isinstance(prepared.stop_rule, StopRuleForItems)
        for ours, theirs in zip(prepared.stop_rule.discriminator.folds, folds, strict=True):
            assert torch.equal(ours, theirs)


def test_the_two_sides_of_an_image_are_in_one_fold(model: Path, monkeypatch: pytest.MonkeyPatch):
    """A D beside would else learn the mirror image of what it is to be watched on."""
    mirrored = ITEMS | {"forget_random": 33, "mirror": True}
    prepared = prepare(resolve(model, "zero-shot", mirrored), CPU, Silent(), StopRequest())
    folds = prepared.cascade.folds
    assert sorted(torch.cat(folds).tolist()) == list(range(66))
    for fold in folds:
        assert torch.equal(fold[fold < 33], fold[fold >= 33] - 33)
    monkeypatch.setattr(watch, "_WATCHED", 60)  # of many only some are watched, and their other sides are left out too
    mirrored["forget_random"] = 45
    some = prepare(resolve(model, "zero-shot", mirrored), CPU, Silent(), StopRequest()).cascade.folds
    assert 60 < len(torch.cat(some)) < 90
    for fold in some:
        assert torch.equal(fold[fold < 45], fold[fold >= 45] - 45)


def test_what_calibrates_zero_shot_is_not_trained_on(model: Path):
    """Samples of G_0 that are no anchors, and whose features are those of the D that was changed at random."""
    prepared = prepare(resolve(model, "zero-shot", CALIBRATED), CPU, Silent(), StopRequest())
    assert isinstance(prepared.stop_rule, StopRuleCalibrated)
    check, cascade = prepared.stop_rule.discriminator, prepared.cascade
    anchors = {image.numpy().tobytes() for image in cascade.anchors.images[:]}
    assert not anchors & {image.numpy().tobytes() for image in check.unseen.images[:]}
    for fixed in (check.unseen, check.companions, check.forget):
        again = fix_images(cascade.original.D, fixed.images, fixed.c, Work())
        torch.testing.assert_close(fixed.features[:], again.features[:])


def test_fake_labels(model: Path):
    """auto lies below D_0's scores; the paper's preset keeps the paper's value; a given one is warned of."""
    automatic, paper, given = (
        prepare(resolve(model, "zero-shot", ITEMS | more), CPU, Silent(), StopRequest())
        for more in ({}, PAPER, {"fake_label": "1e3"})
    )
    assert isinstance(automatic.stop_rule, StopRuleForItems)
    found = automatic.stop_rule.discriminator.watched_scores
    assert automatic.cascade.fake_label < float(found.min())
    assert automatic.warnings == ()
    assert automatic.fake_label_rule.startswith("auto")
    assert paper.cascade.fake_label == 0.1
    assert given.cascade.fake_label == 1000.0
    assert given.fake_label_rule == "given"
    assert ["is not significantly below" in warning for warning in given.warnings] == [True]

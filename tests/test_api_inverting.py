"""Which forget images are inverted, and which of them the generator has to give up."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ganforget.api import watch
from ganforget.api.inverting import Inverted, invert_forget_images
from ganforget.api.task import UnlearningTask, _without_counterpart, calibrating, resolve_task
from ganforget.api.watch import PROBES, _calibration_rows, watch_calibrated, watch_discriminator
from ganforget.data import forget_indices
from ganforget.errors import InputError
from ganforget.evaluation.by_label import matched_by_label
from ganforget.evaluation.calibration import labels_of
from ganforget.interruption import StopRequest
from ganforget.inversion.invert import InversionConfig, invert
from ganforget.models.latents import latent_statistics
from ganforget.models.scoring import companion_count
from ganforget.options import UnlearnOptions
from ganforget.progress import Silent
from ganforget.unlearning.fake_label import TOWARDS_SAMPLES, between_scores
from ganforget.unlearning.material import anchor_pool, fix_images
from ganforget.work import Work
from small_runs import save_digits_gan, take_few_steps

COUNT = 24


@pytest.fixture(autouse=True)
def little(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    take_few_steps(monkeypatch, steps=3)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_digits_gan(tmp_path_factory.mktemp("model"))


def inverted(model: Path, **more: Any) -> tuple[UnlearningTask, Inverted]:
    given = {"forget_random": COUNT, "probe": False} | more
    task = resolve_task(UnlearnOptions(str(model), "digits", **given))
    return task, invert_forget_images(task, latent_statistics(task.original.G, seed=0), Silent(), StopRequest())


def errors(task: UnlearningTask, rows: np.ndarray) -> np.ndarray:
    """Invert holdout images in the plain way."""
    assert task.splits is not None
    holdout, G = task.splits.holdout, task.original.G
    assert holdout.labels is not None
    config = InversionConfig(steps=3, start_samples=16)
    return invert(G, holdout.tensor(rows), holdout.labels[rows], latent_statistics(G, seed=0), config).errors.numpy()


def test_few_shot_gives_up_what_was_made_better_than_unseen_images(model: Path):
    task, found = inverted(model)
    all_unseen = errors(task, task.calibration)
    assert len(found.inversion.ws) == COUNT
    bound = found.substituted.errors.max()
    kept = np.setdiff1d(np.arange(COUNT), found.images)
    assert 0 < len(kept) < COUNT
    assert (found.inversion.errors[kept] > bound).all()
    assert found.substituted.errors.tolist() == found.inversion.errors[found.images].tolist()
    assert found.substituted.ws.equal(found.inversion.ws[found.images])
    # the bound is a median of 24 of the calibration half's errors
    assert np.quantile(all_unseen, 0.2) < float(bound) < np.quantile(all_unseen, 0.8)
    assert (
        found.rule
        == f"the {len(found.images)} of 24 images that the original made better than the median of 24 unseen ones"
    )
    alone = inverted(model, mode="zero-shot")[1]
    assert found.inversion.work.g_backward == 2 * alone.inversion.work.g_backward, "unseen images cost as well"


def test_zero_shot_gives_up_the_better_half(model: Path):
    _, found = inverted(model, mode="zero-shot")
    order = found.inversion.errors.argsort().tolist()
    assert sorted(order[: COUNT // 2]) == found.images.tolist()
    assert found.rule == "the 12 of 24 images that the original made best"


def test_of_few_images_with_nothing_to_compare_all_are_given_up(model: Path):
    assert (
        inverted(model, mode="zero-shot", forget_random=16)[1].rule == "the 8 of 16 images that the original made best"
    )
    _, found = inverted(model, mode="zero-shot", forget_random=15)
    assert found.rule == ""
    assert found.images.tolist() == list(range(15))
    assert "better than the median of 16 unseen ones" in inverted(model, forget_random=4)[1].rule


@pytest.mark.parametrize("more", [{"destination": "separated"}, {"preset": "paper"}, {"forget_class": (7,)}], ids=str)
def test_other_destinations_give_up_all(model: Path, more: dict[str, Any]):
    if "forget_class" in more:
        more["forget_random"] = None
    _, found = inverted(model, invert=10, **more)
    assert found.rule == ("" if "forget_class" in more else f"the 10 of {COUNT} images that were inverted")
    assert len(found.images) == len(found.substituted.ws) == 10


def test_a_forget_set_worse_than_all_unseen_images_gives_up_one(model: Path, monkeypatch: pytest.MonkeyPatch):
    """The generator then has next to nothing to forget; one image is left, so that there is a cascade at all."""
    from ganforget.api import inverting

    def easier(*arguments: Any, **options: Any) -> Any:
        result = real(*arguments, **options)
        if options["title"] != "Inverting the images to forget":
            result.errors.mul_(1e-3)
        return result

    real = inverting._inverted
    monkeypatch.setattr(inverting, "_inverted", easier)
    _, found = inverted(model)
    assert found.images.tolist() == [int(found.inversion.errors.argmin())]


def test_latents_come_from_the_cache_the_second_time(model: Path):
    first, second = (inverted(model)[1] for _ in range(2))
    assert second.inversion.seconds == first.inversion.seconds, "they cost what they cost"
    assert second.substituted.ws.equal(first.substituted.ws)
    assert second.inversion.work == first.inversion.work


def test_images_that_were_not_inverted_are_told(model: Path):
    task, found = inverted(model, destination="separated", invert=5)
    assert found.rule == f"the 5 of {COUNT} images that were inverted"
    assert "5 of the 24 images are inverted: the others get no substitute" in " ".join(task.warnings)
    task, found = inverted(model, invert=20)
    assert "of 20 (of 24) images that the original made better" in found.rule


def test_what_cannot_work_is_told_before_the_run(model: Path):
    task = resolve_task(UnlearnOptions(str(model), "digits", forget_random=8, max_steps=3, schedule_steps=9))
    assert "At most 3 steps are taken and the schedule has 9" in " ".join(task.warnings)
    with pytest.raises(InputError, match="nothing draws G to its substitutes"):
        resolve_task(UnlearnOptions(str(model), "digits", forget_random=8, lambda1=0.0))


def test_options_about_the_data_need_data(model: Path, tmp_path: Path):
    given = {"mode": "zero-shot", "forget": tmp_path, "downstream": True, "holdout_path": tmp_path}
    with pytest.raises(InputError, match=r"^--holdout-path, --downstream given without training data"):
        resolve_task(UnlearnOptions(str(model), **given))  # type: ignore[arg-type]


def test_few_unseen_images_calibrate_nothing(model: Path, tmp_path: Path):
    """All of them measure, and samples stand for them."""
    task = resolve_task(UnlearnOptions(str(model), "digits", forget_random=8))
    assert task.splits is not None
    assert len(task.calibration) > 100
    few = replace(task.splits, holdout=task.splits.holdout.subset(np.arange(20)))
    calibration, warnings = calibrating(few)
    assert len(calibration) == 0
    assert "13 images never trained on would calibrate, which are too few" in warnings[0]
    none = replace(task.splits, holdout=task.splits.holdout.subset(np.arange(0)))
    assert calibrating(none)[1] == []


@pytest.mark.parametrize(("images", "aside"), [(16, False), (40, True)])
def test_of_few_images_none_are_kept_aside_as_probes(model: Path, images: int, aside: bool):
    task = resolve_task(UnlearnOptions(str(model), "digits", forget_random=images, destination="separated"))
    gan, work = task.original, Work()
    samples = anchor_pool(gan, np.arange(10), PROBES + companion_count(gan.D), seed=1, work=work)
    labels = task.forget_images.one_hot()
    forget = fix_images(gan.D, task.forget_images.tensor(), labels, work)
    _, check, _ = watch_discriminator(task, forget, samples, work)
    assert (len(check.probes) < PROBES) is aside
    assert len(check.probes) >= 16


def listed(path: Path, positions: object) -> Path:
    path.write_text("\n".join(map(str, positions)))  # type: ignore[call-overload]
    return path


def test_images_that_are_no_random_draw_are_compared_by_label(model: Path, tmp_path: Path):
    drawn = resolve_task(UnlearnOptions(str(model), "digits", forget_random=24))
    assert not drawn.by_label
    splits = drawn.splits
    assert splits is not None
    assert splits.train.labels is not None
    eights = np.flatnonzero(splits.train.labels == 8)[:12]
    task = resolve_task(UnlearnOptions(str(model), "digits", forget=listed(tmp_path / "eights.txt", eights)))
    assert task.by_label
    labels = splits.holdout.labels
    assert labels is not None
    assert len(task.calibration) >= 16
    assert set(labels[task.calibration]) == {8}
    assert np.isin(task.calibration, drawn.calibration).all(), "none of the half that measures"
    one = np.flatnonzero(splits.train.labels == 2)[:12]  # 15 twos would calibrate
    task = resolve_task(UnlearnOptions(str(model), "digits", forget=listed(tmp_path / "twos.txt", one)))
    assert not len(task.calibration)
    assert "15 images never trained on with labels of the images to forget would calibrate, which are too few" in (
        " ".join(task.warnings)
    )
    assert not resolve_task(UnlearnOptions(str(model), "digits", forget_class=(7,))).by_label
    few = np.flatnonzero(labels == 8)[:16]
    bare = replace(splits, holdout=splits.holdout.subset(np.concatenate([few, np.flatnonzero(labels != 8)])))
    found, _ = calibrating(bare, (8,) * 12)
    told = " ".join(_without_counterpart(forget_indices(splits.train, eights), bare, np.arange(9)))
    assert "12 of the 12 images to forget have a label that fewer than 8 images never trained on have" in told
    assert not _without_counterpart(forget_indices(splits.train, eights), splits, task.calibration)
    assert not len(found), "fewer than 16 eights are left"
    mixed, _ = calibrating(bare, (8,) * 1 + (3,) * 30)
    assert set(labels[np.concatenate([few, np.flatnonzero(labels != 8)])][mixed]) == {3, 8}


def test_of_many_unseen_images_as_many_of_each_label_calibrate(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    splits = resolve_task(UnlearnOptions(str(model), "digits", forget_random=1)).splits
    assert splits is not None
    assert splits.train.labels is not None
    assert splits.holdout.labels is not None
    chosen = np.concatenate([np.flatnonzero(splits.train.labels == y)[:n] for y, n in ((8, 12), (3, 1), (1, 1))])
    task = resolve_task(UnlearnOptions(str(model), "digits", forget=listed(tmp_path / "some.txt", chosen)))
    assert len(_calibration_rows(task)) == len(task.calibration)
    monkeypatch.setattr(watch, "_WATCHED", 20)
    labels = splits.holdout.labels[_calibration_rows(task)]
    assert [int((labels == y).sum()) for y in (1, 3, 8)] == [16, 16, 16]
    assert len(_calibration_rows(replace(task, by_label=False))) == 20


@pytest.mark.parametrize("mode", ["few-shot", "zero-shot"])
def test_each_image_of_a_label_aims_at_unseen_ones_of_it(model: Path, tmp_path: Path, mode: Any):
    """D_0 scores the labels apart: what an image aims at is where images of its own label are."""
    found = resolve_task(UnlearnOptions(str(model), "digits", forget_random=1)).splits
    assert found is not None
    labels = found.train.labels
    assert labels is not None
    mixed = np.concatenate([np.flatnonzero(labels == y)[:12] for y in (8, 3)])
    options = UnlearnOptions(str(model), "digits", forget=listed(tmp_path / "two.txt", mixed), mode=mode)
    task = resolve_task(options)
    gan, work = task.original, Work()
    everything = np.arange(10)
    samples = anchor_pool(gan, everything, PROBES + companion_count(gan.D), seed=1, work=work)
    forget = fix_images(gan.D, task.forget_images.tensor(), task.forget_images.one_hot(), work)
    _, watching, own = watch_discriminator(task, forget, samples, work)
    check, aims, rule = watch_calibrated(task, forget, own, samples, everything, watching, work)
    assert check.by_label
    assert "of its label, by rank" in rule
    assert set(labels_of(check.unseen)) == {3, 8}
    for label in (3, 8):
        rows, those = labels_of(forget) == label, labels_of(check.unseen) == label
        kind, scored = check.unseen_scores[torch.from_numpy(those)], own[torch.from_numpy(rows)]
        aimed = aims[torch.from_numpy(rows)]
        if mode == "zero-shot":
            aimed = (aimed - (1 - TOWARDS_SAMPLES) * scored) / TOWARDS_SAMPLES
        assert ((aimed >= kind.min() - 1e-5) & (aimed <= kind.max() + 1e-5)).all()
        assert torch.equal(aimed.argsort(), scored.argsort())
    expected = matched_by_label(own, labels_of(forget), check.unseen_scores, labels_of(check.unseen))
    assert torch.allclose(aims, expected if mode == "few-shot" else between_scores(own, expected))
    if mode == "zero-shot":
        assert check.stand_ins is not None
        assert torch.allclose(check.stand_ins, aims), "all of so few images are watched"

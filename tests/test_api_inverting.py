"""Which forget images are inverted, and which of them the generator has to give up."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ganforget.api.inverting import Inverted, invert_forget_images
from ganforget.api.task import UnlearningTask, resolve_task
from ganforget.interruption import StopRequest
from ganforget.inversion.invert import InversionConfig, invert
from ganforget.models.latents import latent_statistics
from ganforget.options import UnlearnOptions
from ganforget.progress import Silent
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
    assert found.rule == ""
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

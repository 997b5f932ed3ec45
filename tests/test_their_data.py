"""People's own data from beginning to end: a model trained elsewhere on a whole ZIP, and what is left out then."""

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ganforget.api.evaluating import evaluate_model
from ganforget.api.forgetting import make_forget_set
from ganforget.api.options import EvaluateOptions, ForgetSetOptions
from ganforget.api.task import resolve_task
from ganforget.api.training import train_gan
from ganforget.api.unlearning import resume_unlearning, run_unlearning
from ganforget.data import DataSpec, ForgetSet, load_data
from ganforget.errors import InputError, Interrupted
from ganforget.models.gan import Gan, GanConfig, save_gan
from ganforget.options import UnlearnOptions
from ganforget.training.options import TrainOptions
from small_gan import small_gan
from small_runs import take_few_steps
from test_unlearning_run import StopAt

COUNT = 60


@pytest.fixture(autouse=True)
def little(monkeypatch: pytest.MonkeyPatch) -> None:
    take_few_steps(monkeypatch, steps=4, start_samples=8, pool=32, check_interval=2)


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ZIP in the official layout, nested, its entries in no order."""
    path = tmp_path_factory.mktemp("data") / "faces.zip"
    return write_zip(path, np.random.default_rng(0).integers(0, 256, (COUNT, 8, 8, 3), dtype=np.uint8))


def write_zip(path: Path, pixels: np.ndarray) -> Path:
    names = [f"{n // 20:05d}/img{n:08d}.png" for n in range(len(pixels))]
    with zipfile.ZipFile(path, "w") as archive:
        for number in reversed(range(len(pixels))):
            buffer = io.BytesIO()
            Image.fromarray(pixels[number]).save(buffer, format="PNG")
            archive.writestr(names[number], buffer.getvalue())
        archive.writestr("dataset.json", json.dumps({"labels": [[name, n % 3] for n, name in enumerate(names)]}))
    return path


def model_of(folder: Path, record: dict[str, Any] | None = None) -> Path:
    """A GAN from elsewhere, or one with a record of its training."""
    gan = small_gan(channels=3)
    save_gan(Gan(gan.G, gan.D, GanConfig(gan.config.G, gan.config.D, record or {})), folder)
    return folder


def options(model: Path, data: Path, outdir: Path, **more: Any) -> UnlearnOptions:
    given = {"max_steps": 4, "schedule_steps": 2, "cache": False, "probe": False} | more
    if not {"forget", "forget_class", "forget_random"} & given.keys():
        given |= {"forget_random": 4}
    return UnlearnOptions(str(model), str(data), outdir=outdir, **given)


def test_a_model_from_elsewhere_was_trained_on_every_image(faces: Path, tmp_path: Path):
    model = model_of(tmp_path / "model")
    listed = tmp_path / "names.txt"
    listed.write_text("00002/img00000059.png\n00000/img00000003.png\n")
    result = run_unlearning(options(model, faces, tmp_path / "runs", forget=listed, reconstruct=True))
    assert result.run is not None
    results, after = result.results, result.results["after"]
    assert (results["n_forget"], results["membership"]) == (2, "verified")
    assert after["auc_lu"] is not None
    assert (after["auc_ut"], after["rec_t"]) == (None, None)
    assert any("--holdout-path" in warning for warning in results["warnings"])
    assert ForgetSet.read(result.run / "forget_set.json").indices == (3, 59)
    assert (result.run / "report.html").stat().st_size > 1000
    found = evaluate_model(EvaluateOptions(str(result.run), generations=1))
    assert found["data"]["train"] == COUNT
    assert found["measures"]["auc_lu"] == after["auc_lu"]


def test_holdout_images_are_those_that_are_named(faces: Path, tmp_path: Path):
    model = model_of(tmp_path / "model")
    never = write_zip(tmp_path / "never.zip", np.random.default_rng(1).integers(0, 256, (50, 8, 8, 3), dtype=np.uint8))
    result = run_unlearning(options(model, faces, tmp_path / "runs", holdout_path=never))
    assert result.results["after"]["auc_ut"] is not None
    assert not any("Name images that the model was not trained on" in warning for warning in result.results["warnings"])
    assert result.run is not None
    found = evaluate_model(EvaluateOptions(str(result.run), generations=1))
    calibrated = result.results["n_calibration"]
    assert 16 <= calibrated < 50
    assert found["reference"]["counts"]["holdout"] == 50 - calibrated, "the run remembers them, and what it aimed at"


def test_a_stopped_run_remembers_them_too(faces: Path, tmp_path: Path):
    model = model_of(tmp_path / "model")
    with pytest.raises(Interrupted):
        run_unlearning(options(model, faces, tmp_path / "runs", holdout_path=faces, mirror=True), StopAt(2))
    (run,) = (tmp_path / "runs").iterdir()
    result = resume_unlearning(run)
    assert result.results["n_forget"] == 8
    assert result.results["after"]["auc_ut"] is not None


def test_what_we_have_trained_ourselves_was_split(faces: Path, tmp_path: Path):
    """`ganforget train` holds a part of a folder out, and its model says so; a forget set of the whole ZIP fits."""
    run = train_gan(
        TrainOptions(
            data=str(faces), kimg=0.032, batch_size=16, channel_max=8, outdir=tmp_path / "runs", tick_kimg=0.032
        )
    )
    whole = load_data(DataSpec(str(faces))).train
    task = resolve_task(options(run, faces, tmp_path / "out"))
    assert task.splits is not None
    assert (len(task.splits.train), len(task.splits.holdout)) == (54, 6)
    assert not [warning for warning in task.warnings if "other training images" in warning]
    name = task.splits.train.names[40]
    chosen = make_forget_set(
        ForgetSetOptions(str(faces), forget=_listed(tmp_path / "a.txt", name)), tmp_path / "a.json"
    )
    assert chosen.forget.indices == (whole.names.index(name),)
    moved = resolve_task(options(run, faces, tmp_path / "out", forget=tmp_path / "a.json"))
    assert moved.forget.indices == (40,)
    by_model = make_forget_set(ForgetSetOptions(str(faces), model=str(run), forget=_listed(tmp_path / "a.txt", name)))
    assert by_model.forget.indices == (40,)


def _listed(path: Path, *names: str) -> Path:
    path.write_text("\n".join(names))
    return path


@pytest.mark.parametrize(
    "record",
    [{"options": {"mirror": True}}, {"imported": {"training_set_kwargs": {"xflip": True}}}],
    ids=["ours", "official"],
)
def test_mirrored_copies_are_forgotten_too(faces: Path, tmp_path: Path, record: dict[str, Any]):
    model = model_of(tmp_path / "model", record)
    task = resolve_task(options(model, faces, tmp_path / "runs"))
    assert task.splits is not None
    assert len(task.splits.train) == 2 * COUNT
    indices = np.array(task.forget.indices or ())
    assert len(indices) == 8
    assert np.array_equal(indices[4:], indices[:4] + COUNT)
    images = np.asarray(task.forget_images.images)
    assert np.array_equal(images[4:], images[:4, :, :, ::-1])
    assert not np.isin(task.seen, indices).any()
    assert len(task.seen) == 8
    plain = resolve_task(options(model, faces, tmp_path / "runs", mirror=False))
    assert plain.forget.indices == tuple(indices[:4])


def test_a_mirrored_forget_set_through_a_whole_run(faces: Path, tmp_path: Path):
    model = model_of(tmp_path / "model")
    task = resolve_task(options(model, faces, tmp_path / "runs", mirror=True, forget_random=3))
    task.forget.save(tmp_path / "forget.json")
    result = run_unlearning(
        options(model, faces, tmp_path / "runs", mirror=True, forget=tmp_path / "forget.json", mode="zero-shot")
    )
    assert result.results["n_forget"] == 6
    assert result.run is not None
    assert evaluate_model(EvaluateOptions(str(result.run), generations=1))["n_forget"] == 6


def test_a_model_without_labels_says_why_it_forgets_no_class(faces: Path, tmp_path: Path):
    gan = small_gan(channels=3, c_dim=0)
    save_gan(gan, tmp_path / "model")
    with pytest.raises(InputError, match="no labels, so it cannot forget a class; forget images instead"):
        resolve_task(options(tmp_path / "model", faces, tmp_path / "runs", forget_class=(1,)))


def test_a_forget_set_is_chosen_from_the_images_themselves(faces: Path, tmp_path: Path):
    """Of a model that was trained with mirror images too: whoever uses the file adds the other sides."""
    model = model_of(tmp_path / "model", {"options": {"mirror": True}})
    path = tmp_path / "forget.json"
    chosen = ForgetSetOptions(str(faces), model=str(model), forget_random=4)
    forget = make_forget_set(chosen, path).forget
    assert max(forget.indices or ()) < COUNT
    task = resolve_task(options(model, faces, tmp_path / "runs", forget=path, forget_random=None))
    assert task.forget.indices == (*(forget.indices or ()), *(i + COUNT for i in forget.indices or ()))

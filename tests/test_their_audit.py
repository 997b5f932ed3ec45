"""An audit of people's own GAN from beginning to end: an official pickle, mirrored data, a random forget set."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from audit_worlds import TINY
from ganforget.api import audit_quality, audit_task
from ganforget.api.audit_options import AuditOptions
from ganforget.api.audit_quality import quality_figures
from ganforget.api.audit_task import resolve_audit
from ganforget.api.auditing import run_audit
from ganforget.api.certifying import verify_certificate
from ganforget.api.exchange import export_model
from ganforget.api.model import load_model
from ganforget.api.training import train_gan
from ganforget.api.unlearning import run_unlearning
from ganforget.data import ForgetSet
from ganforget.errors import ForgetSetError
from ganforget.evaluation.features import Extractor
from ganforget.models.gan import Gan, GanConfig, save_gan
from ganforget.options import UnlearnOptions
from ganforget.progress import Silent
from ganforget.training.options import TrainOptions
from official_pickles import contents, dumps, easy
from small_gan import small_gan
from small_runs import take_few_steps
from test_their_data import write_zip

IMAGES, UNSEEN, FORGOTTEN = 40, 24, 5


def make_cheap(patch: pytest.MonkeyPatch, place: Path) -> None:
    take_few_steps(patch, steps=4, start_samples=8, pool=32, check_interval=2)
    patch.setattr(audit_task, "QUICK", replace(TINY, images=12))
    patch.setenv("XDG_CACHE_HOME", str(place / "cache"))


@pytest.fixture(autouse=True)
def cheap(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Spend as little as possible, and keep nothing outside the test's folder."""
    make_cheap(monkeypatch, tmp_path)


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A pickle from elsewhere that was trained with mirrored copies, unlearned, exported and audited."""
    place = tmp_path_factory.mktemp("story")
    random = np.random.default_rng(0)
    faces = write_zip(place / "faces.zip", random.integers(0, 256, (IMAGES, 8, 8, 3), dtype=np.uint8))
    unseen = write_zip(place / "unseen.zip", random.integers(0, 256, (UNSEEN, 8, 8, 3), dtype=np.uint8))
    original = place / "network-snapshot.pkl"
    snapshot = contents(small_gan(channels=3))
    snapshot["training_set_kwargs"] = easy({"path": "/data/x.zip", "xflip": True})
    original.write_bytes(dumps(snapshot))
    with pytest.MonkeyPatch.context() as patch:
        make_cheap(patch, place)
        files = {"original": original, "faces": faces, "unseen": unseen}
        run = unlearn(files, original, place)
        exported = place / "forgotten.pkl"
        export_model(run, exported, like=original)
        audit = run_audit(AuditOptions(model=str(run), outdir=place / "audits", quick=True)).run
    return files | {"run": run, "exported": exported, "audit": audit}


def unlearn(files: dict[str, Path], model: Path, place: Path, **more: Any) -> Path:
    """Return the run folder of a short unlearning of ``FORGOTTEN`` images and their mirror images."""
    given = {"forget_random": FORGOTTEN, "max_steps": 4, "schedule_steps": 2, "probe": False, "cache": False}
    options = UnlearnOptions(
        str(model), str(files["faces"]), holdout_path=files["unseen"], outdir=place / "runs", **given, **more
    )
    run = run_unlearning(options).run
    assert run is not None
    return run


def test_mirrored_copies_are_audited_with_their_images(story: dict[str, Path]):
    """The two sides of an image are no two random images, so they are not said to be."""
    audit = json.loads((story["audit"] / "audit.json").read_text())
    assert audit["n_forget"] == FORGOTTEN
    assert audit["images"]["forget"] == FORGOTTEN
    assert audit["random_forget_set"] is True
    assert "With 5 forgotten" in audit["power"]["sentence"]


def test_mirrored_copies_that_no_model_records_are_audited_too(story: dict[str, Path], tmp_path: Path):
    """The run was told of them by --mirror; the GAN before it says nothing."""
    original = tmp_path / "original"
    gan = load_model(story["original"])
    save_gan(Gan(gan.G, gan.D, GanConfig(gan.config.G, gan.config.D, {})), original)
    run = unlearn(story, original, tmp_path, mirror=True)
    options = AuditOptions(model=str(run), quick=True)
    assert resolve_audit(options, torch.device("cpu")).subject.images.members == FORGOTTEN
    with pytest.raises(ForgetSetError):
        resolve_audit(replace(options, mirror=False), torch.device("cpu"))


def test_quality_is_measured_on_images_that_stay_in_their_archive(
    story: dict[str, Path], monkeypatch: pytest.MonkeyPatch
):
    """With an extractor for colour images: a Fréchet distance to the training images, and the nearest of them."""
    extractor = Extractor("corners", lambda images: images[:, :, ::4, ::4].flatten(1))
    monkeypatch.setattr(audit_quality, "load_extractor", lambda *_, **__: extractor)
    task = resolve_audit(AuditOptions(model=str(story["run"]), quick=True), torch.device("cpu"))
    assert not isinstance(task.splits.train.images, np.ndarray), "they are decoded when needed"
    found = quality_figures(task, Silent())
    assert found is not None
    assert set(found["by_role"]) == {"unlearned", "original"}
    for figures in found["by_role"].values():
        assert figures["fd_l"] > 0
        assert set(figures["nearest"]) == {"forget", "retain", "holdout"}


def test_a_retraining_takes_the_forget_set_of_such_a_run(story: dict[str, Path], tmp_path: Path):
    forget = story["run"] / "forget_set.json"
    training = {"kimg": 0.016, "batch_size": 16, "channel_max": 8, "tick_kimg": 0.016, "mirror": True}
    retrained = train_gan(
        TrainOptions(
            data=str(story["faces"]), holdout_path=story["unseen"], exclude=forget, outdir=tmp_path / "runs", **training
        )
    )
    record = ForgetSet.read(retrained / "forget_set.json")
    assert record.hashes == ForgetSet.read(forget).hashes[:FORGOTTEN]
    assert not record.mirrored
    task = resolve_audit(AuditOptions(model=str(story["run"]), retrained=(retrained,), quick=True), torch.device("cpu"))
    assert task.verified == (True,)


def test_the_certificate_holds_for_the_files_that_people_keep(story: dict[str, Path]):
    path = story["audit"] / "certificate.json"
    forget = story["run"] / "forget_set.json"
    for model in (story["run"], story["exported"]):
        checks = {
            c.what: c.holds
            for c in verify_certificate(path, model=str(model), original=str(story["original"]), forget=forget)
        }
        whole = {name: holds for name, holds in checks.items() if name != "the unlearned model's file"}
        assert len(whole) == 9
        assert all(whole.values())
        file = checks["the unlearned model's file"]
        assert file is (True if model == story["run"] else None), "an exported file is another file of the same weights"
    other = verify_certificate(path, model=str(story["original"]))
    assert {c.what: c.holds for c in other}["the unlearned model"] is False

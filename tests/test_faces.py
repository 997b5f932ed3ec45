"""The whole path on real faces, where they are: a ZIP of them, a narrow network, forgetting by name."""

import io
import os
import tarfile
import zipfile
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ganforget.api import inverting, task
from ganforget.api.unlearning import run_unlearning
from ganforget.data import ForgetSet
from ganforget.inversion.invert import InversionConfig
from ganforget.models.gan import load_gan, save_gan
from ganforget.options import UnlearnOptions
from small_gan import small_gan

SHARED = Path(os.environ.get("GANFORGET_SHARED", Path(__file__).parents[2] / "shared")) / "data"
FACES = SHARED / "ffhq256" / "ffhq256_00000-01099_jpeg.tar"
SIDE = 64


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ZIP of twelve faces as the official tool packs them, made smaller for the time it takes."""
    path = tmp_path_factory.mktemp("faces") / "ffhq.zip"
    with tarfile.open(FACES) as tar, zipfile.ZipFile(path, "w") as archive:
        members = sorted((member for member in tar if member.isfile()), key=lambda member: Path(member.name).name)
        for number, member in enumerate(members[:12]):
            file = tar.extractfile(member)
            assert file is not None
            buffer = io.BytesIO()
            Image.open(file).resize((SIDE, SIDE)).save(buffer, format="PNG")
            archive.writestr(f"00000/img{number:08d}.png", buffer.getvalue())
        archive.writestr("dataset.json", '{"labels": null}')
    return path


@pytest.mark.skipif(not FACES.is_file(), reason="the faces of FFHQ are not here: they have no free licence")
def test_faces_are_forgotten_by_name(faces: Path, tmp_path: Path, monkeypatch: Any):
    given = task.cascade_config
    monkeypatch.setattr(
        task, "cascade_config", lambda *of, **more: replace(given(*of, **more), pool=8, check_interval=2)
    )
    monkeypatch.setattr(inverting, "InversionConfig", partial(InversionConfig, steps=2, start_samples=4))
    save_gan(small_gan(c_dim=0, resolution=SIDE, channels=3, D="resnet"), tmp_path / "model")
    names = tmp_path / "names.txt"
    names.write_text("00000/img00000003.png\n00000/img00000010.png\n")
    options: dict[str, Any] = {"max_steps": 2, "schedule_steps": 1, "cache": False, "probe": False, "micro_batch": 2}
    result = run_unlearning(
        UnlearnOptions(str(tmp_path / "model"), str(faces), forget=names, outdir=tmp_path / "runs", **options)
    )
    assert result.run is not None
    assert ForgetSet.read(result.run / "forget_set.json").indices == (3, 10)
    assert result.results["after"]["auc_lu"] is not None
    assert load_gan(result.run / "model").G.img_resolution == SIDE
    shown = np.asarray(Image.open(result.run / "images" / "forgotten.png"))
    assert shown.shape == (SIDE, 2 * SIDE, 3)

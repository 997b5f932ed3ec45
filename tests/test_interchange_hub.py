"""Hugging Face's way of saving, loading and pushing, without a network."""

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("huggingface_hub", reason="the extra hub is not installed")

import huggingface_hub

from ganforget.api.model import load_model
from ganforget.errors import ModelFileError
from ganforget.interchange import hub
from ganforget.interchange.hub import PretrainedGan, public_record
from ganforget.models.gan import Gan, GanConfig, model_hash
from small_gan import small_gan

RECORD: dict[str, Any] = {
    "data": {"name": "faces", "source": "/home/anna/faces.zip", "split": "holdout: /home/anna/never.zip", "train": 60},
    "options": {"kimg": 20, "outdir": "runs/"},
    "imported": {"file": "anna.pkl", "args": {"path": "x"}},
    "unlearned": {"task": "item", "n_forget": 4},
}


@pytest.fixture
def gan() -> Gan:
    gan = small_gan()
    return Gan(gan.G, gan.D, GanConfig(gan.config.G, gan.config.D, RECORD))


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_network(*_: object, **__: object) -> None:
        raise AssertionError("somebody asked for the network")

    monkeypatch.setattr("socket.socket.connect", no_network)


def test_a_local_folder_there_and_back(gan: Gan, tmp_path: Path):
    PretrainedGan(gan).save_pretrained(tmp_path / "model")
    assert {"config.json", "model.safetensors", "README.md"} == {file.name for file in (tmp_path / "model").iterdir()}
    again = PretrainedGan.from_pretrained(tmp_path / "model").gan
    assert model_hash(again) == model_hash(gan)
    assert model_hash(load_model(tmp_path / "model")) == model_hash(gan), "it is a model folder"
    assert again.config.training == public_record(RECORD)
    PretrainedGan(again).save_pretrained(tmp_path / "model")
    assert model_hash(load_model(tmp_path / "model")) == model_hash(gan)


def test_what_names_places_stays_at_home():
    assert public_record(RECORD) == {
        "data": {"name": "faces", "train": 60},
        "options": {"kimg": 20},
        "imported": {},
        "unlearned": {"task": "item", "n_forget": 4},
    }


def test_pushing_uploads_the_model_folder(gan: Gan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    sent: dict[str, Any] = {}

    def create_repo(_self: object, repo_id: str, **_: Any) -> Any:
        return type("Repo", (), {"repo_id": repo_id})

    def upload_folder(_self: object, *, repo_id: str, folder_path: Path, **_: Any) -> str:
        sent.update(repo=repo_id, files=sorted(file.name for file in Path(folder_path).iterdir()))
        sent["hash"] = model_hash(load_model(folder_path))
        return "a commit"

    monkeypatch.setattr(huggingface_hub.HfApi, "create_repo", create_repo)
    monkeypatch.setattr(huggingface_hub.HfApi, "upload_folder", upload_folder)
    assert PretrainedGan(gan).push_to_hub("owner/name") == "a commit"
    assert sent["files"] == ["README.md", "config.json", "model.safetensors"]
    assert (sent["repo"], sent["hash"]) == ("owner/name", model_hash(gan))


def test_fetching_takes_two_files_and_no_other(gan: Gan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    PretrainedGan(gan).save_pretrained(tmp_path / "fetched")
    asked: dict[str, Any] = {}
    monkeypatch.setattr(
        hub, "snapshot_download", lambda name, **given: asked.update(given) or str(tmp_path / "fetched")
    )
    monkeypatch.setattr("huggingface_hub.hub_mixin.hf_hub_download", lambda **_: str(tmp_path / "fetched/config.json"))
    assert model_hash(PretrainedGan.from_pretrained("owner/name").gan) == model_hash(gan)
    assert asked["allow_patterns"] == ["config.json", "model.safetensors"]


def test_what_is_not_there(tmp_path: Path):
    with pytest.raises(ModelFileError, match="no folder nobody/nothing, and the Hub gives none"):
        PretrainedGan.from_pretrained("nobody/nothing", local_files_only=True, cache_dir=tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelFileError, match="not a model folder"):
        PretrainedGan.from_pretrained(tmp_path / "empty")

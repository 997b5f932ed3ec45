"""From pickle to pickle by the commands: inspect, import, unlearn straight from the file, export like the original."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

import ganforget
from ganforget.cli import main
from ganforget.models.gan import load_gan
from official_pickles import contents, dumps, really_load
from small_gan import same_weights, small_gan
from tiny_gan import only_run, unlearning

Printed = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def official(tiny_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny GAN of the digits as an official network pickle, with another training G."""
    path = tmp_path_factory.mktemp("official") / "network-snapshot-000160.pkl"
    gan = load_gan(tiny_run / "model")
    training = gan.clone()
    for parameter in training.G.parameters():
        parameter.data.mul_(0.5)
    path.write_bytes(dumps(contents(gan, training=training)))
    return path


def command(*arguments: object, capsys: Printed) -> Any:
    """Run a command that succeeds and return its JSON."""
    capsys.readouterr()
    assert main([str(a) for a in arguments] + ["--json", "--quiet"]) == 0
    return json.loads(capsys.readouterr().out)


def test_from_pickle_to_pickle(official: Path, tiny_run: Path, tmp_path: Path, capsys: Printed):
    told = command("inspect", official, capsys=capsys)
    assert told["problem"] is None
    assert told["networks"]["G_ema"]["c_dim"] == 10
    assert told["kimg"] == 160
    items = ("--data", "digits", "--forget-random", "6")
    assert main([*unlearning(official, tmp_path / "runs", *items, steps=4), "--quiet"]) in (0, 3)
    run = only_run(tmp_path / "runs")
    out = tmp_path / "new.pkl"
    done = command("export", run, out, "--like", official, capsys=capsys)
    assert sum(done["counts"]["G"].values()) == sum(done["counts"]["G_ema"].values())
    assert done["counts"]["augment_pipe"] == {"kept": 3}
    unlearned = load_gan(run / "model")
    official_view = really_load(out.read_bytes())["G"].state["_modules"]["mapping"].state["_buffers"]["w_avg"]
    assert torch.equal(official_view, unlearned.G.mapping.w_avg)
    again = ganforget.load_model(out)
    assert same_weights(again.G, unlearned.G)
    assert same_weights(again.D, unlearned.D)
    assert not same_weights(again.D, load_gan(tiny_run / "model").D)


def test_importing_makes_a_model_folder(official: Path, tiny_run: Path, tmp_path: Path, capsys: Printed):
    told = command("import", official, tmp_path / "model", capsys=capsys)
    assert (told["img_resolution"], told["c_dim"], told["era"]) == (16, 10, "StyleGAN2-ADA")
    gan = load_gan(tmp_path / "model")
    assert same_weights(gan.G, load_gan(tiny_run / "model").G)
    assert gan.config.training["imported"]["file"] == official.name
    assert main(["inspect", str(tmp_path / "model")]) == 0
    assert "16×16×1, 10 labels" in capsys.readouterr().out
    assert main(["import", str(official), str(tmp_path / "model"), "--quiet"]) == 2
    assert "not an empty folder" in capsys.readouterr().err


def test_a_refused_file_leaves_no_folder(tmp_path: Path, capsys: Printed):
    (tmp_path / "network.pkl").write_bytes(b"\x80\x04cos\nsystem\nX\x04\x00\x00\x00true\x85R.")
    assert main(["import", str(tmp_path / "network.pkl"), str(tmp_path / "model")]) == 2
    assert "it holds the name os.system (byte 2), which is not on the list" in capsys.readouterr().err
    assert not (tmp_path / "model").exists()
    assert main(["inspect", str(tmp_path / "network.pkl")]) == 0
    said = capsys.readouterr().out
    assert "the name os.system at byte 2" in said
    assert "can be used" in said


def test_without_an_original_the_answer_is_safetensors(tiny_run: Path, tmp_path: Path, capsys: Printed):
    assert main(["export", str(tiny_run), str(tmp_path / "network.pkl")]) == 0
    said = capsys.readouterr().out
    assert "Written as safetensors" in said
    assert "--like original.pkl" in said
    assert [file.name for file in tmp_path.iterdir()] == ["network.safetensors"]
    assert main(["generate", "--model", str(tmp_path / "network.safetensors"), "--out", str(tmp_path / "a.png")]) == 0
    assert same_weights(ganforget.load_model(tmp_path / "network.safetensors").G, load_gan(tiny_run / "model").G)


def test_what_cannot_be_exported(official: Path, tiny_run: Path, tmp_path: Path, capsys: Printed):
    other = tmp_path / "other.pkl"
    other.write_bytes(dumps(contents(small_gan())))
    for arguments, words in (
        ([tiny_run, tmp_path / "new.pkl", "--like", other], "is not of the model's architecture"),
        ([tiny_run, tmp_path / "new.pkl", "--like", tmp_path / "none.pkl"], "There is no file"),
        ([tiny_run, tmp_path / "new.safetensors", "--like", official], "leave --like out"),
        ([tiny_run, tmp_path / "new"], "has no ending"),
        ([tiny_run, tmp_path], "is a folder"),
        ([tiny_run, official, "--like", official], "is the original itself"),
    ):
        assert main(["export", *map(str, arguments)]) == 2
        assert words in capsys.readouterr().err
    assert [file.name for file in tmp_path.iterdir()] == ["other.pkl"]


def test_the_same_calls_in_python(official: Path, tmp_path: Path):
    assert ganforget.inspect(official)["outside"] == []
    ganforget.import_model(official, tmp_path / "model")
    told = ganforget.export_model(tmp_path / "model", tmp_path / "new.pkl", like=official)
    assert {t["state"] for t in told["tensors"] if t["name"].startswith("G.")} == {"replaced", "equal"}
    assert {t["state"] for t in told["tensors"] if t["name"].startswith("G_ema.")} == {"equal"}

"""Numbered run folders."""

import json
import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from ganforget.errors import InputError, OutputError
from ganforget.rundir import circumstances, new_run, plain_options, read_run_config, require_place


def test_runs_are_numbered(tmp_path: Path):
    first, second = (new_run(tmp_path / "runs", "train-digits") for _ in range(2))
    assert [run.name for run in (first, second)] == ["00000-train-digits", "00001-train-digits"]
    (tmp_path / "runs" / "00041-other").mkdir()
    (tmp_path / "runs" / "notes").mkdir()
    assert new_run(tmp_path / "runs", "x").name == "00042-x"
    (tmp_path / "runs" / "99999-x").mkdir()
    assert new_run(tmp_path / "runs", "x").name == "100000-x"
    assert new_run(tmp_path / "runs", "x").name == "100001-x"


def test_a_description_is_a_plain_name(tmp_path: Path):
    assert new_run(tmp_path, "unlearn a/b:ö λ+1").name == "00000-unlearn-a-b-+1"


def test_somebody_else_may_take_the_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    make, taken = Path.mkdir, []

    def mkdir(path: Path, *arguments: object, **named: object) -> None:
        if path.name.startswith("00000-") and not taken:
            taken.append(path)
            make(path)
        make(path, *arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(Path, "mkdir", mkdir)
    assert new_run(tmp_path, "x").name == "00001-x"


def test_a_place_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="choose another"):
        new_run(tmp_path / "file", "x")
    with pytest.raises(OutputError, match="choose another --outdir"):
        new_run(tmp_path, "x" * 300)
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(OutputError, match="not writable"):
        new_run(tmp_path, "x")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_place_that_is_not_writable(tmp_path: Path):
    tmp_path.chmod(0o500)
    with pytest.raises(OutputError, match="not writable"):
        require_place(tmp_path / "a" / "runs")


def test_a_place_that_is_a_file(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="no folder"):
        require_place(tmp_path / "file")
    require_place(tmp_path / "a" / "b")
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize("text", ["[]", "{}", '{"command": "train"}', '{"command": "demo", "options": {}}', "{"])
def test_what_is_no_run(tmp_path: Path, text: str):
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(InputError):
        read_run_config(tmp_path)


def test_a_folder_without_configuration(tmp_path: Path):
    with pytest.raises(InputError, match="There is no run in"):
        read_run_config(tmp_path)


def test_a_run_is_of_its_command(tmp_path: Path):
    (tmp_path / "config.json").write_text(json.dumps({"command": "train", "options": {"kimg": 1}}))
    assert read_run_config(tmp_path)["options"] == {"kimg": 1}
    assert read_run_config(tmp_path, "train") == read_run_config(tmp_path)
    with pytest.raises(InputError, match="no unlearn run"):
        read_run_config(tmp_path, "unlearn")


def test_circumstances_are_plain_and_complete():
    found = json.loads(json.dumps(circumstances("cpu")))
    assert found["hardware"]["device"] == "cpu"
    assert found["hardware"]["threads"] >= 1
    assert found["hardware"]["cpu"]
    assert {"ganforget", "python", "torch", "numpy"} <= set(found["versions"])
    assert found["started"].endswith("+00:00")
    assert found["commit"] is None or len(found["commit"]) == 12


def test_options_are_plain_and_their_paths_hold_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    @dataclass(frozen=True)
    class Options:
        model: str
        data: str | None
        original: str
        outdir: Path
        forget: Path | None
        retrained: tuple[Path, ...]
        classes: tuple[int, ...] = (7,)

    monkeypatch.chdir(tmp_path)
    (tmp_path / "here").mkdir()
    options = Options("here", "digits", "here", Path("runs"), None, (Path("a"), Path("b")))
    assert plain_options(options, "model", "data") == {
        "model": str(tmp_path / "here"),
        "data": "digits",
        "original": "here",
        "outdir": str(tmp_path / "runs"),
        "forget": None,
        "retrained": [str(tmp_path / "a"), str(tmp_path / "b")],
        "classes": [7],
    }

"""The command line: what --help says, where things are printed, and what each command leaves."""

import dataclasses
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from ganforget.api import demo as demo_room
from ganforget.api.options import EvaluateOptions, ForgetSetOptions, GenerateOptions
from ganforget.cli import main
from ganforget.options import UnlearnOptions
from ganforget.training.options import TrainOptions
from tiny_gan import only_run, results_of, unlearning

Printed = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _wide(monkeypatch: pytest.MonkeyPatch):
    """Tables are not folded."""
    monkeypatch.setenv("COLUMNS", "300")


OPTIONS = [
    (["unlearn"], UnlearnOptions),
    (["train"], TrainOptions),
    (["evaluate"], EvaluateOptions),
    (["generate"], GenerateOptions),
    (["forget-set", "create"], ForgetSetOptions),
]


@pytest.mark.parametrize(("command", "options"), OPTIONS, ids=[" ".join(command) for command, _ in OPTIONS])
def test_help_shows_every_option_with_its_default(command: list[str], options: type, capsys: Printed):
    assert main([*command, "--help"]) == 0
    lines = capsys.readouterr().out.splitlines()
    for field in dataclasses.fields(options):
        name = {"classes": "--class"}.get(field.name, f"--{field.name.replace('_', '-')}")
        (line,) = [line for line in lines if re.match(rf"│ [* ] +{name} ", line)]
        if field.default is dataclasses.MISSING:
            assert "[required]" in line
        elif isinstance(field.default, bool):
            assert f"[default: {'yes' if field.default else 'no'}]" in line
        elif field.default not in (None, ()):
            assert f"[default: {field.default}]" in line


def test_help_says_what_depends_on_the_preset(capsys: Printed):
    assert main(["unlearn", "--help"]) == 0
    said = capsys.readouterr().out
    assert "with default, --max-steps" in said
    assert "with paper, --max-steps" in said


def test_help_documents_the_exit_statuses_and_the_global_options(capsys: Printed):
    assert main(["--help"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    for words in ("0 done", "1 internal error", "2 bad input", "3 destination not reached", "4 NaN", "130 interrupted"):
        assert words in said
    commands = ("demo", "train", "data", "forget-set", "unlearn", "resume", "evaluate", "generate", "report")
    for word in (*commands, "--quiet", "--json", "--debug", "--version"):
        assert f" {word} " in said


def test_the_version_is_the_package_s(capsys: Printed):
    from ganforget import __version__

    assert main(["--version"]) == 0
    assert capsys.readouterr().out.strip() == __version__


def test_python_dash_m(tmp_path: Path):
    command = [sys.executable, "-m", "ganforget", "forget-set", "show", str(tmp_path / "none.json")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("error: There is no forget set at ")


# ----------------------------------------------------------------------------
# Unlearning and what follows it.


def test_unlearning_prints_a_table_a_sentence_and_the_report(tiny_run: Path, tmp_path: Path, capsys: Printed):
    more = ["--data", "digits", "--forget-class", "7", "--mode", "zero-shot", "--sham", "--seed", "1"]
    status = main(unlearning(tiny_run, tmp_path, *more, steps=6))
    said = capsys.readouterr()
    run = only_run(tmp_path)
    results = results_of(run)
    assert status == (0 if results["reached"] else 3)
    assert run.name == "00000-unlearn-digits-class7-zero-shot-other-class"
    header = next(line.split() for line in said.out.splitlines() if line.startswith("measure"))
    assert header == ["measure", "before", "after", "sham", "wanted"]
    assert "Asked to unlearn class 7, the run " in said.out
    assert f"Report: {run}/report.html" in said.out
    assert "It took" in said.out
    assert [line for line in said.err.splitlines() if line == "Unlearning"]
    assert "\r" not in said.err
    assert "\x1b" not in said.out + said.err
    assert {"class_recall", "fd_u"} <= results["after"].keys()
    assert (run / "report.html").stat().st_size > 10_000
    for warning in [*results["warnings"], *([results["leak"]] if results["leak"] else [])]:
        assert said.err.count(warning) == 1


def test_json_is_all_that_stands_on_standard_output(tiny_run: Path, tmp_path: Path, capsys: Printed):
    more = ["--data", "digits", "--forget-random", "8", "--dry-run", "--json"]
    assert main(unlearning(tiny_run, tmp_path / "runs", *more)) == 0
    plan = json.loads(capsys.readouterr().out)
    assert (plan["dry_run"], plan["task"], plan["n_forget"], plan["n_retain_seen"]) == (True, "item", 8, 8)
    assert plan["would_write"].endswith("NNNNN-unlearn-digits-item8-few-shot-truncation")
    assert not (tmp_path / "runs").exists()


def test_a_dry_run_says_what_would_be_done(tiny_run: Path, tmp_path: Path, capsys: Printed):
    assert main(unlearning(tiny_run, tmp_path / "runs", "--data", "digits", "--forget-class", "3", "--dry-run")) == 0
    said = capsys.readouterr().out
    assert "nothing was written" in said
    assert "class 3, " in said
    assert "other-class" in said
    assert list(tmp_path.iterdir()) == []


def test_a_dry_run_tries_the_place(tiny_run: Path, tmp_path: Path, capsys: Printed):
    (tmp_path / "file").write_text("")
    more = ["--data", "digits", "--forget-random", "8", "--dry-run"]
    assert main(unlearning(tiny_run, tmp_path / "file" / "runs", *more)) == 2
    assert "is no folder); choose another --outdir." in capsys.readouterr().err


def test_zero_shot_without_data_says_that_membership_is_unverified(tiny_run: Path, tmp_path: Path, capsys: Printed):
    command = ["generate", "--model", str(tiny_run), "--out", str(tmp_path / "images"), "--count", "1", "--quiet"]
    assert main(command) == 0
    names = sorted(path.name for path in (tmp_path / "images").iterdir())
    labels = [[name, int(name[5])] for name in names]
    (tmp_path / "images" / "dataset.json").write_text(json.dumps({"labels": labels}))
    capsys.readouterr()
    more = ["--forget", str(tmp_path / "images"), "--mode", "zero-shot", "--quiet", "--json", "--latent", "w+"]
    status = main(unlearning(tiny_run, tmp_path / "runs", *more, steps=6))
    said = capsys.readouterr()
    results = json.loads(said.out)
    assert status == (0 if results["reached"] else 3)
    assert results["membership"] == "unverified"
    assert (results["n_forget"], results["n_retain_seen"]) == (10, 0)
    assert results["before"]["auc_lu"] is None
    assert "not verified" in said.err
    assert (only_run(tmp_path / "runs") / "report.html").exists()


def test_quiet_says_nothing_but_results_and_warnings(tiny_run: Path, capsys: Printed):
    assert main(["evaluate", "--model", str(tiny_run), "--generations", "1", "--quiet"]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    assert "auc_lt" in said.out


def test_a_report_is_written_again(tiny_unlearned: Path, capsys: Printed):
    page = tiny_unlearned / "report.html"
    before = page.read_bytes()
    page.unlink()
    assert main(["report", str(tiny_unlearned), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"report": str(page)}
    assert page.read_bytes() == before


def test_the_demo_forgets_a_class_and_then_images(
    tiny_run: Path, tmp_path: Path, capsys: Printed, monkeypatch: pytest.MonkeyPatch
):
    whole = demo_room.demo_options(tmp_path)
    assert [(o.model, o.data, o.forget_class, o.forget_random, o.cache) for o in whole] == [
        ("digits", "digits", (7,), None, False),
        ("digits", "digits", (), 64, False),
    ]
    short: dict[str, Any] = {"model": str(tiny_run), "max_steps": 5, "schedule_steps": 4, "probe": False}
    tiny = [dataclasses.replace(options, **short) for options in whole]
    tiny[1] = dataclasses.replace(tiny[1], forget_random=8)
    monkeypatch.setattr(demo_room, "demo_options", lambda *_, **__: tiny)
    status = main(["demo", "--outdir", str(tmp_path)])
    said = capsys.readouterr().out
    runs = sorted(tmp_path.iterdir())
    assert [run.name[:5] for run in runs] == ["00000", "00001"]
    assert status == (0 if all(results_of(run)["reached"] for run in runs) else 3)
    assert "asked to unlearn class 7" in said
    assert "asked to unlearn 8 images" in said
    for run in runs:
        assert f"Report: {run}/report.html" in said


# ----------------------------------------------------------------------------
# The smaller commands.


def test_data_sets_are_listed(capsys: Printed, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert main(["data", "list", "--json"]) == 0
    known = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert known["digits"] == {
        "name": "digits",
        "here": True,
        "train": 1438,
        "holdout": 359,
        "resolution": 16,
        "channels": 1,
        "num_classes": 10,
        "comes": "with scikit-learn",
        "folder": None,
    }
    assert not known["mnist"]["here"]
    assert known["mnist"]["folder"] == str(tmp_path / "ganforget" / "mnist")
    assert main(["data", "list"]) == 0
    assert "1438 + 359" in capsys.readouterr().out


def test_a_download_is_called_with_its_options(tmp_path: Path, capsys: Printed, monkeypatch: pytest.MonkeyPatch):
    def fetch(name: str, folder: Path, *, progress: Any, mirror: str) -> Path:
        progress("images.gz", 5, 10)
        return folder / mirror.split("/")[-1]

    monkeypatch.setattr("ganforget.data.download", fetch)
    command = ["data", "download", "mnist", "--folder", str(tmp_path), "--mirror", "http://localhost/here"]
    assert main(command) == 0
    said = capsys.readouterr()
    assert said.out == f"mnist is in {tmp_path}/here\n"
    assert said.err == "Fetching images.gz\n"


def test_a_forget_set_is_made_shown_and_checked(tmp_path: Path, capsys: Printed):
    file = tmp_path / "new" / "forget_set.json"
    command = ["forget-set", "create", "--data", "digits", "--forget-random", "5", "--seed", "3", "--out", str(file)]
    assert main([*command, "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    assert (made["task"], made["images"], made["membership"]) == ("item", 5, "verified")
    assert made["duplicates"].keys() == {"retain_exact", "retain_near", "holdout_exact", "holdout_near"}
    assert json.loads(file.read_text())["selection"] == {"random": 5, "seed": 3}
    assert main(["forget-set", "show", str(file)]) == 0
    assert "not checked against data" in capsys.readouterr().out
    assert main(["forget-set", "show", str(file), "--data", "digits"]) == 0
    assert "every image is in digits" in capsys.readouterr().out


def test_a_sheet_of_images_is_generated(tiny_run: Path, tmp_path: Path, capsys: Printed):
    sheet = tmp_path / "new" / "sheet.png"
    command = [
        "generate",
        "--model",
        str(tiny_run),
        "--out",
        str(sheet),
        "--class",
        "7",
        "--class",
        "1",
        "--seeds",
        "0-2",
    ]
    assert main(command) == 0
    assert capsys.readouterr().out == f"1 file written: {sheet}\n"
    with Image.open(sheet) as image:
        assert image.size == (3 * 16, 2 * 16)


def test_training_prints_what_it_came_to(tmp_path: Path, capsys: Printed):
    tiny = ["--z-dim", "8", "--w-dim", "8", "--channel-base", "64", "--channel-max", "8", "--batch-size", "8"]
    command = ["train", "--data", "digits", "--data-subset", "100", "--kimg", "0.016", "--outdir", str(tmp_path), *tiny]
    assert main(command) == 0
    said = capsys.readouterr()
    run = only_run(tmp_path)
    assert "0.016 kimg in" in said.out
    assert "FD (digits-classifier)" in said.out
    assert str(run / "model") in said.out
    assert "Training" in said.err.splitlines()
    assert main(["resume", str(run), "--kimg", "0.024", "--quiet", "--json"]) == 0
    resumed = json.loads(capsys.readouterr().out)
    assert (resumed["run"], resumed["kimg"]) == (str(run), 0.024)

"""Configurations, their hashes, and the rows that a runner keeps of them."""

import json
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from ganforget.errors import InputError, Interrupted
from ganforget.experiments import configuration, execution, runner
from ganforget.experiments.configuration import Configuration, Target
from ganforget.experiments.options import ReproduceOptions
from ganforget.experiments.results import append_row, read_rows
from ganforget.experiments.runner import run_configurations
from ganforget.files import make_folder
from ganforget.progress import Silent

TARGET = Target("digits", "digits")
ITEM = {"forget_random": 64, "mode": "few-shot", "substitute": "average", "preset": "paper"}


def item(seed: int = 0, **options: Any) -> Configuration:
    return Configuration("unlearn", TARGET, seed, ITEM | options)


def fake(failing: set[int] = frozenset()) -> Any:  # type: ignore[assignment]
    """Return a stand-in for ``execute`` that notes what it was asked, and fails for some seeds."""
    asked: list[int] = []

    def execute(c: Configuration, outdir: Path, **_: Any) -> dict[str, Any]:
        asked.append(c.seed)
        row = {"schema_version": 1, "hash": c.hash, "kind": c.kind, "words": c.words, "duration": 1.0}
        return row | ({"status": "failed", "error": "It broke."} if c.seed in failing else {"status": "done"})

    execute.asked = asked  # type: ignore[attr-defined]
    return execute


@pytest.fixture
def options(tmp_path: Path) -> ReproduceOptions:
    return ReproduceOptions(outdir=tmp_path / "out")


def test_the_hash_is_of_what_is_run_and_not_of_where(tmp_path: Path):
    weights = tmp_path / "w.pth"
    weights.write_bytes(b"1")
    moved = replace(item(), target=Target("digits", "digits", data_path=tmp_path))
    assert moved.hash == item().hash
    assert Configuration("unlearn", TARGET, 0, dict(reversed(ITEM.items()))).hash == item().hash
    others = [item(1), item(mode="zero-shot"), item(lambda2=0.5), replace(item(), kind="retrain")]
    others.append(replace(item(lambda2=0.5), target=replace(TARGET, perceptual=weights)))
    others.append(replace(item(), target=replace(TARGET, data="mnist")))
    assert len({c.hash for c in [item(), *others]}) == 7
    assert replace(item(), target=replace(TARGET, perceptual=weights)).hash == item().hash  # it has no λ2


def test_a_folder_is_known_by_what_it_holds_and_not_by_its_place(tmp_path: Path):
    hashes = []
    for place, content in (("one", b"1"), ("two", b"1"), ("three", b"12")):
        (make_folder(tmp_path / place / "faces") / "0.png").write_bytes(content)
        hashes.append(replace(item(), target=replace(TARGET, data=str(tmp_path / place / "faces"))).hash)
    assert hashes[0] == hashes[1] != hashes[2]


def test_other_weights_have_another_hash(monkeypatch: pytest.MonkeyPatch):
    before = item().hash
    monkeypatch.setattr(configuration, "weights_of", lambda _: "others")
    assert item().hash != before


def test_finished_rows_are_not_run_again(options: ReproduceOptions, monkeypatch: pytest.MonkeyPatch):
    work = fake()
    monkeypatch.setattr(runner, "execute", work)
    run_configurations([item(0), item(1), item(0)], options, Silent())
    rows = run_configurations([item(1), item(2)], options, Silent())
    assert work.asked == [0, 1, 2]
    assert set(rows) == {item(seed).hash for seed in range(3)}
    assert len((options.outdir / "results.jsonl").read_text().splitlines()) == 3


def test_a_failed_row_is_run_again_only_on_request(options: ReproduceOptions, monkeypatch: pytest.MonkeyPatch):
    work = fake(failing={1})
    monkeypatch.setattr(runner, "execute", work)
    run_configurations([item(0), item(1)], options, Silent())
    rows = run_configurations([item(0), item(1)], options, Silent())
    assert work.asked == [0, 1]
    assert rows[item(1).hash]["error"] == "It broke."
    monkeypatch.setattr(runner, "execute", again := fake())
    rows = run_configurations([item(0), item(1)], replace(options, retry=True), Silent())
    assert again.asked == [1]
    assert rows[item(1).hash]["status"] == "done"


def test_a_stop_keeps_the_rows_that_are_there(options: ReproduceOptions, monkeypatch: pytest.MonkeyPatch):
    def stops(c: Configuration, outdir: Path, **more: Any) -> dict[str, Any]:
        if c.seed == 1:
            raise Interrupted("Stopped.")
        return fake()(c, outdir, **more)

    monkeypatch.setattr(runner, "execute", stops)
    with pytest.raises(Interrupted):
        run_configurations([item(0), item(1), item(2)], options, Silent())
    assert set(read_rows(options.outdir)) == {item(0).hash}


def raising(error: BaseException) -> Any:
    def breaks(*_: Any) -> dict[str, Any]:
        raise error

    return breaks


@pytest.mark.parametrize(
    ("error", "words"), [(InputError("Too few."), "Too few."), (KeyError("x"), "internal error: KeyError: 'x'")]
)
def test_errors_become_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, words: str):
    monkeypatch.setitem(execution._KINDS, "unlearn", raising(error))
    row = execution.execute(item(), tmp_path)
    assert (row["status"], row["error"]) == ("failed", words)
    assert {"hash", "seed", "commit", "hardware", "versions", "duration", "schema_version"} <= row.keys()
    assert json.loads(json.dumps(row, allow_nan=False))["options"] == ITEM


@pytest.mark.parametrize("error", [Interrupted("Stopped."), KeyboardInterrupt()])
def test_stops_do_not_become_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException):
    monkeypatch.setitem(execution._KINDS, "unlearn", raising(error))
    with pytest.raises(type(error)):
        execution.execute(item(), tmp_path)


def test_a_run_that_another_process_is_at_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    begun = threading.Event()
    monkeypatch.setitem(execution._KINDS, "unlearn", lambda *_: begun.set() or {})
    lock = FileLock(make_folder(tmp_path / "runs") / f"{item().hash}.lock")
    with lock, ThreadPoolExecutor() as pool:
        found = pool.submit(execution.execute, item(), tmp_path)
        assert not begun.wait(0.3)
        lock.release()
        assert found.result(timeout=20)["status"] == "done"
    assert begun.is_set()


def test_a_job_that_was_killed_is_a_failed_row():
    row = execution.failed_row(item(3), MemoryError("of 2 GiB"))
    assert (row["status"], row["hash"], row["seed"]) == ("failed", item(3).hash, 3)
    assert row["error"] == "the job ended with MemoryError: of 2 GiB"
    assert {"commit", "hardware", "versions", "duration", "schema_version"} <= row.keys()


def test_a_real_failure_in_processes_of_their_own(options: ReproduceOptions):
    """Unlearning 1,024 of 1,438 digits few-shot cannot be: each process says so in a row."""
    many = [item(seed, forget_random=1024) for seed in (0, 1)]
    rows = run_configurations(many, replace(options, jobs=2), Silent())
    assert {rows[c.hash]["status"] for c in many} == {"failed"}
    assert all("forget fewer images" in rows[c.hash]["error"] for c in many)
    assert all(rows[c.hash]["hardware"]["threads"] == 1 for c in many)


def killing(c: Configuration, outdir: Path, **_: Any) -> dict[str, Any]:
    """Kill the process of seed 1 whenever it runs, and that of seed 2 once."""
    (outdir / f"begun-{c.seed}").open("a").write("x")
    if c.seed == 1 or (c.seed == 2 and (outdir / "begun-2").read_text() == "x"):
        os._exit(9)
    return {"schema_version": 1, "hash": c.hash, "words": c.words, "duration": 1.0, "status": "done"}


def test_a_killed_process_ends_one_run_and_not_the_others(options: ReproduceOptions, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(runner, "execute", killing)
    rows = run_configurations([item(seed) for seed in range(4)], replace(options, jobs=2), Silent())
    assert [rows[item(seed).hash]["status"] for seed in range(4)] == ["done", "failed", "done", "done"]
    assert "TerminatedWorkerError" in rows[item(1).hash]["error"]
    assert (options.outdir / "begun-1").read_text() in ("x", "xx")  # another one's end may have kept it from beginning


def test_submitit_runs_the_same_rows(options: ReproduceOptions):
    pytest.importorskip("submitit", reason="submitit is an extra")
    many = [item(seed, forget_random=1024) for seed in (0, 1)]
    rows = run_configurations(many, replace(options, executor="local"), Silent())
    assert all("forget fewer images" in rows[c.hash]["error"] for c in many)


def test_without_submitit_the_error_names_the_extra(options: ReproduceOptions, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(__import__("sys").modules, "submitit", None)
    with pytest.raises(InputError, match=r"ganforget\[cluster\]"):
        run_configurations([item()], replace(options, executor="slurm"), Silent())


# ----------------------------------------------------------------------------
# The file.


def row(key: str, **more: Any) -> dict[str, Any]:
    return {"schema_version": 1, "hash": key, "status": "done", **more}


def test_of_two_rows_the_last_counts_and_a_cut_line_is_left_out(tmp_path: Path):
    append_row(tmp_path, row("a", value=1))
    append_row(tmp_path, row("a", value=2))
    path = tmp_path / "results.jsonl"
    path.write_text(path.read_text() + '{"schema_version": 1, "ha')
    assert read_rows(tmp_path)["a"]["value"] == 2
    append_row(tmp_path, row("b"))
    assert set(read_rows(tmp_path)) == {"a", "b"}


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ({"schema_version": 2, "hash": "a", "status": "done"}, "schema version 2; this ganforget reads version 1"),
        ({"hash": "a", "status": "done"}, "schema version None"),
        ([1], "schema version None"),
        ({"schema_version": 1, "status": "done"}, "no row of an experiment"),
        ({"schema_version": 1, "hash": "a", "status": "perhaps"}, "no row of an experiment"),
    ],
)
def test_files_of_another_kind_are_refused(tmp_path: Path, line: Any, words: str):
    (tmp_path / "results.jsonl").write_text(json.dumps(line) + "\n")
    with pytest.raises(InputError, match=words):
        read_rows(tmp_path)

"""An audit from end to end on tiny GANs: files, verdict, resume, certificate, state."""

import json
import shutil
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from audit_worlds import TINY
from ganforget.api import audit_task, auditing
from ganforget.api.audit_options import AuditOptions
from ganforget.api.audit_task import resolve_audit
from ganforget.api.auditing import resume_audit, run_audit
from ganforget.api.certifying import verify_certificate
from ganforget.api.training import train_gan
from ganforget.audit.scorebook import ScoreBook
from ganforget.cli import main
from ganforget.devices import choose_device
from ganforget.errors import ForgetSetError, InputError, Interrupted
from tiny_gan import only_run, tiny_options

EVERY = ("logan", "d_difference", "rmia", "lira", "nearest_sample", "reconstruction", "relearning")


@pytest.fixture(autouse=True)
def cheap(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Spend as little as possible, and keep nothing outside the test's folder."""
    monkeypatch.setattr(audit_task, "QUICK", TINY)
    monkeypatch.setattr(audit_task, "FULL", replace(TINY, images=40))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def retrained(tiny_unlearned: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ...]:
    """Two GANs that were trained without the images that were forgotten."""
    outdir, exclude = tmp_path_factory.mktemp("retrained"), tiny_unlearned / "forget_set.json"
    return tuple(train_gan(tiny_options(outdir, exclude=exclude, seed=seed)) for seed in (1, 2))


def options(tiny_unlearned: Path, outdir: Path, **more: Any) -> AuditOptions:
    """Return the options of a quick audit of the tiny run."""
    given: dict[str, Any] = {"model": str(tiny_unlearned), "outdir": outdir, "quick": True, "attacks": EVERY}
    return AuditOptions(**(given | more))


@pytest.fixture(scope="module")
def audited(tiny_unlearned: Path, retrained: tuple[Path, ...], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run folder of an audit with two retrained GANs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(audit_task, "QUICK", TINY)
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        return run_audit(options(tiny_unlearned, tmp_path_factory.mktemp("audits"), retrained=retrained)).run


def test_the_run_folder_holds_the_whole_audit(audited: Path):
    audit = json.loads((audited / "audit.json").read_text())
    assert [attack["name"] for attack in audit["attacks"]] == list(EVERY)
    assert audit["verdict"]["verdict"] in ("under-unlearned", "matched", "over-unlearned", "cannot tell")
    assert audit["images"]["forget"] == 8
    logan = audit["attacks"][0]
    assert set(logan["separation"]) == {"original", "unlearned", "retrained-0", "retrained-1"}
    assert logan["retrained"]["auc"] == [logan["separation"][f"retrained-{i}"]["auc"] for i in range(2)]
    assert logan["separation"]["unlearned"]["tpr"]["0.001"] is None  # not measurable
    assert "not measurable" in audit["power"]["unmeasurable"]
    assert any("2 retrained GANs" in sentence for sentence in audit["cannot_claim"])
    scores = json.loads((audited / "scores.json").read_text())["logan"]["unlearned"]
    wins = np.mean([[a > b for b in scores["holdout"]] for a in scores["forget"]])
    assert logan["separation"]["unlearned"]["auc"] == pytest.approx(wins)
    assert audit["relearning"]["steps"] == [0, 1, 3]
    assert set(audit["quality"]["by_role"]) == set(logan["separation"])


def test_the_report_says_the_verdict_and_stands_alone(audited: Path):
    page = (audited / "report.html").read_text()
    audit = json.loads((audited / "audit.json").read_text())
    words = {"under-unlearned": "Under-unlearned", "matched": "Matched", "over-unlearned": "Over-unlearned"}
    assert words.get(audit["verdict"]["verdict"], "Cannot tell") in page
    assert page.count("<svg") >= 8
    assert "http://" not in page.replace("http://www.w3.org", "")
    for sentence in audit["cannot_claim"]:
        assert sentence.split(".")[0] in page


def test_without_retrained_gans_it_says_what_it_cannot_claim(tiny_unlearned: Path, tmp_path: Path):
    result = run_audit(options(tiny_unlearned, tmp_path, attacks=("logan", "d_difference"), quality=False))
    assert result.audit["attacks"][0]["judged"]
    assert not result.audit["attacks"][1]["judged"]
    assert "No retrained GAN" in result.audit["cannot_claim"][0]


def test_a_stopped_audit_goes_on_and_repeats_nothing(
    tiny_unlearned: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    chosen = options(tiny_unlearned, tmp_path / "runs", attacks=("logan", "nearest_sample"), quality=False, cache=False)
    groups, ran = ScoreBook.groups, []

    def stop_at_the_second(book: ScoreBook, attack: str, role: str) -> Any:
        if attack == "nearest_sample" and not ran:
            ran.append(role)
            signal.raise_signal(signal.SIGINT)
        return groups(book, attack, role)

    monkeypatch.setattr(ScoreBook, "groups", stop_at_the_second)
    with pytest.raises(Interrupted, match="ganforget resume"):
        run_audit(chosen)
    run = only_run(tmp_path / "runs")
    kept = {path.name for path in (run / "scores").iterdir()}
    assert len(kept) == 2
    assert all(name.startswith("logan-") for name in kept)
    counted: list[int] = []
    monkeypatch.setattr(auditing, "write_audit_report", lambda run: None)
    monkeypatch.setattr(ScoreBook, "__del__", lambda book: counted.append(book.computed), raising=False)
    result = resume_audit(run)
    assert max(counted) == 2  # nearest_sample on two GANs; logan was kept
    assert result.audit["attacks"][0]["name"] == "logan"
    with pytest.raises(InputError, match="has ended"):
        resume_audit(run)


def test_scores_of_other_gans_are_kept_by_content(tiny_unlearned: Path, retrained: tuple[Path, ...], tmp_path: Path):
    task = resolve_audit(options(tiny_unlearned, tmp_path, retrained=retrained), choose_device("cpu"))
    cache = tmp_path / "kept"
    first = ScoreBook(task.subject, tmp_path / "one", cache)
    for role in task.subject.gans:
        first.scores("logan", role)
    second = ScoreBook(task.subject, tmp_path / "two", cache)
    assert [("logan", role) in second for role in task.subject.gans] == [True, False, True, True]
    other = ScoreBook(replace(task.subject, seed=1), tmp_path / "three", cache)
    assert ("logan", "original") not in other


def test_retrained_gans_that_saw_the_images_are_refused(tiny_unlearned: Path, tiny_run: Path, tmp_path: Path):
    with pytest.raises(InputError, match="no retrained GAN"):
        run_audit(options(tiny_unlearned, tmp_path, retrained=(Path("digits"),)))
    outdir = tmp_path / "other"
    other = tmp_path / "other.txt"
    other.write_text("0\n1\n2\n")
    assert (
        main(
            [
                "forget-set",
                "create",
                "--data",
                "digits",
                "--data-subset",
                "200",
                "--forget",
                str(other),
                "--out",
                str(tmp_path / "other.json"),
                "--quiet",
            ]
        )
        == 0
    )
    seen = train_gan(tiny_options(outdir, exclude=tmp_path / "other.json", kimg=0.01))
    with pytest.raises(InputError, match="were in its training set"):
        run_audit(options(tiny_unlearned, tmp_path / "runs", retrained=(seen,)))
    assert not (tmp_path / "runs").exists()
    resolved = resolve_audit(options(tiny_unlearned, tmp_path, retrained=(tiny_run,)), choose_device("cpu"))
    assert "trusted" in resolved.warnings[0]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"attacks": ("logn",)}, "did you mean logan"),
        ({"attacks": ("rmia",)}, "--retrained"),
        ({"forget_class": (11,)}, "no training image of class"),
        ({"original": "digitz"}, "no model digitz"),
        ({"original": "digits"}, "versions of one GAN|data"),
    ],
    ids=["attack", "references", "class", "missing", "other"],
)
def test_bad_input_is_one_sentence(tiny_unlearned: Path, tmp_path: Path, more: dict[str, Any], message: str):
    with pytest.raises((InputError, ForgetSetError), match=f"(?i){message}"):
        run_audit(options(tiny_unlearned, tmp_path / "runs", **more))
    assert not (tmp_path / "runs").exists()


def test_options_that_do_not_go_together():
    with pytest.raises(InputError, match="--state"):
        AuditOptions(delete=True, model="digits")
    with pytest.raises(InputError, match="--model"):
        AuditOptions()


def test_the_certificate_names_nobody_and_can_be_verified(audited: Path, tiny_unlearned: Path, tmp_path: Path):
    path, forget = audited / "certificate.json", tiny_unlearned / "forget_set.json"
    text = path.read_text()
    saved = json.loads(forget.read_text())
    assert not any(digest in text for digest in saved["hashes"])
    assert (audited / "certificate.salt").read_text().strip() not in text
    checks = {c.what: c.holds for c in verify_certificate(path, model=str(tiny_unlearned), forget=forget)}
    assert checks == {
        "the certificate is whole": True,
        "the unlearned model": True,
        "the original model": None,
        "audit.json beside it": True,
        "the forgotten images": True,
    }
    assert main(["verify", str(path), "--model", "digits", "--quiet"]) == 3
    other = json.loads(text)
    other["audit"]["verdict"] = "matched!"
    (tmp_path / "certificate.json").write_text(json.dumps(other))
    assert verify_certificate(tmp_path / "certificate.json")[0].holds is False
    saved["hashes"][0] = "0" * 64
    (tmp_path / "forget.json").write_text(json.dumps(saved))
    wrong = verify_certificate(path, forget=tmp_path / "forget.json")[-1]
    assert wrong.holds is False
    assert "7 of 8" in wrong.detail


def test_state_lists_and_deletes(tiny_unlearned: Path, tiny_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture):
    run = tmp_path / "run"
    shutil.copytree(tiny_unlearned, run)
    shutil.copytree(tiny_run / "checkpoint", run / "checkpoint", dirs_exist_ok=True)
    shutil.copytree(tiny_run / "model", run / "snapshots" / "00000")
    latents = tmp_path / "cache" / "ganforget" / "inversions"
    latents.mkdir(parents=True)
    (latents / "abc.safetensors").write_bytes(b"x")
    assert main(["audit", "--state", str(run), "--original", str(tiny_run), "--json"]) == 3
    listed = json.loads(capsys.readouterr().out)["remains"]
    found = {Path(item["path"]).relative_to(tmp_path).as_posix(): item for item in listed}
    state = found["run/checkpoint/state.safetensors"]["what"]
    assert "moments of G's optimiser" in state
    assert "ADA" in state
    assert found["run/snapshots/00000/model.safetensors"]["deletable"]
    assert "inverted latents" in found["cache/ganforget/inversions/abc.safetensors"]["what"]
    assert any(name.startswith("run/images/") for name in found)
    assert main(["audit", "--state", str(run), "--original", str(tiny_run), "--delete", "--json"]) in (0, 3)
    assert not (run / "checkpoint" / "state.safetensors").exists()
    assert not (latents / "abc.safetensors").exists()
    assert (run / "model" / "model.safetensors").exists()
    assert (run / "results.json").exists()
    shutil.copytree(tiny_run / "model", run / "model", dirs_exist_ok=True)  # the original delivered as unlearned
    capsys.readouterr()
    assert main(["audit", "--state", str(run), "--original", str(tiny_run), "--json"]) == 3
    left = json.loads(capsys.readouterr().out)["remains"]
    assert any("of G_ema are the original's" in item["what"] and not item["deletable"] for item in left)
    assert any("w_avg" in item["what"] for item in left)

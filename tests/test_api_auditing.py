"""An audit from end to end on small GANs: files, verdict, resume, certificate, state."""

import json
import re
import shutil
import signal
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from audit_worlds import TINY, some_targets
from ganforget.api import audit_task, auditing
from ganforget.api.audit_options import AuditOptions
from ganforget.api.audit_task import _completed, resolve_audit
from ganforget.api.auditing import resume_audit, run_audit
from ganforget.api.certifying import _file, verify_certificate, write_certificate
from ganforget.api.retrained import records_exclusion
from ganforget.api.training import excluded_hash
from ganforget.audit.certificate import own_digest
from ganforget.audit.scorebook import ScoreBook
from ganforget.cli import main
from ganforget.data import DataSpec, ForgetSet, forget_random, load_data
from ganforget.devices import choose_device
from ganforget.errors import ForgetSetError, InputError, Interrupted
from ganforget.files import write_json
from ganforget.inversion.cache import generator_hash, write_inversion
from ganforget.inversion.invert import Inversion
from ganforget.models.gan import Gan, load_gan, model_hash, save_gan
from ganforget.report.audit_page import write_audit_report
from ganforget.unlearning.config import CascadeConfig
from ganforget.unlearning.state import new_cascade, save_cascade
from ganforget.work import Work
from small_gan import small_gan
from tiny_gan import only_run

CPU = torch.device("cpu")
EVERY = ("logan", "d_difference", "rmia", "lira", "nearest_sample", "reconstruction", "relearning")


@pytest.fixture(autouse=True)
def cheap(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Spend as little as possible, and keep nothing outside the test's folder."""
    monkeypatch.setattr(audit_task, "QUICK", TINY)
    monkeypatch.setattr(audit_task, "FULL", replace(TINY, images=40))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@dataclass(frozen=True)
class World:
    """Folders of untrained GANs that play the parts, and a forget set of 8 digits."""

    original: Path
    unlearned: Path
    """Laid out as a run of unlearning."""
    retrained: tuple[Path, ...]

    @property
    def forget(self) -> Path:
        return self.unlearned / "forget_set.json"


RESULTS = {"mode": "few-shot", "substitute": "truncation", "preset": "default", "destination": "calibrated", "seed": 7}


def eight_digits(seed: int) -> ForgetSet:
    """Return eight digits drawn at random."""
    return forget_random(load_data(DataSpec("digits")).train, 8, seed=seed, data="digits")


def save(folder: Path, seed: int, training: dict[str, Any]) -> None:
    """Save an untrained GAN that fits the digits, with a record of its training."""
    gan = small_gan(seed=seed, c_dim=10, resolution=16)
    save_gan(Gan(gan.G, gan.D, replace(gan.config, training=training)), folder / "model")


def retrain(folder: Path, seed: int, left_out: ForgetSet | None) -> Path:
    """Lay an untrained GAN out as the run of a training without ``left_out``; return its folder."""
    record = {"data": load_data(DataSpec("digits")).record, "excluded": excluded_hash(left_out)}
    save(folder, seed, record)
    write_json(folder / "config.json", {"command": "train", "options": {}, **record})
    if left_out is not None:
        left_out.save(folder / "forget_set.json")
    return folder


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """GANs that fit the digits, none of which has seen them."""
    place = tmp_path_factory.mktemp("gans")
    folders = [place / name for name in ("original", "unlearned", "retrained-a", "retrained-b")]
    forget = eight_digits(0)
    for seed, folder in enumerate(folders[:2]):
        save(folder, seed, {"data": {"name": "digits"}})
    forget.save(folders[1] / "forget_set.json")
    write_json(folders[1] / "results.json", RESULTS)
    recorded = {"model": str(folders[0]), "data": "digits", "data_path": None, "destination": "default", "seed": 0}
    write_json(folders[1] / "config.json", {"command": "unlearn", "options": recorded})
    for seed, folder in enumerate(folders[2:], start=2):
        retrain(folder, seed, forget)
    return World(folders[0], folders[1], (folders[2], folders[3]))


def options(world: World, outdir: Path, **more: Any) -> AuditOptions:
    """Return the options of a quick audit of the unlearned GAN."""
    given: dict[str, Any] = {"model": str(world.unlearned), "outdir": outdir, "quick": True, "attacks": EVERY}
    return AuditOptions(**(given | more))


@pytest.fixture(scope="module")
def audited(world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run folder of an audit with two retrained GANs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(audit_task, "QUICK", TINY)
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        return run_audit(options(world, tmp_path_factory.mktemp("audits"), retrained=world.retrained)).run


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


def test_the_report_marks_a_departure_of_shape(audited: Path, tmp_path: Path):
    run = tmp_path / "run"
    shutil.copytree(audited, run)
    assert "a departure of shape" not in write_audit_report(run).read_text()
    audit = json.loads((run / "audit.json").read_text())
    audit["verdict"] |= {"verdict": "over-unlearned", "by_shape": True, "misshapen": ["logan"]}
    write_json(run / "audit.json", audit)
    page = write_audit_report(run).read_text()
    assert page.count("a departure of shape") == 1
    assert "no use to turn the sign" in page


def test_the_report_is_written_again(audited: Path, tmp_path: Path):
    again = tmp_path / audited.name
    shutil.copytree(audited, again)
    (again / "report.html").unlink()
    assert main(["report", str(again), "--quiet"]) == 0
    assert (again / "report.html").read_text() == (audited / "report.html").read_text()


def test_without_retrained_gans_it_says_what_it_cannot_claim(world: World, tmp_path: Path):
    result = run_audit(options(world, tmp_path, attacks=("logan", "d_difference"), quality=False))
    assert result.audit["attacks"][0]["judged"]
    assert not result.audit["attacks"][1]["judged"]
    assert "No retrained GAN" in result.audit["cannot_claim"][0]


def test_a_stopped_audit_goes_on_and_repeats_nothing(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    chosen = options(world, tmp_path / "runs", attacks=("logan", "nearest_sample"), quality=False, cache=False)
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
    config = json.loads((run / "config.json").read_text())
    assert config["seconds"] > 0
    write_json(run / "config.json", config | {"seconds": 1000.0})
    write_json(run / "audit.json", {})  # written, and then killed before there was a certificate
    counted: list[int] = []
    monkeypatch.setattr(auditing, "write_audit_report", lambda run: None)
    monkeypatch.setattr(ScoreBook, "__del__", lambda book: counted.append(book.computed), raising=False)
    result = resume_audit(run)
    assert max(counted) == 2  # nearest_sample on two GANs; logan was kept
    assert result.audit["attacks"][0]["name"] == "logan"
    assert result.audit["seconds"] >= 1000  # of both sessions
    assert verify_certificate(run / "certificate.json")[0].holds
    with pytest.raises(InputError, match="has ended"):
        resume_audit(run)


def test_scores_of_other_gans_are_kept_by_content(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    task = resolve_audit(options(world, tmp_path, retrained=world.retrained), choose_device("cpu"))
    cache = tmp_path / "kept"
    first = ScoreBook(task.subject, tmp_path / "one", cache)
    for role in task.subject.gans:
        first.scores("logan", role)
    second = ScoreBook(task.subject, tmp_path / "two", cache)
    assert [("logan", role) in second for role in task.subject.gans] == [True, False, True, True]
    subject, images = task.subject, task.subject.images
    labels = images.targets.labels
    assert labels is not None
    relabelled = replace(images, targets=replace(images.targets, labels=(labels + 1) % 10))
    shifted = replace(images, members=images.members - 1)
    population = replace(images, population=replace(images.population, labels=None))
    original = subject.original
    used = Gan(original.G, original.D, replace(original.config, D=original.config.D | {"other": 1}))
    for other in (
        replace(subject, seed=1),
        *(replace(subject, images=changed) for changed in (relabelled, shifted, population)),
        replace(subject, original=used),
    ):
        assert ("logan", "original") not in ScoreBook(other, tmp_path / "three", cache)
    monkeypatch.setattr(torch, "__version__", "0")
    assert ("logan", "original") not in ScoreBook(subject, tmp_path / "three", cache)


def test_neighbours_are_kept_by_their_labels_too(world: World, tmp_path: Path):
    subject = resolve_audit(options(world, tmp_path), choose_device("cpu")).subject
    near = some_targets(2)
    assert near.labels is not None

    def key(labels: np.ndarray) -> str:
        images = replace(subject.images, neighbours=replace(near, labels=labels))
        return ScoreBook(replace(subject, images=images), tmp_path, None)._key("relearning_neighbours", "original")

    assert key(near.labels) == key(near.labels.copy()) != key(near.labels + 1)


def refused(world: World, tmp_path: Path, *retrained: Path) -> str:
    """Return why an audit with these retrained GANs is refused, before it writes anything."""
    with pytest.raises(InputError) as caught:
        run_audit(options(world, tmp_path / "audits", retrained=retrained))
    assert not (tmp_path / "audits").exists()
    return str(caught.value)


def test_retrained_gans_that_saw_the_images_are_refused(world: World, tmp_path: Path):
    forget = ForgetSet.read(world.forget)
    with pytest.raises(InputError, match="no retrained GAN"):
        records_exclusion(Path("digits"), small_gan(), forget, "")
    fewer = forget_random(load_data(DataSpec("digits")).train, 3, data="digits")
    seen = retrain(tmp_path / "fewer", 4, fewer)
    assert "5 of the 8 forget images were in its training set" in refused(world, tmp_path, seen)
    assert "trained on all of these" in refused(world, tmp_path, retrain(tmp_path / "all", 5, None))
    forget.save(tmp_path / "all" / "forget_set.json")  # not what it was trained without
    assert "trained on all of these" in refused(world, tmp_path, tmp_path / "all")


def test_an_unlearned_gan_is_no_retrained_one(world: World, tmp_path: Path):
    assert "weights of the unlearned GAN" in refused(world, tmp_path, retrain(tmp_path / "a", 1, eight_digits(0)))
    assert "weights of the original GAN" in refused(world, tmp_path, retrain(tmp_path / "b", 0, eight_digits(0)))
    twice = retrain(tmp_path / "c", 2, eight_digits(0))
    assert f"weights of {world.retrained[0]}" in refused(world, tmp_path, world.retrained[0], twice)
    other = tmp_path / "other"
    shutil.copytree(world.unlearned, other)
    save(other, 6, {})
    assert "was unlearned" in refused(world, tmp_path, other)  # its forget_set.json is what it was to forget
    save(tmp_path / "bare", 6, {"unlearned": {"steps": 3}})
    assert "was unlearned" in refused(world, tmp_path, tmp_path / "bare")


def test_what_a_retrained_gan_does_not_record_is_trusted(world: World, tmp_path: Path):
    forget, (data, digest) = ForgetSet.read(world.forget), (load_data(DataSpec("digits")).record, "0" * 64)
    save(tmp_path / "bare", 4, {})
    forget.save(tmp_path / "bare" / "forget_set.json")
    save(tmp_path / "other-record", 5, {"excluded": digest, "data": data})
    forget.save(tmp_path / "other-record" / "forget_set.json")
    save(tmp_path / "other-data", 6, {"excluded": None, "data": {"train_hash": digest}})
    save(tmp_path / "model-alone", 7, {"excluded": excluded_hash(forget), "data": data})
    folders = [tmp_path / name for name in ("bare", "other-record", "other-data", "model-alone")]
    task = resolve_audit(options(world, tmp_path, retrained=(*folders, *world.retrained)), choose_device("cpu"))
    assert task.verified == (False, False, False, True, True, True)
    assert [warning.split(" ")[0] for warning in task.warnings[:3]] == [str(folder) for folder in folders[:3]]
    assert "trusted" in task.warnings[0]


def test_images_that_calibrated_are_not_audited(world: World, tmp_path: Path):
    run = tmp_path / "run"
    shutil.copytree(world.unlearned, run)
    given = options(world, tmp_path / "runs", model=str(run), whole_holdout=True, attacks=("logan",), quality=False)
    unsaid = "nothing records whether the unlearning was calibrated"
    assert any(unsaid in sentence for sentence in run_audit(given).audit["cannot_claim"])
    write_json(run / "results.json", RESULTS | {"n_calibration": 0})
    assert not any(unsaid in sentence for sentence in run_audit(given).audit["cannot_claim"])
    write_json(run / "results.json", RESULTS | {"n_calibration": 3})
    with pytest.raises(InputError, match="calibrated on 3 holdout images"):
        run_audit(given)
    resolve_audit(replace(given, whole_holdout=False), choose_device("cpu"))


def test_the_method_is_what_was_done(audited: Path):
    for content in ("audit.json", "certificate.json"):
        assert json.loads((audited / content).read_text())["method"] == RESULTS


@pytest.mark.parametrize("what", ["GANs", "training data", "holdout images", "images of the forget set"])
def test_a_stopped_audit_goes_on_with_what_it_began_with_alone(audited: Path, tmp_path: Path, what: str):
    run = tmp_path / "run"
    shutil.copytree(audited, run)
    (run / "certificate.json").unlink()
    config = json.loads((run / "config.json").read_text())
    if what == "GANs":
        config["model_hashes"]["unlearned"] = "0" * 64
    elif what == "images of the forget set":
        eight_digits(1).save(run / "forget_set.json")
    else:
        config["data"]["train_hash" if what == "training data" else "holdout_hash"] = "0" * 64
    write_json(run / "config.json", config)
    with pytest.raises(InputError, match=f"The {what} have changed"):
        resume_audit(run)


def test_an_audit_that_is_certified_again_keeps_its_salt(audited: Path, tmp_path: Path):
    run = tmp_path / "run"
    shutil.copytree(audited, run)
    write_certificate(run)
    assert (run / "certificate.salt").read_text() == (audited / "certificate.salt").read_text()


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"attacks": ("logn",)}, "did you mean logan"),
        ({"attacks": ("rmia",)}, "--retrained"),
        ({"forget_class": (11,)}, "no training image of class"),
        ({"original": "digitz"}, "no model digitz"),
        ({"forget_random": 2000}, "2000 random images"),
    ],
    ids=["attack", "references", "class", "missing", "many"],
)
def test_bad_input_is_one_sentence(world: World, tmp_path: Path, more: dict[str, Any], message: str):
    with pytest.raises((InputError, ForgetSetError), match=f"(?i){message}"):
        run_audit(options(world, tmp_path / "runs", **more))
    assert not (tmp_path / "runs").exists()


def test_an_original_that_has_changed_is_refused(world: World, tmp_path: Path):
    run = tmp_path / "run"
    shutil.copytree(world.unlearned, run)
    config = json.loads((run / "config.json").read_text())
    write_json(run / "config.json", config | {"model_hash": "0" * 64})
    given = options(world, tmp_path / "audits", model=str(run), attacks=("logan",))
    with pytest.raises(InputError, match="is no longer the model that"):
        resolve_audit(given, choose_device("cpu"))
    resolve_audit(replace(given, original=str(world.original)), choose_device("cpu"))  # it was named
    write_json(run / "config.json", config | {"model_hash": model_hash(load_gan(world.original / "model"))})
    resolve_audit(given, choose_device("cpu"))


def test_options_that_do_not_go_together():
    with pytest.raises(InputError, match="--state"):
        AuditOptions(delete=True, model="digits")
    with pytest.raises(InputError, match="--model"):
        AuditOptions()


def test_the_certificate_names_nobody_and_can_be_verified(audited: Path, world: World, tmp_path: Path):
    path, forget = audited / "certificate.json", world.forget
    text = path.read_text()
    saved = json.loads(forget.read_text())
    assert not any(digest in text for digest in saved["hashes"])
    assert (audited / "certificate.salt").read_text().strip() not in text
    checks = {c.what: c.holds for c in verify_certificate(path, model=str(world.unlearned), forget=forget)}
    assert checks == {
        "the certificate is whole": True,
        "the unlearned model": True,
        "the unlearned model's file": True,
        "the unlearned model's configuration": True,
        "the original model": None,
        "the original model's file": None,
        "audit.json beside it": True,
        "what the certificate says": True,
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


def test_the_networks_may_be_in_a_file_from_elsewhere(world: World, tmp_path: Path):
    (tmp_path / "network-snapshot.pkl").write_bytes(b"x")
    assert _file(str(tmp_path / "network-snapshot.pkl")) == tmp_path / "network-snapshot.pkl"
    assert _file(str(world.original)) == world.original / "model" / "model.safetensors"


def test_a_run_brings_its_holdout_images(world: World, tmp_path: Path):
    recorded = {"model": "m", "data": "d", "data_path": None, "holdout_path": "unseen"}
    completed = _completed(options(world, tmp_path), {"options": recorded})
    assert completed.holdout_path == Path("unseen")
    assert AuditOptions.from_plain({"model": "m", "holdout_path": "unseen"}).holdout_path == Path("unseen")


def rename_role(files: dict[str, Any]) -> None:
    role = 'x"/><h1>Matched</h1>'
    files["scores"]["logan"][role] = files["scores"]["logan"].pop("unlearned")


@pytest.mark.parametrize(
    "damage",
    [
        lambda files: files["audit"].pop("power"),
        lambda files: files["audit"].pop("images"),
        lambda files: files["audit"]["attacks"][0].update(name="<b>"),
        lambda files: files["scores"]["logan"]["unlearned"].update(forget=[], holdout=[]),
        rename_role,
    ],
    ids=["no power", "no images", "attack", "no scores", "role"],
)
def test_a_damaged_audit_is_a_sentence(audited: Path, tmp_path: Path, damage: Callable[[dict[str, Any]], object]):
    files = {name: json.loads((audited / f"{name}.json").read_text()) for name in ("audit", "scores")}
    damage(files)
    for name, content in files.items():
        write_json(tmp_path / f"{name}.json", content)
    with pytest.raises(InputError, match="damaged"):
        write_audit_report(tmp_path)
    assert not (tmp_path / "report.html").exists()


def rewritten(path: Path, tmp_path: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    """Return a copy of a certificate that was changed and given a digest of its own, beside the true audit.json."""
    content = json.loads(path.read_text())
    change(content)
    del content["digest"]
    for name in ("audit.json", "certificate.salt"):
        shutil.copy(path.parent / name, tmp_path)
    (tmp_path / "certificate.json").write_text(json.dumps(content | {"digest": own_digest(content)}))
    return tmp_path / "certificate.json"


def test_a_certificate_that_says_other_things_than_its_audit_does_not_hold(audited: Path, tmp_path: Path):
    changed = rewritten(audited / "certificate.json", tmp_path, lambda c: c["audit"].update(verdict="matched!"))
    checks = {c.what: c for c in verify_certificate(changed)}
    assert checks["the certificate is whole"].holds
    assert checks["audit.json beside it"].holds
    assert checks["what the certificate says"].holds is False
    assert checks["what the certificate says"].detail == "audit.json says otherwise of: audit"


def test_the_same_weights_used_otherwise_are_another_network(audited: Path, world: World, tmp_path: Path):
    shutil.copytree(world.unlearned, tmp_path / "run")
    path = tmp_path / "run" / "model" / "config.json"
    config = json.loads(path.read_text())
    config["G"]["mapping_kwargs"] = {**config["G"].get("mapping_kwargs", {}), "lr_multiplier": 1.0}
    path.write_text(json.dumps(config))
    found = verify_certificate(audited / "certificate.json", model=str(tmp_path / "run"))
    checks = {c.what: c.holds for c in found}
    assert checks["the unlearned model"] is True
    assert checks["the unlearned model's configuration"] is False


def test_a_certificate_has_what_qualifies_its_verdict(audited: Path):
    certified, audit = (json.loads((audited / f"{n}.json").read_text()) for n in ("certificate", "audit"))
    found = certified["audit"]
    assert found["by_network"].keys() == audit["verdict"]["by_network"].keys()
    assert found["warnings"] == audit["warnings"]
    assert found["random_forget_set"] is audit["random_forget_set"]
    assert len(found["retrained_recorded"]) == len(audit["retrained"])


def test_a_word_in_a_file_is_no_random_draw(world: World, tmp_path: Path):
    saved = json.loads(world.forget.read_text())
    assert resolve_audit(options(world, tmp_path), CPU).subject.exchangeable
    (tmp_path / "forget.json").write_text(json.dumps(saved | {"selection": {**saved["selection"], "seed": 999}}))
    assert not resolve_audit(options(world, tmp_path, forget=tmp_path / "forget.json"), CPU).subject.exchangeable


def test_another_forget_set_or_original_than_the_runs_is_told(world: World, tmp_path: Path):
    run = tmp_path / "run"
    shutil.copytree(world.unlearned, run)
    config = json.loads((run / "config.json").read_text())
    write_json(run / "config.json", config | {"model_hash": model_hash(load_gan(world.original / "model"))})
    asked = options(world, tmp_path, model=str(run), forget_random=4, original=str(world.retrained[0]))
    warnings = " ".join(resolve_audit(asked, CPU).warnings)
    assert "The run forgot 8 images, and 4 of them are among the 4 that are audited" in warnings
    assert "is not the GAN that" in warnings


def test_a_single_image_is_audited_without_relearning(world: World, tmp_path: Path):
    task = resolve_audit(options(world, tmp_path, forget_random=1), CPU)
    assert not [name for name in task.attacks if "relearning" in name]
    assert "Relearning needs two forget images" in " ".join(task.warnings)


def test_a_training_is_not_cleaned_up(world: World, capsys: pytest.CaptureFixture):
    assert main(["audit", "--state", str(world.retrained[0]), "--delete"]) == 2
    assert "is a training and not a run of unlearning" in " ".join(capsys.readouterr().err.split())


def test_state_lists_and_deletes(world: World, tmp_path: Path, capsys: pytest.CaptureFixture):
    run = tmp_path / "run"
    shutil.copytree(world.unlearned, run)
    gan = load_gan(world.original / "model")
    networks = new_cascade(gan, CascadeConfig("item", "few-shot", "truncation"))
    networks.D(torch.zeros(4, 1, 16, 16), torch.eye(10)[:4]).sum().backward()
    networks.D_optimizer.step()
    save_cascade(networks, run / "checkpoint")
    save_gan(gan, run / "snapshots" / "00000")
    (run / "images").mkdir()
    for name in ("forgotten", "samples_before", "samples_after"):
        (run / "images" / f"{name}.png").write_bytes(b"x")
    latents = tmp_path / "cache" / "ganforget" / "inversions"
    mine, own = ForgetSet.read(world.forget).hashes, generator_hash(gan.G)
    found_latents = Inversion(torch.zeros(1, 4, 8), torch.zeros(1), 1.0, Work())
    for name, generator, hashes in (
        ("mine", own, mine),
        ("part", own, ["0" * 64, mine[3]]),
        ("other-images", own, ["0" * 64]),
        ("other-gan", "1" * 64, mine),
    ):
        write_inversion(latents, name, found_latents, generator=generator, images=hashes)
    (latents / "older.safetensors").write_bytes(b"x")
    assert main(["audit", "--state", str(run), "--original", str(world.original), "--json"]) == 3
    listed = json.loads(capsys.readouterr().out)["remains"]
    found = {Path(item["path"]).relative_to(tmp_path).as_posix(): item for item in listed}
    state = found["run/checkpoint/state.safetensors"]["what"]
    assert "moments of D's optimiser" in state
    assert "ADA" in state
    assert found["run/snapshots/00000/model.safetensors"]["deletable"]
    kept = {Path(place).stem: item for place, item in found.items() if place.startswith("cache/")}
    assert {name: item["deletable"] for name, item in kept.items()} == {"mine": True, "part": True, "older": False}
    assert "8 of the forgotten images" in kept["mine"]["what"]
    assert "forgotten images" in found["run/images/forgotten.png"]["what"]
    assert "samples of the original" in found["run/images/samples_before.png"]["what"]
    assert "run/images/samples_after.png" not in found
    assert main(["audit", "--state", str(run), "--original", str(world.original), "--delete", "--json"]) in (0, 3)
    assert not (run / "checkpoint" / "state.safetensors").exists()
    assert sorted(path.stem for path in latents.iterdir()) == ["older", "other-gan", "other-images"]
    assert (run / "model" / "model.safetensors").exists()
    assert (run / "results.json").exists()
    shutil.copytree(world.original / "model", run / "model", dirs_exist_ok=True)  # the original delivered as unlearned
    capsys.readouterr()
    assert main(["audit", "--state", str(run), "--original", str(world.original), "--json"]) == 3
    left = json.loads(capsys.readouterr().out)["remains"]
    assert any("of G_ema are the original's" in item["what"] and not item["deletable"] for item in left)
    assert any("w_avg" in item["what"] for item in left)
    assert main(["audit", "--state", str(run), "--original", str(world.original)]) == 3
    told = capsys.readouterr().out
    assert str(run / "model" / "model.safetensors") in told.splitlines(), "whole, however narrow the terminal"
    assert "w_avg, the mean latent, is the original's" in told
    assert re.search(r"Left: \d+, \d+ of which --delete does not remove\.", told)

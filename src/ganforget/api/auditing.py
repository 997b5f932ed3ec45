"""An audit from end to end: attacks one by one, their statistics, the verdict, and the run folder."""

import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ganforget.api.audit_options import AuditOptions
from ganforget.api.audit_quality import quality_figures
from ganforget.api.audit_task import AuditTask, resolve_audit
from ganforget.api.certifying import write_certificate
from ganforget.api.class_probes import class_figures
from ganforget.audit.attacks.registry import ATTACKS
from ganforget.audit.attacks.relearning import relearning_curve
from ganforget.audit.comparison import Pair
from ganforget.audit.figures import attack_figures, cannot_claim, power, verdict_figures
from ganforget.audit.relearning_pace import relearning_pace
from ganforget.audit.scorebook import ScoreBook
from ganforget.audit.subject import ORIGINAL, UNLEARNED
from ganforget.audit.verdict import Finding
from ganforget.data import ForgetSet, cache_folder
from ganforget.devices import choose_device
from ganforget.errors import InputError
from ganforget.files import write_json
from ganforget.interruption import StopRequest, stop_on_signal
from ganforget.models.gan import configuration_hash, model_hash
from ganforget.progress import Progress, Silent
from ganforget.report.audit_page import write_audit_report
from ganforget.rundir import circumstances, new_run, plain_options, read_run_config

__all__ = ["SCHEMA_VERSION", "AuditResult", "resume_audit", "run_audit"]

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class AuditResult:
    """Where an audit is, and what it came to."""

    run: Path
    audit: dict[str, Any]
    """The content of audit.json."""

    @property
    def verdict(self) -> str:
        """One of under-unlearned, matched, over-unlearned, cannot tell."""
        return self.audit["verdict"]["verdict"]


def run_audit(options: AuditOptions, progress: Progress | None = None) -> AuditResult:
    """Audit the GAN of ``options`` in a new run folder.

    Raises InputError before anything is written, and Interrupted on Ctrl-C; the folder then holds the finished
    attacks, and ``resume_audit`` goes on.
    """
    progress = progress or Silent()
    progress.stage("Checking models, data and forget set")
    task = resolve_audit(options, choose_device(options.device))
    what = "+".join(f"class{y}" for y in task.forget.classes) or f"item{len(task.forget)}"
    run = new_run(options.outdir, f"audit-{task.splits.name}-{what}{'-quick' if options.quick else ''}")
    write_json(run / "config.json", _config(task))
    task.forget.save(run / "forget_set.json")
    with stop_on_signal() as stop:
        return _run(task, run, progress, stop)


def resume_audit(run: Path, progress: Progress | None = None) -> AuditResult:
    """Go on with an audit that was stopped.

    Raises InputError where ``run`` is none, has ended, or its GANs, data or forget set have changed.
    """
    config = read_run_config(run, "audit")
    if (run / "certificate.json").exists():
        raise InputError(f"The audit {run} has ended; there is nothing to resume.")
    options = AuditOptions.from_plain(config["options"])
    progress = progress or Silent()
    progress.stage("Checking models, data and forget set")
    task = resolve_audit(options, choose_device(options.device))
    _require_unchanged(task, run, config)
    with stop_on_signal() as stop:
        return _run(task, run, progress, stop)


def _require_unchanged(task: AuditTask, run: Path, config: dict[str, Any]) -> None:
    """Raise InputError where GANs, data or forget set are no longer those that the audit ``run`` began with."""
    data, began = task.splits.record, config["data"]
    same = {
        "GANs": _hashes(task) == config["model_hashes"],
        "training data": data["train_hash"] == began.get("train_hash"),
        "holdout images": data["holdout_hash"] == began.get("holdout_hash"),
        "images of the forget set": sorted(task.forget.hashes)
        == sorted(ForgetSet.read(run / "forget_set.json").hashes),
    }
    for what, unchanged in same.items():
        if not unchanged:
            raise InputError(f"The {what} have changed since the audit {run} began; start a new one.")


def _hashes(task: AuditTask) -> dict[str, str]:
    return {role: model_hash(gan) for role, gan in task.subject.gans.items()}


def _config(task: AuditTask) -> dict[str, Any]:
    device = str(next(task.subject.unlearned.G.parameters()).device)
    return {
        "schema_version": SCHEMA_VERSION,
        "command": "audit",
        "options": plain_options(task.options, "model", "original", "data"),
        "model_hashes": _hashes(task),
        "data": task.splits.record,
        "seed": task.options.seed,
        **circumstances(device),
    }


def _run(task: AuditTask, run: Path, progress: Progress, stop: StopRequest) -> AuditResult:
    for warning in task.warnings:
        progress.warn(warning)
    clock, go_on = _Clock(run), f"Stopped; go on with: ganforget resume {run}"
    cache = cache_folder("audits") if task.options.cache else None
    book = ScoreBook(task.subject, run / "scores", cache)
    with stop.at_once(go_on):
        scores = _attack(task, book, progress, clock)
        progress.stage("Statistics and verdict")
        figures, findings = _figures(task, scores)
        extra: dict[str, Any] = {name: _relearning(task, name, progress) for name in _RELEARNING}
        extra["relearning_pace"] = {name: relearning_pace(extra[name]) for name in _RELEARNING if extra[name]}
        extra["classes_left"] = class_figures(task, progress)
        extra["quality"] = quality_figures(task, progress) if task.options.quality else None
        audit = _audit(task, figures, findings, extra, clock.save())
    write_json(run / "scores.json", {name: _listed(pairs) for name, pairs in scores.items()})
    write_json(run / "audit.json", audit)
    progress.stage("Writing the report")
    write_audit_report(run)
    write_certificate(run)  # last: an audit with a certificate is whole
    return AuditResult(run, audit)


class _Clock:
    """How long an audit has taken, over all its sessions; kept in the run's config.json."""

    def __init__(self, run: Path) -> None:
        self.file = run / "config.json"
        self.config = read_run_config(run, "audit")
        self.began = time.perf_counter() - self.config.get("seconds", 0.0)

    def save(self) -> float:
        """Keep, and return, the seconds up to now."""
        seconds = time.perf_counter() - self.began
        write_json(self.file, self.config | {"seconds": round(seconds, 3)})
        return seconds


def _attack(task: AuditTask, book: ScoreBook, progress: Progress, clock: _Clock) -> dict[str, dict[str, Pair]]:
    """Run every attack on every GAN that it can be run on; what is kept is not run again."""
    roles, total = list(task.subject.gans), len(task.attacks) * len(task.subject.gans)
    found: dict[str, dict[str, Pair]] = {}
    for place, name in enumerate(task.attacks):
        progress.stage(f"Attack: {ATTACKS[name].title}")
        alone = ATTACKS[name].needs_references and len(task.subject.retrained) < 2
        found[name] = {}
        for number, role in enumerate(role for role in roles if not (alone and role not in (ORIGINAL, UNLEARNED))):
            progress.step(place * len(roles) + number, total, role)
            found[name][role] = book.groups(name, role)
            clock.save()
    return found


def _figures(task: AuditTask, scores: dict[str, dict[str, Pair]]) -> tuple[list[dict[str, Any]], list[Finding]]:
    figures, findings = [], []
    for name, pairs in scores.items():
        exchangeable = task.subject.exchangeable
        figure, finding = attack_figures(name, pairs, exchangeable=exchangeable, seed=task.options.seed)
        figures.append(figure)
        if finding is not None:
            findings.append(finding)
    return figures, findings


_RELEARNING = ("relearning", "relearning_neighbours")


def _relearning(task: AuditTask, name: str, progress: Progress) -> dict[str, list[float]] | None:
    """Return the AUC of forget images by fine-tuning step, for every GAN; None where it was not asked for."""
    if name not in task.attacks:
        return None
    progress.stage(f"Curves: {ATTACKS[name].title}")
    subject, curves = task.subject, {}
    for number, (role, gan) in enumerate(subject.gans.items()):
        progress.step(number, len(subject.gans), role)
        images, held = subject.images, subject.knowledge(gan, lambda *_: _never())
        curves[role] = relearning_curve(
            gan, images.targets, images.members, held, neighbours=name == "relearning_neighbours"
        )
    return {"steps": list(map(float, subject.budget.relearning_steps)), **curves}


def _never() -> Any:
    raise AssertionError("relearning recalls no other attack")


def _listed(pairs: dict[str, Pair]) -> dict[str, dict[str, list[float]]]:
    return {role: {"forget": member.tolist(), "holdout": outside.tolist()} for role, (member, outside) in pairs.items()}


def _audit(
    task: AuditTask, figures: list[dict[str, Any]], findings: list[Finding], extra: dict[str, Any], seconds: float
) -> dict[str, Any]:
    subject, options, forget = task.subject, task.options, task.forget
    return json.loads(
        json.dumps(
            {
                "schema_version": SCHEMA_VERSION,
                "model": options.model,
                "original": options.original,
                "retrained": [
                    {"folder": str(folder), "recorded_without_forget_set": known}
                    for folder, known in zip(options.retrained, task.verified, strict=True)
                ],
                "model_hashes": _hashes(task),
                "configurations": {role: configuration_hash(gan) for role, gan in subject.gans.items()},
                "method": {
                    key: task.results.get(key) for key in ("mode", "substitute", "preset", "destination", "seed")
                },
                "task": forget.task,
                "classes": list(forget.classes),
                "n_forget": forget.unmirrored,
                "random_forget_set": subject.exchangeable,
                "data": task.splits.record,
                "images": {
                    "forget": subject.images.members,
                    "holdout": subject.images.outside,
                    "population": len(subject.images.population),
                    "relearning": len(subject.images.few),
                    "holdout_half": "all" if options.whole_holdout else "audit",
                },
                "quick": options.quick,
                "budget": asdict(subject.budget),
                "seed": options.seed,
                "verdict": verdict_figures(findings),
                "power": power(
                    findings, subject.images.members, subject.images.outside, references=bool(subject.retrained)
                ),
                "cannot_claim": cannot_claim(
                    figures,
                    references=len(subject.retrained),
                    exchangeable=subject.exchangeable,
                    quick=options.quick,
                    attacks=[ATTACKS[name] for name in task.attacks],
                    calibrated_unknown=options.whole_holdout and "n_calibration" not in task.results,
                ),
                "attacks": figures,
                **extra,
                "warnings": list(task.warnings),
                "seconds": round(seconds, 1),
            },
            allow_nan=False,
        )
    )

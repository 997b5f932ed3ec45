"""One unlearning run from beginning to end: a run folder with the unlearned GAN, its measures and a report."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from ganforget.api.cost import kimg_seconds_of, spending
from ganforget.api.measuring import Measured, measure_before_and_after
from ganforget.api.preparation import Prepared, prepare
from ganforget.api.run_results import SCHEMA_VERSION, run_results
from ganforget.api.task import UnlearningTask, resolve_task
from ganforget.data import ForgetSet
from ganforget.devices import choose_device
from ganforget.errors import InputError, Interrupted, OutputError
from ganforget.files import append_json_line, keep_json_lines, write_json
from ganforget.interruption import StopRequest, stop_on_signal
from ganforget.models.gan import Gan, GanConfig, model_hash, save_gan
from ganforget.options import UnlearnOptions
from ganforget.progress import Progress, Silent
from ganforget.report import write_report
from ganforget.rundir import circumstances, new_run, plain_options, read_run_config, require_place
from ganforget.unlearning.cascade import Check
from ganforget.unlearning.log import log_line
from ganforget.unlearning.loop import run_cascade
from ganforget.unlearning.state import CascadeState, load_cascade, new_cascade, save_cascade

__all__ = ["UnlearningResult", "resume_unlearning", "run_unlearning"]

_SECONDS_BETWEEN_SAVES = 20.0


@dataclass(frozen=True, eq=False)
class UnlearningResult:
    """What a run came to."""

    run: Path | None
    """The run folder; None for a dry run."""
    reached: bool | None
    results: dict[str, Any]
    """The content of results.json; for a dry run the plan."""


def run_unlearning(options: UnlearnOptions, progress: Progress | None = None) -> UnlearningResult:
    """Make the model of ``options`` forget, in a new run folder.

    Raises InputError before anything is written, NumericalError on NaN, and Interrupted on Ctrl-C; after the last two
    the run folder holds what ``resume_unlearning`` needs.
    """
    progress = progress or Silent()
    progress.stage("Checking model, data and forget set")
    task = resolve_task(options, progress)
    device = choose_device(options.device)
    for warning in task.warnings:
        progress.warn(warning)
    if options.dry_run:
        require_place(options.outdir)
        return UnlearningResult(None, None, _plan(task))
    run = new_run(options.outdir, task.describe())
    write_json(run / "config.json", _config(task, device))
    task.forget.save(run / "forget_set.json")
    with stop_on_signal() as stop:
        return _run(task, run, device, progress, stop)


def resume_unlearning(run: Path, progress: Progress | None = None) -> UnlearningResult:
    """Go on with an unlearning run that was stopped; InputError where ``run`` is none, or has ended."""
    config = read_run_config(run, "unlearn")
    if (run / "results.json").exists():
        raise InputError(f"The run {run} has ended; there is nothing to resume.")
    options = UnlearnOptions.from_plain(config["options"])
    progress = progress or Silent()
    progress.stage("Checking model, data and forget set")
    task = resolve_task(options, progress)
    _require_unchanged(task, run, config)
    with stop_on_signal() as stop:
        return _run(task, run, choose_device(options.device), progress, stop)


def _require_unchanged(task: UnlearningTask, run: Path, config: dict[str, Any]) -> None:
    """Raise InputError where model, data or forget set are no longer those that ``run`` began with."""
    began = {
        f"model {task.options.model}": model_hash(task.original) == config["model_hash"],
        f"training data {task.options.data}": _train_hash(task) == (config["data"] or {}).get("train_hash"),
        "forget set": sorted(task.forget.hashes) == sorted(ForgetSet.read(run / "forget_set.json").hashes),
    }
    for what, same in began.items():
        if not same:
            raise InputError(f"The {what} has changed since the run {run} began; start a new run.")


def _train_hash(task: UnlearningTask) -> object:
    return None if task.splits is None else task.splits.record.get("train_hash")


def _plan(task: UnlearningTask) -> dict[str, Any]:
    return {
        "task": task.forget.task,
        "mode": task.options.mode,
        "substitute": task.substitute,
        "destination": task.config.destination,
        "n_forget": len(task.forget),
        "n_retain_seen": len(task.seen),
        "classes": list(task.forget.classes),
        "membership": "verified" if task.forget.verified else "unverified",
        "duplicates": task.duplicates,
        "warnings": list(task.warnings),
        "would_write": str(task.options.outdir / f"NNNNN-{task.describe()}"),
    }


def _config(task: UnlearningTask, device: torch.device) -> dict[str, Any]:
    return {
        "schema_version": SCHEMA_VERSION,
        "command": "unlearn",
        "model": task.options.model,
        "model_hash": model_hash(task.original),
        "data": None if task.splits is None else task.splits.record,
        "options": plain_options(task.options, "model", "data"),
        "seed": task.options.seed,
        **circumstances(str(device)),
    }


def _run(
    task: UnlearningTask, run: Path, device: torch.device, progress: Progress, stop: StopRequest
) -> UnlearningResult:
    go_on = f"Stopped; go on with: ganforget resume {run}"
    with stop.at_once(go_on):
        kimg_seconds = kimg_seconds_of(task, run, device, progress)
        prepared = prepare(task, device, progress, stop)
    for warning in prepared.warnings:
        progress.warn(warning)
    state = new_cascade(prepared.cascade.original, prepared.cascade.config, folds=len(prepared.cascade.folds))
    if (run / "checkpoint" / "about.json").exists():
        state = load_cascade(state, run / "checkpoint")
        progress.note(f"Goes on at step {state.step}.")
    keep_json_lines(run / "log.jsonl", lambda line: 0 < state.step >= line["step"])
    spent = spending(task.options.max_cost, prepared.inverted.inversion.seconds, kimg_seconds)
    check = _cascade(prepared, state, run, progress, stop, spent)
    save_cascade(state, run / "checkpoint")  # also of a cascade that has ended: what follows can be stopped as well
    if stop.requested:
        raise Interrupted(f"Stopped at step {state.step}; go on with: ganforget resume {run}")
    work = replace(prepared.cascade.work)  # as it is now: whatever draws these images again counts on
    work.add(state.work)
    unlearned = Gan(state.G_ema, state.D.eval().requires_grad_(False), _provenance(task, prepared, state))
    sham = _sham(task, prepared, state, run, progress, stop) if task.options.sham else None
    began = time.perf_counter()
    with stop.at_once(go_on):
        measured = measure_before_and_after(task, prepared, unlearned, sham, check, device, progress)
    results = run_results(task, prepared, state, work, check, measured, kimg_seconds, time.perf_counter() - began)
    _write(run, unlearned, measured, results)
    progress.stage("Writing the report")
    write_report(run)
    return UnlearningResult(run, results["reached"], results)


def _cascade(
    prepared: Prepared,
    state: CascadeState,
    run: Path,
    progress: Progress,
    stop: StopRequest,
    spent: Callable[[CascadeState], bool] | None,
) -> Check:
    """Run the cascade with a log line at every check, and the resume state now and then."""
    progress.stage("Unlearning")
    config, saved = prepared.cascade.config, -math.inf  # so that the first check is saved as well
    log = run / "log.jsonl"

    def on_check(state: CascadeState, losses: dict[str, float], check: Check) -> None:
        nonlocal saved
        append_json_line(log, log_line(state, losses, check, config))
        text = "  ".join(f"{name} {value:.3f}" for name, value in check.values.items() if name in _SHOWN)
        progress.step(state.step, config.max_steps, text)
        if time.perf_counter() - saved > _SECONDS_BETWEEN_SAVES:
            save_cascade(state, run / "checkpoint")
            saved = time.perf_counter()

    return run_cascade(prepared.cascade, state, prepared.stop_rule, stop=stop, on_check=on_check, spent=spent)


_SHOWN = ("auc_lu", "auc_lu_seen", "auc_ut", "substitution", "fd_u", "class_recall")


def _sham(
    task: UnlearningTask, prepared: Prepared, state: CascadeState, run: Path, progress: Progress, stop: StopRequest
) -> Gan:
    """Run as many steps of the learning phase alone."""
    progress.stage("Sham run: learning alone")
    cascade = replace(prepared.cascade, sham=True, folds=(), anchor_images=None)
    sham = new_cascade(cascade.original, cascade.config)
    never = Check({}, d_reached=False, g_reached=False)

    def on_check(sham: CascadeState, *_: object) -> None:
        progress.step(sham.step, state.step)

    run_cascade(cascade, sham, lambda *_: never, stop=stop, on_check=on_check, steps=state.step)
    if stop.requested:
        raise Interrupted(f"Stopped during the sham run; go on with: ganforget resume {run}")
    return Gan(sham.G_ema, sham.D.eval().requires_grad_(False), task.original.config)


def _provenance(task: UnlearningTask, prepared: Prepared, state: CascadeState) -> GanConfig:
    config = task.original.config
    record = {
        "task": task.forget.task,
        "n_forget": len(task.forget),
        "mode": task.options.mode,
        "substitute": task.substitute,
        "preset": task.options.preset,
        "steps": state.step,
        "original": model_hash(task.original),
    }
    return replace(config, training={**config.training, "unlearned": record})


def _write(run: Path, unlearned: Gan, measured: Measured, results: dict[str, Any]) -> None:
    """Write the model first and results.json last: a run with results is whole."""
    try:
        save_gan(unlearned, run / "model")
        measured.write_images(run / "images")
        write_json(run / "scores.json", measured.scores)
        write_json(run / "results.json", results)
        for file in (run / "checkpoint").glob("*"):  # latents and moments of the original have no place in the result
            file.unlink()
    except OSError as error:
        raise OutputError(f"Cannot write the results to {run} ({error.strerror}).") from error

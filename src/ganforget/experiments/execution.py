"""One configuration, run or gone on with, and the row that is kept of it; also the row of one that failed."""

import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from filelock import FileLock

from ganforget.api.calls import as_options
from ganforget.api.unlearning import resume_unlearning, run_unlearning
from ganforget.devices import choose_device
from ganforget.errors import GanForgetError, InputError, Interrupted
from ganforget.experiments.configuration import Configuration, weights_of
from ganforget.experiments.membership import measure_original
from ganforget.experiments.results import SCHEMA_VERSION
from ganforget.experiments.retraining import measure_retraining, retrain
from ganforget.files import make_folder, read_json
from ganforget.options import Device, UnlearnOptions
from ganforget.progress import Progress, Silent
from ganforget.rundir import circumstances

__all__ = ["execute", "failed_row"]

_DROPPED = ("images", "duplicates", "leak")


def execute(
    configuration: Configuration,
    outdir: Path,
    *,
    device: Device = "auto",
    retrained: Iterable[Path] = (),
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Run ``configuration`` under ``outdir`` and return its row.

    A run that was stopped is gone on with, and one that ended without its row being written is read. An error on
    purpose or an internal one makes a row of status "failed" that says it in a sentence; Interrupted and
    KeyboardInterrupt pass through.
    """
    progress = progress or Silent()
    began = time.perf_counter()
    row, where = _begun(configuration), "unknown"
    try:
        where = str(choose_device(device))
        with FileLock(make_folder(outdir / "runs") / f"{configuration.hash}.lock"):  # another process may be at it
            found = _KINDS[configuration.kind](configuration, outdir, device, tuple(retrained), progress)
        row |= {"status": "done", **found}
    except Interrupted:
        raise
    except GanForgetError as error:
        row |= {"status": "failed", "error": str(error)}
    except Exception as error:
        row |= {"status": "failed", "error": f"internal error: {type(error).__name__}: {error}"}
    for key, value in circumstances(where).items():
        row.setdefault(key, value)
    return row | {"duration": round(time.perf_counter() - began, 1)}


def failed_row(configuration: Configuration, error: Exception) -> dict[str, Any]:
    """Return the row of a job that ended without one: killed, out of memory or out of time."""
    row = _begun(configuration) | {"status": "failed", "error": f"the job ended with {type(error).__name__}: {error}"}
    return row | circumstances("unknown") | {"hardware": {"device": "unknown"}, "duration": 0.0}


def _begun(configuration: Configuration) -> dict[str, Any]:
    return {
        "schema_version": SCHEMA_VERSION,
        "hash": configuration.hash,
        "kind": configuration.kind,
        "words": configuration.words,
        "model": Path(configuration.target.model).name,
        "data": configuration.target.data_name,
        "seed": configuration.seed,
        "options": configuration.options,
    }


def _unlearn(
    configuration: Configuration, outdir: Path, device: Device, retrained: tuple[Path, ...], progress: Progress
) -> dict[str, Any]:
    target, folder = configuration.target, outdir / "runs" / configuration.hash
    run = _last_run(folder)
    if run is None or not (run / "results.json").exists():
        if run is not None and (run / "config.json").exists():
            progress.note(f"Goes on with {run}.")
            run = _gone_on_with(run, progress)
        else:
            given = {**configuration.options, "seed": configuration.seed, "model": target.model, "data": target.data}
            given |= {**target.places, "classifier": target.classifier}
            given |= {"perceptual": target.perceptual if configuration.options.get("lambda2") else None}
            options = as_options(UnlearnOptions, None, {**given, "device": device, "outdir": folder})
            run = run_unlearning(options, progress).run
    assert run is not None
    results = read_json(run / "results.json", kind="results file")
    config = read_json(run / "config.json", kind="run configuration")
    kept = {key: config[key] for key in ("commit", "hardware", "versions", "started", "model_hash")}
    measured = {key: value for key, value in results.items() if key not in (*_DROPPED, "schema_version")}
    return {**kept, "run": str(run.relative_to(outdir)), "results": measured, "seconds": results["seconds"]}


def _gone_on_with(run: Path, progress: Progress) -> Path | None:
    try:
        return resume_unlearning(run, progress).run
    except InputError as error:
        raise InputError(f"{error} (The run is {run}; without that folder it begins anew.)") from error


def _retrain(
    configuration: Configuration, outdir: Path, device: Device, retrained: tuple[Path, ...], progress: Progress
) -> dict[str, Any]:
    folder = outdir / "runs" / configuration.hash
    run = retrain(configuration, folder, _last_run(folder), retrained, device, progress)
    inside = run.is_relative_to(outdir)
    found = measure_retraining(configuration, run, device, progress)
    return {
        **found,
        "model_hash": weights_of(configuration.target.model),
        "run": str(run.relative_to(outdir)) if inside else run.name,
    }


def _measure(
    configuration: Configuration, outdir: Path, device: Device, retrained: tuple[Path, ...], progress: Progress
) -> dict[str, Any]:
    return measure_original(configuration, device, progress)


_KINDS = {"unlearn": _unlearn, "retrain": _retrain, "measure": _measure}


def _last_run(folder: Path) -> Path | None:
    """Return the newest run folder in the folder of a configuration."""
    runs = sorted(path for path in folder.glob("*-*") if path.is_dir())
    return runs[-1] if runs else None

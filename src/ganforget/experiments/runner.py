"""Turns configurations into rows of ``results.jsonl``: what is done is not done again, what failed only on request."""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from pathlib import Path
from typing import Any, cast

from ganforget.errors import InputError
from ganforget.experiments.configuration import Configuration
from ganforget.experiments.execution import execute, failed_row
from ganforget.experiments.options import Executor, ReproduceOptions
from ganforget.experiments.results import append_row, read_rows
from ganforget.files import make_folder
from ganforget.progress import Progress

__all__ = ["run_configurations", "still_to_run"]

_SECONDS_BETWEEN_LOOKS = 1.0
"""At jobs that were submitted."""

Work = Callable[[Configuration], dict[str, Any]]


def still_to_run(
    configurations: Sequence[Configuration], rows: dict[str, dict[str, Any]], *, retry: bool
) -> list[Configuration]:
    """Return the configurations without a row, each once; with ``retry`` also those that failed."""
    kept: dict[str, Configuration] = {}
    for configuration in configurations:
        row = rows.get(configuration.hash)
        if row is None or (retry and row["status"] == "failed"):
            kept.setdefault(configuration.hash, configuration)
    return list(kept.values())


def run_configurations(
    configurations: Sequence[Configuration], options: ReproduceOptions, progress: Progress
) -> dict[str, dict[str, Any]]:
    """Run what is missing in ``options.outdir`` and return all rows by hash.

    A row is written as soon as its run has ended. Interrupted and KeyboardInterrupt leave the rows that are there, and
    runs that go on where they were.
    """
    outdir = make_folder(options.outdir)
    missing = still_to_run(configurations, read_rows(outdir), retry=options.retry)
    for number, row in enumerate(_rows(missing, options, outdir, progress), start=1):
        append_row(outdir, row)
        text = f"{number}/{len(missing)} {row['words']}: {row['status']} after {row['duration']:.0f} s"
        progress.note(text)
        if row["status"] == "failed":
            progress.warn(f"{row['words']} failed: {row['error']}")
    return read_rows(outdir)


def _rows(
    missing: list[Configuration], options: ReproduceOptions, outdir: Path, progress: Progress
) -> Iterator[dict[str, Any]]:
    work = partial(execute, outdir=outdir, device=options.device, retrained=options.retrained)
    if options.executor != "processes":
        at_once = options.jobs if options.executor == "local" else len(missing)  # a scheduler queues
        yield from _submitted(missing, work, outdir, options.executor, at_once, progress)
    elif options.jobs == 1 or len(missing) < 2:
        for number, configuration in enumerate(missing, start=1):
            progress.note(f"{number}/{len(missing)} {configuration.words}")
            yield work(configuration, progress=progress)
    else:
        yield from _side_by_side(missing, work, options.jobs, progress)


def _side_by_side(missing: list[Configuration], work: Work, jobs: int, progress: Progress) -> Iterator[dict[str, Any]]:
    """Run in processes of one thread each, and yield rows as they come.

    Where a process is killed, the runs that had not ended go on one at a time; what is killed again has failed.
    """
    progress.stage(f"{len(missing)} runs, {jobs} side by side")
    left = {configuration.hash: configuration for configuration in missing}
    try:
        for row in _in_processes(missing, work, jobs):
            del left[row["hash"]]
            progress.step(len(missing) - len(left), len(missing))
            yield row
    except BrokenProcessPool:
        progress.warn("A process was killed, perhaps for want of memory; what is left goes on one at a time.")
    for configuration in list(left.values()):
        try:
            row = next(_in_processes([configuration], work, 2))
        except BrokenProcessPool as error:
            row = failed_row(configuration, error)
        del left[configuration.hash]
        progress.step(len(missing) - len(left), len(missing))
        yield row


def _in_processes(configurations: list[Configuration], work: Work, jobs: int) -> Iterator[dict[str, Any]]:
    import joblib

    parallel = joblib.Parallel(n_jobs=jobs, backend="loky", return_as="generator_unordered")
    calls = [joblib.delayed(_one_thread)(work, configuration) for configuration in configurations]
    return cast("Iterator[dict[str, Any]]", parallel(calls))


def _one_thread(work: Work, configuration: Configuration) -> dict[str, Any]:
    """Run in a process of its own, with one thread."""
    import torch

    os.environ["OMP_NUM_THREADS"] = "1"
    torch.set_num_threads(1)
    return work(configuration)


def _submitted(
    missing: list[Configuration], work: Work, outdir: Path, executor: Executor, at_once: int, progress: Progress
) -> Iterator[dict[str, Any]]:
    """Run each configuration as a job of submitit; its scheduler queues, restarts and spreads them."""
    try:
        import submitit
    except ImportError as error:
        raise InputError(f"--executor {executor} needs submitit; run `pip install 'ganforget[cluster]'`.") from error
    place = submitit.AutoExecutor(folder=make_folder(outdir / "jobs"), cluster=executor)
    place.update_parameters(timeout_min=24 * 60, cpus_per_task=1, name="ganforget")
    progress.stage(f"{len(missing)} jobs by {executor}")
    waiting, jobs = list(missing), {}
    while waiting or jobs:
        while waiting and len(jobs) < at_once:
            configuration = waiting.pop(0)
            jobs[place.submit(_one_thread, work, configuration)] = configuration
        ended = [job for job in jobs if job.done()]
        for job in ended:
            configuration = jobs.pop(job)
            progress.step(len(missing) - len(waiting) - len(jobs), len(missing))
            try:
                yield job.result()
            except Exception as error:  # killed by the scheduler: the other jobs go on
                yield failed_row(configuration, error)
        if not ended:
            time.sleep(_SECONDS_BETWEEN_LOOKS)

"""Experiments from names to tables: resolve, run what is missing, compare, and write the pages."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ganforget.api.model import load_model
from ganforget.api.task import load_training_data
from ganforget.data.suggestion import shortened
from ganforget.devices import choose_device
from ganforget.errors import InputError
from ganforget.experiments.catalogue import EXPERIMENTS, Experiment, Plan, Row, find_experiment
from ganforget.experiments.comparison import compare
from ganforget.experiments.configuration import Configuration, Target
from ganforget.experiments.differences import setting_differences
from ganforget.experiments.options import ReproduceOptions
from ganforget.experiments.page import write_markdown, write_page
from ganforget.experiments.results import SCHEMA_VERSION, read_rows
from ganforget.experiments.retraining import original_kimg
from ganforget.experiments.runner import run_configurations, still_to_run
from ganforget.files import make_folder, write_json
from ganforget.progress import Progress, Silent
from ganforget.report.numerals import plural
from ganforget.rundir import read_run_config

__all__ = ["Reproduced", "reproduce"]

_MODELS = {"digits": "digits", "mnist": str(Path("models") / "mnist32")}
"""GANs of this repository, by data set."""


@dataclass(frozen=True)
class Reproduced:
    """What came of one experiment."""

    experiment: Experiment
    configurations: tuple[Configuration, ...]
    missing: tuple[Configuration, ...]
    """What a dry run would run."""
    failed: tuple[Configuration, ...]
    """Those whose run has failed."""
    comparison: dict[str, Any] | None
    """None for a dry run."""
    page: Path | None


def reproduce(names: tuple[str, ...], options: ReproduceOptions, progress: Progress | None = None) -> list[Reproduced]:
    """Run the experiments ``names`` and write ``NAME.json``, ``NAME.md`` and ``NAME.html`` for each.

    Raises InputError for an unknown name (with the near ones), a model or data that are not there, a results file of
    another schema version, and where ``only`` leaves nothing.
    """
    progress = progress or Silent()
    experiments = [find_experiment(name) for name in dict.fromkeys(names)]
    if not experiments:
        raise InputError(f"Name an experiment: {', '.join(EXPERIMENTS)}.")
    planned = [(experiment, *_planned(experiment, options)) for experiment in experiments]
    rows = read_rows(options.outdir)
    everything = [c for _, _, lines in planned for line in lines for c in line.configurations]
    if options.dry_run:
        return [_planned_only(experiment, lines, rows, options) for experiment, _, lines in planned]
    if options.tables_only:
        make_folder(options.outdir)
    else:
        if missing := still_to_run(everything, rows, retry=options.retry):
            _require_what_runs_need(missing[0].target, options)
        rows = run_configurations(everything, options, progress)
    progress.stage("Writing the tables")
    return [_write(experiment, plan, lines, rows, options) for experiment, plan, lines in planned]


def _planned_only(
    experiment: Experiment, lines: list[Row], rows: dict[str, dict[str, Any]], options: ReproduceOptions
) -> Reproduced:
    found = _all(lines)
    missing = tuple(still_to_run(found, rows, retry=options.retry))
    return Reproduced(experiment, found, missing, _failed(found, rows), None, None)


def _failed(found: tuple[Configuration, ...], rows: dict[str, dict[str, Any]]) -> tuple[Configuration, ...]:
    return tuple(c for c in found if c.hash in rows and rows[c.hash]["status"] == "failed")


def _planned(experiment: Experiment, options: ReproduceOptions) -> tuple[Plan, list[Row]]:
    """Return the experiment's plan and the rows that ``only`` leaves of it."""
    data = options.data or experiment.dataset
    model = options.model or _MODELS.get(data)
    if model is None:
        raise InputError(f"{experiment.name} needs a GAN trained on {data}; name it with --model, and --data its data.")
    target = Target(model, data, options.data_path, options.holdout_path, options.perceptual, options.classifier)
    for path in (options.perceptual, options.classifier):
        if path is not None and not path.is_file():
            raise InputError(f"There is no file {path}; check --perceptual and --classifier.")
    load_model(model)  # says here and now what is wrong with it
    retrains = experiment.name in ("table-14", "baseline")
    kimg = (options.retrain_kimg or original_kimg(model)) if retrains else 0.0
    plan = Plan(target, tuple(dict.fromkeys(options.seeds)), options.max_cost, options.sham, kimg)
    rows = [row for row in experiment.rows(plan) if all(_holds(row, text) for text in options.only)]
    if not rows:
        names = list(dict.fromkeys(row.name for row in experiment.rows(plan)))
        wanted = " and ".join(options.only)
        raise InputError(f"No row of {experiment.name} holds {wanted}; its rows are such as {shortened(names)}.")
    return plan, rows


def _require_what_runs_need(target: Target, options: ReproduceOptions) -> None:
    """Raise InputError, before any run, for a device or data that are not there, or no training as ``retrained``."""
    choose_device(options.device)
    for run in options.retrained:
        read_run_config(run, "train")
    load_training_data(target.spec, load_model(target.model))


def _holds(row: Row, text: str) -> bool:
    """Whether a row is called so, by its title or as a dry run lists its configurations; commas are no matter."""
    names = (row.name, *(configuration.words for configuration in row.configurations))
    return any(text.replace(",", "") in name.replace(",", "") for name in names)


def _all(rows: list[Row]) -> tuple[Configuration, ...]:
    return tuple(configuration for row in rows for configuration in row.configurations)


def _write(
    experiment: Experiment, plan: Plan, lines: list[Row], rows: dict[str, dict[str, Any]], options: ReproduceOptions
) -> Reproduced:
    configurations = _all(lines)
    comparison = compare(experiment, lines, rows)
    original = load_model(plan.target.model)
    asked = [rows[c.hash] for c in configurations if c.hash in rows]
    comparison |= {
        "schema_version": SCHEMA_VERSION,
        "differences": setting_differences(experiment, plan, lines, original, comparison["fd_names"]),
        "pictures": list(experiment.pictures),
        "scores": next((row["scores"] for row in asked if row.get("scores")), {}),
        "made_of": _made_of(asked),
    }
    place = options.outdir / experiment.name
    write_json(place.with_suffix(".json"), comparison)
    write_markdown(comparison, place.with_suffix(".md"))
    write_page(comparison, place.with_suffix(".html"), folder=options.outdir)
    failed = _failed(configurations, rows)
    return Reproduced(experiment, configurations, (), failed, comparison, place.with_suffix(".html"))


def _made_of(rows: list[dict[str, Any]]) -> str:
    """Return by what the rows were made, in a sentence."""
    done = [row for row in rows if row["status"] == "done"]
    commits = sorted({row.get("commit") or row["versions"]["ganforget"] for row in done}) or ["no commit"]
    machines = sorted({_machine(row["hardware"]) for row in done}) or ["no machine"]
    failed = sum(row["status"] == "failed" for row in rows)
    text = f"{plural(len(rows), 'run')} of ganforget at {', '.join(commits)} on {'; '.join(machines)}."
    return text + (f" {failed} of them failed." if failed else "")


def _machine(hardware: dict[str, Any]) -> str:
    what = hardware.get("gpu") or hardware.get("cpu") or os.uname().machine
    return f"{what}, {plural(hardware.get('threads'), 'thread')}"

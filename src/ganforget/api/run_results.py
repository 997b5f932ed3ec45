"""What results.json of an unlearning run says."""

from dataclasses import asdict
from typing import Any

import torch

from ganforget.api.measuring import Measured
from ganforget.api.preparation import Prepared, distance_rule
from ganforget.api.task import UnlearningTask
from ganforget.unlearning.cascade import Check
from ganforget.unlearning.state import CascadeState
from ganforget.work import Work

__all__ = ["SCHEMA_VERSION", "run_results"]

SCHEMA_VERSION = 1


def run_results(
    task: UnlearningTask,
    prepared: Prepared,
    state: CascadeState,
    work: Work,
    check: Check,
    measured: Measured,
    kimg_seconds: float | None,
    evaluation_seconds: float,
) -> dict[str, Any]:
    """Return the results of a run as JSON values: what was asked, done and measured, and what it cost."""
    options, config = task.options, prepared.cascade.config
    seconds = {
        "inversion": prepared.inverted.inversion.seconds,
        "cascade": state.cascade_seconds,
        "checks": state.check_seconds,
    }
    total = sum(seconds.values())
    scheduled = state.step >= config.schedule_steps
    warnings = [*task.warnings, *prepared.warnings, *measured.warnings]
    if not scheduled:
        warnings.append(
            f"The cascade ended after {state.step} of the schedule's {config.schedule_steps} steps, where the "
            "substitutes are not at their end: no destination counts. Use more --max-steps."
        )
    return {
        "schema_version": SCHEMA_VERSION,
        "task": task.forget.task,
        "mode": options.mode,
        "substitute": task.substitute,
        "destination": config.destination,
        "destination_rule": _rule(prepared, measured),
        "preset": options.preset,
        "perturbation": config.perturbation,
        "anchor": None if config.preset == "paper" else config.anchor,
        "fake_label": float(torch.as_tensor(prepared.cascade.fake_label).mean()) + state.label_shift,
        "fake_label_rule": prepared.fake_label_rule,
        "reached": measured.reached and scheduled,
        "reached_by_estimate": check.reached,
        "steps": state.step,
        "max_steps": config.max_steps,
        "max_cost": options.max_cost,
        "schedule_steps": config.schedule_steps,
        "classes": list(task.forget.classes),
        "n_forget": len(task.forget),
        "n_inverted": len(prepared.inverted.inversion.ws),
        "n_substituted": len(prepared.inverted.images),
        "substituted_rule": prepared.inverted.rule,
        "n_retain_seen": len(task.seen),
        "n_calibration": len(task.calibration),
        "by_label": task.by_label,
        "membership": "verified" if task.forget.verified else "unverified",
        "seed": options.seed,
        "latent": options.latent,
        "lambda1": config.lambda1,
        "lambda2": config.lambda2,
        "inversion_error": float(prepared.inverted.inversion.errors.mean()),
        "fd_u_destination": measured.class_destination,
        "extractor": measured.extractor,
        "fd_name": measured.fd_name,
        "before": measured.before,
        "after": measured.after,
        "sham": measured.sham,
        "estimates": check.values,
        "seconds": {
            **seconds,
            "total": total,
            "preparation": prepared.seconds,
            "evaluation": evaluation_seconds,
        },
        "seconds_per_kimg": kimg_seconds,
        "cost_kimg": None if kimg_seconds is None else total / kimg_seconds,
        "work": asdict(work),
        "duplicates": task.duplicates,
        "images": measured.images,
        "leak": measured.leak,
        "warnings": warnings,
    }


def _rule(prepared: Prepared, measured: Measured) -> str:
    """Return the destination in words, with the distance that the measures were held against."""
    rule, estimated, measured_at = prepared.destination_rule, prepared.class_destination, measured.class_destination
    if estimated is None or measured_at is None:
        return rule
    return distance_rule(measured_at) + rule.removeprefix(distance_rule(estimated))

"""``ganforget unlearn``."""

from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from ganforget.cli.session import Session
from ganforget.cli.tables import copies_rows, facts_table, measures_table, verdict_lines
from ganforget.options import UnlearnOptions
from ganforget.unlearning.config import CascadeConfig
from ganforget.unlearning.presets import DEFAULT_CLASS, PAPER

if TYPE_CHECKING:
    from ganforget.api.unlearning import UnlearningResult

__all__ = ["NOT_REACHED", "preset_defaults", "print_run", "unlearn"]

NOT_REACHED = 3
"""Exit status of a run that did not reach its destination."""


def unlearn(
    *,
    options: Annotated[UnlearnOptions, Parameter(name="*")],
    session: Annotated[Session, Parameter(parse=False)],
) -> int:
    """Make a trained GAN forget images or a class.

    The run's numbered folder holds the unlearned model, its measures before and after, and report.html.
    """
    from ganforget.api.unlearning import run_unlearning

    with session.progress() as progress:
        result = run_unlearning(options, progress)
    if result.run is None:
        session.show("Everything fits; nothing was written.", facts_table(_plan_rows(result.results)))
        session.emit({"dry_run": True, **result.results})
        return 0
    return print_run(result, session, progress.warnings)


def print_run(result: "UnlearningResult", session: Session, warned: list[str]) -> int:
    """Print what a run came to, and return the exit status."""
    results = result.results
    for warning in [*results["warnings"], results["leak"]]:
        if warning is not None and warning not in warned:
            session.warn(warning)
    session.show(measures_table(results), "", *verdict_lines(results, str(result.run)))
    session.emit({"run": str(result.run), **results})
    return 0 if result.reached else NOT_REACHED


def preset_defaults() -> str:
    """Return the defaults that depend on the preset, for --help."""
    steps = {"max_steps": CascadeConfig.max_steps, "schedule_steps": CascadeConfig.schedule_steps}
    ours = ", ".join(f"--{name.replace('_', '-')} {value}" for name, value in steps.items())
    paper = ", ".join(f"--{name.replace('_', '-')} {PAPER.get(name, value)}" for name, value in steps.items())
    of_class = "; ".join(
        f"{of['max_steps']} and {of['schedule_steps']} with {substitute}" for substitute, of in DEFAULT_CLASS.items()
    )
    return (
        f"Defaults by preset: with default, {ours} (of a class {of_class}); with paper, {paper}, --fake-label 0.1, "
        "--destination paper."
    )


def _plan_rows(plan: dict[str, Any]) -> list[tuple[str, object]]:
    """Return what a dry run found, without the warnings, which were printed."""
    what = f"class {', '.join(str(label) for label in plan['classes'])}, " if plan["classes"] else ""
    return [
        ("to forget", f"{what}{plan['n_forget']} images, membership {plan['membership']}"),
        ("mode", f"{plan['mode']}, {plan['n_retain_seen']} retain images are seen"),
        ("substitute", plan["substitute"]),
        ("destination", plan["destination"]),
        *copies_rows(plan["duplicates"]),
        ("would write", plan["would_write"]),
    ]

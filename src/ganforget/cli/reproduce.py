"""``ganforget reproduce``."""

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter
from rich.table import Table

from ganforget.cli.session import Session
from ganforget.experiments.options import ReproduceOptions

if TYPE_CHECKING:
    from ganforget.experiments.reproduce import Reproduced

__all__ = ["reproduce"]


def reproduce(
    *names: str,
    list_: Annotated[bool, Parameter(name="--list", negative=())] = False,
    options: Annotated[ReproduceOptions, Parameter(name="*")] = ReproduceOptions(),  # noqa: B008 (frozen)
    session: Annotated[Session, Parameter(parse=False)],
) -> int:
    """Reproduce tables and figures of the paper: run what is missing, and set paper and ours side by side.

    Each writes NAME.md and NAME.html into --outdir. Rows of the paper's plain algorithm and of ours stand beside each
    other; a run that does not arrive ends at --max-cost. Ctrl-C is safe: the same command goes on. The exit status is 1
    where a run failed; the table is written all the same.

    Parameters
    ----------
    names:
        table-2 to table-14, baseline, figure-2 to figure-8.
    list_:
        List the experiments.
    """
    from ganforget.experiments.catalogue import EXPERIMENTS
    from ganforget.experiments.reproduce import reproduce as run

    if list_:
        session.show(_listing())
        session.emit({e.name: {"title": e.title, "data": e.dataset} for e in EXPERIMENTS.values()})
        return 0
    with session.progress() as progress:
        found = run(names, options, progress)
    for one in found:
        session.show(*(_plan(one) if options.dry_run else _outcome(one)))
    session.emit(
        {
            one.experiment.name: {
                "runs": [{"hash": c.hash, "words": c.words} for c in one.configurations],
                "missing": [c.hash for c in one.missing],
                "failed": [c.hash for c in one.failed],
                "page": None if one.page is None else str(one.page),
                "comparison": one.comparison,
            }
            for one in found
        }
    )
    return int(not options.dry_run and any(one.failed for one in found))


def _listing() -> Table:
    from ganforget.experiments.catalogue import EXPERIMENTS

    table = Table(pad_edge=False, box=None, header_style="bold")
    table.add_column("experiment", no_wrap=True)
    table.add_column("data", no_wrap=True)
    table.add_column("what")
    for experiment in EXPERIMENTS.values():
        table.add_row(experiment.name, experiment.dataset, experiment.title)
    return table


def _plan(one: "Reproduced") -> list[str]:
    from ganforget.report.numerals import plural

    runs = {c.hash: c for c in one.configurations}
    states = {c.hash: "failed" for c in one.failed} | {c.hash: "to run" for c in one.missing}
    missing, failed = (list(states.values()).count(state) for state in ("to run", "failed"))
    text = f"{one.experiment.name}: {plural(len(runs), 'run')}, {missing} of them missing"
    text += f", {failed} failed (--retry runs them again)" if failed else ""
    lines = [f"  {states.get(key, 'there'):6}  {key}  {c.words}" for key, c in runs.items()]
    return [f"{text}; nothing was run or written.", *lines]


def _outcome(one: "Reproduced") -> list[str]:
    assert one.page is not None
    assert one.comparison is not None
    failures = {text: None for line in one.comparison["lines"] for text in line.get("failures", [])}
    return [
        f"{one.experiment.name}: {one.page}, and beside it {one.page.with_suffix('.md').name}",
        *(f"  failed (--retry runs it again): {text}" for text in failures),
    ]

"""``ganforget report``."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from ganforget.cli.session import Session

__all__ = ["report"]


def report(run: Path, *, session: Annotated[Session, Parameter(parse=False)]) -> int:
    """Write the report of an unlearning run again: report.html, one self-contained page.

    Parameters
    ----------
    run:
        The run's numbered folder.
    """
    from ganforget.report import write_report

    page = write_report(run)
    session.show(f"Report: {page}")
    session.emit({"report": str(page)})
    return 0

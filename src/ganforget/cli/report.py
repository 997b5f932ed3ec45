"""``ganforget report``."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from ganforget.cli.session import Session

__all__ = ["report"]


def report(run: Path, *, session: Annotated[Session, Parameter(parse=False)]) -> int:
    """Write the report of an unlearning run or an audit again: report.html, one self-contained page.

    Parameters
    ----------
    run:
        The run's numbered folder.
    """
    from ganforget.report import write_audit_report, write_report

    page = write_audit_report(run) if (run / "audit.json").exists() else write_report(run)
    session.show(f"Report: {page}")
    session.emit({"report": str(page)})
    return 0

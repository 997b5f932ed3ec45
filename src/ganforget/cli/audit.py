"""``ganforget audit``."""

from typing import Annotated, Any

from cyclopts import Parameter
from rich.table import Table

from ganforget.api.audit_options import AuditOptions
from ganforget.cli.session import Session

__all__ = ["audit", "print_audit"]

REMAINS = 3
"""Exit status where something of the original survives."""


def audit(
    *,
    options: Annotated[AuditOptions | None, Parameter(name="*")] = None,
    session: Annotated[Session, Parameter(parse=False)],
) -> int:
    """Attack an unlearned GAN as a sceptic would, beside the original and retrained GANs, and give one verdict.

    The verdict is under-unlearned, matched, over-unlearned or cannot tell. The run's numbered folder holds audit.json,
    report.html and certificate.json. With --state DIR: list what a folder still holds of the original.
    """
    options = options or AuditOptions()  # which says what is missing
    if options.state is not None:
        return _state(options, session)
    from ganforget.api.auditing import run_audit

    with session.progress() as progress:
        result = run_audit(options, progress)
    return print_audit(result, session)


def print_audit(result: Any, session: Session) -> int:
    """Print what an audit came to."""
    found = result.audit
    verdict = found["verdict"]
    session.show(
        _table(found), "", f"Verdict: {verdict['verdict']}.", *verdict["reasons"], "", found["power"]["sentence"]
    )
    session.show(*found["cannot_claim"], "", f"Report: {result.run}/report.html")
    session.emit({"run": str(result.run), **found})
    return 0


def _table(found: dict[str, Any]) -> Table:
    from ganforget.report.numerals import decimal

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("attack", "on", "original", "unlearned", "95 %", "retrained", "two-sided"):
        table.add_column(column, justify="left" if column in ("attack", "on") else "right")
    for attack in found["attacks"]:
        before, after = (attack["separation"][role] for role in ("original", "unlearned"))
        retrained = (attack["retrained"] or {}).get("auc") or []
        table.add_row(
            attack["title"] + ("" if attack["judged"] else " (not judged)"),
            attack["network"],
            decimal(before["auc"], 2),
            decimal(after["auc"], 2),
            f"{decimal(after['auc_low'], 2)} to {decimal(after['auc_high'], 2)}",
            ", ".join(decimal(value, 2) for value in retrained) or "—",
            decimal(after["auc_two_sided"], 2),
        )
    return table


def _state(options: AuditOptions, session: Session) -> int:
    from ganforget.api.state_checking import check_state

    found = check_state(options)
    remains = found["remains"]
    for item in remains:
        session.show(item["path"], f"    {item['what']}{_fate(item)}")
    compared = found["original"] or "no original (name it with --original), so weights were not compared"
    left = [item for item in remains if not item["deleted"]]
    session.show(f"Compared with {compared}. {_left(left)}")
    session.emit(found)
    return REMAINS if left else 0


def _left(left: list[dict[str, Any]]) -> str:
    if not left:
        return "Nothing else of the original was found."
    kept = sum(not item["deletable"] for item in left)
    return f"Left: {len(left)}" + (f", {kept} of which --delete does not remove." if kept else ".")


def _fate(item: dict[str, Any]) -> str:
    if item["deleted"]:
        return " (deleted)"
    return " (--delete removes it)" if item["deletable"] else ""

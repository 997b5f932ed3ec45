"""The report: one self-contained page made from the files of a run."""

from ganforget.report.audit_page import write_audit_report
from ganforget.report.page import write_report

__all__ = ["write_audit_report", "write_report"]

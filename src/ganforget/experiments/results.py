"""``results.jsonl``: a row for each configuration that was run, also for one that failed."""

from pathlib import Path
from typing import Any

from filelock import FileLock

from ganforget.errors import InputError
from ganforget.files import append_json_line, read_json_lines

__all__ = ["RESULTS", "SCHEMA_VERSION", "append_row", "read_rows"]

SCHEMA_VERSION = 1
RESULTS = "results.jsonl"


def read_rows(outdir: Path) -> dict[str, dict[str, Any]]:
    """Return the rows of ``outdir`` by configuration hash; of several rows of one configuration the last counts.

    Raises InputError for a file of another schema version, or one that holds something else.
    """
    path = outdir / RESULTS
    rows = {}
    for number, row in enumerate(read_json_lines(path), start=1):
        version = row.get("schema_version") if isinstance(row, dict) else None
        if version != SCHEMA_VERSION:
            raise InputError(
                f"Line {number} of {path} has schema version {version!r}; this ganforget reads version "
                f"{SCHEMA_VERSION}. Use a matching release, or another --outdir."
            )
        if not isinstance(row.get("hash"), str) or row.get("status") not in ("done", "failed"):
            raise InputError(f"Line {number} of {path} is no row of an experiment; the file is damaged.")
        rows[row["hash"]] = row
    return rows


def append_row(outdir: Path, row: dict[str, Any]) -> None:
    """Add a row at the end, one process at a time; a line that a stop cut short is taken out first."""
    path = outdir / RESULTS
    with FileLock(outdir / f"{RESULTS}.lock"):
        if path.exists() and path.stat().st_size:
            with path.open("rb+") as file:
                file.seek(-1, 2)
                if file.read(1) != b"\n":
                    cut = path.read_bytes()
                    file.truncate(cut.rfind(b"\n") + 1)
        append_json_line(path, row)

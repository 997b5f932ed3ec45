"""``ganforget data list`` and ``ganforget data download``."""

from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter
from rich.table import Table

from ganforget.cli.session import Session

__all__ = ["download_data", "list_data"]


def list_data(*, session: Annotated[Session, Parameter(parse=False)]) -> int:
    """List the data sets that are known by name, and whether their files are here."""
    from ganforget.data import DATA_NAMES, DOWNLOADS, cache_folder

    known: list[dict[str, Any]] = []
    for name in DATA_NAMES:
        comes = f"ganforget data download {name}" if name in DOWNLOADS else "with scikit-learn"
        folder = str(cache_folder(name)) if name in DOWNLOADS else None
        known.append({"name": name, **_facts(name), "comes": comes, "folder": folder})
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("name", "images", "size", "classes", "comes with"):
        table.add_column(column)
    for row in known:
        images = f"{row['train']} + {row['holdout']}" if row["here"] else "not here yet"
        size = f"{row['resolution']}×{row['resolution']}×{row['channels']}" if row["here"] else ""
        table.add_row(row["name"], images, size, str(row["num_classes"] or ""), row["comes"])
    session.show(table, "A folder or ZIP of images of one size serves as well, labels in its dataset.json.")
    session.emit(known)
    return 0


def _facts(name: str) -> dict[str, Any]:
    """Return what the files of a data set hold, or that they are not here."""
    from ganforget.data import DataSpec, load_data
    from ganforget.errors import DataError

    keys = ("train", "holdout", "resolution", "channels", "num_classes")
    try:
        record = load_data(DataSpec(name)).record
    except DataError:
        return {"here": False, **dict.fromkeys(keys)}
    return {"here": True, **{key: record[key] for key in keys}}


def download_data(
    name: str,
    *,
    folder: Path | None = None,
    mirror: str | None = None,
    session: Annotated[Session, Parameter(parse=False)],
) -> int:
    """Fetch the files of a data set from their official place, and check them.

    Parameters
    ----------
    name:
        mnist or cifar10.
    folder:
        Where they go (default: the download folder, where --data finds them).
    mirror:
        Another address to fetch them from; the checksums hold for it as well.
    """
    from ganforget.data import download

    with session.progress() as progress:
        stages: list[str] = []

        def report(file: str, done: int, total: int) -> None:
            if file not in stages:
                stages.append(file)
                progress.stage(f"Fetching {file}")
            progress.step(done, total)

        found = download(name, folder, progress=report, mirror=mirror)
    session.show(f"{name} is in {found}")
    session.emit({"name": name, "folder": str(found)})
    return 0

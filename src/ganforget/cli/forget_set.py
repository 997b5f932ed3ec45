"""``ganforget forget-set create`` and ``ganforget forget-set show``."""

from collections import Counter
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from ganforget.api.options import ForgetSetOptions
from ganforget.cli.session import Session
from ganforget.cli.tables import copies_rows, facts_table

__all__ = ["create_forget_set", "show_forget_set"]


def create_forget_set(
    *,
    options: Annotated[ForgetSetOptions, Parameter(name="*")],
    out: Path = Path("forget_set.json"),
    session: Annotated[Session, Parameter(parse=False)],
) -> int:
    """Choose what is to be forgotten, look for copies of it, and write it down with the images' hashes.

    Parameters
    ----------
    out:
        The file to write.
    """
    from ganforget.api.forgetting import make_forget_set

    with session.progress() as progress:
        progress.stage("Choosing, and looking for copies")
        chosen = make_forget_set(options, out)
        for warning in chosen.warnings:
            progress.warn(warning)
    facts = _facts(chosen.forget)
    session.show(facts_table([*facts.items(), *copies_rows(chosen.duplicates), ("written to", out)]))
    session.emit({"file": str(out), **facts, "duplicates": chosen.duplicates, "warnings": list(chosen.warnings)})
    return 0


def show_forget_set(
    file: Path,
    *,
    data: str | None = None,
    data_path: Path | None = None,
    session: Annotated[Session, Parameter(parse=False)],
) -> int:
    """Show what a forget_set.json holds; with --data, check that its images are in the data.

    Parameters
    ----------
    file:
        The forget_set.json.
    data:
        The training data: digits, mnist, cifar10, or a folder or ZIP of images (default: do not check).
    data_path:
        Folder of the data set's files (default: the download folder).
    """
    from ganforget.data import DataSpec, ForgetSet, load_data

    if data is None:
        forget, checked = ForgetSet.read(file), "not checked against data"
    else:
        forget, checked = ForgetSet.load(file, load_data(DataSpec(data, data_path)).train), f"every image is in {data}"
    facts = _facts(forget)
    session.show(facts_table([*facts.items(), ("checked", checked)]))
    session.emit({"file": str(file), **facts, "checked": data is not None})
    return 0


def _facts(forget: Any) -> dict[str, Any]:
    labels = None if forget.labels is None else Counter(forget.labels)
    facts = {"task": forget.task, "data": forget.data, "images": len(forget)}
    facts["membership"] = "verified" if forget.verified else "unverified"
    if forget.classes:
        facts["classes"] = list(forget.classes)
    elif labels is not None:
        facts["labels"] = {str(label): labels[label] for label in sorted(labels)}
    return facts

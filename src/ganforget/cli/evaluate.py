"""``ganforget evaluate``."""

from typing import Annotated, Any

from cyclopts import Parameter
from rich.table import Table
from rich.text import Text

from ganforget.api.options import EvaluateOptions
from ganforget.cli.session import Session

__all__ = ["evaluate"]


def evaluate(
    *,
    options: Annotated[EvaluateOptions, Parameter(name="*")],
    session: Annotated[Session, Parameter(parse=False)],
) -> int:
    """Measure a GAN, by itself or as to what it was to forget."""
    from ganforget.api.evaluating import evaluate_model

    with session.progress() as progress:
        found = evaluate_model(options, progress)
    session.show(_table(found))
    session.emit(found)
    return 0


def _table(found: dict[str, Any]) -> Table:
    from ganforget.report.measure import MEASURES
    from ganforget.report.numerals import significant

    names = {measure.key: measure.name for measure in MEASURES}
    names["auc_lt"] = "Training image scored above an image never trained on"
    draws = found["generations"]
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column, how in (("measure", "left"), ("", "left"), ("value", "right"), (f"over {draws} draws", "right")):
        table.add_column(column, justify=how, style="dim" if column == "" else None)  # type: ignore[arg-type]
    for key, value in found["measures"].items():
        if value is not None:
            drawn = found["spread"].get(key)
            spread = ""
            if drawn is not None and drawn["max"] > drawn["min"]:
                spread = f"{significant(drawn['min'])} to {significant(drawn['max'])}"
            name = f"{names.get(key, key)}, {found['fd_name']}" if key.startswith("fd_") else names.get(key, key)
            table.add_row(Text(name or key), key, significant(value), spread)
    return table

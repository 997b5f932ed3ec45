"""``ganforget train``."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from ganforget.cli.session import Session
from ganforget.cli.tables import facts_table
from ganforget.training.options import TrainOptions

__all__ = ["print_training", "train"]


def train(
    *,
    options: Annotated[TrainOptions, Parameter(name="*")],
    session: Annotated[Session, Parameter(parse=False)],
) -> int:
    """Train a StyleGAN2 from scratch, also without a forget set: the retrained GAN.

    The run's numbered folder holds the model, a log, sheets of samples, and what resuming needs.
    """
    from ganforget.api.training import train_gan

    with session.progress() as progress:
        run = train_gan(options, progress)
    return print_training(run, session)


def print_training(run: Path, session: Session) -> int:
    """Print what a training came to."""
    from ganforget.files import read_json
    from ganforget.report.numerals import duration

    results = read_json(run / "results.json", kind="results file")
    measures = results["measures"] or {}
    rows: list[tuple[str, object]] = [("trained on", f"{results['kimg']:g} kimg in {duration(results['seconds'])}")]
    if measures.get("fd") is not None:
        rows.append(
            (measures["fd_name"], f"{measures['fd']:.2f} (real images among themselves {measures['fd_floor']:.2f})")
        )
    for name, words in (("acc", "read as the label asked for"), ("auc_lt", "training told from holdout images")):
        if measures.get(name) is not None:
            rows.append((f"{words} ({name})", f"{measures[name]:.3f}"))
    session.show(facts_table([*rows, ("model", run / "model"), ("samples", run / "images")]))
    session.emit({"run": str(run), **results})
    return 0

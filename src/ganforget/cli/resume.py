"""``ganforget resume``."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from ganforget.cli.audit import print_audit
from ganforget.cli.session import Session
from ganforget.cli.train import print_training
from ganforget.cli.unlearn import print_run
from ganforget.errors import InputError

__all__ = ["resume"]


def resume(
    run: Path,
    *,
    kimg: float | None = None,
    learning_rate: float | None = None,
    r1_gamma: float | None = None,
    session: Annotated[Session, Parameter(parse=False)],
) -> int:
    """Go on with a training, an unlearning run or an audit that was stopped.

    Parameters
    ----------
    run:
        The run's numbered folder.
    kimg:
        A training's new length, to train longer (default: as the run began).
    learning_rate:
        A training's new learning rate, to get past NaN (default: as the run began).
    r1_gamma:
        A training's new weight of R1 (default: as the run began).
    """
    from ganforget.api.training import resume_training
    from ganforget.api.unlearning import resume_unlearning
    from ganforget.rundir import read_run_config

    given = {"kimg": kimg, "learning_rate": learning_rate, "r1_gamma": r1_gamma}
    changes = {name: value for name, value in given.items() if value is not None}
    if read_run_config(run)["command"] == "train":
        with session.progress() as progress:
            resume_training(run, progress, changes=changes)
        return print_training(run, session)
    if read_run_config(run)["command"] == "audit":
        from ganforget.api.auditing import resume_audit

        _refuse(changes, run, "an audit")
        with session.progress() as progress:
            audited = resume_audit(run, progress)
        return print_audit(audited, session)
    _refuse(changes, run, "a run of unlearning")
    with session.progress() as progress:
        result = resume_unlearning(run, progress)
    return print_run(result, session, progress.warnings)


def _refuse(changes: dict[str, float], run: Path, kind: str) -> None:
    if changes:
        option = next(iter(changes)).replace("_", "-")
        raise InputError(f"--{option} is for training runs, and {run} is {kind}; leave it out.")

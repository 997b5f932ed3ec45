"""What people ask of ``ganforget reproduce``, in plain values. Imports no torch."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ganforget.errors import InputError
from ganforget.options import Device, check_at_least, check_choices

__all__ = ["Executor", "ReproduceOptions"]

Executor = Literal["processes", "slurm", "local"]


@dataclass(frozen=True)
class ReproduceOptions:
    """Options of the experiments."""

    model: str | None = None
    """The trained GAN (default: digits for --data digits, models/mnist32 for mnist)."""

    data: str | None = None
    """Its training data (default: the data set of the table). Others serve as a stand-in, and the page says so."""

    data_path: Path | None = None
    """Folder of the data set's files (default: the download folder)."""

    holdout_path: Path | None = None
    """Folder or ZIP of images that the model was not trained on, beside a folder or ZIP as --data."""

    seeds: tuple[int, ...] = ()
    """Seeds of the runs; repeat for several (default: 0, 1, 2 for 64 images and for the class, 0 otherwise)."""

    only: tuple[str, ...] = ()
    """Only rows whose name and preset hold this text, such as item-64, zero-shot or paper; repeat to narrow down."""

    max_cost: float = 60.0
    """Cost in kimg at which a run gives up and counts as not reached."""

    sham: bool = False
    """Also run the learning phase alone beside every run; takes as long again."""

    retrained: tuple[Path, ...] = ()
    """Run folder of a retraining (`ganforget train --exclude --keep-snapshots`) to use in place of a new one."""

    retrain_kimg: float | None = None
    """Length of a retraining (default: what the model records of its own)."""

    perceptual: Path | None = None
    """VGG16 weights file for rows with λ2 (default: the data set's classifier)."""

    classifier: Path | None = None
    """Classifier file for ACC and the Fréchet distances (default: the bundled one of the data set)."""

    jobs: int = 1
    """Runs side by side, each in a process of its own with one thread; with --executor slurm the scheduler decides."""

    executor: Executor = "processes"
    """processes: on this machine; slurm: one job a run through submitit; local: submitit without a scheduler."""

    retry: bool = False
    """Run rows again that failed."""

    device: Device = "auto"
    """Where it runs; auto is CUDA where there is one."""

    outdir: Path = Path("reproduction")
    """Where results.jsonl, the runs and the tables go; finished rows that lie there are not run again."""

    tables_only: bool = False
    """Run nothing: write the tables of the rows that are there."""

    dry_run: bool = False
    """Say what would be run and what is there already; run and write nothing."""

    def __post_init__(self) -> None:
        check_at_least(self, 1, "jobs")
        check_at_least(self, 0, "max_cost")
        if self.retrain_kimg is not None and not self.retrain_kimg > 0:
            raise InputError(f"--retrain-kimg is {self.retrain_kimg:g}; expected more than 0.")
        check_choices(self)
        if self.executor not in ("processes", "slurm", "local"):
            raise InputError(f"--executor is {self.executor!r}; expected processes, slurm or local.")

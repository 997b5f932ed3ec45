"""What people ask of a training run: the training itself, its data, and where it goes. Imports no torch."""

from dataclasses import dataclass, fields
from pathlib import Path

from ganforget.options import Device, check_at_least, check_choices
from ganforget.training.config import TrainingConfig

__all__ = ["TrainOptions", "TrainingPlaces"]


@dataclass(frozen=True, kw_only=True)
class TrainingPlaces:
    """Where a training takes its images from, where it runs, and where its results go."""

    data: str
    """Training data: digits, mnist, cifar10, or a folder or ZIP of images."""

    data_path: Path | None = None
    """Folder of the data set's files (default: the download folder)."""

    holdout_path: Path | None = None
    """Folder or ZIP of images to watch the training by, beside a folder or ZIP as --data (default: a seeded 10 % of the
    images is held out, and recorded)."""

    data_subset: int | None = None
    """Train on this many images only, the first of one seeded permutation."""

    data_subset_seed: int = 0
    """Seed of that permutation."""

    exclude: Path | None = None
    """A forget_set.json whose images are left out: the retrained GAN. The labels stay as they are."""

    keep_snapshots: bool = False
    """Keep the model of every snapshot, not only the last one."""

    device: Device = "auto"
    """Where it runs; auto is CUDA where there is one."""

    outdir: Path = Path("runs")
    """Where the run's numbered folder is made."""


@dataclass(frozen=True, kw_only=True)
class TrainOptions(TrainingConfig, TrainingPlaces):
    """Options of one training run."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_at_least(self, 1, "data_subset")
        check_choices(self)

    @property
    def config(self) -> TrainingConfig:
        """The options of the training itself."""
        return TrainingConfig(**{field.name: getattr(self, field.name) for field in fields(TrainingConfig)})

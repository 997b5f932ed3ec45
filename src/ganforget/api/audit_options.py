"""Options of an audit, in plain values. Imports no torch."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from ganforget.errors import InputError
from ganforget.options import Device, check_at_least, check_choices, check_forget_sets

__all__ = ["AuditOptions"]

_PATHS = ("data_path", "holdout_path", "forget", "outdir", "state")


@dataclass(frozen=True)
class AuditOptions:
    """Options of one audit, or of a look at what a folder still holds of the original."""

    model: str | None = None
    """The unlearned GAN: a run folder or a model folder. A run of unlearning brings its original, data and forget set
    along."""

    original: str | None = None
    """The GAN before unlearning: digits (bundled), a model folder, or a run folder (default: what the run records)."""

    retrained: tuple[Path, ...] = ()
    """GANs trained without the forget set (ganforget train --exclude): run folders, one or more."""

    data: str | None = None
    """Their training data: digits, mnist, cifar10, or a folder or ZIP of images (default: what the model records)."""

    data_path: Path | None = None
    """Folder of the data set's files (default: the download folder)."""

    holdout_path: Path | None = None
    """Folder or ZIP of images never trained on, where the data are a folder or ZIP (default: what the run records)."""

    mirror: bool | None = None
    """The original was trained with mirrored copies of the data (default: as the run or the model records)."""

    forget_class: tuple[int, ...] = ()
    """What was to be forgotten: every image of this class; repeat for several classes."""

    forget_random: int | None = None
    """What was to be forgotten: this many random images of --seed."""

    forget: Path | None = None
    """What was to be forgotten: forget_set.json, a .txt of indices or names, or a folder of images."""

    attacks: tuple[str, ...] = ()
    """Run these attacks only, by name (default: all; with --quick, the quick ones)."""

    quick: bool = False
    """Fewer attacks, images and queries: a first look in minutes."""

    whole_holdout: bool = False
    """Score all holdout images, not the audit half alone; for GANs that were not calibrated on the other half."""

    quality: bool = True
    """Also measure quality and variety beside the original and the retrained GANs."""

    seed: int = 0
    """Seed of every random number."""

    cache: bool = True
    """Keep the scores of the original and of retrained GANs in the cache folder, by content."""

    device: Device = "auto"
    """Where it runs; auto is CUDA where there is one."""

    outdir: Path = Path("runs")
    """Where the audit's numbered folder is made."""

    state: Path | None = None
    """Instead of an audit: list what this run folder, and the cache of inversions, still hold of the original."""

    delete: bool = False
    """With --state: delete what is listed and can go."""

    def __post_init__(self) -> None:
        check_forget_sets(self, optional=True)
        check_at_least(self, 1, "forget_random")
        check_choices(self)
        if self.delete and self.state is None:
            raise InputError("--delete belongs to --state DIR; name the folder to clean.")
        if self.state is None and self.model is None:
            raise InputError("Nothing to audit was named; give --model, the unlearned GAN, or --state DIR.")

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> Self:
        """Return the options that a run's config.json holds."""
        values = dict(plain)
        for name in _PATHS:
            values[name] = None if plain.get(name) is None else Path(plain[name])
        for name in ("forget_class", "attacks"):
            values[name] = tuple(plain.get(name, ()))
        values["retrained"] = tuple(Path(path) for path in plain.get("retrained", ()))
        try:
            return cls(**values)
        except TypeError as error:
            raise InputError(f"The audit's configuration is of another version ({error}).") from error

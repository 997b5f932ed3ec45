"""What people ask for, in plain values: the options of commands and of the Python calls. Imports no torch."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ganforget.errors import InputError

__all__ = [
    "Destination",
    "Latent",
    "Mode",
    "Preset",
    "SubstituteName",
    "Task",
    "UnlearnOptions",
]

Task = Literal["item", "class"]
Mode = Literal["few-shot", "zero-shot"]
SubstituteName = Literal["average", "truncation", "projection", "other-class"]
Preset = Literal["default", "paper"]
Destination = Literal["default", "paper"]
Latent = Literal["w", "w+"]


@dataclass(frozen=True)
class UnlearnOptions:
    """Options of one unlearning run."""

    model: str
    """The trained GAN: digits (bundled), a model folder, or a run folder."""

    data: str | None = None
    """Its training data: digits, mnist, cifar10, or a folder or ZIP of images. May be left out in zero-shot with a
    folder as --forget; membership is then unverified."""

    data_path: Path | None = None
    """Folder of the data set's files (default: the download folder)."""

    forget_class: tuple[int, ...] = ()
    """Forget every image of this class; repeat for several classes."""

    forget_random: int | None = None
    """Forget this many random images."""

    forget: Path | None = None
    """Forget what is listed or lies here: forget_set.json, a .txt of indices or names, or a folder of images."""

    forget_duplicates: bool = False
    """Forget copies and near-copies in the training set too."""

    seed: int = 0
    """Seed of every random number."""

    mode: Mode = "few-shot"
    """few-shot: the cascade sees as many retain images as the forget set holds; zero-shot: none."""

    substitute: SubstituteName | None = None
    """What takes a forgotten image's place (default: truncation for items, other-class for a class)."""

    fake_label: str = "auto"
    """F_label, the raw logit wanted on forget images, or auto: placed below D's scores of them. Paper: 0.1."""

    lambda1: float = 1.0
    """Weight of the pixel distance to the substitute."""

    lambda2: float = 0.0
    """Weight of the perceptual distance to the substitute."""

    latent: Latent = "w"
    """Space of the inversion: w, or w+ with a latent for each layer."""

    max_steps: int | None = None
    """Steps after which the cascade gives up (default: by preset)."""

    schedule_steps: int | None = None
    """Steps over which the substitute moves from the image itself to its end (default: by preset)."""

    destination: Destination = "default"
    """When to stop. default: the paper's and the generator's; paper: the paper's alone."""

    preset: Preset = "default"
    """default: ours, tuned for quality; paper: the paper's plain algorithm."""

    sham: bool = False
    """Also run the learning phase alone for as many steps, and measure it beside."""

    invert: int | None = None
    """Most forget images to invert (default: all items; of a class, 64; all with the paper's preset)."""

    cache: bool = True
    """Keep and use inverted latents in the cache folder (recorded time is counted)."""

    reconstruct: bool = False
    """Also measure rec_u and rec_t by fresh inversions, before and after; takes minutes."""

    probe: bool = True
    """Measure how long training takes for 1,000 images, for cost_kimg."""

    device: str = "auto"
    """auto, cpu or cuda."""

    outdir: Path = Path("runs")
    """Where the run's numbered folder is made."""

    dry_run: bool = False
    """Check everything, say what would be done, write nothing."""

    def __post_init__(self) -> None:
        given = [bool(self.forget_class), self.forget_random is not None, self.forget is not None]
        if sum(given) != 1:
            choices = "--forget-class, --forget-random and --forget"
            raise InputError(f"{sum(given)} forget sets were given; expected exactly one of {choices}.")
        if self.data is None and (self.mode != "zero-shot" or self.forget is None):
            raise InputError("No --data was given; it may be left out only in zero-shot with --forget FOLDER.")
        if self.fake_label != "auto":
            try:
                float(self.fake_label)
            except ValueError as error:
                raise InputError(f"--fake-label is {self.fake_label!r}; expected auto or a number.") from error
        for name in ("max_steps", "forget_random", "invert"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise InputError(f"--{name.replace('_', '-')} is {value}; expected at least 1.")
        if self.device not in ("auto", "cpu", "cuda"):
            raise InputError(f"--device is {self.device!r}; expected auto, cpu or cuda.")

    @property
    def task(self) -> Task:
        """item or class; a saved forget set may still turn out to be a class."""
        return "class" if self.forget_class else "item"

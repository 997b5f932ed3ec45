"""What people ask for, in plain values: the options of commands and of the Python calls. Imports no torch."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, Self, get_args, get_origin, get_type_hints

from ganforget.errors import InputError

__all__ = [
    "AskedDestination",
    "Destination",
    "Device",
    "ForgetSelection",
    "Latent",
    "Mode",
    "Preset",
    "SubstituteName",
    "Task",
    "UnlearnOptions",
    "check_at_least",
    "check_choices",
    "check_forget_sets",
]

Task = Literal["item", "class"]
Mode = Literal["few-shot", "zero-shot"]
SubstituteName = Literal["average", "truncation", "projection", "other-class"]
Preset = Literal["default", "paper"]
Destination = Literal["calibrated", "separated", "paper"]
AskedDestination = Literal["default", "calibrated", "separated", "paper"]
"""A destination, or the default one of the task."""
Latent = Literal["w", "w+"]
Device = Literal["auto", "cpu", "cuda"]


class ForgetSelection(Protocol):
    """Which images to forget: a class or classes, so many random ones, or what a file or folder names."""

    @property
    def forget_class(self) -> tuple[int, ...]: ...
    @property
    def forget_random(self) -> int | None: ...
    @property
    def forget(self) -> Path | None: ...
    @property
    def seed(self) -> int: ...


@dataclass(frozen=True)
class UnlearnOptions:
    """Options of one unlearning run."""

    model: str
    """The trained GAN: digits (bundled), a model folder, a run folder, or a StyleGAN2 .pkl."""

    data: str | None = None
    """Its training data: digits, mnist, cifar10, or a folder or ZIP of images. May be left out in zero-shot with a
    folder as --forget; membership is then unverified."""

    data_path: Path | None = None
    """Folder of the data set's files (default: the download folder)."""

    holdout_path: Path | None = None
    """Folder or ZIP of images that the model was not trained on, beside a folder or ZIP as --data (default: those that
    the model's own record holds out; else none, and what needs them is left out)."""

    mirror: bool | None = None
    """The model was trained with mirrored copies, so that these are forgotten too (default: as the model records)."""

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
    """F_label, the raw logit wanted on forget images. auto: with calibrated one for each image, else three spreads
    below D's scores of them. Paper: 0.1."""

    lambda1: float = 1.0
    """Weight of the pixel distance to the substitute."""

    lambda2: float = 0.0
    """Weight of the perceptual distance to the substitute."""

    anchor: float | None = None
    """Weight that holds G to the original away from the forgotten latents: half of it takes about half the steps and
    costs quality (default: 20, of n > 64 images 20·(64/n)^¼, of a class 2)."""

    perceptual: Path | None = None
    """VGG16 weights file of the perceptual distance, plain (torchvision's layout) or anti-aliased (default: the data
    set's classifier)."""

    latent: Latent = "w"
    """Space of the inversion: w, or w+ with a latent for each layer."""

    max_steps: int | None = None
    """Steps after which the cascade gives up (default: by preset; of more than 125 images ours takes up to 12 each)."""

    max_cost: float | None = None
    """Cost in kimg (inversion, cascade and checks) after which the cascade gives up at its next check."""

    schedule_steps: int | None = None
    """Steps over which the substitute moves from the image itself to its end (default: by preset)."""

    destination: AskedDestination = "default"
    """When to stop. Forget images score like unseen ones (calibrated) or below retain images (separated); paper: its
    rule. default: calibrated; separated for a class or with --fake-label."""

    perturbation: float | None = None
    """How far D's scores move at random first, in their spreads, which hides what moved from who kept the original
    (default: 0.75 with calibrated, as far as retraining moves them, else 0)."""

    preset: Preset = "default"
    """default: ours, tuned for quality; paper: the paper's plain algorithm."""

    sham: bool = False
    """Also run the learning phase alone for as many steps, and measure it beside."""

    invert: int | None = None
    """Most forget images to invert (default: all items; of a class, 64; all with the paper's preset)."""

    cache: bool = True
    """Keep and use inverted latents (recorded time is counted) and the original's measures in the cache folder."""

    reconstruct: bool = False
    """Also measure rec_u and rec_t by fresh inversions, before and after; takes minutes."""

    downstream: bool = False
    """Also measure acc_downstream, before and after: a classifier trained on samples alone reads holdout images."""

    classifier: Path | None = None
    """Classifier file for acc and the Fréchet distances (default: the bundled one of the data set)."""

    probe: bool = True
    """Measure how long training takes for 1,000 images, for cost_kimg."""

    micro_batch: int | None = None
    """Images at a time through a network that learns (default: as many as fit 4 GiB). The result is the same."""

    device: Device = "auto"
    """Where it runs; auto is CUDA where there is one."""

    outdir: Path = Path("runs")
    """Where the run's numbered folder is made."""

    dry_run: bool = False
    """Check everything, say what would be done, write nothing."""

    def __post_init__(self) -> None:
        check_choices(self)
        check_forget_sets(self)
        if self.data is None and (self.mode != "zero-shot" or self.forget is None):
            raise InputError("No --data was given; it may be left out only in zero-shot with --forget FOLDER.")
        if self.fake_label != "auto" and not _is_finite(self.fake_label):
            raise InputError(f"--fake-label is {self.fake_label!r}; expected auto or a number.")
        if self.destination == "calibrated":
            self._check_calibrated()
        check_at_least(self, 1, "max_steps", "forget_random", "invert", "micro_batch")
        check_at_least(self, 0, "lambda1", "lambda2", "anchor", "schedule_steps", "max_cost", "perturbation")
        if self.anchor is not None and self.preset == "paper":
            raise InputError("--anchor is a term of the default preset; the paper has none: leave it out.")
        if self.max_cost is not None and not self.probe:
            raise InputError("--max-cost counts in kimg, which --no-probe leaves unmeasured; leave one of them out.")

    def _check_calibrated(self) -> None:
        """Raise InputError for what does not go with the calibrated destination."""
        if self.forget_class:
            raise InputError(
                "--destination calibrated is for images: no images of a forgotten class stay unseen that its scores "
                "could be like; use --destination separated."
            )
        if self.preset == "paper":
            raise InputError("--preset paper has the paper's destination; leave out --destination calibrated.")
        if self.fake_label != "auto":
            raise InputError(
                f"--fake-label is {self.fake_label}, but --destination calibrated gives each image a label of its own; "
                "leave one of them out."
            )

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> Self:
        """Return the options that a run's config.json holds."""
        values = dict(plain)
        for name in ("data_path", "holdout_path", "forget", "perceptual", "classifier", "outdir"):
            values[name] = None if plain.get(name) is None else Path(plain[name])
        values["forget_class"] = tuple(plain.get("forget_class", ()))
        try:
            return cls(**values)
        except TypeError as error:
            raise InputError(f"The run's configuration is of another version ({error}).") from error


def check_choices(options: Any) -> None:
    """Raise InputError for a field of a dataclass that takes one of several words, and has another."""
    for name, kind in get_type_hints(type(options)).items():
        kinds = (kind, *get_args(kind))
        words = [word for one in kinds if get_origin(one) is Literal for word in get_args(one)]
        value = getattr(options, name)
        if words and value not in words and not (value is None and type(None) in kinds):
            expected = f"{', '.join(words[:-1])} or {words[-1]}"
            raise InputError(f"--{name.replace('_', '-')} is {value!r}; expected {expected}.")


def check_forget_sets(options: ForgetSelection, *, optional: bool = False) -> None:
    """Raise InputError unless exactly one of the options that name a forget set is given (optional: at most one)."""
    count = sum([bool(options.forget_class), options.forget_random is not None, options.forget is not None])
    if count > 1 or (count == 0 and not optional):
        raise InputError(
            f"{count} forget sets were given; expected {'at most' if optional else 'exactly'} one of --forget-class, "
            "--forget-random and --forget."
        )


def check_at_least(options: object, least: int, *names: str) -> None:
    """Raise InputError for the first of the options ``names`` that is below ``least``, infinite or NaN."""
    for name in names:
        value = getattr(options, name)
        if value is not None and not (value >= least and math.isfinite(value)):
            raise InputError(f"--{name.replace('_', '-')} is {value}; expected at least {least}.")


def _is_finite(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False

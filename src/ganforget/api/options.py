"""Options of measuring, of forget sets and of generating, in plain values. Imports no torch."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ganforget.errors import InputError
from ganforget.options import Device, check_at_least, check_choices, check_forget_sets

__all__ = ["EvaluateOptions", "ExtractorName", "ForgetSetOptions", "GenerateOptions", "NoiseMode"]

ExtractorName = Literal["auto", "classifier", "efficientnet_lite0", "inception"]
NoiseMode = Literal["const", "random", "none"]


@dataclass(frozen=True)
class EvaluateOptions:
    """Options of the measuring of one GAN."""

    model: str
    """The GAN: digits (bundled), a folder, or a StyleGAN2 .pkl. A run of unlearning brings its forget set along."""

    data: str | None = None
    """Its training data: digits, mnist, cifar10, or a folder or ZIP of images (default: what the model records)."""

    data_path: Path | None = None
    """Folder of the data set's files (default: the download folder)."""

    holdout_path: Path | None = None
    """Folder or ZIP of images that the model was not trained on, beside a folder or ZIP as --data (default: those that
    the model's own record holds out; else none, and what needs them is left out)."""

    mirror: bool | None = None
    """The model was trained with mirrored copies of the data (default: as the model or the run records)."""

    forget_class: tuple[int, ...] = ()
    """Measure as to every image of this class; repeat for several classes."""

    forget_random: int | None = None
    """Measure as to this many random images."""

    forget: Path | None = None
    """Measure as to what is listed or lies here: forget_set.json, a .txt of indices or names, or a folder of images."""

    seed: int = 0
    """Seed of latents, labels and the choice of real images."""

    generations: int = 3
    """Draws of latents and labels, for the spread."""

    extractor: ExtractorName = "auto"
    """Features of the Fréchet distances; auto is the data set's classifier, else EfficientNet-Lite0."""

    extractor_weights: Path | None = None
    """Local weights file of EfficientNet-Lite0 or of the 2015 Inception network."""

    classifier: Path | None = None
    """Classifier file for acc and the extractor classifier (default: the bundled one of the data set)."""

    reconstruct: bool = False
    """Also measure rec_u and rec_t by fresh inversions; needs a forget set, and takes minutes."""

    downstream: bool = False
    """Also measure acc_downstream: a classifier trained on samples alone reads holdout images."""

    device: Device = "auto"
    """Where it runs; auto is CUDA where there is one."""

    def __post_init__(self) -> None:
        check_forget_sets(self, optional=True)
        check_at_least(self, 1, "generations", "forget_random")
        check_choices(self)


@dataclass(frozen=True)
class ForgetSetOptions:
    """Options of the making of a forget_set.json."""

    data: str
    """The training data: digits, mnist, cifar10, or a folder or ZIP of images."""

    data_path: Path | None = None
    """Folder of the data set's files (default: the download folder)."""

    model: str | None = None
    """The model that was trained on them, where it was trained without a part of a folder or ZIP (default: every image
    of a folder or ZIP is a training image)."""

    data_subset: int | None = None
    """The model was trained on this many images only, the first of one seeded permutation."""

    data_subset_seed: int = 0
    """Seed of that permutation."""

    forget_class: tuple[int, ...] = ()
    """Forget every image of this class; repeat for several classes."""

    forget_random: int | None = None
    """Forget this many random images."""

    forget: Path | None = None
    """Forget what is listed or lies here: a .txt of indices or names, a folder of images, or another forget set."""

    forget_duplicates: bool = False
    """Forget copies and near-copies in the training set too."""

    seed: int = 0
    """Seed of the random choice."""

    def __post_init__(self) -> None:
        check_forget_sets(self)
        check_at_least(self, 1, "forget_random", "data_subset")


@dataclass(frozen=True)
class GenerateOptions:
    """Options of the generating of images."""

    model: str
    """The GAN: digits (bundled), a model folder, a run folder, or a StyleGAN2 .pkl."""

    out: Path
    """A folder for one PNG file an image, or a .png file for one sheet, a row for each class."""

    count: int = 10
    """Images of each class (in all, for a model without labels): those of the seeds from 0."""

    seeds: str | None = None
    """Seeds of the images in place of a count, such as 5,7,10-20."""

    classes: tuple[int, ...] = ()
    """Make images of this class; repeat for several classes (default: of every class)."""

    truncation: float = 1.0
    """Truncation ψ: 1 is the full variety, 0 the mean image."""

    noise_mode: NoiseMode = "const"
    """Noise of the synthesis: const (the same for every image), random (by the seed), or none."""

    device: Device = "auto"
    """Where it runs; auto is CUDA where there is one."""

    def __post_init__(self) -> None:
        check_at_least(self, 1, "count")
        if not math.isfinite(self.truncation):
            raise InputError(f"--truncation is {self.truncation}; expected a number.")
        check_choices(self)

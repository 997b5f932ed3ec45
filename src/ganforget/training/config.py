"""What a training run is asked to do. Imports no torch: the command line shows it without."""

import math
from dataclasses import dataclass
from typing import Literal

from ganforget.errors import InputError

__all__ = ["TrainingConfig"]


@dataclass(frozen=True)
class TrainingConfig:
    """Options of GAN training; the defaults suit 16×16 to 32×32 images on a CPU."""

    kimg: float = 300
    """Length of the training, in thousands of real images shown to the discriminator."""

    batch_size: int = 32
    """Images per step."""

    learning_rate: float = 0.0025
    """Learning rate of both networks (Adam)."""

    r1_gamma: float = 0.02
    """Weight of the R1 penalty."""

    r1_interval: int = 16
    """Steps between R1 penalties; 0 switches R1 off."""

    path_length_weight: float = 0.0
    """Weight of path length regularisation; 0 switches it off."""

    path_length_interval: int = 4
    """Steps between path length penalties."""

    style_mixing: float = 0.0
    """Probability of mixing two latents in one image."""

    ema_kimg: float = 10
    """Half-life of the generator's moving average, in thousands of images."""

    ema_rampup: float | None = 0.05
    """Cap of that half-life, as a share of the images seen so far."""

    augment: Literal["none", "ada", "fixed"] = "none"
    """Augmentation of what D sees: none, adaptive (ADA), or with a fixed probability."""

    augment_preset: Literal["paper", "digits"] = "paper"
    """Which transforms: the paper's for natural images, or gentle ones for handwriting on black."""

    augment_p: float = 0.0
    """Probability of each augmentation for 'fixed', and where 'ada' starts."""

    ada_target: float = 0.6
    """Mean sign of D's real scores that ADA aims at."""

    ada_kimg: float = 100
    """Thousands of images over which ADA moves p from 0 to 1 at most."""

    z_dim: int = 64
    """Width of the input latent."""

    w_dim: int = 64
    """Width of the intermediate latent."""

    mapping_layers: int = 2
    """Layers of the mapping networks of G and D."""

    channel_base: int = 512
    """Width of a block is channel_base / resolution, at most channel_max."""

    channel_max: int = 64
    """Largest width of a block."""

    d_architecture: Literal["orig", "skip", "resnet"] = "orig"
    """Architecture of the discriminator."""

    mbstd_group_size: int = 4
    """Images per group of the minibatch standard deviation."""

    conditional: bool = True
    """Train with labels where the data have them."""

    mirror: bool = False
    """Mirror half of the real images from left to right."""

    seed: int = 0
    """Seed of every random number."""

    tick_kimg: float = 2
    """Thousands of images between log lines."""

    snapshot_kimg: float = 20
    """Thousands of images between snapshots of the resume state and the model."""

    def __post_init__(self) -> None:
        for name in _POSITIVE:
            if not 0 < getattr(self, name) < math.inf:
                raise InputError(f"{name} is {getattr(self, name)}; expected a positive number.")
        for name in _NOT_NEGATIVE:
            if not getattr(self, name) >= 0:
                raise InputError(f"{name} is {getattr(self, name)}; expected zero or more.")
        for name in ("augment_p", "style_mixing"):
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(f"{name} is {getattr(self, name)}; expected a probability.")
        for name, words in (("augment", _AUGMENT), ("augment_preset", _PRESETS), ("d_architecture", _ARCHITECTURES)):
            if getattr(self, name) not in words:
                raise InputError(f"{name} is {getattr(self, name)!r}; expected one of {', '.join(words)}.")
        group = min(self.mbstd_group_size, self.batch_size)
        if self.batch_size % group:
            raise InputError(f"batch_size is {self.batch_size}; expected a multiple of mbstd_group_size ({group}).")


_POSITIVE = (
    *("kimg", "batch_size", "learning_rate", "path_length_interval", "ada_kimg", "z_dim", "w_dim", "mapping_layers"),
    *("channel_base", "channel_max", "mbstd_group_size", "tick_kimg", "snapshot_kimg"),
)
_NOT_NEGATIVE = ("r1_gamma", "r1_interval", "path_length_weight", "ema_kimg")
_AUGMENT, _PRESETS, _ARCHITECTURES = ("none", "ada", "fixed"), ("paper", "digits"), ("orig", "skip", "resnet")

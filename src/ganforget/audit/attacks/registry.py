"""The attacks by name, with what each assumes."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ganforget.audit.attacks.calibrated import lira, reconstruction_calibrated, rmia
from ganforget.audit.attacks.d_difference import d_difference
from ganforget.audit.attacks.latent_search import latent_search
from ganforget.audit.attacks.logan import logan
from ganforget.audit.attacks.monte_carlo import monte_carlo
from ganforget.audit.attacks.nearest_sample import nearest_sample
from ganforget.audit.attacks.partial_black_box import partial_black_box
from ganforget.audit.attacks.reconstruction import reconstruction
from ganforget.audit.attacks.relearning import relearning, relearning_neighbours
from ganforget.audit.knowledge import Knowledge, Targets
from ganforget.models.gan import Gan

__all__ = ["ATTACKS", "Attack"]

Score = Callable[[Gan, Targets, Knowledge], np.ndarray]


@dataclass(frozen=True)
class Attack:
    """A function from images to membership scores, and what stands beside it in a report."""

    name: str
    title: str
    network: Literal["D", "G", "both"]
    assumes: str
    """What the attacker holds."""
    score: Score
    judged: Literal["always", "with references"] = "always"
    """Whether it counts for the verdict also where there is no retrained GAN to compare with."""
    needs_references: bool = False
    controls: bool = True
    """Whether it can recognise the forget images on the original, and so be the verdict's control."""
    quick: bool = False
    """Whether a quick audit runs it."""


ATTACKS: dict[str, Attack] = {
    attack.name: attack
    for attack in (
        Attack("logan", "LOGAN", "D", "the discriminator, and the image", logan, quick=True),
        Attack(
            *("d_difference", "D after − before", "D", "both versions of the discriminator", d_difference),
            judged="with references",
            controls=False,
            quick=True,
        ),
        Attack(
            *("rmia", "RMIA", "D", "the discriminator, retrained GANs, and images of the same kind", rmia),
            needs_references=True,
            quick=True,
        ),
        Attack(
            *("lira", "LiRA (offline)", "D", "the discriminator and retrained GANs", lira),
            needs_references=True,
            quick=True,
        ),
        Attack("reconstruction", "Reconstruction", "G", "the generator's weights", reconstruction, quick=True),
        Attack(
            *("reconstruction_calibrated", "Reconstruction (calibrated)", "G"),
            *("the generator's weights and retrained GANs", reconstruction_calibrated),
            needs_references=True,
            quick=True,
        ),
        Attack("nearest_sample", "Nearest sample", "G", "samples of the generator", nearest_sample, quick=True),
        Attack("monte_carlo", "Monte Carlo", "G", "samples of the generator", monte_carlo),
        Attack(
            *("partial_black_box", "Chosen latents", "G", "images made from latents of the attacker's choice"),
            partial_black_box,
        ),
        Attack("latent_search", "Latent search", "G", "the generator's weights, and time", latent_search),
        Attack(
            *("relearning", "Relearning", "both", "both networks' weights, and a few of the forgotten images"),
            relearning,
        ),
        Attack(
            *("relearning_neighbours", "Relearning from neighbours", "both"),
            "both networks' weights, and kept training images like the forgotten ones",
            relearning_neighbours,
            judged="with references",
        ),
    )
}

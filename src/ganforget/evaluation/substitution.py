"""How far the generator has given up the forget images: `substitution`, and how often a run looks at it."""

from dataclasses import dataclass

import torch

from ganforget.models.pictures import DrawnPictures, LoadedPictures, mean_square
from ganforget.shapes import Images
from ganforget.unlearning.cascade import Cascade
from ganforget.unlearning.state import CascadeState

__all__ = ["SUBSTITUTION_DESTINATION", "GeneratorCheck", "is_substituted", "look_at_generator"]

SUBSTITUTION_DESTINATION = 0.25
"""Our destination for the generator: substitution at most this."""

_ROUNDING = 1e-4
"""By how much `substitution` differs when it is measured again in batches of another size."""

_FAR = 0.1
"""Further than this from its destination `substitution` does not get there between two checks."""

_LATENTS_A_CHECK = 32
"""Latents that every check may look at for a few per cent of what its steps take; more are looked at less often."""


@dataclass(frozen=True)
class GeneratorCheck:
    """Measures `substitution` over the inverted latents."""

    targets: Images | DrawnPictures | LoadedPictures
    """Substitutes at the end of the schedule."""
    original_distance: float
    """MSE(G_0(w_0), S)."""

    def __len__(self) -> int:
        return len(self.targets)

    @torch.no_grad()
    def measure(self, cascade: Cascade, state: CascadeState) -> float:
        """Return MSE(G(w_0), S) ÷ MSE(G_0(w_0), S)."""
        ws = cascade.latents.ws[: len(self)]
        state.work.g_forward += len(ws)
        return mean_square(state.G_ema, ws, self.targets) / max(self.original_distance, 1e-12)


def look_at_generator(generator: GeneratorCheck, cascade: Cascade, state: CascadeState) -> float:
    """Return `substitution`, as it is or as it was when last looked at.

    While it is far from its destination it is measured in every second check only, and that of many latents in so few
    checks that these take no larger share of the time.
    """
    config, far = cascade.config, state.substitution > SUBSTITUTION_DESTINATION + _FAR
    often = max(len(generator) // _LATENTS_A_CHECK, 2 if far else 1)
    if state.step and (state.step % (often * config.check_interval) == 0 or state.step == config.max_steps):
        state.substitution = generator.measure(cascade, state)
    return state.substitution


def is_substituted(substitution: float) -> bool:
    """Whether `substitution` is at G's side of the destination; it is no estimate, so all it needs is its rounding."""
    return substitution <= SUBSTITUTION_DESTINATION - _ROUNDING

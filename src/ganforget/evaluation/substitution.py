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

_LOOK = 64
"""Of more latents than these so many are looked at, and all where those say that the destination is reached."""


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

    @torch.no_grad()
    def look(self, cascade: Cascade, state: CascadeState) -> float:
        """Return the same, of many latents from ``_LOOK`` of them in proportion to what all were when last measured."""
        if len(self) <= _LOOK:
            return self.measure(cascade, state)
        rows = torch.arange(_LOOK, device=self.targets.device) * len(self) // _LOOK
        state.work.g_forward += _LOOK
        part = mean_square(state.G_ema, cascade.latents.ws[rows], self.targets[rows])
        if state.look_ratio and not is_substituted(part * state.look_ratio):
            return part * state.look_ratio
        found = self.measure(cascade, state)
        state.look_ratio = found / max(part, 1e-12)
        return found


def look_at_generator(generator: GeneratorCheck, cascade: Cascade, state: CascadeState) -> float:
    """Return `substitution`, as it is or as it was when last looked at.

    While it is far from its destination it is looked at in every second check only, of many latents, which a run gives
    up slowly, in every fourth, and then in every second.
    """
    config, far = cascade.config, state.substitution > SUBSTITUTION_DESTINATION + _FAR
    if len(generator) > _LOOK:
        often = 4 if far else 2
    else:
        often = max(len(generator) // _LATENTS_A_CHECK, 2 if far else 1)
    if state.step and state.step == config.max_steps:
        state.substitution = generator.measure(cascade, state)
    elif state.step and state.step % (often * config.check_interval) == 0:
        state.substitution = generator.look(cascade, state)
    return state.substitution


def is_substituted(substitution: float) -> bool:
    """Whether `substitution` is at G's side of the destination; it is no estimate, so all it needs is its rounding."""
    return substitution <= SUBSTITUTION_DESTINATION - _ROUNDING

"""What a cascade works with: the frozen original, the fixed material, and what a stop check says."""

from collections.abc import Callable
from dataclasses import dataclass, field

from torch import Tensor

from ganforget.models.gan import Gan
from ganforget.models.pictures import Pictures
from ganforget.unlearning.config import CascadeConfig
from ganforget.unlearning.losses import Perceptual
from ganforget.unlearning.material import Fixed, ForgetLatents
from ganforget.unlearning.state import CascadeState
from ganforget.unlearning.turned import TurnedPictures
from ganforget.work import Work

__all__ = ["Cascade", "Check", "StopRule"]


@dataclass(frozen=True)
class Check:
    """What a stop check found, and whether each network has reached its side of the destination."""

    values: dict[str, float]
    d_reached: bool
    g_reached: bool
    score_gap: float = 0.0
    """How much higher D should score the forget images on average (calibrated destination)."""

    @property
    def reached(self) -> bool:
        return self.d_reached and self.g_reached


StopRule = Callable[[CascadeState, Check | None], Check]
"""A look at the state, and what the look before found: a network that has rested since need not be looked at again."""


@dataclass
class Cascade:
    """The frozen original and the fixed material of one run."""

    original: Gan
    config: CascadeConfig
    fake_label: float | Tensor
    """F_label, or a label for each forget image."""
    forget: Fixed
    latents: ForgetLatents
    anchors: Fixed
    retain: Fixed | None
    """The retain images that D trains on; None in zero-shot."""
    perceptual: Perceptual | None = None
    folds: tuple[Tensor, ...] = ()
    """Positions of forget images; each fold has a D beside, whose head learns on all the others: what it does to the
    fold tells what D does to images of their kind."""
    anchor_images: Pictures | TurnedPictures | None = None
    """What G is held to at the anchors' latents, where that is not what G_0 makes of them."""
    sham: bool = False
    """Leave the unlearning losses out: what learning alone does."""
    work: Work = field(default_factory=Work)
    """What the preparation took; the steps and checks are counted in the state."""

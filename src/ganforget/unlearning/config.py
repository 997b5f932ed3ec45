"""What a cascade is asked to do."""

from dataclasses import dataclass

from ganforget.errors import InputError
from ganforget.options import Destination, Mode, Preset, SubstituteName, Task

__all__ = ["CascadeConfig"]


@dataclass(frozen=True)
class CascadeConfig:
    """Options of the cascade. The weights are those of the losses that each step minimises."""

    task: Task
    """item: given images; class: every image of one class or several."""

    mode: Mode
    """few-shot: as many retain images as the forget set holds; zero-shot: none."""

    substitute: SubstituteName
    """What takes the place of a forgotten image."""

    preset: Preset = "default"
    """default: ours; paper: the paper's plain algorithm."""

    destination: Destination = "separated"
    """calibrated: D scores the forget images like unseen ones; separated: below the retain images; both with the
    generator's side. paper: the paper's rule alone."""

    lambda1: float = 1.0
    """Weight of the pixel distance to the substitute."""

    lambda2: float = 0.0
    """Weight of the perceptual distance to the substitute."""

    max_steps: int = 1500
    """Steps after which the cascade gives up."""

    schedule_steps: int = 20
    """Steps over which λ or α of the substitute falls from 1 to 0."""

    batch_size: int = 16
    """Images of each kind in a step: many small steps go further than few large ones on the same images."""

    d_batch_size: int | None = None
    """The same in a step of the discriminator's head; None: ``batch_size``."""

    substitute_batch_size: int | None = None
    """Images that a step of the generator gives a substitute; None: ``batch_size``."""

    anchor_batch_size: int | None = None
    """Anchors in a step of the generator; None: ``batch_size``."""

    micro_batch: int | None = None
    """Images at a time through a network that learns; None: as many as fit."""

    g_learning_rate: float = 3e-3
    """Learning rate of the generator."""

    d_learning_rate: float = 4e-3
    """Learning rate of the discriminator's head."""

    momentum: float = 0.9
    """First moment of Adam. StyleGAN2 trains without; a short descent on fixed targets gains from it."""

    anchor: float = 20.0
    """Weight that holds G to G_0 on other latents."""

    distillation: float = 1.0
    """Weight that holds D to D_0 on images that are not to be forgotten."""

    r1_gamma: float = 0.02
    """Weight of R1 (the paper's preset)."""

    r1_interval: int = 16
    """Steps between R1 penalties; 0 switches R1 off."""

    ema_steps: float = 16.0
    """Half-life of G's moving average, in steps."""

    pool: int = 2048
    """Samples of G_0 that anchors and distillation draw from."""

    perturbation: float = 0.0
    """How far a random change moves D's scores before it unlearns, in their standard deviations."""

    margin: float = 0.02
    """How far beyond its destination what samples of a class estimate must be before the cascade stops."""

    auc_margin: float = 0.05
    """How far beyond 0.8 the running estimate of auc_lu must be, of 64 images or fewer."""

    check_interval: int = 10
    """Steps between stop checks."""

    seed: int = 0
    """Seed of every random number."""

    def __post_init__(self) -> None:
        if self.task == "item" and self.substitute == "other-class":
            raise InputError(
                "The other-class substitute is for class unlearning; use average, truncation or projection for items."
            )
        if self.task == "class" and self.substitute in ("truncation", "projection"):
            raise InputError(f"The {self.substitute} substitute is for items; use other-class or average for a class.")
        for name in ("max_steps", "batch_size", "check_interval", "pool"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} is {getattr(self, name)}; expected at least 1.")
        for name in ("d_batch_size", "substitute_batch_size", "anchor_batch_size"):
            if getattr(self, name) is not None and getattr(self, name) < 1:
                raise InputError(f"{name} is {getattr(self, name)}; expected at least 1.")
        names = (
            "lambda1",
            "lambda2",
            "schedule_steps",
            "anchor",
            "distillation",
            "r1_gamma",
            "r1_interval",
            "ema_steps",
        )
        for name in (*names, "momentum", "margin", "auc_margin", "perturbation"):
            if not getattr(self, name) >= 0:
                raise InputError(f"{name} is {getattr(self, name)}; expected zero or more.")
        if not self.lambda1 and not self.lambda2:
            raise InputError("lambda1 and lambda2 are both 0, so that nothing draws G to its substitutes; give one.")
        for name in ("g_learning_rate", "d_learning_rate"):
            if not getattr(self, name) > 0:
                raise InputError(f"{name} is {getattr(self, name)}; expected a positive number.")

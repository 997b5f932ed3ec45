"""Training the classifier that reads generated images."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ganforget.data.dataset import ImageDataset
from ganforget.errors import InputError, NumericalError
from ganforget.models.classifier import Classifier, ClassifierConfig, half_precision
from ganforget.randomness import permutation, stream

__all__ = ["TrainingPlan", "shift_images", "train_classifier"]


@dataclass(frozen=True)
class TrainingPlan:
    """How a classifier is trained: Adam, a rate that falls to zero along a cosine, random shifts."""

    epochs: int
    """Passes over the training images."""

    seed: int = 0
    """Seed of the weights, of the order and of the shifts."""

    batch: int = 64
    """Images a step."""

    rate: float = 2e-3
    """Learning rate of the first step."""

    shift: int = 1
    """Each image is moved by up to this many pixels along each axis, edges repeated."""


def train_classifier(
    train: ImageDataset,
    config: ClassifierConfig,
    plan: TrainingPlan,
    *,
    device: torch.device | str = "cpu",
    progress: Callable[[int, float], None] | None = None,
) -> Classifier:
    """Train on all images of ``train`` on ``device``; the same arguments give the same weights on the same machine.

    The network returned is on the CPU. Its weights are those of `save_classifier`: rounded to half precision.
    ``progress`` gets (epoch, mean loss). Raises InputError where there are no labels, NumericalError where the loss is
    not finite.
    """
    if train.labels is None:
        raise InputError("The training images have no labels; a classifier needs one for each image.")
    network = Classifier(config)
    _initialise(network, plan.seed)
    network.to(device)
    optimiser = torch.optim.Adam(network.parameters(), lr=plan.rate, weight_decay=1e-5)
    for epoch in range(plan.epochs):
        loss = _train_epoch(network, optimiser, train, torch.from_numpy(train.labels).to(device), plan, epoch)
        if progress is not None:
            progress(epoch, loss)
    rounded = half_precision(network.cpu())
    network.load_state_dict({k: v.float() if v.is_floating_point() else v for k, v in rounded.items()})
    return network.eval().requires_grad_(False)


def _train_epoch(
    network: Classifier,
    optimiser: torch.optim.Optimizer,
    train: ImageDataset,
    targets: Tensor,
    plan: TrainingPlan,
    epoch: int,
) -> float:
    """Pass over all images once and return the mean loss."""
    order = permutation(plan.seed, f"classifier/order/{epoch}", len(train))
    starts = range(0, len(train), plan.batch)
    total = 0.0
    for step, start in enumerate(starts, epoch * len(starts)):
        chosen = order[start : start + plan.batch]
        progress = step / (plan.epochs * len(starts))
        optimiser.param_groups[0]["lr"] = plan.rate * 0.5 * (1 + math.cos(math.pi * progress))
        moved = shift_images(train.tensor(chosen), plan.shift, stream(plan.seed, "classifier/shift", step))
        loss = nn.functional.cross_entropy(network(moved.to(targets.device)), targets[chosen])
        if not torch.isfinite(loss):
            raise NumericalError(f"The classifier's loss is {loss.item()} at step {step}; lower the rate.")
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        total += loss.item() * len(chosen)
    return total / len(train)


def shift_images(images: Tensor, limit: int, generator: torch.Generator) -> Tensor:
    """Move each of the images [N, C, H, W] by up to ``limit`` whole pixels on both axes, edges repeated."""
    count, _, height, width = images.shape
    moves = torch.randint(-limit, limit + 1, (2, count, 1), generator=generator)
    rows = (torch.arange(height) + moves[0]).clamp(0, height - 1)  # [N, H]
    columns = (torch.arange(width) + moves[1]).clamp(0, width - 1)  # [N, W]
    picked = images[torch.arange(count)[:, None, None], :, rows[:, :, None], columns[:, None, :]]  # [N, H, W, C]
    return picked.permute(0, 3, 1, 2).contiguous()


def _initialise(network: Classifier, seed: int) -> None:
    """He-normal weights and zero biases, one stream a layer."""
    for number, layer in enumerate(network.modules()):
        if isinstance(layer, nn.Conv2d | nn.Linear):
            generator = stream(seed, "classifier/weights", number)
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu", generator=generator)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)

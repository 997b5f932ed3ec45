"""Can the forgotten still be produced? A search of W+ from many starts, for images and for a class."""

from dataclasses import dataclass

import numpy as np
import torch
from torch.nn.functional import cross_entropy

from ganforget.audit.knowledge import INVERSION_RATE, Knowledge, Targets
from ganforget.inversion import InversionConfig, invert
from ganforget.models.classifier import Classifier
from ganforget.models.gan import Gan
from ganforget.models.half_precision import LossScale
from ganforget.models.latents import latent_statistics, map_latents
from ganforget.randomness import sample_latents

__all__ = ["ClassSearch", "class_search", "latent_search"]

RATE = 0.1
"""Rate of the class search, in units of the spread of W."""


def latent_search(gan: Gan, targets: Targets, knowledge: Knowledge) -> np.ndarray:
    """Return minus the least mean squared error of inversions in W+ from several starts, [N].

    Every restart begins at the best of another few samples, so that restarts differ.
    """
    budget, labels = knowledge.budget, targets.labels if gan.G.c_dim else None
    statistics = latent_statistics(gan.G, seed=knowledge.seed)
    config = InversionConfig(
        latent="w+",
        steps=budget.inversion_steps,
        learning_rate=INVERSION_RATE,
        restarts=budget.restarts,
        start_samples=16,
        seed=knowledge.seed + 2,
    )
    return -invert(gan.G, targets.images, labels, statistics, config).errors.double().cpu().numpy()


@dataclass(frozen=True)
class ClassSearch:
    """How far a search for a class came: by what a classifier reads, and by the distance to real images."""

    found: float
    """Share of starts from which an image is found that the classifier reads as the class with p > 0.9."""
    steps: float
    """Mean steps until then; starts that never arrive count as all steps."""
    distance: float
    """Mean distance of what is found to the nearest real image of the class: an image that only fools the classifier
    is far from all of them."""


def class_search(
    gan: Gan, label: int, real: Targets, classifier: Classifier, knowledge: Knowledge, *, starts: int = 32
) -> ClassSearch:
    """Search W for images of the class ``label`` from samples of all the other labels.

    ``real`` are images of the class. Adam on the classifier's loss, as many steps as an inversion has.
    """
    G, steps = gan.G, knowledge.budget.inversion_steps
    others = np.array([y for y in range(G.c_dim) if y != label])
    z = sample_latents(knowledge.seed, "audit/class_search", range(starts), G.z_dim)
    origin = map_latents(G, z, others[np.arange(starts) % len(others)])[:, :1].detach()
    spread = latent_statistics(G, seed=knowledge.seed).std
    offset = torch.zeros_like(origin).requires_grad_(True)
    optimizer = torch.optim.Adam([offset], lr=RATE)
    wanted = torch.full((starts,), label, device=origin.device)
    arrived = torch.full((starts,), steps, device=origin.device)
    images, scale = torch.empty(0), LossScale.of(G)
    for step in range(steps + 1):
        images = G.synthesis((origin + offset * spread).expand(-1, G.num_ws, -1), noise_mode="const")
        logits = classifier(images)
        read = logits.detach().softmax(dim=1)[:, label] > 0.9
        arrived = torch.where(read & (arrived == steps), step, arrived)
        if step < steps:
            offset.grad = scale.gradient(cross_entropy(logits, wanted, reduction="sum"), offset)
            optimizer.step()
    flat = images.detach().cpu().flatten(1)
    nearest = torch.cdist(flat, real.images.flatten(1)).min(dim=1).values / flat.shape[1] ** 0.5
    return ClassSearch(float((arrived < steps).float().mean()), float(arrived.float().mean()), float(nearest.mean()))

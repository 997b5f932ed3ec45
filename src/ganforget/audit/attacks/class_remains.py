"""What is left of a class: in its own label, in its neighbours, and in latents of the original."""

import numpy as np
import torch

from ganforget.audit.attacks.sample_distances import draw_samples
from ganforget.models.classifier import Classifier, predict_labels
from ganforget.models.gan import Gan
from ganforget.models.latents import map_latents
from ganforget.randomness import sample_latents

__all__ = ["class_remains"]


def class_remains(
    gan: Gan, original: Gan, label: int, classifier: Classifier, *, count: int, seed: int
) -> dict[str, float]:
    """Return shares of samples that the classifier reads as the class, and how far its embedding has moved.

    `recall`: of the class's own samples. `neighbour`: of the other labels' samples, the largest of any label (the
    class may hide behind another name). `from_original`: of images that this GAN makes from the original's latents of
    the class. `embedding`: the distance between the class's mean latent w̄ and the original's, in units of the mean
    distance between the original's classes.
    """
    z = sample_latents(seed, "audit/class_remains", range(count), gan.G.z_dim)
    shares = [_share(draw_samples(gan.G, z, y), classifier, label) for y in range(gan.G.c_dim)]
    with torch.no_grad():
        ws = map_latents(original.G, z, np.full(count, label))
        carried = torch.cat([gan.G.synthesis(part, noise_mode="const") for part in ws.split(256)])
        means, before = _means(gan, z), _means(original, z)
    between = torch.pdist(before).mean()
    return {
        "recall": shares[label],
        "neighbour": max(share for y, share in enumerate(shares) if y != label),
        "from_original": _share(carried, classifier, label),
        "embedding": float((means[label] - before[label]).norm() / between),
    }


def _means(gan: Gan, z: torch.Tensor) -> torch.Tensor:
    return torch.stack([map_latents(gan.G, z, np.full(len(z), y))[:, 0].mean(dim=0) for y in range(gan.G.c_dim)])


def _share(images: torch.Tensor, classifier: Classifier, label: int) -> float:
    return float((predict_labels(classifier, images) == label).float().mean())

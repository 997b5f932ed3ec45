"""The class destination on any extractor, and the cheap look at `fd_u` that the cascade's stop rule takes."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ganforget.data.dataset import ImageDataset
from ganforget.data.stored_images import ImageArray, StoredImages
from ganforget.errors import InputError
from ganforget.evaluation.features import Extractor, extract_features, feature_statistics
from ganforget.evaluation.frechet import FeatureStatistics, frechet_distance
from ganforget.evaluation.samples import ImageGenerator, dequantise, generate_parts
from ganforget.models.classifier import Classifier, TrainedClassifier, predict_labels
from ganforget.randomness import permutation

__all__ = [
    "ClassEstimate",
    "ClassStopCheck",
    "class_samples",
    "class_statistics",
    "class_stop_check",
    "generated_destination",
    "nearest_class",
    "recorded_destination",
]


@dataclass(frozen=True)
class ClassEstimate:
    """Estimates of `fd_u` and, where there is a classifier, of `class_recall`."""

    fd_u: float
    recall: float | None


@dataclass(frozen=True, eq=False)
class ClassStopCheck:
    """G → estimates of `fd_u` and `class_recall` from few samples.

    Of several classes the least forgotten one counts. Few samples make a Fréchet distance a little too large:
    64 by 1 % of the destination on the bundled classifiers, 128 by half of that. On an extractor with more
    features than samples, confirm by a second check of more samples.
    """

    extractor: Extractor
    references: Mapping[int, FeatureStatistics]
    """Statistics of the real forget images, by class."""

    count: int
    """Samples of each class at a check."""

    seed: int
    classifier: Classifier | None = None
    device: torch.device | str = "cpu"

    def __call__(self, G: ImageGenerator) -> float:
        """Return the estimate of `fd_u` alone."""
        return self.estimate(G).fd_u

    def estimate(self, G: ImageGenerator, count: int | None = None) -> ClassEstimate:
        """Return both estimates from the same ``count`` samples (default: all) of G(·, y), for each forgotten y."""
        distances, recalls = [], []
        for label, real in self.references.items():
            features, read = [], []
            for samples in class_samples(
                G, label, count=count or self.count, seed=self.seed, name="evaluation/stop", device=self.device
            ):
                features.append(extract_features(self.extractor, samples))
                if self.classifier is not None:
                    read.append(predict_labels(self.classifier, dequantise(samples)))
            distances.append(frechet_distance(FeatureStatistics.of(torch.cat(features)), real))
            if read:
                recalls.append(float((torch.cat(read) == label).double().mean()))
        return ClassEstimate(min(distances), max(recalls, default=None))


def class_stop_check(
    extractor: Extractor,
    images: Tensor | ImageArray,
    labels: np.ndarray,
    *,
    seed: int,
    count: int = 128,
    classifier: TrainedClassifier | None = None,
    device: torch.device | str = "cpu",
) -> ClassStopCheck:
    """Return the stop check for forget images, uint8 [N, C, H, W], with int labels [N]; all of them count.

    Only forget images are needed, so it serves zero-shot. Its latents are not those of the evaluation.
    """
    references = {}
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        part = images.take(rows) if isinstance(images, StoredImages) else images[rows]
        references[int(label)] = feature_statistics(extractor, part)
    network = None if classifier is None else classifier.network
    return ClassStopCheck(extractor, references, count, seed, network, device)


def class_samples(
    G: ImageGenerator, label: int, *, count: int, seed: int, name: str, device: torch.device | str = "cpu"
) -> Iterator[Tensor]:
    """Give ``count`` samples of G(·, label), uint8, in parts, of latents from the stream (seed, name/label)."""
    labels = np.full(count, label, dtype=np.int64)
    return generate_parts(G, labels, count=count, seed=seed, name=f"{name}/{label}", device=device)


def class_statistics(
    extractor: Extractor, dataset: ImageDataset, *, most: int = 5000, seed: int = 0
) -> dict[int, FeatureStatistics]:
    """Return the statistics of each class of at least two images, from a seeded ``most`` of its images."""
    if dataset.labels is None:
        raise InputError("The data set has no labels; there are no classes to compare.")
    found = {}
    for label in range(dataset.num_classes):
        members = np.flatnonzero(dataset.labels == label)
        members = np.sort(members[permutation(seed, f"evaluation/class/{label}", len(members))[:most]])
        if len(members) >= 2:
            found[label] = feature_statistics(extractor, dataset.subset(members).images)
    return found


def nearest_class(statistics: Mapping[int, FeatureStatistics], label: int) -> tuple[float, int]:
    """Return (distance, class) of the class nearest to ``label``: the distance is the class destination.

    A generator whose samples of y_0 are further from real y_0 than another class is does not make y_0 any
    more.
    """
    others = {y: s for y, s in statistics.items() if y != label}
    if label not in statistics or not others:
        raise InputError(f"Class {label} and another one need at least 2 images each; there are {sorted(statistics)}.")
    return min((frechet_distance(statistics[label], s), y) for y, s in others.items())


def recorded_destination(extractor: Extractor, classes: Sequence[int]) -> float | None:
    """Return the destination recorded with the extractor, of several classes the largest, or None."""
    if not classes or any(label not in extractor.destinations for label in classes):
        return None
    return max(extractor.destinations[label] for label in classes)


def generated_destination(G_0: ImageGenerator, check: ClassStopCheck) -> float:
    """Return the destination without a retain image: from real y_0 to the nearest class that G_0 makes.

    For zero-shot on an extractor without a recorded destination. Of several classes the largest counts.
    """
    made = {}
    for label in range(G_0.c_dim):
        samples = class_samples(
            G_0, label, count=check.count, seed=check.seed, name="evaluation/destination", device=check.device
        )
        features = [extract_features(check.extractor, part) for part in samples]
        made[label] = FeatureStatistics.of(torch.cat(features))
    return max(nearest_class(made | {label: real}, label)[0] for label, real in check.references.items())

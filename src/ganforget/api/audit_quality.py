"""Quality and variety of the unlearned GAN beside the original and the retrained ones; `fd_u` against retraining."""

from dataclasses import asdict
from typing import Any

import numpy as np

from ganforget.api.audit_task import AuditTask
from ganforget.data import ImageDataset
from ganforget.errors import InputError
from ganforget.evaluation.features import Extractor, extract_features, load_extractor
from ganforget.evaluation.frechet import FeatureStatistics, frechet_distance
from ganforget.evaluation.kid import kernel_distance
from ganforget.evaluation.manifold import compare_manifolds
from ganforget.evaluation.nearest import nearest_distances
from ganforget.evaluation.reference import find_classifier
from ganforget.evaluation.samples import dequantise, generate
from ganforget.models.gan import Gan
from ganforget.progress import Progress
from ganforget.randomness import permutation, sample_labels

__all__ = ["quality_figures"]

_MOST = {True: 500, False: 2000}
"""Most samples, and most real images, of a quick and of a full audit."""

_PER_CLASS = 50
"""Images of a class that measures by class need on both sides."""


def quality_figures(task: AuditTask, progress: Progress) -> dict[str, Any] | None:
    """Return {"extractor": …, "by_role": {role: figures}}; None where there is no extractor for these images."""
    try:
        device = next(task.subject.unlearned.G.parameters()).device
        extractor = load_extractor("auto", classifier=find_classifier(task.splits), device=device)
    except InputError:
        return None
    progress.stage("Quality and variety")
    train, most = task.splits.train, _MOST[task.options.quick]
    retain = task.forget.retain_indices(train)
    order = retain[permutation(task.options.seed, "audit/quality", len(retain))]
    real = train.subset(np.sort(order[:most]))
    real_features = _features(extractor, real)
    found = {}
    for number, (role, gan) in enumerate(task.subject.gans.items()):
        progress.step(number, len(task.subject.gans), role)
        found[role] = _of(gan, task, real, real_features, extractor)
    return {"extractor": extractor.name, "distance": extractor.title, "images": len(real), "by_role": found}


def _of(
    gan: Gan, task: AuditTask, real: ImageDataset, real_features: np.ndarray, extractor: Extractor
) -> dict[str, Any]:
    seed, count = task.options.seed, len(real)
    labels = None
    if gan.G.c_dim:
        assert real.labels is not None
        labels = sample_labels(seed, "audit/quality/labels", count, real.labels)
    device = next(gan.G.parameters()).device
    samples = generate(gan.G, labels, count=count, seed=seed, name="audit/quality", device=device)
    features = extract_features(extractor, samples).double().numpy()
    images = dequantise(samples)
    groups = {"forget": task.forget.dataset(task.splits.train), "retain": real, "holdout": task.splits.holdout}
    figures: dict[str, Any] = {
        "fd_l": frechet_distance(FeatureStatistics.of(features), FeatureStatistics.of(real_features)),
        "kid": kernel_distance(features, real_features),
        **asdict(compare_manifolds(features, real_features)),
        "nearest": {
            name: float(nearest_distances(images, group.tensor(range(min(len(group), 1000)))).mean())
            for name, group in groups.items()
        },
        "by_class": _by_class(features, labels, real_features, real.labels),
    }
    if task.forget.classes:
        figures["fd_u"] = {str(y): _class_distance(gan, y, task, extractor) for y in task.forget.classes}
    return figures


def _by_class(
    features: np.ndarray, labels: np.ndarray | None, real: np.ndarray, real_labels: np.ndarray | None
) -> dict[str, dict[str, float]]:
    """Return KID, precision, recall, density and coverage of every class that has enough images on both sides."""
    if labels is None or real_labels is None:
        return {}
    found = {}
    for label in np.unique(real_labels):
        a, b = features[labels == label], real[real_labels == label]
        if min(len(a), len(b)) >= _PER_CLASS:
            found[str(label)] = {"kid": kernel_distance(a, b), **asdict(compare_manifolds(a, b))}
    return found


def _class_distance(gan: Gan, label: int, task: AuditTask, extractor: Extractor) -> float:
    """Return the Fréchet distance of G(·, y_0) to the forget images of this class."""
    train = task.splits.train
    assert train.labels is not None
    members = train.subset(np.flatnonzero(train.labels == label)[: _MOST[task.options.quick]])
    device = next(gan.G.parameters()).device
    count = len(members)
    asked = np.full(count, label)
    samples = generate(gan.G, asked, count=count, seed=task.options.seed, name="audit/class", device=device)
    real = FeatureStatistics.of(_features(extractor, members))
    return frechet_distance(FeatureStatistics.of(extract_features(extractor, samples)), real)


def _features(extractor: Extractor, images: ImageDataset) -> np.ndarray:
    return extract_features(extractor, images.images).double().numpy()

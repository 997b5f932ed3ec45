"""The downstream task the paper names: a classifier trained on generated images alone reads real ones."""

from dataclasses import replace
from typing import Any

import numpy as np

from ganforget.data.dataset import ImageDataset
from ganforget.evaluation.reference import Reference
from ganforget.evaluation.samples import ImageGenerator, generate
from ganforget.models.classifier import classifier_accuracy
from ganforget.models.classifier_training import TrainingPlan, train_classifier
from ganforget.randomness import sample_labels

__all__ = ["DOWNSTREAM_SAMPLES", "downstream_accuracy"]

DOWNSTREAM_SAMPLES = 6000
"""Most samples that the classifier is trained on; as many as there are retain images where that is fewer."""

_SHORT_PLAN = TrainingPlan(epochs=4)


def downstream_accuracy(G: ImageGenerator, reference: Reference) -> float | None:
    """Return `acc_downstream`: accuracy on holdout images of a classifier trained on G's samples alone.

    The classifier has the shape and the training plan of the one that reads samples for `acc`; the labels of the
    samples are drawn as in the retain set. A forgotten class is in neither set. None without classifier, labels or
    holdout images.
    """
    classifier, labels, holdout = reference.classifier, reference.retain_labels, reference.splits.holdout
    if classifier is None or labels is None or holdout.labels is None or G.c_dim == 0:
        return None
    kept = np.flatnonzero(~np.isin(holdout.labels, reference.classes))
    if not len(kept):
        return None
    seed, count = reference.protocol.seed, min(len(labels), DOWNSTREAM_SAMPLES)
    drawn = sample_labels(seed, "evaluation/downstream/labels", count, labels)
    samples = generate(G, drawn, count=count, seed=seed, name="evaluation/downstream", device=reference.device)
    train = ImageDataset(samples.numpy(), drawn, G.c_dim, ("",) * count)
    plan = _plan(classifier.record, seed)
    network = train_classifier(train, classifier.network.config, plan, device=reference.device).to(reference.device)
    return classifier_accuracy(network, holdout.subset(kept))


def _plan(record: dict[str, Any], seed: int) -> TrainingPlan:
    """Return the plan that a classifier's record keeps, or a short one."""
    kept = record.get("plan")
    plan = TrainingPlan(**kept) if isinstance(kept, dict) else _SHORT_PLAN
    return replace(plan, seed=seed)

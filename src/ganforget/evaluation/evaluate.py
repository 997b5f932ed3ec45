"""The measures of one GAN against the real images of a `Reference`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ganforget.data.dataset import ImageDataset, one_hot
from ganforget.errors import InputError
from ganforget.evaluation.auc import auc_deviation
from ganforget.evaluation.by_label import auc_by_label
from ganforget.evaluation.class_stop import class_samples
from ganforget.evaluation.features import extract_features
from ganforget.evaluation.frechet import FeatureStatistics, frechet_distance
from ganforget.evaluation.measures import auc_lt, auc_lu, auc_ut, class_accuracy, class_diversity
from ganforget.evaluation.protocol import mirrored
from ganforget.evaluation.reference import Reference
from ganforget.evaluation.samples import ImageGenerator, dequantise, generate
from ganforget.models.classifier import predict_labels
from ganforget.randomness import sample_labels

__all__ = ["Evaluation", "Score", "evaluate", "measure_generator", "measure_scores", "spread"]

Score = Callable[[Tensor, Tensor | None], Tensor]
"""D's raw logits [N] for float images [N, C, H, W] in [−1, 1] and one-hot labels [N, c_dim] or None."""

Measures = dict[str, float | None]

_SCORED_BYTES = 2**30


@dataclass(frozen=True)
class Evaluation:
    """The measures by the names of the result file, and the raw scores of each group for the histograms."""

    measures: Measures
    scores: dict[str, list[float]]
    """By group: retain (never seen by the cascade), retain_seen, forget, holdout, generated."""


def evaluate(G: ImageGenerator, score: Score, reference: Reference) -> Evaluation:
    """Measure one GAN: its generator ``G`` and the scores of its discriminator.

    `auc_lu_seen` is None for zero-shot, `acc` without a classifier or labels. For a class there are `fd_u`,
    `class_recall` and `class_diversity` besides; of several classes the least forgotten one counts in each.
    """
    generator, generated = _measure_samples(G, reference, 0, score)
    measures, scores = measure_scores(score, reference, conditional=G.c_dim > 0)
    return Evaluation(measures | generator, {**scores, "generated": generated})


def measure_generator(G: ImageGenerator, reference: Reference, *, generation: int = 0) -> Measures:
    """Return what depends on G alone: `fd_l`, `acc` and their real counterparts; `fd_u` and more for a class.

    Each ``generation`` draws other latents and labels; `evaluate` uses 0.
    """
    return _measure_samples(G, reference, generation, None)[0]


def measure_scores(score: Score, reference: Reference, *, conditional: bool) -> tuple[Measures, dict[str, list[float]]]:
    """Return what depends on D alone, and the real groups' scores.

    That is `auc_lu`, `auc_lu_seen`, and `auc_ut` with its standard error; without a forget set `auc_lt`: how well D
    tells training images from holdout images. `auc_lu` and `auc_ut` compare within a label where the groups say so.
    """
    train, holdout, groups = reference.splits.train, reference.splits.holdout, reference.groups
    chosen = {
        "retain": (train, groups.retain),
        "retain_seen": (train, groups.retain_seen),
        "forget": (train, groups.forget),
        "holdout": (holdout, groups.holdout),
    }
    scores = {}
    for name, (dataset, positions) in chosen.items():
        c = dataset.one_hot(positions) if conditional else None
        scores[name] = []
        for rows in np.array_split(np.arange(len(positions)), _parts(dataset, len(positions))):
            part = None if c is None else c[torch.from_numpy(rows)]
            scores[name] += _listed(score(dataset.tensor(positions[rows]), part)) if len(rows) else []
    arrays = {name: np.asarray(values) for name, values in scores.items()}
    if not scores["forget"]:
        return {"auc_lt": auc_lt(arrays["retain"], arrays["holdout"]) if scores["holdout"] else None}, scores
    forget = arrays["forget"]
    if groups.by_label:
        return _within_labels(arrays, reference), scores
    measures: Measures = {
        "auc_lu": auc_lu(arrays["retain"], forget) if scores["retain"] else None,
        "auc_lu_seen": auc_lu(arrays["retain_seen"], forget) if scores["retain_seen"] else None,
        "auc_ut": None,
        "auc_ut_error": None,
    }
    if scores["holdout"]:
        area = auc_ut(forget, arrays["holdout"])
        images = len(forget) // (2 if mirrored(reference.splits) else 1)  # the two sides of one are no two draws
        measures |= {"auc_ut": area, "auc_ut_error": auc_deviation(area, max(images, 1), len(arrays["holdout"]))}
    return measures, scores


def _within_labels(scores: dict[str, np.ndarray], reference: Reference) -> Measures:
    """Return the same with each forget image among others of its own label; those that D trained on are of any."""
    train, holdout, groups = reference.splits.train, reference.splits.holdout, reference.groups
    assert train.labels is not None
    forget, labels, seen = scores["forget"], train.labels[groups.forget], scores["retain_seen"]
    found: Measures = dict.fromkeys(("auc_lu", "auc_lu_seen", "auc_ut", "auc_ut_error"))
    if len(seen):
        found["auc_lu_seen"] = auc_lu(seen, forget)
    if len(scores["retain"]):
        found["auc_lu"] = 1 - auc_by_label(forget, labels, scores["retain"], train.labels[groups.retain])[0]
    if len(scores["holdout"]) and holdout.labels is not None:
        copies = 2 if mirrored(reference.splits) else 1
        others = holdout.labels[groups.holdout]
        area, error = auc_by_label(forget, labels, scores["holdout"], others, copies=copies)
        found |= {"auc_ut": area, "auc_ut_error": error}
    return found


def spread(
    G: ImageGenerator, reference: Reference, generations: Sequence[int] = (0, 1, 2)
) -> dict[str, dict[str, float]]:
    """Return {measure: {mean, min, max, std}} of G's measures over draws of latents and labels."""
    if not generations:
        raise InputError("No generation was given; expected at least one, three for a spread.")
    draws = [measure_generator(G, reference, generation=generation) for generation in generations]
    found = {}
    for key in draws[0]:
        values = np.array([draw[key] for draw in draws if draw[key] is not None], dtype=np.float64)
        if len(values):
            std = float(values.std(ddof=1)) if len(values) > 1 else 0.0
            found[key] = {
                "mean": float(values.mean()),
                "min": float(values.min()),
                "max": float(values.max()),
                "std": std,
            }
    return found


def _measure_samples(
    G: ImageGenerator, reference: Reference, generation: int, score: Score | None
) -> tuple[Measures, list[float]]:
    """Return G's measures, and D's scores of the first samples; no part of the samples takes more than 1 GiB."""
    protocol, count = reference.protocol, len(reference.groups.distance)
    labels = _labels(G, reference, count, generation)
    if reference.extractor is None and reference.classifier is None:  # nobody else looks at samples
        count = 0 if score is None else min(count, protocol.score_count)
    features, read, scores = [], [], []
    for rows in np.array_split(np.arange(count), _parts(reference.splits.train, count)) if count else []:
        asked = None if labels is None else labels[rows]
        given = {"count": len(rows), "seed": protocol.seed, "first": int(rows[0]), "device": reference.device}
        samples = generate(G, asked, name=f"evaluation/z/{generation}", **given)
        if reference.extractor is not None:
            features.append(extract_features(reference.extractor, samples))
        if reference.classifier is not None:
            read.append(predict_labels(reference.classifier.network, dequantise(samples)))
        most = max(0, protocol.score_count - int(rows[0]))
        if score is not None and most:
            c = None if asked is None else one_hot(asked[:most], G.c_dim)
            scores += _listed(score(dequantise(samples[:most]), c))
    distance = accuracy = None
    if features and reference.retain_statistics is not None:
        distance = frechet_distance(FeatureStatistics.of(torch.cat(features)), reference.retain_statistics)
    if read and labels is not None:
        accuracy = class_accuracy(np.concatenate([np.asarray(part) for part in read]), labels)
    real = {"fd_floor": reference.floor, "acc": accuracy, "acc_real": reference.acc_real}
    measures: Measures = {"fd_l": distance, **real}
    if reference.classes:
        measures |= _measure_classes(G, reference, generation)
    return measures, scores


def _measure_classes(G: ImageGenerator, reference: Reference, generation: int) -> Measures:
    if G.c_dim == 0:
        raise InputError("The generator takes no labels; a class cannot be measured, only single images.")
    protocol = reference.protocol
    distances, recalls, diversities = [], [], []
    for label, real in reference.class_statistics.items():
        name = f"evaluation/class/{generation}"
        most = min(protocol.diversity_count, max(2, _SCORED_BYTES // _float_bytes(reference.splits.train)))
        features, read, kept = [], [], []
        for samples in class_samples(
            G, label, count=real.count, seed=protocol.seed, name=name, device=reference.device
        ):
            if reference.extractor is not None:
                features.append(extract_features(reference.extractor, samples))
            if reference.classifier is not None:
                read.append(predict_labels(reference.classifier.network, dequantise(samples)))
            kept.append(samples[: max(0, most - sum(map(len, kept)))].clone())
        if features:
            distances.append(frechet_distance(FeatureStatistics.of(torch.cat(features)), real))
        if read:
            recalls.append(class_accuracy(torch.cat(read), np.full(real.count, label)))
        diversities.append(class_diversity(dequantise(torch.cat(kept))))
    return {
        "fd_u": min(distances),
        "class_recall": max(recalls, default=None),
        "class_diversity": max(diversities),
    }


def _labels(G: ImageGenerator, reference: Reference, count: int, generation: int) -> np.ndarray | None:
    """Labels drawn as in the retain set, or None where G takes none."""
    if G.c_dim == 0:
        return None
    if reference.retain_labels is None or reference.splits.train.num_classes != G.c_dim:
        have = 0 if reference.retain_labels is None else reference.splits.train.num_classes
        raise InputError(
            f"The generator takes {G.c_dim} labels and the data have {have}; use the data it was trained on."
        )
    return sample_labels(reference.protocol.seed, f"evaluation/labels/{generation}", count, reference.retain_labels)


def _parts(images: ImageDataset, count: int) -> int:
    """Return in how many parts so many images are scored, so that no part of them takes more than 1 GiB as floats."""
    return max(1, -(-count * _float_bytes(images) // _SCORED_BYTES))


def _float_bytes(images: ImageDataset) -> int:
    """Return the bytes of one image as floats."""
    return 4 * images.channels * images.resolution**2


def _listed(scores: Tensor) -> list[float]:
    if scores.ndim != 1:
        raise InputError(f"The scores have the shape {tuple(scores.shape)}; expected [N], one for each image.")
    return [float(s) for s in scores.detach().cpu()]

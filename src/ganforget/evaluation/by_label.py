"""Comparisons within a label, for images that are no random draw.

Images of one label may score higher or lower than others whether D has seen them or not. So each forget image is
compared with images of its own label: the covariate-adjusted area under the ROC curve (Janes and Pepe 2009).
"""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from ganforget.evaluation.auc import auc_deviation
from ganforget.shapes import LabelArray, PerImage, Scores

__all__ = ["LEAST_OF_LABEL", "auc_by_label", "known_labels", "label_pairs", "matched_by_label", "placements"]

LEAST_OF_LABEL = 8
"""Fewest images of a label that can stand for it; where there are fewer, those of all labels do."""


def known_labels(labels: np.ndarray) -> np.ndarray:
    """Return the labels, ascending, of which there are enough images to stand for them."""
    found, counts = np.unique(labels, return_counts=True)
    return found[counts >= LEAST_OF_LABEL]


def label_pairs(labels: np.ndarray, others: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield, for each of ``labels``, its positions there and among ``others``.

    Labels of which others are fewer than ``LEAST_OF_LABEL`` come last, together, with all the others.
    """
    known = known_labels(others)
    for label in np.intersect1d(labels, known):
        yield np.flatnonzero(labels == label), np.flatnonzero(others == label)
    alone = np.flatnonzero(~np.isin(labels, known))
    if len(alone):
        yield alone, np.arange(len(others))


def placements(scores: Scores, labels: LabelArray, others: np.ndarray, other_labels: np.ndarray) -> np.ndarray:
    """Return for each score the share, in [0, 1], of the other scores of its label that lie below it, ties half."""
    given, beside = (np.asarray(values, dtype=np.float64) for values in (scores, others))
    placed = np.empty(len(given))
    for rows, those in label_pairs(labels, other_labels):
        ordered = np.sort(beside[those])
        below, upto = (np.searchsorted(ordered, given[rows], side=side) for side in ("left", "right"))
        placed[rows] = (below + upto) / (2 * len(those))
    return placed


def auc_by_label(
    scores: Scores, labels: LabelArray, others: np.ndarray, other_labels: np.ndarray, *, copies: int = 1
) -> tuple[float, float]:
    """Return P(a > b) + ½ P(a = b), in [0, 1], for a score a and another one b of its label, and its standard error.

    Every score counts alike. ``copies`` of each image among the scores are no draws of their own.
    """
    area = float(placements(scores, labels, others, other_labels).mean())
    parts = [
        len(rows) * auc_deviation(area, max(len(rows) // copies, 1), len(those))
        for rows, those in label_pairs(labels, other_labels)
    ]
    return area, float(np.linalg.norm(parts)) / len(labels)


def matched_by_label(
    forget_scores: PerImage, labels: LabelArray, unseen_scores: Tensor, other_labels: np.ndarray
) -> PerImage:
    """Return a label for each forget image: a score among unseen images of its own label.

    The forget images are ranked by where they lie there (ties by where among their own), and the k-th of all n gets the
    quantile (k − ½)/n of its own label's unseen scores: so that many of a label, and single ones of many, lie as unseen
    images do.
    """
    own, others = (values.numpy().astype(np.float64) for values in (forget_scores, unseen_scores))
    among_unseen, among_own = placements(own, labels, others, other_labels), placements(own, labels, own, labels)
    ranks = np.lexsort((own, among_own, among_unseen)).argsort()
    quantiles, matched = (ranks + 0.5) / len(ranks), np.empty(len(own))
    for rows, those in label_pairs(labels, other_labels):
        matched[rows] = np.quantile(others[those], quantiles[rows], method="hazen")
    return torch.from_numpy(matched).to(forget_scores.dtype)

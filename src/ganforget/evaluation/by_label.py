"""Comparisons within a label, for images that are no random draw.

Images of one label may score higher or lower than others whether D has seen them or not. So each forget image is
compared with images of its own label: the covariate-adjusted area under the ROC curve (Janes and Pepe 2009).
"""

from collections.abc import Iterator

import numpy as np

from ganforget.evaluation.auc import auc_deviation
from ganforget.shapes import LabelArray, Scores

__all__ = ["auc_by_label", "label_pairs", "placements"]


def label_pairs(labels: np.ndarray, others: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield, for each of ``labels``, its positions there and among ``others``: all of these where none has it."""
    for label in np.unique(labels):
        found = np.flatnonzero(others == label)
        yield np.flatnonzero(labels == label), found if len(found) else np.arange(len(others))


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

"""A seeded, stratified split into training and holdout images that keeps the original order."""

import numpy as np

from ganforget.randomness import permutation

__all__ = ["stratified_split"]


def stratified_split(labels: np.ndarray, share: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return (training, holdout) positions, int64, each ascending; ``share`` of every label is held out.

    The count per label is rounded to the nearest whole image. One label for all gives a plain random split.
    """
    holdout = []
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        order = permutation(seed, f"holdout/{int(label)}", len(members))
        holdout.append(members[order[: round(share * len(members))]])
    held = np.sort(np.concatenate(holdout)) if holdout else np.zeros(0, np.int64)
    return np.setdiff1d(np.arange(len(labels)), held), held

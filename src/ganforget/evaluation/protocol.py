"""What is measured on which images: counts, seeds and groups, fixed before a run and recorded with it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ganforget.data.dataset import DataSplits, ImageDataset
from ganforget.errors import ForgetSetError, InputError
from ganforget.evaluation.by_label import known_labels
from ganforget.randomness import permutation

__all__ = ["EvaluationGroups", "EvaluationProtocol", "choose_groups", "mirrored"]


@dataclass(frozen=True)
class EvaluationProtocol:
    """How a GAN is measured: one protocol and data set give the same images, latents and labels."""

    extractor: str = "auto"
    """Features of the Fréchet distances: auto, classifier, efficientnet_lite0 or inception."""

    extractor_weights: Path | None = None
    """Local weights file of EfficientNet-Lite0 or of the 2015 Inception network."""

    classifier: Path | None = None
    """Classifier file for `acc` and the extractor classifier (default: the bundled one of the data set)."""

    seed: int = 0
    """Seed of latents, labels and the choice of real images."""

    distance_count: int = 5000
    """Most images on each side of a Fréchet distance; half of the retain set where that is fewer."""

    score_count: int = 2000
    """Most images of each group that D scores."""

    diversity_count: int = 500
    """Most samples of a class whose pairwise distances are taken."""

    def __post_init__(self) -> None:
        for name in ("distance_count", "score_count", "diversity_count"):
            if getattr(self, name) < 2:
                raise InputError(f"{name} is {getattr(self, name)}; expected at least 2.")


@dataclass(frozen=True, eq=False)
class EvaluationGroups:
    """Positions of the chosen images, int64, ascending: ``holdout`` in the holdout split, else training.

    ``distance`` and ``floor`` are disjoint halves of a seeded choice of retain images, equally many.
    ``retain`` are scored images that the cascade never saw, ``retain_seen`` those it saw. ``by_class`` is
    empty for items.
    """

    distance: np.ndarray
    floor: np.ndarray
    forget: np.ndarray
    retain: np.ndarray
    retain_seen: np.ndarray
    holdout: np.ndarray
    by_class: dict[int, np.ndarray]
    by_label: bool = False
    """Whether forget images are compared with others of their own labels, which ``retain`` and ``holdout`` then are."""

    def counts(self) -> dict[str, int]:
        """Return how many images each group holds; a forgotten class y stands as ``class_y``."""
        groups = {
            name: getattr(self, name) for name in ("distance", "floor", "forget", "retain", "retain_seen", "holdout")
        }
        groups |= {f"class_{label}": members for label, members in self.by_class.items()}
        return {name: len(members) for name, members in groups.items()}


def choose_groups(
    splits: DataSplits,
    protocol: EvaluationProtocol,
    *,
    forget: Sequence[int] | np.ndarray | None,
    classes: Sequence[int] = (),
    seen: Sequence[int] | np.ndarray = (),
    companions: Sequence[int] | np.ndarray = (),
    calibration: Sequence[int] | np.ndarray = (),
    by_label: bool = False,
) -> EvaluationGroups:
    """Choose the images to measure on; without a forget set (None) every training image is a retain image.

    ``forget``, ``seen`` (retain images the cascade sees; none for zero-shot) and ``companions`` (retain
    images that only accompany others in a batch of scores) are positions in the training split. For
    ``classes`` the holdout group has these labels; holdout images at ``calibration`` are left out of it. With
    ``by_label`` the scored retain and holdout images have labels of the forget images, where enough have. Raises
    ForgetSetError for an empty forget set, one that leaves fewer than four images, or positions outside the
    training split, and InputError where seen images or companions are forget images.
    """
    given = () if forget is None else forget
    forgotten, watched, beside = (_positions(v, len(splits.train)) for v in (given, seen, companions))
    retain = np.setdiff1d(np.arange(len(splits.train)), forgotten)
    if (forget is not None and len(forgotten) == 0) or len(retain) < 4:
        raise ForgetSetError(
            f"The forget set holds {len(forgotten)} of {len(splits.train)} training images; "
            "expected at least 1, and at least 4 left over."
        )
    if np.isin(np.concatenate([watched, beside]), forgotten).any():
        raise InputError("Some seen images or companions are in the forget set; they must be retain images.")
    sides = 2 if mirrored(splits) else 1
    images = len(splits.train) // sides  # image i, and with mirror images its other side images + i
    order = _draw(protocol, "retain/distance", retain[retain < images])
    order = np.stack([order + side * images for side in range(sides)], axis=1).ravel()
    order = order[np.isin(order, retain)]
    half = min(len(splits.train) // 2, len(retain) // 2, protocol.distance_count) // sides * sides
    unseen = _draw(protocol, "retain/scores", retain)
    unseen = unseen[~np.isin(unseen % images, np.concatenate([watched, beside]) % images)]
    alike = splits.train.labels[forgotten] if by_label and splits.train.labels is not None else None
    return EvaluationGroups(
        distance=np.sort(order[:half]),
        floor=np.sort(order[half : 2 * half]),
        forget=np.sort(_draw(protocol, "forget/scores", forgotten)[: protocol.score_count]),
        retain=np.sort(_of_labels(splits.train, unseen, alike)[: protocol.score_count]),
        retain_seen=np.sort(_draw(protocol, "seen/scores", watched)[: protocol.score_count]),
        holdout=_holdout(splits.holdout, classes, protocol, calibration, alike),
        by_class=_members(splits.train, forgotten, classes, protocol),
        by_label=alike is not None,
    )


def mirrored(splits: DataSplits) -> bool:
    """Whether the training images are doubled by their mirror images."""
    return bool(splits.record.get("mirror"))


def _holdout(
    holdout: ImageDataset,
    classes: Sequence[int],
    protocol: EvaluationProtocol,
    calibration: Sequence[int] | np.ndarray,
    alike: np.ndarray | None,
) -> np.ndarray:
    """All labels for items, or those ``alike``; the forgotten ones for a class (section 5.6)."""
    members = np.setdiff1d(np.arange(len(holdout)), np.asarray(calibration, np.int64))
    if classes and holdout.labels is not None:
        members = members[np.isin(holdout.labels[members], classes)]
    members = _of_labels(holdout, _draw(protocol, "holdout/scores", members), alike)
    return np.sort(members[: protocol.score_count])


def _of_labels(images: ImageDataset, members: np.ndarray, labels: np.ndarray | None) -> np.ndarray:
    """Return the members of these labels; all of them where too few of one of the labels are there to stand for it."""
    if labels is None or images.labels is None:
        return members
    own = images.labels[members]
    if not np.isin(labels, known_labels(own)).all():
        return members
    return members[np.isin(own, labels)]


def _members(
    train: ImageDataset, forgotten: np.ndarray, classes: Sequence[int], protocol: EvaluationProtocol
) -> dict[int, np.ndarray]:
    found = {}
    for label in sorted(set(classes)):
        if train.labels is None:
            raise InputError("The data set has no labels; a class cannot be measured, only single images.")
        members = forgotten[train.labels[forgotten] == label]
        if len(members) < 2:
            raise ForgetSetError(f"The forget set holds {len(members)} images of class {label}; expected at least 2.")
        found[label] = np.sort(_draw(protocol, f"class/{label}", members)[: protocol.distance_count])
    return found


def _draw(protocol: EvaluationProtocol, name: str, members: np.ndarray) -> np.ndarray:
    """Return ``members`` in the protocol's random order."""
    return members[permutation(protocol.seed, f"evaluation/{name}", len(members))]


def _positions(values: Iterable[int] | np.ndarray, count: int) -> np.ndarray:
    positions = np.unique(np.asarray(list(values), dtype=np.int64))
    if len(positions) and (positions[0] < 0 or positions[-1] >= count):
        raise ForgetSetError(
            f"Positions {positions[0]} to {positions[-1]} were given, but there are {count} training images."
        )
    return positions

"""What is audited: the three kinds of GAN, the images that attacks score, and what attackers hold."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ganforget.audit.knowledge import Budget, Knowledge, Targets
from ganforget.audit.neighbours import nearest_kept
from ganforget.data import DataSplits, ForgetSet, ImageDataset, image_hash
from ganforget.errors import InputError
from ganforget.evaluation.holdout_halves import split_holdout
from ganforget.models.gan import Gan
from ganforget.models.scoring import Companions, companion_count
from ganforget.randomness import permutation

__all__ = ["ORIGINAL", "UNLEARNED", "AuditImages", "AuditSubject", "audit_images", "retrained_role"]

ORIGINAL, UNLEARNED = "original", "unlearned"


def retrained_role(number: int) -> str:
    """Return the name under which a retrained GAN's scores are kept."""
    return f"retrained-{number}"


@dataclass(frozen=True, eq=False)
class AuditImages:
    """The images of an audit: forget images first among the targets, then those of the holdout's audit half."""

    targets: Targets
    members: int
    """How many of the targets are forget images."""
    few: np.ndarray
    """Positions of the forget images that the relearning attacker holds."""
    neighbours: Targets | None
    """The kept training images nearest to these few; None where they were not asked for."""
    population: Targets
    companions: Companions
    content: str
    """sha256 over all of them, in order."""

    @property
    def outside(self) -> int:
        """How many holdout images are scored."""
        return len(self.targets) - self.members


def audit_images(
    splits: DataSplits,
    forget: ForgetSet,
    gan: Gan,
    budget: Budget,
    *,
    seed: int,
    whole_holdout: bool = False,
    neighbours: bool = False,
) -> AuditImages:
    """Choose the images that attacks score, seeded; a class is compared with holdout images of its own.

    The calibration half gives companions and population; where the whole holdout is scored (nothing was calibrated on
    it), these images are still left out. Raises InputError where too few images are left.
    """
    holdout = splits.holdout
    calibration, audit = split_holdout(holdout, seed=0)
    calibration = calibration[permutation(seed, "audit/calibration", len(calibration))]
    beside = companion_count(gan.D)
    companions, population = calibration[:beside], calibration[beside : beside + budget.outside]
    if whole_holdout:
        population, more = population[: len(population) // 2], population[len(population) // 2 :]
        audit = np.concatenate([audit, more, calibration[beside + budget.outside :]])
    if forget.classes and holdout.labels is not None:
        audit = audit[np.isin(holdout.labels[audit], forget.classes)]
    if len(audit) < 2 or len(companions) < beside or len(population) < 2:
        raise InputError(
            f"The holdout set of {len(holdout)} images leaves {len(audit)} to audit and {len(population)} beside them; "
            "expected at least 2 of each. Use data with more holdout images, or name images that were never trained on "
            "with --holdout-path."
        )
    members = forget.unmirrored_dataset(splits.train)
    member_set = _chosen(members, budget.images, seed, "forget")
    outside_set = _chosen(holdout.subset(audit), budget.outside, seed, "holdout")
    few = permutation(seed, "audit/few", len(member_set))[: min(budget.relearning_images, len(member_set) // 2)]
    few, train = np.sort(few), splits.train
    near = nearest_kept(member_set.subset(few), train, forget.retain_indices(train), seed=seed) if neighbours else None
    parts = [member_set, outside_set, holdout.subset(population), holdout.subset(companions)]
    return AuditImages(
        _targets(member_set, outside_set),
        len(member_set),
        few,
        None if near is None else _targets(train.subset(near)),
        _targets(parts[2]),
        Companions(parts[3].tensor()),
        hashlib.sha256("".join(image_hash(image) for part in parts for image in part.images).encode()).hexdigest(),
    )


def _chosen(dataset: ImageDataset, most: int, seed: int, name: str) -> ImageDataset:
    return dataset.subset(np.sort(permutation(seed, f"audit/{name}", len(dataset))[:most]))


def _targets(*parts: ImageDataset) -> Targets:
    labels = [part.labels for part in parts]
    known = [label for label in labels if label is not None]
    images = np.concatenate([part.images for part in parts])
    return Targets(
        ImageDataset(images, None, 0, ("",) * len(images)).tensor(),
        np.concatenate(known) if len(known) == len(parts) else None,
    )


@dataclass(frozen=True, eq=False)
class AuditSubject:
    """Everything that attacks are run on."""

    unlearned: Gan
    original: Gan
    retrained: tuple[Gan, ...]
    images: AuditImages
    budget: Budget
    seed: int
    exchangeable: bool
    """Whether the forget set was drawn at random, so that holdout images stand for it."""

    @property
    def gans(self) -> dict[str, Gan]:
        """The GANs by role, the original first."""
        retrained = {retrained_role(number): gan for number, gan in enumerate(self.retrained)}
        return {ORIGINAL: self.original, UNLEARNED: self.unlearned, **retrained}

    def knowledge(self, gan: Gan, recall: Callable[[str, Gan], np.ndarray]) -> Knowledge:
        """Return what the attacker on ``gan`` holds: all retrained GANs but itself are references."""
        return Knowledge(
            self.images.companions,
            self.images.population,
            self.budget,
            self.seed,
            self.original,
            tuple(other for other in self.retrained if other is not gan),
            self.images.few,
            self.images.neighbours,
            recall,
        )

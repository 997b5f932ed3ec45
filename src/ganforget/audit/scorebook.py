"""Scores that are computed once: kept in the run folder, and those of other GANs than the unlearned in a cache too.

A score is kept under everything that it depends on: the attack and its budget, the images and their labels, the weights
and the configuration of every GAN that the attacker holds, and what it is computed on. A stopped audit goes on with the
attacks that are missing.
"""

import hashlib
import io
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ganforget.audit.attacks.registry import ATTACKS
from ganforget.audit.knowledge import Targets
from ganforget.audit.subject import ORIGINAL, UNLEARNED, AuditSubject
from ganforget.errors import NumericalError
from ganforget.files import make_folder, write_bytes
from ganforget.models.gan import Gan, configuration_hash, model_hash

__all__ = ["ScoreBook"]

VERSION = 3
"""To be raised when an attack changes, so that old scores are not taken for new ones."""


class ScoreBook:
    """Gives the scores of every attack on every GAN of a subject, from where they are kept or by running the attack."""

    def __init__(self, subject: AuditSubject, folder: Path, cache: Path | None) -> None:
        """Keep scores in ``folder``, and those of the original and of retrained GANs also in ``cache``."""
        self.subject, self.folder, self.cache = subject, folder, cache
        self._networks = {role: _network(gan) for role, gan in subject.gans.items()}
        images = subject.images
        lengths = [images.members, len(images.targets), len(images.population), len(images.companions.images)]
        self._images = [images.content, lengths, _labels(images.targets), _labels(images.population)]
        device = next(subject.unlearned.G.parameters()).device.type
        self._computed_on = [device, torch.__version__]
        self._roles = {id(gan): role for role, gan in subject.gans.items()}
        self.computed = 0
        """Attacks that had to be run."""

    def __contains__(self, asked: tuple[str, str]) -> bool:
        """Whether the scores of (attack, role) are kept."""
        return self._read(*asked) is not None

    def scores(self, attack: str, role: str) -> np.ndarray:
        """Return the scores of all targets, [N]; NumericalError where one is infinite, or NaN without a reason."""
        kept = self._read(attack, role)
        if kept is not None:
            return kept
        gan = self.subject.gans[role]
        found = ATTACKS[attack].score(gan, self.subject.images.targets, self.subject.knowledge(gan, self._recall))
        left_out = np.zeros(len(found), bool)
        left_out[self.subject.images.few] = attack == "relearning"
        if not np.isfinite(found[~left_out]).all():
            raise NumericalError(f"{ATTACKS[attack].title} gives scores that are not finite; a GAN has diverged.")
        self.computed += 1
        self._write(attack, role, found)
        return found

    def groups(self, attack: str, role: str) -> tuple[np.ndarray, np.ndarray]:
        """Return the scores of forget images and of holdout images, without those that the attack leaves out."""
        found, members = self.scores(attack, role), self.subject.images.members
        return tuple(part[~np.isnan(part)] for part in (found[:members], found[members:]))  # type: ignore[return-value]

    def _recall(self, attack: str, gan: Gan) -> np.ndarray:
        return self.scores(attack, self._roles[id(gan)])

    def _key(self, attack: str, role: str) -> str:
        subject = self.subject
        held: list[Any] = [self._networks[role]]
        if attack == "d_difference":
            held.append(self._networks[ORIGINAL])
        near = subject.images.neighbours
        if attack == "relearning_neighbours" and near is not None:
            held += [hashlib.sha256(near.images.numpy().tobytes()).hexdigest(), _labels(near)]
        if ATTACKS[attack].needs_references:
            held += [network for r, network in self._networks.items() if r.startswith("retrained") and r != role]
        parts = [VERSION, attack, asdict(subject.budget), subject.seed, self._images, held, self._computed_on]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]

    def _places(self, attack: str, role: str) -> list[Path]:
        name = f"{attack}-{self._key(attack, role)}.npy"
        cached = [self.cache / name] if self.cache is not None and role != UNLEARNED else []
        return [self.folder / name, *cached]

    def _read(self, attack: str, role: str) -> np.ndarray | None:
        for place in self._places(attack, role):
            try:
                found = np.load(place, allow_pickle=False)
            except (OSError, ValueError, EOFError):
                continue
            if found.shape == (len(self.subject.images.targets),) and found.dtype == np.float64:
                return found
        return None

    def _write(self, attack: str, role: str, found: np.ndarray) -> None:
        buffer = io.BytesIO()
        np.save(buffer, found, allow_pickle=False)
        for place in self._places(attack, role):
            make_folder(place.parent)
            write_bytes(place, buffer.getvalue())


def _network(gan: Gan) -> str:
    """Return a digest of a GAN's weights and of how they are used."""
    return hashlib.sha256(f"{model_hash(gan)}{configuration_hash(gan)}".encode()).hexdigest()


def _labels(images: Targets) -> list[int] | None:
    return None if images.labels is None else images.labels.tolist()

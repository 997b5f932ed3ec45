"""What an audit measures of a forgotten class besides scores of images: remains in the labels, and a search for it."""

from dataclasses import asdict
from typing import Any

import numpy as np

from ganforget.api.audit_task import AuditTask
from ganforget.audit.attacks.class_remains import class_remains
from ganforget.audit.attacks.latent_search import class_search
from ganforget.audit.knowledge import Targets
from ganforget.evaluation.reference import find_classifier
from ganforget.progress import Progress

__all__ = ["class_figures"]

_NEVER_KEPT = "class probes recall no attack"


def class_figures(task: AuditTask, progress: Progress) -> dict[str, Any] | None:
    """Return {class: {role: figures}}; None for items, and where nothing can read the class."""
    subject, splits = task.subject, task.splits
    if not task.forget.classes or not subject.original.G.c_dim:
        return None
    classifier = find_classifier(splits)
    if classifier is None:
        return None
    network = classifier.network.to(next(subject.original.G.parameters()).device)
    found: dict[str, Any] = {}
    for label in task.forget.classes:
        progress.stage(f"What is left of class {label}")
        assert splits.train.labels is not None
        members = np.flatnonzero(splits.train.labels == label)[:500]
        real = Targets(splits.train.tensor(members), None)
        by_role = {}
        for number, (role, gan) in enumerate(subject.gans.items()):
            progress.step(number, len(subject.gans), role)
            figures: dict[str, float] = class_remains(
                gan, subject.original, label, network, count=subject.budget.samples, seed=subject.seed
            )
            if not task.options.quick:
                search = class_search(gan, label, real, network, subject.knowledge(gan, _never))
                figures |= {f"search_{key}": value for key, value in asdict(search).items()}
            by_role[role] = figures
        found[str(label)] = by_role
    return found


def _never(*_: object) -> Any:
    raise AssertionError(_NEVER_KEPT)

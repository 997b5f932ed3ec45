"""Figure 2: how the original's discriminator scores training, test and generated images."""

from typing import Any

import numpy as np

from ganforget.api.model import load_model
from ganforget.api.task import load_training_data
from ganforget.devices import choose_device
from ganforget.evaluation.auc import auc
from ganforget.evaluation.evaluate import evaluate
from ganforget.evaluation.protocol import EvaluationProtocol
from ganforget.evaluation.reference import measure_reference
from ganforget.experiments.configuration import Configuration
from ganforget.models.scoring import Companions, companion_count, scores
from ganforget.options import Device
from ganforget.progress import Progress
from ganforget.randomness import permutation

__all__ = ["measure_original"]


def measure_original(configuration: Configuration, device: Device, progress: Progress) -> dict[str, Any]:
    """Return `auc_lt` (training against holdout images), `auc_lg` (training against generated), and the scores."""
    progress.stage("Measuring the original")
    where, target, seed = choose_device(device), configuration.target, configuration.seed
    gan = load_model(target.model).to(where)
    splits = load_training_data(target.spec, gan)
    members = permutation(seed, "companions", len(splits.train))[: companion_count(gan.D)]
    protocol = EvaluationProtocol(classifier=target.classifier, seed=seed)
    reference = measure_reference(splits, None, protocol, companions=members, device=where)
    companions = Companions(splits.train.tensor(members))
    found = evaluate(gan.G, lambda x, c: scores(gan.D, x, c, companions), reference)
    measures = found.measures | {"auc_lg": auc(np.array(found.scores["retain"]), np.array(found.scores["generated"]))}
    groups = {name: [round(value, 4) for value in values] for name, values in found.scores.items() if values}
    fd_name = None if reference.extractor is None else reference.extractor.title
    return {"results": {"before": measures, "fd_name": fd_name}, "scores": groups}

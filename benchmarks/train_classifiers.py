"""Train the bundled classifiers, and write their weights and what they measure on real images.

    python benchmarks/train_classifiers.py digits
    python benchmarks/train_classifiers.py mnist --data-path FOLDER

writes src/ganforget/assets/classifiers/<name>.safetensors (see --out). On one core of 2026 digits takes about
10 seconds, MNIST about 3 minutes. The record in the file's header holds the accuracy on holdout images (the
ceiling of `acc`), and for each class the Fréchet distance to its nearest other class: the class destination
on this extractor.
"""

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from ganforget.data.dataset import DataSplits
from ganforget.data.source import DataSpec, load_data
from ganforget.evaluation.class_stop import class_statistics, nearest_class
from ganforget.evaluation.features import load_extractor
from ganforget.models.classifier import (
    Classifier,
    ClassifierConfig,
    TrainedClassifier,
    classifier_accuracy,
    load_classifier,
    save_classifier,
)
from ganforget.models.classifier_training import TrainingPlan, train_classifier

RECIPES = {
    "digits": (ClassifierConfig(16, width=16, feature_dim=64), TrainingPlan(epochs=15, shift=1)),
    "mnist": (ClassifierConfig(32, width=16, feature_dim=128), TrainingPlan(epochs=4, batch=128, shift=2)),
}

ASSETS = Path(__file__).parent.parent / "src" / "ganforget" / "assets" / "classifiers"


def measure(network: Classifier, name: str, splits: DataSplits, plan: TrainingPlan) -> dict[str, Any]:
    """Return the record that is kept with the weights."""
    extractor = load_extractor("classifier", classifier=TrainedClassifier(network, name, {}))
    statistics = class_statistics(extractor, splits.train)
    nearest = {label: nearest_class(statistics, label) for label in statistics}
    return {
        "plan": asdict(plan),
        "torch": torch.__version__,
        "train_count": len(splits.train),
        "train_hash": splits.train.content_hash(),
        "holdout_count": len(splits.holdout),
        "holdout_hash": splits.holdout.content_hash(),
        "train_accuracy": classifier_accuracy(network, splits.train),
        "holdout_accuracy": classifier_accuracy(network, splits.holdout),
        "class_destinations": {str(label): distance for label, (distance, _) in nearest.items()},
        "nearest_classes": {str(label): other for label, (_, other) in nearest.items()},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=sorted(RECIPES))
    parser.add_argument("--data-path", type=Path, default=None, help="folder of MNIST's files")
    parser.add_argument("--out", type=Path, default=ASSETS, help="folder to write to")
    options = parser.parse_args()
    splits = load_data(DataSpec(options.name, options.data_path))
    config, plan = RECIPES[options.name]
    network = train_classifier(
        splits.train, config, plan, progress=lambda e, loss: print(f"epoch {e}: loss {loss:.4f}", flush=True)
    )
    record = measure(network, options.name, splits, plan)
    path = options.out / f"{options.name}.safetensors"
    save_classifier(path, TrainedClassifier(network, options.name, record))
    kept = classifier_accuracy(load_classifier(path).network, splits.holdout)
    print(f"{path}: {path.stat().st_size:,} bytes, holdout accuracy {kept:.4f}")
    print(
        {
            label: (round(float(d), 1), record["nearest_classes"][label])
            for label, d in record["class_destinations"].items()
        }
    )


if __name__ == "__main__":
    main()

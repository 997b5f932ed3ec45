"""Job 2: train the classifier that reads CIFAR-10 samples for ACC, on all training images, as the paper says.

Takes no --minutes: 8 epochs are a few minutes, and it writes at its end.

    python3 benchmarks/gpu/train_classifier.py --data-path /root/cifar10 --out $OUT
"""

import argparse
from dataclasses import asdict
from pathlib import Path

from clock import find_package

find_package()

from ganforget.data.source import DataSpec, load_data  # noqa: E402 (the source tree is found above)
from ganforget.devices import choose_device  # noqa: E402
from ganforget.evaluation.class_stop import class_statistics, nearest_class  # noqa: E402
from ganforget.evaluation.features import load_extractor  # noqa: E402
from ganforget.models.classifier import (  # noqa: E402
    ClassifierConfig,
    TrainedClassifier,
    classifier_accuracy,
    save_classifier,
)
from ganforget.models.classifier_training import TrainingPlan, train_classifier  # noqa: E402


def main() -> None:
    """Train, measure the class destinations on its features, and save both in one file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-path", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--width", type=int, default=48)
    given = parser.parse_args()
    splits = load_data(DataSpec("cifar10", given.data_path))
    plan = TrainingPlan(epochs=given.epochs, batch=128, shift=3)
    config = ClassifierConfig(32, channels=3, width=given.width, feature_dim=128)
    device, told = choose_device("auto"), lambda epoch, loss: print(epoch, round(loss, 4), flush=True)
    network = train_classifier(splits.train, config, plan, device=device, progress=told)
    network.to(device)
    extractor = load_extractor("classifier", classifier=TrainedClassifier(network, "cifar10", {}), device=device)
    statistics = class_statistics(extractor, splits.train)
    record = {
        "plan": asdict(plan),
        "train_accuracy": classifier_accuracy(network, splits.train),
        "holdout_accuracy": classifier_accuracy(network, splits.holdout),
        "class_destinations": {str(label): nearest_class(statistics, label)[0] for label in statistics},
    }
    given.out.mkdir(parents=True, exist_ok=True)
    network.to("cpu")
    save_classifier(given.out / "cifar10.safetensors", TrainedClassifier(network, "cifar10", record))
    print({key: record[key] for key in ("train_accuracy", "holdout_accuracy")})


if __name__ == "__main__":
    main()

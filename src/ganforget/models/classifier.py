"""The classifier that reads generated images: its network, its files, the bundled ones.

A small convolutional network. Its penultimate features serve the Fréchet distance, its labels `acc` and
`class_recall`.
"""

import json
import math
from dataclasses import asdict, dataclass
from importlib import resources
from pathlib import Path
from typing import Any, cast

import numpy as np
import safetensors.torch
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn
from torch.nn.utils import skip_init

from ganforget.data.dataset import ImageDataset
from ganforget.errors import InputError, ModelFileError
from ganforget.files import write_bytes

__all__ = [
    "BUNDLED_CLASSIFIERS",
    "Classifier",
    "ClassifierConfig",
    "TrainedClassifier",
    "bundled_classifier",
    "classifier_accuracy",
    "half_precision",
    "load_classifier",
    "predict_labels",
    "save_classifier",
]

BUNDLED_CLASSIFIERS = ("digits", "mnist")

_KIND = "ganforget-classifier"

_READ_BYTES = 2**30
"""Most bytes of images, as floats, that are read at a time."""


@dataclass(frozen=True)
class ClassifierConfig:
    """Shape of the network: it halves the image down to 4×4, doubling the channels each time."""

    resolution: int
    """Height and width of the images in pixels, 4 times a power of two."""

    channels: int = 1
    """Colour channels of the images."""

    num_classes: int = 10
    """Number of labels."""

    width: int = 16
    """Channels after the first convolution."""

    feature_dim: int = 64
    """Length of the penultimate features."""

    def __post_init__(self) -> None:
        halvings = math.log2(self.resolution / 4) if self.resolution > 4 else 0.0
        if halvings < 1 or not halvings.is_integer():
            raise InputError(f"resolution is {self.resolution}; expected 8, 16, 32 or another power of two above 4.")
        for name in ("channels", "num_classes", "width", "feature_dim"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} is {getattr(self, name)}; expected at least 1.")


@dataclass(frozen=True)
class TrainedClassifier:
    """A trained network, the name of the data set it reads, and the record of its training (JSON values)."""

    network: "Classifier"
    data: str
    record: dict[str, Any]

    @property
    def name(self) -> str:
        """How files and reports call it."""
        return f"{self.data}-classifier"


class Classifier(nn.Module):
    """Convolution, batch normalisation, ReLU and max-pooling down to 4×4, then two linear layers."""

    def __init__(self, config: ClassifierConfig) -> None:
        """Leave the weights unset: they come from `train_classifier` or from a file."""
        super().__init__()
        self.config = config
        layers: list[nn.Module] = []
        inside, outside = config.channels, config.width
        for _ in range(int(math.log2(config.resolution // 4))):
            layers += [
                skip_init(nn.Conv2d, inside, outside, 3, padding=1, bias=False),
                nn.BatchNorm2d(outside),
                nn.ReLU(),
                nn.MaxPool2d(2),
            ]
            inside, outside = outside, 2 * outside
        layers += [
            skip_init(nn.Conv2d, inside, inside, 3, padding=1, bias=False),
            nn.BatchNorm2d(inside),
            nn.ReLU(),
        ]
        self.trunk = nn.Sequential(*layers)
        self.embed = _linear(inside * 16, config.feature_dim)
        self.head = _linear(config.feature_dim, config.num_classes)

    def features(self, images: Tensor) -> Tensor:
        """Return the penultimate features [N, feature_dim], before ReLU, of images [N, C, H, W]."""
        expected = (self.config.channels, self.config.resolution, self.config.resolution)
        if images.ndim != 4 or tuple(images.shape[1:]) != expected:
            raise InputError(
                f"The classifier got images of shape {tuple(images.shape)}, expected [N, *{expected}]; "
                "use the classifier of this data set and resolution."
            )
        return self.embed(self.trunk(images).flatten(1))

    def forward(self, images: Tensor) -> Tensor:
        """Return logits [N, num_classes] of images [N, C, H, W] in [−1, 1]."""
        return self.head(torch.relu(self.features(images)))


@torch.inference_mode()
def predict_labels(network: Classifier, images: Tensor, *, batch: int = 256) -> Tensor:
    """Return the likeliest label, int64 [N], of each of the images [N, C, H, W] in [−1, 1]."""
    device = next(network.parameters()).device
    found = [network(part.to(device)).argmax(1).cpu() for part in images.split(batch)]
    return torch.cat(found) if found else torch.empty(0, dtype=torch.int64)


def classifier_accuracy(network: Classifier, dataset: ImageDataset) -> float:
    """Return the share, in [0, 1], of labelled images that are read as their label."""
    if dataset.labels is None or len(dataset) == 0:
        raise InputError(f"There are {len(dataset)} images, labels: {dataset.labels is not None}; both are needed.")
    parts = -(-4 * math.prod(dataset.images.shape) // _READ_BYTES)
    rows = np.array_split(np.arange(len(dataset)), parts)
    read = [predict_labels(network, dataset.tensor(part)) for part in rows if len(part)]
    return float((torch.cat(read).numpy() == dataset.labels).mean())


def save_classifier(path: Path, classifier: TrainedClassifier) -> None:
    """Write one safetensors file: half-precision weights; config, data and record as JSON in its header."""
    about = {
        "kind": _KIND,
        "data": classifier.data,
        "config": asdict(classifier.network.config),
        "record": classifier.record,
    }
    header = {"ganforget": json.dumps(about, allow_nan=False)}
    write_bytes(path, safetensors.torch.save(half_precision(classifier.network), metadata=header))


def load_classifier(path: Path) -> TrainedClassifier:
    """Read what `save_classifier` wrote; raises ModelFileError where it is missing or damaged."""
    if not path.is_file():
        raise ModelFileError(f"There is no classifier at {path}; check the path.")
    try:
        with safe_open(path, "pt") as file:
            about = json.loads((file.metadata() or {}).get("ganforget", "{}"))
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (not a dict)
    except (SafetensorError, json.JSONDecodeError, OSError) as error:
        raise ModelFileError(f"The classifier {path} is truncated or not a safetensors file ({error}).") from error
    if not isinstance(about, dict) or about.get("kind") != _KIND:
        raise ModelFileError(f"{path} is a safetensors file but not a classifier of ganforget; check the path.")
    try:
        network = Classifier(ClassifierConfig(**about["config"]))
        network.load_state_dict({k: v.float() if v.is_floating_point() else v for k, v in tensors.items()})
        data, record = about["data"], about["record"]
    except (KeyError, TypeError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise ModelFileError(f"The weights or the header of the classifier {path} do not fit ({reason}).") from error
    if not all(torch.isfinite(v).all() for v in network.state_dict().values()):
        raise ModelFileError(f"The classifier {path} holds weights that are not finite; it is damaged.")
    return TrainedClassifier(network.eval().requires_grad_(False), data, record)


def bundled_classifier(data: str) -> TrainedClassifier:
    """Return the bundled classifier of the data set ``data``; InputError for a data set that has none."""
    if data not in BUNDLED_CLASSIFIERS:
        raise InputError(
            f"There is no bundled classifier for {data}, only for {' and '.join(BUNDLED_CLASSIFIERS)}; "
            "train one with ganforget.models.classifier_training and give its file."
        )
    place = resources.files("ganforget") / "assets" / "classifiers" / f"{data}.safetensors"
    with resources.as_file(place) as path:
        return load_classifier(path)


def half_precision(network: Classifier) -> dict[str, Tensor]:
    """Return the weights as they are stored: in half precision, but for the running statistics of layers."""
    return {
        key: (value if "running" in key or not value.is_floating_point() else value.half()).contiguous().cpu()
        for key, value in network.state_dict().items()
    }


def _linear(inside: int, outside: int) -> nn.Linear:
    return cast(nn.Linear, skip_init(nn.Linear, inside, outside))

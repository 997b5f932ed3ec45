"""The classifier that reads generated images: its network, its training, its files, the bundled ones.

A small convolutional network. Its penultimate features serve the Fréchet distance, its labels `acc` and `class_recall`.
"""

import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn
from torch.nn.utils import skip_init

from ganforget.data.dataset import ImageDataset
from ganforget.errors import InputError, ModelFileError, NumericalError
from ganforget.files import write_bytes
from ganforget.randomness import permutation, stream

__all__ = [
    "BUNDLED_CLASSIFIERS",
    "Classifier",
    "ClassifierConfig",
    "TrainedClassifier",
    "TrainingPlan",
    "bundled_classifier",
    "classifier_accuracy",
    "load_classifier",
    "predict_labels",
    "save_classifier",
    "train_classifier",
]

BUNDLED_CLASSIFIERS = ("digits", "mnist")

_KIND = "ganforget-classifier"


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
class TrainingPlan:
    """How a classifier is trained: Adam, a rate that falls to zero along a cosine, random shifts."""

    epochs: int
    """Passes over the training images."""

    seed: int = 0
    """Seed of the weights, of the order and of the shifts."""

    batch: int = 64
    """Images a step."""

    rate: float = 2e-3
    """Learning rate of the first step."""

    shift: int = 1
    """Each image is moved by up to this many pixels along each axis, edges repeated."""


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
        layers += [skip_init(nn.Conv2d, inside, inside, 3, padding=1, bias=False), nn.BatchNorm2d(inside), nn.ReLU()]
        self.trunk = nn.Sequential(*layers)
        self.embed = skip_init(nn.Linear, inside * 16, config.feature_dim)
        self.head = skip_init(nn.Linear, config.feature_dim, config.num_classes)

    def features(self, images: Tensor) -> Tensor:
        """Return the penultimate features [N, feature_dim], before their ReLU, of images [N, C, H, W] in [−1, 1]."""
        expected = (self.config.channels, self.config.resolution, self.config.resolution)
        if images.ndim != 4 or tuple(images.shape[1:]) != expected:
            raise InputError(
                f"The classifier got images of shape {tuple(images.shape)}, expected [N, {', '.join(map(str, expected))}]; "
                "use the classifier of the same data set and resolution."
            )
        return self.embed(self.trunk(images).flatten(1))

    def forward(self, images: Tensor) -> Tensor:
        """Return logits [N, num_classes] of images [N, C, H, W] in [−1, 1]."""
        return self.head(torch.relu(self.features(images)))


def train_classifier(
    train: ImageDataset,
    config: ClassifierConfig,
    plan: TrainingPlan,
    *,
    progress: Callable[[int, float], None] | None = None,
) -> Classifier:
    """Train on all images of ``train``; the same arguments give the same weights on the same machine.

    The weights are those of `save_classifier`: rounded to half precision. ``progress`` gets (epoch, mean loss).
    Raises InputError where there are no labels, NumericalError where the loss is not finite.
    """
    if train.labels is None:
        raise InputError("The training images have no labels; a classifier needs one for each image.")
    network = Classifier(config)
    _initialise(network, plan.seed)
    targets = torch.from_numpy(train.labels)
    optimiser = torch.optim.Adam(network.parameters(), lr=plan.rate, weight_decay=1e-5)
    starts = range(0, len(train), plan.batch)
    total = plan.epochs * len(starts)
    for epoch in range(plan.epochs):
        order = permutation(plan.seed, f"classifier/order/{epoch}", len(train))
        losses = 0.0
        for number, start in enumerate(starts):
            step = epoch * len(starts) + number
            chosen = order[start : start + plan.batch]
            shifts = stream(plan.seed, "classifier/shift", step)
            optimiser.param_groups[0]["lr"] = plan.rate * 0.5 * (1 + math.cos(math.pi * step / total))
            loss = nn.functional.cross_entropy(
                network(shift_images(train.tensor(chosen), plan.shift, shifts)), targets[chosen]
            )
            if not torch.isfinite(loss):
                raise NumericalError(f"The classifier's loss became {loss.item()} at step {step}; lower the rate.")
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            losses += loss.item() * len(chosen)
        if progress is not None:
            progress(epoch, losses / len(train))
    network.load_state_dict({k: v.to(torch.float32) if v.is_floating_point() else v for k, v in _stored(network).items()})
    return network.eval().requires_grad_(False)


def shift_images(images: Tensor, limit: int, generator: torch.Generator) -> Tensor:
    """Move each of the images [N, C, H, W] by whole pixels in [−limit, limit] along both axes, edges repeated."""
    count, _, height, width = images.shape
    moves = torch.randint(-limit, limit + 1, (2, count, 1), generator=generator)
    rows = (torch.arange(height) + moves[0]).clamp(0, height - 1)  # [N, H]
    columns = (torch.arange(width) + moves[1]).clamp(0, width - 1)  # [N, W]
    picked = images[torch.arange(count)[:, None, None], :, rows[:, :, None], columns[:, None, :]]  # [N, H, W, C]
    return picked.permute(0, 3, 1, 2).contiguous()


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
    return float((predict_labels(network, dataset.tensor()).numpy() == dataset.labels).mean())


def save_classifier(path: Path, classifier: TrainedClassifier) -> None:
    """Write one safetensors file: weights in half precision, and config, data and record as JSON in its header."""
    about = {"kind": _KIND, "data": classifier.data, "config": asdict(classifier.network.config), "record": classifier.record}
    header = {"ganforget": json.dumps(about, allow_nan=False)}
    write_bytes(path, safetensors.torch.save(_stored(classifier.network), metadata=header))


def load_classifier(path: Path) -> TrainedClassifier:
    """Read what `save_classifier` wrote; raises ModelFileError for anything missing, damaged or of another kind."""
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
            "train one with ganforget.models.classifier and give its file."
        )
    place = resources.files("ganforget") / "assets" / "classifiers" / f"{data}.safetensors"
    with resources.as_file(place) as path:
        return load_classifier(path)


def _initialise(network: Classifier, seed: int) -> None:
    """He-normal weights and zero biases, one stream a layer."""
    for number, layer in enumerate(network.modules()):
        if isinstance(layer, nn.Conv2d | nn.Linear):
            generator = stream(seed, "classifier/weights", number)
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu", generator=generator)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


def _stored(network: Classifier) -> dict[str, Tensor]:
    """Half-precision weights; the running statistics of the normalisation stay in single precision."""
    return {
        key: (value if "running" in key or not value.is_floating_point() else value.half()).contiguous().cpu()
        for key, value in network.state_dict().items()
    }

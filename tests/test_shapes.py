"""Shapes that do not fit are refused under pytest, above all those that would broadcast in silence."""

import importlib
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from jaxtyping import TypeCheckError

from ganforget.evaluation.auc import auc
from ganforget.evaluation.by_label import placements
from ganforget.evaluation.frechet import FeatureStatistics
from ganforget.evaluation.measures import class_accuracy, class_diversity
from ganforget.evaluation.stop_rule import predicted_auc
from ganforget.evaluation.substitution import GeneratorCheck
from ganforget.inversion.invert import InversionConfig, invert, reconstruction_error
from ganforget.models.latents import LatentStatistics, map_latents
from ganforget.models.layers import FullyConnected, downsample, resample_filter
from ganforget.models.scoring import Companions, scores
from ganforget.substitute import nearest_other_class, truncation
from ganforget.training.losses import path_length_loss, path_lengths, r1_penalty
from ganforget.unlearning.losses import anchor_loss, distillation_loss, fake_label_loss
from shape_checks import CHECKED
from small_gan import randn, small_gan, some_labels

GAN = small_gan()
IMAGES, ONE_IMAGE = randn(4, 1, 8, 8, seed=1), randn(1, 1, 8, 8, seed=2)
COLUMN, ROW = randn(4, 1, seed=3), randn(4, seed=4)
WS, MEANS = randn(4, 4, 8, seed=5), randn(3, 8, seed=6)
CLASSES = torch.zeros(4, dtype=torch.int64)
NONE_FORBIDDEN = torch.zeros(3, dtype=torch.bool)
STATISTICS = LatentStatistics(MEANS, 1.0)
COMPANIONS = Companions(IMAGES)

LOSSES: dict[str, Callable[[], object]] = {
    "a column of logits": lambda: fake_label_loss(COLUMN, 0.1),
    "a column against a row": lambda: distillation_loss(COLUMN, ROW),
    "logits of other images": lambda: r1_penalty(ROW[:2], IMAGES),
    "noise for one image": lambda: path_lengths(IMAGES, WS, ONE_IMAGE),
    "a mean for each length": lambda: path_length_loss(ROW, ROW),
    "one original image": lambda: anchor_loss(IMAGES, ONE_IMAGE),
    "whole numbers": lambda: fake_label_loss(CLASSES, 0.1),
}
SUBSTITUTES: dict[str, Callable[[], object]] = {
    "one mean for all": lambda: truncation(WS, MEANS[:1], 0.5),
    "a mean for each layer": lambda: truncation(WS, MEANS[:, None], 0.5),
    "means one number wide": lambda: nearest_other_class(WS, MEANS[:, :1], CLASSES, NONE_FORBIDDEN),
    "a flag for all classes": lambda: nearest_other_class(WS, MEANS, CLASSES, NONE_FORBIDDEN[:1]),
    "means of no classes": lambda: LatentStatistics(MEANS[0], 1.0),
}
MEASURES: dict[str, Callable[[], object]] = {
    "a column of scores": lambda: auc(COLUMN, ROW),
    "labels that are one-hot": lambda: class_accuracy(np.eye(3, dtype=np.int64), np.eye(3, dtype=np.int64)),
    "labels of other scores": lambda: placements(ROW, np.zeros(3, np.int64), np.zeros(8), np.zeros(8, np.int64)),
    "images without channels to compare": lambda: class_diversity(IMAGES[:, 0]),
    "probes in a column": lambda: predicted_auc(ROW, ROW, COLUMN, ROW),
    "probes of another time": lambda: predicted_auc(ROW, ROW, ROW[:1], ROW),
    "features without images": lambda: FeatureStatistics.of(ROW),
    "a scatter that is no square": lambda: FeatureStatistics(3, np.zeros(2), np.zeros((2, 1))),
    "targets without channels": lambda: GeneratorCheck(IMAGES[:, 0], 1.0),
    "one target": lambda: reconstruction_error(IMAGES, ONE_IMAGE),
    "labels for other images": lambda: invert(GAN.G, IMAGES, np.zeros(3, np.int64), STATISTICS, InversionConfig()),
}
NETWORKS: dict[str, Callable[[], object]] = {
    "one label for all": lambda: GAN.D(IMAGES, some_labels(1)),
    "a label for D's head": lambda: GAN.D.head(*GAN.D.trunk(IMAGES), some_labels(1)),
    "images without channels": lambda: GAN.D.trunk(IMAGES[:, 0]),
    "latents with layers": lambda: GAN.G(WS, some_labels(4)),
    "latents without layers": lambda: GAN.G.synthesis(WS[:, 0]),
    "latents of one image to average": lambda: GAN.G.mapping.update_w_avg(WS[0]),
    "labels that are no whole numbers": lambda: map_latents(GAN.G, randn(4, 8), np.zeros(4)),
    "one label for all scores": lambda: scores(GAN.D, IMAGES, some_labels(1), COMPANIONS),
    "companions without channels": lambda: Companions(IMAGES[:, 0]),
}
LAYERS: dict[str, Callable[[], object]] = {
    "features in layers": lambda: FullyConnected(8, 2)(WS),
    "one image without a batch": lambda: downsample(IMAGES[0], resample_filter()),
    "a filter that is no square": lambda: downsample(IMAGES, resample_filter()[:2]),
}


CALLS = LOSSES | SUBSTITUTES | MEASURES | NETWORKS | LAYERS


@pytest.mark.usefixtures("checked_layers")
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())
def test_shapes_that_do_not_fit_are_refused(call: Callable[[], object]):
    with pytest.raises(TypeCheckError):
        call()


@pytest.mark.usefixtures("unchecked")
def test_some_of_them_would_broadcast_in_silence():
    ws = WS.clone().requires_grad_(True)
    assert path_lengths(GAN.G.synthesis(ws, noise_mode="const"), ws, ONE_IMAGE).shape == (4,)
    assert truncation(WS, MEANS[:1], 0.5).shape == WS.shape
    assert reconstruction_error(IMAGES, ONE_IMAGE).shape == (4,)
    assert GAN.D(IMAGES, some_labels(1)).shape == (4, 1)


def test_whatever_states_shapes_is_checked():
    source = Path(__file__).parents[1] / "src"
    names = {".".join(file.relative_to(source).with_suffix("").parts): file for file in source.rglob("*.py")}
    states = re.compile(r"^from (jaxtyping|ganforget\.shapes) import", re.MULTILINE)
    stating = {name for name, file in names.items() if states.search(file.read_text(encoding="utf-8"))}
    assert stating - {"ganforget.shapes"} == set(CHECKED)


@pytest.mark.parametrize("name", CHECKED)
def test_the_checks_come_before_the_first_import(name: str):
    assert "jaxtyping" in vars(importlib.import_module(name)), "the hook imports it, the module itself does not"

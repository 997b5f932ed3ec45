"""The stop rule's cheap look at `fd_u`: close to the full one, and blind to retain images."""

import numpy as np
import pytest
import torch

from evaluation_gans import AlbumGenerator
from ganforget.data.dataset import ImageDataset
from ganforget.data.source import DataSpec, load_data
from ganforget.evaluation.class_stop import (
    ClassStopCheck,
    class_stop_check,
    generated_destination,
    recorded_destination,
)
from ganforget.evaluation.features import Extractor, load_extractor
from ganforget.models.classifier import bundled_classifier

CLASSIFIER = bundled_classifier("digits")
EXTRACTOR = load_extractor("classifier", classifier=CLASSIFIER)
DESTINATIONS = {label: EXTRACTOR.destinations[label] for label in range(10)}


@pytest.fixture(scope="module")
def train() -> ImageDataset:
    return load_data(DataSpec("digits")).train


def check_of(train: ImageDataset, *classes: int, count: int = 256) -> ClassStopCheck:
    assert train.labels is not None
    places = np.flatnonzero(np.isin(train.labels, classes))
    images, labels = torch.from_numpy(train.images[places]), train.labels[places]
    return class_stop_check(EXTRACTOR, images, labels, seed=0, count=count, classifier=CLASSIFIER)


def test_the_check_tells_an_intact_class_from_a_replaced_one(train: ImageDataset):
    check = check_of(train, 7)
    intact, replaced = AlbumGenerator.of(train), AlbumGenerator.of(train, reads={7: 3})
    assert check(intact) < 0.1 * DESTINATIONS[7]
    assert check(replaced) == pytest.approx(DESTINATIONS[7], rel=0.05)
    assert check(replaced) == check(replaced)
    assert (check.estimate(intact).recall, check.estimate(replaced).recall) == (1, 0)
    assert check.estimate(replaced).fd_u == check(replaced)


def test_the_check_costs_its_count_of_samples(train: ImageDataset):
    G = AlbumGenerator.of(train)
    check_of(train, 7, count=64).estimate(G)
    assert [call["count"] for call in G.asked] == [64]


def test_of_several_classes_the_least_forgotten_one_counts(train: ImageDataset):
    check = check_of(train, 1, 7)
    assert set(check.references) == {1, 7}
    half = check.estimate(AlbumGenerator.of(train, reads={7: 3}))
    both = check.estimate(AlbumGenerator.of(train, reads={7: 3, 1: 8}))
    assert (half.recall, both.recall) == (1, 0)
    assert half.fd_u < 0.1 * min(DESTINATIONS[1], DESTINATIONS[7]) < both.fd_u


def test_without_a_classifier_there_is_no_recall(train: ImageDataset):
    check = class_stop_check(EXTRACTOR, torch.from_numpy(train.images[:9]), np.full(9, 7), seed=0, count=8)
    assert check.estimate(AlbumGenerator.of(train)).recall is None


def test_a_destination_from_the_original_generator_alone(train: ImageDataset):
    found = generated_destination(AlbumGenerator.of(train), check_of(train, 7))
    assert found == pytest.approx(DESTINATIONS[7], rel=0.05)


def test_recorded_destinations():
    assert recorded_destination(EXTRACTOR, (7,)) == DESTINATIONS[7]
    assert recorded_destination(EXTRACTOR, (5, 7)) == max(DESTINATIONS[5], DESTINATIONS[7])
    assert recorded_destination(EXTRACTOR, (7, 10)) is None
    assert recorded_destination(EXTRACTOR, ()) is None
    assert recorded_destination(Extractor("none", lambda images: images), (7,)) is None

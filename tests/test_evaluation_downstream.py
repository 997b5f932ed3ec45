"""The downstream accuracy of generators whose images are known."""

from dataclasses import replace

import numpy as np
import pytest

from evaluation_gans import AlbumGenerator
from ganforget.data.dataset import DataSplits
from ganforget.data.forget_set import forget_at
from ganforget.data.source import DataSpec, load_data
from ganforget.evaluation.downstream import downstream_accuracy
from ganforget.evaluation.reference import Reference, measure_reference
from ganforget.models.classifier import TrainedClassifier


@pytest.fixture(scope="module")
def splits() -> DataSplits:
    return load_data(DataSpec("digits"))


def quick(reference: Reference) -> Reference:
    """Train for three epochs in place of fifteen."""
    assert reference.classifier is not None
    kept = reference.classifier
    record = kept.record | {"plan": kept.record["plan"] | {"epochs": 3}}
    return replace(reference, classifier=TrainedClassifier(kept.network, kept.data, record))


def test_real_images_teach_and_images_under_a_wrong_label_mislead(splits: DataSplits):
    reference = quick(measure_reference(splits, None))
    true = downstream_accuracy(AlbumGenerator.of(splits.train), reference)
    wrong = downstream_accuracy(AlbumGenerator.of(splits.train, reads={7: 3, 3: 7}), reference)
    assert true is not None
    assert wrong is not None
    assert true > 0.9
    assert wrong == pytest.approx(true - 0.2, abs=0.06)  # two of ten classes are read as each other
    assert downstream_accuracy(AlbumGenerator.of(splits.train), reference) == true  # nothing is left to chance


def test_a_forgotten_class_is_in_neither_set(splits: DataSplits):
    assert splits.train.labels is not None
    places = np.flatnonzero(splits.train.labels == 7)
    forget = forget_at(splits.train, places, task="class", data="digits", classes=(7,), selection={"class": 7})
    found = downstream_accuracy(AlbumGenerator.of(splits.train, reads={7: 3}), quick(measure_reference(splits, forget)))
    assert found is not None
    assert found > 0.9  # were sevens asked for, a tenth would be misread


def test_without_labels_there_is_none(splits: DataSplits):
    reference = quick(measure_reference(splits, None))
    images = splits.train.tensor()
    assert downstream_accuracy(AlbumGenerator([images], conditional=False), reference) is None
    assert downstream_accuracy(AlbumGenerator.of(splits.train), replace(reference, classifier=None)) is None

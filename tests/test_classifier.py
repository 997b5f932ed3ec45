"""The classifier: training, files, and the bundled ones against real images."""

from dataclasses import replace
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch

from ganforget.data.dataset import ImageDataset
from ganforget.data.source import DataSpec, load_data
from ganforget.errors import InputError, ModelFileError, NumericalError
from ganforget.models import classifier as reading
from ganforget.models.classifier import (
    BUNDLED_CLASSIFIERS,
    Classifier,
    ClassifierConfig,
    TrainedClassifier,
    bundled_classifier,
    classifier_accuracy,
    load_classifier,
    predict_labels,
    save_classifier,
)
from ganforget.models.classifier_training import TrainingPlan, shift_images, train_classifier
from ganforget.randomness import stream

MNIST = Path(__file__).parents[2] / "shared" / "data" / "mnist"

SMALL = ClassifierConfig(8, channels=1, num_classes=2, width=4, feature_dim=5)


def bars(count: int = 64) -> ImageDataset:
    """Noisy vertical (0) and horizontal (1) bars, 8×8."""
    generator = np.random.default_rng(0)
    labels = np.arange(count) % 2
    images = generator.integers(0, 60, (count, 1, 8, 8))
    images[labels == 0, :, :, 3:5] += 180
    images[labels == 1, :, 3:5, :] += 180
    return ImageDataset(images.astype(np.uint8), labels, 2, tuple(f"{i}" for i in range(count)))


@pytest.fixture(scope="module")
def trained() -> TrainedClassifier:
    network = train_classifier(bars(), SMALL, TrainingPlan(epochs=10, batch=16))
    return TrainedClassifier(network, "bars", {"seed": 0, "holdout_accuracy": 1.0})


def test_training_learns_and_tells_its_progress(monkeypatch: pytest.MonkeyPatch):
    told: list[tuple[int, float]] = []
    network = train_classifier(
        bars(), SMALL, TrainingPlan(20, batch=16, rate=5e-3), progress=lambda *it: told.append(it)
    )
    assert classifier_accuracy(network, bars()) == 1
    seen: list[int] = []
    network.trunk.register_forward_hook(lambda _m, inputs, _o: seen.append(len(inputs[0])))
    monkeypatch.setattr(reading, "_READ_BYTES", 4 * bars().images[0].size * 10)
    assert classifier_accuracy(network, bars()) == 1  # a few at a time
    assert max(seen) <= 10
    assert sum(seen) == len(bars())
    assert [epoch for epoch, _ in told] == list(range(20))
    assert told[-1][1] < 0.5 * told[0][1]


def test_training_repeats_exactly_and_leaves_the_global_stream_alone(trained: TrainedClassifier):
    state = torch.get_rng_state()
    again = train_classifier(bars(), SMALL, TrainingPlan(epochs=10, batch=16)).state_dict()
    other = train_classifier(bars(), SMALL, TrainingPlan(epochs=10, batch=16, seed=1)).state_dict()
    assert torch.equal(torch.get_rng_state(), state)
    first = trained.network.state_dict()
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert not torch.equal(first["embed.weight"], other["embed.weight"])


def test_training_refuses_missing_labels_and_divergence():
    with pytest.raises(InputError, match="no labels"):
        train_classifier(replace(bars(), labels=None), SMALL, TrainingPlan(1))
    with pytest.raises(NumericalError, match="lower the rate"):
        train_classifier(bars(), SMALL, TrainingPlan(20, batch=16, rate=1e30))


def test_a_file_gives_back_the_very_same_network(trained: TrainedClassifier, tmp_path: Path):
    save_classifier(tmp_path / "c.safetensors", trained)
    found = load_classifier(tmp_path / "c.safetensors")
    images = bars().tensor()
    assert torch.equal(found.network(images), trained.network(images))
    assert (found.data, found.record, found.name) == ("bars", trained.record, "bars-classifier")
    assert found.network.config == SMALL
    assert not found.network.training
    assert [p.name for p in tmp_path.iterdir()] == ["c.safetensors"]


def test_features_are_what_the_logits_are_made_of(trained: TrainedClassifier):
    images = bars().tensor()
    features = trained.network.features(images)
    assert features.shape == (64, SMALL.feature_dim)
    assert torch.equal(trained.network.head(features.relu()), trained.network(images))
    assert torch.equal(predict_labels(trained.network, images, batch=7), trained.network(images).argmax(1))


def test_shifts_move_pixels_and_repeat_edges():
    image = torch.arange(9.0).view(1, 1, 3, 3)
    expected = {
        (dy, dx): image[0, 0][(torch.arange(3) + dy).clamp(0, 2)][:, (torch.arange(3) + dx).clamp(0, 2)]
        for dy in (-1, 0, 1)
        for dx in (-1, 0, 1)
    }
    moved = shift_images(image.repeat(200, 1, 1, 1), 1, stream(0, "test"))[:, 0]
    found = {at for at, wanted in expected.items() for part in moved if torch.equal(part, wanted)}
    assert found == set(expected)
    assert all(any(torch.equal(part, wanted) for wanted in expected.values()) for part in moved)
    assert torch.equal(shift_images(image, 0, stream(0, "test")), image)


def test_shifts_keep_channels_together():
    images = torch.randn(5, 3, 8, 8, generator=stream(0, "images"))
    images[:, 1] = images[:, 0]
    moved = shift_images(images, 2, stream(1, "test"))
    assert moved.shape == images.shape
    assert torch.equal(moved[:, 0], moved[:, 1])
    assert not torch.equal(moved[:, 0], moved[:, 2])


@pytest.mark.parametrize("resolution", [4, 12, 31, 0])
def test_impossible_resolutions_are_named(resolution: int):
    with pytest.raises(InputError, match=f"resolution is {resolution}"):
        ClassifierConfig(resolution)


def test_colour_and_larger_images_fit():
    network = Classifier(ClassifierConfig(32, channels=3, num_classes=10, width=2, feature_dim=7)).eval()
    for parameter in network.parameters():
        torch.nn.init.constant_(parameter, 0.1)
    assert network.features(torch.zeros(2, 3, 32, 32)).shape == (2, 7)


def test_images_of_another_shape_are_refused(trained: TrainedClassifier):
    with pytest.raises(InputError, match=r"\(1, 1, 16, 16\), expected \[N, \*\(1, 8, 8\)\]"):
        trained.network(torch.zeros(1, 1, 16, 16))


def test_bad_files_are_named(trained: TrainedClassifier, tmp_path: Path):
    path = tmp_path / "c.safetensors"
    with pytest.raises(ModelFileError, match="There is no classifier"):
        load_classifier(path)
    save_classifier(path, trained)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ModelFileError, match="truncated"):
        load_classifier(path)
    safetensors.torch.save_file({"x": torch.zeros(1)}, path)
    with pytest.raises(ModelFileError, match="not a classifier"):
        load_classifier(path)
    path.write_bytes(whole.replace(b'\\"feature_dim\\": 5', b'\\"feature_dim\\": 6'))
    with pytest.raises(ModelFileError, match="do not fit"):
        load_classifier(path)


def test_broken_weights_are_refused(tmp_path: Path):
    network = train_classifier(bars(), SMALL, TrainingPlan(epochs=1))
    with torch.no_grad():
        network.head.bias.fill_(float("nan"))
    save_classifier(tmp_path / "c.safetensors", TrainedClassifier(network, "bars", {}))
    with pytest.raises(ModelFileError, match="not finite"):
        load_classifier(tmp_path / "c.safetensors")


def test_bundled_digits_reads_holdout_images_as_recorded():
    classifier, splits = bundled_classifier("digits"), load_data(DataSpec("digits"))
    accuracy = classifier_accuracy(classifier.network, splits.holdout)
    assert accuracy >= 0.97
    assert accuracy == pytest.approx(classifier.record["holdout_accuracy"], abs=0.003)
    assert classifier.record["train_hash"] == splits.train.content_hash()
    assert classifier.record["holdout_hash"] == splits.holdout.content_hash()
    assert classifier.network.config.feature_dim == 64


@pytest.mark.skipif(not MNIST.is_dir(), reason="MNIST's files are not there")
def test_bundled_mnist_reads_holdout_images_as_recorded():
    classifier, splits = bundled_classifier("mnist"), load_data(DataSpec("mnist", MNIST))
    accuracy = classifier_accuracy(classifier.network, splits.holdout)
    assert accuracy >= 0.99
    assert accuracy == pytest.approx(classifier.record["holdout_accuracy"], abs=0.001)
    assert classifier.record["train_hash"] == splits.train.content_hash()
    assert classifier.network.config.feature_dim == 128


def test_bundled_files_are_small_and_complete():
    folder = resources.files("ganforget") / "assets" / "classifiers"
    sizes = {Path(file.name).stem: len(file.read_bytes()) for file in folder.iterdir()}
    assert set(sizes) == set(BUNDLED_CLASSIFIERS)
    assert sum(sizes.values()) < 1_500_000
    for name in BUNDLED_CLASSIFIERS:
        destinations = bundled_classifier(name).record["class_destinations"]
        assert set(destinations) == {str(label) for label in range(10)}
        assert min(destinations.values()) > 100


def test_other_data_sets_have_no_bundled_classifier():
    with pytest.raises(InputError, match="no bundled classifier for cifar10, only for digits and mnist"):
        bundled_classifier("cifar10")

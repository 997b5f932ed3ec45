"""The measures of GANs whose behaviour is known, on the real digits with the bundled classifier."""

import json
import logging
import weakref
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from evaluation_gans import AlbumGenerator
from ganforget.data.dataset import DataSplits
from ganforget.data.forget_set import ForgetSet, forget_at
from ganforget.data.source import DataSpec, load_data
from ganforget.errors import ForgetSetError, InputError, NumericalError
from ganforget.evaluation import samples
from ganforget.evaluation.class_stop import class_statistics, nearest_class
from ganforget.evaluation.evaluate import evaluate, measure_generator, measure_scores, spread
from ganforget.evaluation.features import load_extractor
from ganforget.evaluation.frechet import frechet_distance
from ganforget.evaluation.protocol import EvaluationProtocol
from ganforget.evaluation.reference import Reference, find_classifier, measure_reference
from ganforget.models.classifier import bundled_classifier
from ganforget.models.stylegan2 import Generator


@pytest.fixture(scope="module")
def splits() -> DataSplits:
    return load_data(DataSpec("digits"))


def items(splits: DataSplits, count: int = 64) -> ForgetSet:
    return forget_at(splits.train, range(count), data="digits", selection={})


def sevens(splits: DataSplits) -> ForgetSet:
    assert splits.train.labels is not None
    places = np.flatnonzero(splits.train.labels == 7)
    return forget_at(splits.train, places, task="class", data="digits", classes=(7,), selection={"class": 7})


@pytest.fixture(scope="module")
def of_items(splits: DataSplits) -> Reference:
    return measure_reference(splits, items(splits), seen=range(100, 164), companions=(164, 165, 166))


@pytest.fixture(scope="module")
def of_sevens(splits: DataSplits) -> Reference:
    return measure_reference(splits, sevens(splits))


def brightness(images: Tensor, c: Tensor | None) -> Tensor:
    """A stand-in score."""
    return images.mean((1, 2, 3))


def test_reference_of_items(of_items: Reference, splits: DataSplits):
    assert of_items.extractor is not None
    assert of_items.floor is not None
    assert of_items.extractor.name == "digits-classifier"
    assert of_items.acc_real == pytest.approx(bundled_classifier("digits").record["holdout_accuracy"], abs=0.003)
    assert (of_items.class_destination, of_items.class_recall_real) == (None, None)
    assert len(of_items.groups.distance) == (len(splits.train) - 64) // 2
    assert 0.5 < of_items.floor < 10
    record = json.loads(json.dumps(of_items.record(), allow_nan=False))
    assert record["counts"]["distance"] == len(of_items.groups.distance)
    assert (record["extractor"], record["distance"]) == ("digits-classifier", "FD (digits-classifier)")


def test_the_floor_hardly_depends_on_the_seed_and_falls_with_the_count(of_items: Reference, splits: DataSplits):
    other = measure_reference(splits, items(splits), EvaluationProtocol(seed=1))
    fewer = measure_reference(splits, items(splits), EvaluationProtocol(distance_count=100))
    assert of_items.floor is not None
    assert fewer.floor is not None
    assert other.floor == pytest.approx(of_items.floor, rel=0.3)
    assert fewer.floor > 2 * of_items.floor


def test_a_perfect_generator_is_at_the_floor(of_items: Reference, splits: DataSplits):
    found = evaluate(AlbumGenerator.of(splits.train), brightness, of_items)
    measures = found.measures
    assert list(measures) == ["auc_lu", "auc_lu_seen", "auc_ut", "auc_ut_error", "fd_l", "fd_floor", "acc", "acc_real"]
    assert measures["acc"] == 1
    assert measures["fd_l"] == pytest.approx(of_items.floor, abs=of_items.floor)
    assert {name: len(values) for name, values in found.scores.items()} == {
        "retain": len(splits.train) - 64 - 64 - 3,
        "retain_seen": 64,
        "forget": 64,
        "holdout": len(splits.holdout),
        "generated": len(of_items.groups.distance),
    }
    json.dumps([found.measures, found.scores], allow_nan=False)


def test_a_worse_generator_is_further_away(of_items: Reference, splits: DataSplits):
    good = measure_generator(AlbumGenerator.of(splits.train), of_items)
    noisy = replace(splits.train, images=np.maximum(splits.train.images, 60))
    grey = measure_generator(AlbumGenerator.of(noisy), of_items)
    mixed = measure_generator(AlbumGenerator.of(splits.train, reads={y: (y + 1) % 10 for y in range(10)}), of_items)
    assert good["fd_l"] is not None
    assert grey["fd_l"] is not None
    assert grey["fd_l"] > 3 * good["fd_l"]
    assert mixed["acc"] == 0
    assert mixed["fd_l"] == pytest.approx(good["fd_l"], abs=5)  # the same digits under other labels


def test_scores_reach_the_right_groups_with_their_labels(of_items: Reference, splits: DataSplits):
    train, holdout = splits.train, splits.holdout
    known = {image.tobytes(): 3.0 for image in train.images[164:]} | {i.tobytes(): 3.0 for i in train.images[64:100]}
    known |= {image.tobytes(): 2.0 for image in train.images[:64]}
    known |= {image.tobytes(): 1.0 for image in train.images[100:164]}
    known |= {image.tobytes(): 4.0 for image in holdout.images}

    def score(images: Tensor, c: Tensor | None) -> Tensor:
        assert c is not None
        assert c.shape == (len(images), 10)
        bytes_of = ((images + 1) * 127.5).round().to(torch.uint8).numpy()
        return torch.tensor([known[image.tobytes()] for image in bytes_of])

    measures, scores = measure_scores(score, of_items, conditional=True)
    assert {name: set(values) for name, values in scores.items()} == {
        "retain": {3.0},
        "retain_seen": {1.0},
        "forget": {2.0},
        "holdout": {4.0},
    }
    assert measures == {"auc_lu": 1.0, "auc_lu_seen": 0.0, "auc_ut": 0.0, "auc_ut_error": 0.0}


def test_by_label_a_score_that_knows_labels_alone_tells_nothing(splits: DataSplits):
    assert splits.train.labels is not None
    eights = np.flatnonzero(splits.train.labels == 8)[:40]
    forget = forget_at(splits.train, eights, data="digits", selection={})

    def eight(images: Tensor, c: Tensor | None) -> Tensor:
        assert c is not None
        return c[:, 8] + 1e-3 * images.mean((1, 2, 3))

    others = np.setdiff1d(np.arange(300), eights)
    seen, companions = others[:64], others[64:67]
    plain, within = (
        measure_reference(splits, forget, seen=seen, companions=companions, by_label=by) for by in (False, True)
    )
    assert (plain.record()["by_label"], within.record()["by_label"]) == (False, True)
    found = measure_scores(eight, plain, conditional=True)[0]
    assert found["auc_ut"] > 0.9  # type: ignore[operator]
    assert found["auc_lu"] < 0.1  # type: ignore[operator]
    measures, scores = measure_scores(eight, within, conditional=True)
    assert list(measures) == list(found)
    assert measures["auc_ut"] == pytest.approx(0.5, abs=2 * measures["auc_ut_error"])  # type: ignore[operator]
    assert measures["auc_lu"] == pytest.approx(0.5, abs=0.12)
    assert len(scores["holdout"]) == int((splits.holdout.labels == 8).sum())


def test_zero_shot_has_no_seen_images_and_says_so(splits: DataSplits):
    reference = measure_reference(splits, items(splits))
    measures, scores = measure_scores(brightness, reference, conditional=False)
    assert measures["auc_lu_seen"] is None
    assert scores["retain_seen"] == []
    assert measures["auc_lu"] is not None


def test_a_generator_without_labels(of_items: Reference, of_sevens: Reference, splits: DataSplits):
    def score(images: Tensor, c: Tensor | None) -> Tensor:
        assert c is None
        return images.mean((1, 2, 3))

    G = AlbumGenerator([splits.train.tensor()], conditional=False)
    measures = evaluate(G, score, of_items).measures
    assert measures["acc"] is None
    assert measures["fd_l"] == pytest.approx(of_items.floor, abs=of_items.floor)
    with pytest.raises(InputError, match="takes no labels"):
        evaluate(G, score, of_sevens)


def test_an_intact_class_and_a_forgotten_one(of_sevens: Reference, splits: DataSplits):
    before = measure_generator(AlbumGenerator.of(splits.train), of_sevens)
    threes = measure_generator(AlbumGenerator.of(splits.train, reads={7: 3}), of_sevens)
    destination = of_sevens.class_destination
    assert destination is not None
    assert before["class_recall"] == 1
    assert before["fd_u"] is not None
    assert before["fd_u"] < 0.1 * destination
    # The nearest class in place of the sevens: about the destination, which is the distance between the two.
    assert threes["class_recall"] == 0
    assert threes["fd_u"] == pytest.approx(destination, rel=0.05)
    # Nothing else has changed, and nothing else of the measures sees a seven.
    assert threes["fd_l"] == before["fd_l"]
    assert threes["acc"] == before["acc"] == 1
    assert of_sevens.class_recall_real is not None
    assert of_sevens.class_recall_real > 0.9


def test_one_average_image_has_no_diversity(of_sevens: Reference, splits: DataSplits):
    whole = AlbumGenerator.of(splits.train)
    average = AlbumGenerator([*whole.album[:7], whole.album[7].mean(0, keepdim=True), *whole.album[8:]])
    before, after = measure_generator(whole, of_sevens), measure_generator(average, of_sevens)
    assert before["class_diversity"] is not None
    assert 0.2 < before["class_diversity"] < 1
    assert after["class_diversity"] == 0


def test_samples_of_a_class_pass_by_in_parts(of_sevens: Reference, splits: DataSplits, monkeypatch: pytest.MonkeyPatch):
    """Of a big generator no more than one part of them is alive, and the measures stay what they are."""
    whole = measure_generator(AlbumGenerator.of(splits.train), of_sevens)
    sizes, made, most_alive = [], [], 0
    generate = samples.generate

    def watched(*arguments: Any, **options: Any) -> Tensor:
        nonlocal most_alive
        found = generate(*arguments, **options)
        if "class/" in options["name"]:
            sizes.append(len(found))
            made.append(weakref.ref(found))
            most_alive = max(most_alive, sum(len(part) for one in made if (part := one()) is not None))
        return found

    monkeypatch.setattr(samples, "generate", watched)
    monkeypatch.setattr(samples, "inference_batch", lambda _G, _most: 4)
    in_parts = measure_generator(AlbumGenerator.of(splits.train), of_sevens)
    assert sum(sizes) == sum(real.count for real in of_sevens.class_statistics.values()) > 100
    assert max(sizes) == 16
    assert most_alive == 32  # the one that has been measured, and the one that has just been made
    assert in_parts == {name: pytest.approx(value, rel=1e-5) for name, value in whole.items()}


def test_of_several_classes_the_least_forgotten_one_counts(splits: DataSplits):
    assert splits.train.labels is not None
    places = np.flatnonzero(np.isin(splits.train.labels, (1, 7)))
    forget = forget_at(splits.train, places, task="class", data="digits", classes=(1, 7), selection={})
    reference = measure_reference(splits, forget)
    half = measure_generator(AlbumGenerator.of(splits.train, reads={7: 3}), reference)
    both = measure_generator(AlbumGenerator.of(splits.train, reads={7: 3, 1: 0}), reference)
    assert (half["class_recall"], both["class_recall"]) == (1, 0)
    assert half["fd_u"] is not None
    assert both["fd_u"] is not None
    assert reference.class_destination is not None
    assert half["fd_u"] < 0.1 * reference.class_destination < both["fd_u"]


def test_destination_is_the_recorded_one_or_measured_on_real_classes(of_sevens: Reference, splits: DataSplits):
    assert of_sevens.extractor is not None
    statistics = class_statistics(of_sevens.extractor, splits.train)
    measured, nearest = nearest_class(statistics, 7)
    assert of_sevens.class_destination == pytest.approx(measured, rel=1e-3)
    assert measured == min(frechet_distance(statistics[7], statistics[y]) for y in range(10) if y != 7)
    assert nearest != 7
    with pytest.raises(InputError, match="Class 11 and another"):
        nearest_class(statistics, 11)


def test_everything_repeats_and_other_generations_differ(of_items: Reference, splits: DataSplits):
    G = AlbumGenerator.of(splits.train)
    first, again = measure_generator(G, of_items), measure_generator(G, of_items)
    other = measure_generator(G, of_items, generation=1)
    assert first == again
    assert other["fd_l"] != first["fd_l"]
    assert other["fd_floor"] == first["fd_floor"]
    found = spread(G, of_items, (0, 1))["fd_l"]
    assert first["fd_l"] is not None
    assert other["fd_l"] is not None
    assert (found["min"], found["max"]) == tuple(sorted((first["fd_l"], other["fd_l"])))
    assert found["mean"] == pytest.approx((first["fd_l"] + other["fd_l"]) / 2)
    assert found["std"] == pytest.approx(abs(first["fd_l"] - other["fd_l"]) / 2**0.5)
    with pytest.raises(InputError, match="No generation"):
        spread(G, of_items, ())


def test_no_classifier_no_accuracy_but_a_word_in_the_log(splits: DataSplits, caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.WARNING):
        assert find_classifier(replace(splits, name="own")) is None
    assert "There is no classifier for own" in caplog.text
    small = replace(splits, train=replace(splits.train, images=splits.train.images[:, :, :8, :8]))
    with pytest.raises(InputError, match="16 pixels and 10 labels; the data have 1, 8 and 10"):
        find_classifier(small)


def test_an_extractor_without_a_recorded_destination_measures_it(splits: DataSplits, of_sevens: Reference):
    bare = replace(bundled_classifier("digits"), record={})
    extractor = load_extractor("classifier", classifier=bare)
    assert extractor.destinations == {}
    measured = nearest_class(class_statistics(extractor, splits.train), 7)[0]
    assert measured == pytest.approx(of_sevens.class_destination, rel=1e-3)


def test_broken_networks_and_unknown_members_are_refused(of_items: Reference, splits: DataSplits):
    album = AlbumGenerator.of(splits.train).album
    broken = AlbumGenerator([*album[:9], album[9] * float("nan")])
    with pytest.raises(NumericalError, match="the generator has diverged"):
        measure_generator(broken, of_items)
    with pytest.raises(NumericalError, match="not finite"):
        measure_scores(lambda images, c: images.mean((1, 2, 3)) / 0 * 0, of_items, conditional=False)
    with pytest.raises(InputError, match=r"\(\d+, 1\); expected \[N\]"):
        measure_scores(lambda images, c: images.mean((2, 3)), of_items, conditional=False)
    with pytest.raises(InputError, match="takes 9 labels and the data have 10"):
        measure_generator(AlbumGenerator(album[:9]), of_items)
    with pytest.raises(ForgetSetError, match="unverified"):
        measure_reference(splits, replace(items(splits), indices=None))


def test_caps_hold_for_scores_and_distances(splits: DataSplits):
    protocol = EvaluationProtocol(distance_count=100, score_count=50, diversity_count=20)
    reference = measure_reference(splits, sevens(splits), protocol)
    G = AlbumGenerator.of(splits.train)
    found = evaluate(G, brightness, reference)
    sizes = {name: len(values) for name, values in found.scores.items()}
    assert sizes == {"retain": 50, "retain_seen": 0, "forget": 50, "holdout": 36, "generated": 50}
    assert sum(int(str(call["count"])) for call in G.asked) == 100 + 100


def test_a_real_network_is_measured_as_well(splits: DataSplits):
    G = Generator(8, 10, 8, 16, 1, {"num_layers": 1}, {"channel_base": 128, "channel_max": 8}).eval()
    protocol = EvaluationProtocol(distance_count=20, score_count=20, diversity_count=5)
    reference = measure_reference(splits, sevens(splits), protocol)
    first, again = evaluate(G, brightness, reference), evaluate(G, brightness, reference)
    assert first == again
    assert set(first.measures) >= {"fd_u", "class_recall", "class_diversity"}
    assert all(value is not None for key, value in first.measures.items() if key != "auc_lu_seen")

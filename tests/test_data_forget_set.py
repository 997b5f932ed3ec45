"""Forget sets: every way to choose one, what is saved, and what is refused."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganforget.data import (
    DataSpec,
    ForgetSet,
    ImageDataset,
    forget_classes,
    forget_from,
    forget_indices,
    forget_names,
    forget_random,
    image_hash,
    is_random_draw,
    load_data,
)
from ganforget.errors import ForgetSetError, InputError


def dataset(count: int = 30, classes: int = 3, seed: int = 0) -> ImageDataset:
    images = np.random.default_rng(seed).integers(0, 256, (count, 1, 8, 8), dtype=np.uint8)
    labels = np.arange(count, dtype=np.int64) % classes
    return ImageDataset(images, labels, classes, tuple(f"toy/{i:03d}.png" for i in range(count)))


@pytest.fixture
def train() -> ImageDataset:
    return dataset()


def test_a_class(train):
    chosen = forget_classes(train, 1, data="toy")
    assert (chosen.task, chosen.classes, chosen.data) == ("class", (1,), "toy")
    assert chosen.indices == tuple(range(1, 30, 3))
    assert set(chosen.labels or ()) == {1}
    assert chosen.selection == {"classes": [1]}
    assert chosen.hashes == tuple(image_hash(train.images[i]) for i in range(1, 30, 3))


def test_several_classes(train):
    chosen = forget_classes(train, [2, 0, 2])
    assert chosen.classes == (0, 2)
    assert chosen.indices == tuple(i for i in range(30) if i % 3 != 1)


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        (3, "no training image of class 3; they have 0, 1, 2"),
        (-1, "of class -1"),
        ([0, 9], "of class 9"),
        ([], "empty"),
        ([0, 1, 2], "whole training set"),
    ],
)
def test_classes_that_cannot_be_forgotten(train, classes, message):
    with pytest.raises(ForgetSetError, match=message):
        forget_classes(train, classes)


def test_a_class_of_data_without_labels(train):
    with pytest.raises(ForgetSetError, match="no labels"):
        forget_classes(replace(train, labels=None, num_classes=0), 0)


@given(st.integers(1, 28), st.integers(0, 5))
def test_random_sets_are_prefixes_of_one_permutation(count, seed):
    train = dataset()
    small, large = forget_random(train, count, seed=seed), forget_random(train, count + 1, seed=seed)
    assert len(set(small.indices or ())) == count
    assert set(small.indices or ()) < set(large.indices or ())
    assert small.selection == {"random": count, "seed": seed}


def test_a_random_draw_is_known_by_drawing_it_again(train):
    drawn = forget_random(train, 5, seed=3)
    assert is_random_draw(drawn, train)
    claimed = replace(forget_indices(train, [0, 1, 2, 3, 4]), selection=drawn.selection)
    assert not is_random_draw(claimed, train)
    assert not is_random_draw(replace(drawn, selection={"random": 5}), train)
    assert not is_random_draw(forget_indices(train, list(drawn.indices or ())), train)


def test_random_sets_depend_on_the_seed_alone(train):
    assert forget_random(train, 5, seed=1) == forget_random(train, 5, seed=1)
    assert forget_random(train, 5, seed=1).indices != forget_random(train, 5, seed=2).indices


@pytest.mark.parametrize("count", [0, -3, 30, 31])
def test_random_counts_out_of_range(train, count):
    with pytest.raises(ForgetSetError, match=f"^{count} random images .* expected 1 to 29"):
        forget_random(train, count)


def test_indices_are_put_in_order_with_their_own_hashes(train):
    chosen = forget_indices(train, [9, 2, 20])
    assert chosen.indices == (2, 9, 20)
    assert chosen.hashes[1] == image_hash(train.images[9])
    assert chosen.labels == (2, 0, 2)
    assert chosen.task == "item"


@pytest.mark.parametrize(
    ("indices", "message"),
    [
        ([0, 30, 31], "no training image 30, 31; expected 0 to 29"),
        ([-1], "no training image -1"),
        ([4, 5, 4], "more than once: 4"),
        ([], "empty"),
        (range(30), "whole training set"),
    ],
)
def test_wrong_indices(train, indices, message):
    with pytest.raises(ForgetSetError, match=message):
        forget_indices(train, indices)


def test_names(train):
    assert forget_names(train, ["toy/007.png", "toy/003.png"]).indices == (3, 7)


def test_unknown_names_are_listed_with_the_closest(train):
    with pytest.raises(ForgetSetError, match=r"^2 of 3 names .* toy/07\.png, x\. Did you mean toy/0.7\.png\?"):
        forget_names(train, ["toy/07.png", "toy/001.png", "x"])


def test_repeated_names(train):
    with pytest.raises(ForgetSetError, match=r"more than once: toy/001\.png"):
        forget_names(train, ["toy/001.png", "toy/001.png"])


def test_retain_and_dataset(train):
    chosen = forget_indices(train, [0, 5])
    assert chosen.retain_indices(train).tolist() == [i for i in range(30) if i not in (0, 5)]
    assert np.array_equal(chosen.dataset(train).images, train.images[[0, 5]])
    assert len(chosen) == 2
    assert chosen.verified
    with pytest.raises(ForgetSetError, match="training data are needed"):
        chosen.dataset(None)


@pytest.mark.parametrize("choose", [lambda train: forget_classes(train, [0, 2]), lambda train: forget_random(train, 4)])
def test_what_is_saved_comes_back(train, tmp_path, choose):
    chosen = choose(train)
    chosen.save(tmp_path / "forget_set.json")
    assert ForgetSet.load(tmp_path / "forget_set.json", train) == chosen
    assert forget_from(tmp_path / "forget_set.json", train) == chosen


def test_a_set_without_labels_comes_back(train, tmp_path):
    train = replace(train, labels=None, num_classes=0)
    chosen = forget_random(train, 4)
    assert chosen.labels is None
    chosen.save(tmp_path / "forget_set.json")
    assert ForgetSet.load(tmp_path / "forget_set.json", train) == chosen


def test_the_file_holds_no_pixels(train, tmp_path):
    forget_random(train, 4).save(tmp_path / "f.json")
    content = json.loads((tmp_path / "f.json").read_text())
    expected = "schema_version task data indices hashes labels classes selection"
    assert list(content) == expected.split()
    assert len((tmp_path / "f.json").read_bytes()) < 1000


def test_other_data_are_refused(train, tmp_path):
    forget_indices(train, [1, 2, 29], data="toy").save(tmp_path / "f.json")
    with pytest.raises(ForgetSetError, match=r"other data \('toy'\): 3 of its 3 images"):
        ForgetSet.load(tmp_path / "f.json", dataset(seed=1))
    with pytest.raises(ForgetSetError, match=r"1 of its 3 images are not at their positions here \(29\)"):
        ForgetSet.load(tmp_path / "f.json", train.subset(range(25)))
    with pytest.raises(ForgetSetError, match="training data are needed"):
        ForgetSet.load(tmp_path / "f.json", None)


def test_other_labels_are_refused(train, tmp_path):
    forget_indices(train, [1, 2]).save(tmp_path / "f.json")
    assert train.labels is not None
    with pytest.raises(ForgetSetError, match="other labels"):
        ForgetSet.load(tmp_path / "f.json", replace(train, labels=train.labels[::-1]))


def test_a_class_must_be_whole_in_the_data_at_hand(train, tmp_path):
    forget_classes(train.subset(range(20)), 1).save(tmp_path / "f.json")
    with pytest.raises(ForgetSetError, match="not the whole of class 1"):
        ForgetSet.load(tmp_path / "f.json", train)


def test_a_saved_set_that_is_everything_here(train, tmp_path):
    forget_indices(train, range(10)).save(tmp_path / "f.json")
    with pytest.raises(ForgetSetError, match="whole training set"):
        ForgetSet.load(tmp_path / "f.json", train.subset(range(10)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema_version": 2}, "schema version 2, this ganforget reads 1"),
        ({"task": "everything"}, "task missing or of another form"),
        ({"indices": "all"}, "indices missing"),
        ({"indices": [1.0, 2.0]}, "indices missing"),
        ({"indices": [True, False]}, "indices missing"),
        ({"indices": [-1, 2]}, "indices missing"),
        ({"indices": [2, 1]}, "do not belong together"),
        ({"indices": [1, 1]}, "do not belong together"),
        ({"indices": [1]}, "do not belong together"),
        ({"labels": [1]}, "do not belong together"),
        ({"hashes": [1, 2]}, "hashes missing"),
        ({"classes": None, "data": 3}, "data, classes missing"),
        ({"indices": [], "hashes": [], "labels": []}, "empty"),
        ({"indices": None, "selection": {}}, "'folder' is missing"),
    ],
)
def test_damaged_files_are_refused(train, tmp_path, change, message):
    path = tmp_path / "f.json"
    forget_indices(train, [1, 2]).save(path)
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(ForgetSetError, match=message):
        ForgetSet.load(path, train)


@pytest.mark.parametrize("text", ["", "{", "[1, 2]", '{"labels": []}', "\0"])
def test_files_that_are_no_forget_sets(train, tmp_path, text):
    (tmp_path / "f.json").write_text(text)
    with pytest.raises(InputError, match=r"f\.json is not"):
        ForgetSet.load(tmp_path / "f.json", train)


def test_a_list_of_indices_or_names(train, tmp_path):
    path = tmp_path / "list.txt"
    path.write_text("# requests of May\n12\n\n 3 \n", encoding="utf-8-sig")
    assert forget_from(path, train).indices == (3, 12)
    path.write_text("toy/003.png\r\ntoy/012.png\r\n")
    assert forget_from(path, train, data="toy").indices == (3, 12)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"# nothing\n", "is empty"),
        (b"\xff\xfe\x00", "cannot be read as text"),
        (b"3\ntoy/003.png\n", "not in the training set of images: 3"),
        (b"99\n", "no training image 99"),
        (b"3\n3\n", "more than once: 3"),
    ],
)
def test_wrong_lists(train, tmp_path, content, message):
    (tmp_path / "list.txt").write_bytes(content)
    with pytest.raises(ForgetSetError, match=message):
        forget_from(tmp_path / "list.txt", train)


def test_files_of_another_kind(train, tmp_path):
    (tmp_path / "list.csv").write_text("1")
    (tmp_path / "list.txt").write_text("1")
    with pytest.raises(ForgetSetError, match=r"list\.csv is no forget set: expected a \.json"):
        forget_from(tmp_path / "list.csv", train)
    with pytest.raises(ForgetSetError, match="There is no file or folder"):
        forget_from(tmp_path / "nothing", train)
    with pytest.raises(ForgetSetError, match="training data are needed"):
        forget_from(tmp_path / "list.txt", None)


def test_a_set_of_64_digits_never_changes():
    digits = load_data(DataSpec("digits")).train
    assert (forget_random(digits, 64).indices or ())[:5] == (14, 55, 59, 64, 82)


def test_a_failed_save_leaves_the_old_file(train, tmp_path: Path):
    path = tmp_path / "f.json"
    forget_indices(train, [1]).save(path)
    before = path.read_bytes()
    with pytest.raises(TypeError):
        replace(forget_indices(train, [2]), selection={"wrong": object()}).save(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]

"""Folders and ZIPs of images: order, labels, splits, and every way in which they can be wrong."""

import io
import json
import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganforget.data import DataSpec, class_counts, load_data, survey_cache
from ganforget.data import archive as archive_module
from ganforget.data.image_files import survey_images
from ganforget.errors import DataError


def encoded(pixels: np.ndarray, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format=kind, **options)
    return buffer.getvalue()


def picture(number: int, side: int = 8, *, colour: bool = False) -> np.ndarray:
    shape = (side, side, 3) if colour else (side, side)
    return np.random.default_rng(number).integers(0, 256, shape, dtype=np.uint8)


def some_files(count: int = 40, *, labels: bool = True, **options: bool) -> dict[str, bytes]:
    """Files in two sub-folders, in an order that is not that of the names, with labels 0, 1, 2, 3 in turn."""
    files = {f"{n // 20:05d}/img{n:08d}.png": encoded(picture(n, **options)) for n in reversed(range(count))}
    if labels:
        pairs = [[f"{n // 20:05d}/img{n:08d}.png", n % 4] for n in range(count)]
        files["dataset.json"] = json.dumps({"labels": pairs}).encode()
    return files


def labels_of(name: str, label: int) -> bytes:
    return json.dumps({"labels": [[name, label]]}).encode()


def write_folder(root: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
    return root


def write_zip(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def load(path: Path, holdout: Path | None = None):
    return load_data(DataSpec(str(path), holdout_path=holdout, hold_out=holdout is None))


@pytest.fixture(params=["folder", "zip"])
def write(request, tmp_path):
    """A function that writes files as a folder or as a ZIP named faces, and returns its path."""
    if request.param == "zip":
        return lambda files: write_zip(tmp_path / "faces.zip", files)
    return lambda files: write_folder(tmp_path / "faces", files)


def test_order_labels_and_split(write):
    splits = load(write(some_files()))
    train, holdout = splits.train, splits.holdout
    assert splits.name == "faces"
    assert (len(train), len(holdout), train.num_classes) == (36, 4, 4)
    assert list(train.names) == sorted(train.names)
    assert class_counts(holdout) == {0: 1, 1: 1, 2: 1, 3: 1}
    for split in (train, holdout):
        assert split.labels is not None
        for image, label, name in zip(split.images, split.labels, split.names, strict=True):
            number = int(name[-12:-4])
            assert np.array_equal(image[0], picture(number))
            assert label == number % 4
    assert splits.record["split"] == "stratified, 10% holdout"
    assert splits.record["split_seed"] == 0


def test_a_folder_and_a_zip_of_it_are_the_same_data(tmp_path):
    files = some_files()
    first, second = load(write_folder(tmp_path / "a", files)), load(write_zip(tmp_path / "b.zip", files))
    assert first.train.content_hash() == second.train.content_hash()
    assert first.train.names == second.train.names


def test_colour_planes_stand_in_order(write):
    splits = load(write(some_files(colour=True)))
    number = int(splits.train.names[0][-12:-4])
    assert np.array_equal(splits.train.images[0], picture(number, colour=True).transpose(2, 0, 1))


@pytest.mark.parametrize("text", [None, b'{"labels": null}'])
def test_without_labels(write, text):
    files = some_files(labels=False) | ({"dataset.json": text} if text else {})
    splits = load(write(files))
    assert splits.train.labels is None
    assert (splits.train.num_classes, len(splits.train), len(splits.holdout)) == (0, 36, 4)


def test_kinds_of_files(write):
    files = {f"{n:02}.png": encoded(picture(n, colour=True)) for n in range(20)}
    files["a.webp"] = encoded(picture(98, colour=True), "WEBP", lossless=True)
    files["b.JPG"] = encoded(picture(99, colour=True), "JPEG")
    files |= {"notes.txt": b"no image", ".hidden.png": b"", "__MACOSX/00.png": b"", ".git/x.png": b""}
    splits = load(write(files))
    expected = {f"{n:02}.png" for n in range(20)} | {"a.webp", "b.JPG"}
    assert set(splits.train.names + splits.holdout.names) == expected


def test_a_file_that_changes_while_it_is_looked_at_is_looked_at_again(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(survey_cache, "LEAST", 1)
    root = write_folder(tmp_path / "data", some_files(labels=False))
    first = sorted(root.rglob("*.png"))[0]

    def change(done: int, _: int) -> None:
        if done == 2:
            first.write_bytes(encoded(picture(99)))

    survey_images(root, change)
    again = survey_images(root)
    assert again.images is not None
    assert np.array_equal(np.asarray(again.images[[0]])[0].squeeze(), picture(99).squeeze())


def test_a_holdout_of_its_own(write, tmp_path):
    files = {"x.png": encoded(picture(7)), "dataset.json": labels_of("x.png", 2)}
    other = write_folder(tmp_path / "holdout", files)
    splits = load(write(some_files()), other)
    assert (len(splits.train), splits.holdout.names, splits.holdout.num_classes) == (40, ("x.png",), 4)
    assert str(other) in str(splits.record["split"])


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"x.png": encoded(picture(7, 16)), "dataset.json": labels_of("x.png", 2)}, "1x16x16.* 1x8x8"),
        ({"x.png": encoded(picture(7)), "dataset.json": labels_of("x.png", 4)}, "5 classes.* 4"),
        ({"x.png": encoded(picture(7))}, "labels for both or for neither"),
    ],
)
def test_a_holdout_that_does_not_fit(tmp_path, files, message):
    main = write_folder(tmp_path / "faces", some_files())
    with pytest.raises(DataError, match=message):
        load(main, write_folder(tmp_path / "holdout", files))


def test_all_problems_come_in_one_message(write):
    files = some_files(labels=False) | {
        "a.png": encoded(picture(1, 8)[:, :7]),
        "b.png": encoded(picture(1, 16)),
        "c.png": encoded(picture(1, colour=True)),
        "d.png": b"\x89PNG nothing",
        "e.png": encoded(picture(1))[:-30],
        "f.png": encoded(np.zeros((8, 8, 4), np.uint8)),
        "g.png": encoded(np.zeros((8, 8), bool)),
        "h.png": b"",
    }
    with pytest.raises(DataError) as error:
        load(write(files))
    message = str(error.value)
    assert message.startswith("8 of the images")
    expected = ["a.png (7x8", "b.png (16x16 grey, most are 8x8 grey)", "c.png (8x8 RGB, most are 8x8 grey)"]
    expected += ["d.png (not an image", "e.png (", "f.png (mode RGBA", "g.png (mode 1", "h.png (not an image"]
    assert [part for part in expected if part not in message] == []


def test_ten_problems_are_named_and_the_rest_counted(write):
    with pytest.raises(DataError, match=r"^25 of the images .* and 15 more; expected") as error:
        load(write({f"{n:02}.png": b"" for n in range(25)}))
    assert str(error.value).count(".png (") == 10


def test_an_animated_image_is_refused(write):
    frames = [Image.fromarray(picture(n, colour=True)) for n in range(2)]
    buffer = io.BytesIO()
    frames[0].save(buffer, format="WEBP", save_all=True, append_images=frames[1:], lossless=True)
    with pytest.raises(DataError, match=r"moving\.webp \(animated\)"):
        load(write(some_files(colour=True, labels=False) | {"moving.webp": buffer.getvalue()}))


@pytest.mark.parametrize(("side", "reason"), [(2048, "2048x2048, expected .* at most 1024"), (50_000, "Image size")])
def test_an_enormous_image_is_refused_before_it_is_decoded(write, side, reason):
    png = encoded(picture(0))
    header = struct.pack(">II", side, side)
    header += struct.pack(">5B", 8, 0, 0, 0, 0)
    header += struct.pack(">I", zlib.crc32(b"IHDR" + header))
    with pytest.raises(DataError, match=rf"bomb\.png \({reason}"):
        load(write({"bomb.png": png[:16] + header + png[33:]}))


@pytest.mark.parametrize("side", [4, 12])
def test_a_size_that_no_discriminator_takes(write, side: int):
    with pytest.raises(DataError, match=f"are {side}x{side}; expected a power of two, 8 or more"):
        load(write({f"{n}.png": encoded(picture(n, side)) for n in range(3)}))


def test_the_resolution_of_the_model_and_of_the_images_are_both_named(write):
    with pytest.raises(DataError, match="8x8, expected 32x32"):
        load_data(DataSpec(str(write(some_files()))), resolution=32)


def test_no_images_at_all(write):
    with pytest.raises(DataError, match="holds no images"):
        load(write({"readme.txt": b"x"}))


def test_too_few_for_a_holdout(write):
    with pytest.raises(DataError, match="too few to hold out 10%"):
        load(write({f"{n}.png": encoded(picture(n)) for n in range(3)}))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"{", "not of the form"),
        (b"[]", "not of the form"),
        (b"{}", "not of the form"),
        (b"\xff\xfe", "not of the form"),
        (b'{"labels": [["x.png"]]}', "not of the form"),
        (b'{"labels": 3}', "not of the form"),
        (b'{"labels": [["00000/img00000000.png", -1]]}', "no classes.*img00000000.png: -1"),
        (b'{"labels": [["00000/img00000000.png", 1.5]]}', "no classes"),
        (b'{"labels": [["00000/img00000000.png", [0, 1]]]}', "no classes"),
        (b'{"labels": [["00000/img00000000.png", true]]}', "no classes"),
        (b'{"labels": [["00000/img00000000.png", 0], ["00000/img00000000.png", 1]]}', "more than once"),
        (b'{"labels": [["00000/img00000000.png", 0], ["x.png", 1]]}', r"40 names: .*00001\.png \(no label\)"),
    ],
)
def test_wrong_label_files(write, text, message):
    with pytest.raises(DataError, match=message):
        load(write(some_files() | {"dataset.json": text}))


def test_a_label_for_an_image_that_is_not_there(write):
    files = some_files()
    del files["00001/img00000033.png"]
    with pytest.raises(DataError, match=r"1 names: 00001/img00000033\.png \(no such image\)"):
        load(write(files))


@pytest.mark.parametrize("name", ["/etc/x.png", "../x.png", "a/../../x.png", "C:/x.png", "a\\..\\x.png"])
def test_path_traps_in_a_zip_are_refused(tmp_path, name):
    path = write_zip(tmp_path / "trap.zip", some_files() | {name: encoded(picture(0))})
    with pytest.raises(DataError, match="unsafe path"):
        load(path)


def test_a_zip_that_holds_a_name_twice(tmp_path):
    path = write_zip(tmp_path / "twice.zip", some_files())
    with pytest.warns(UserWarning, match="Duplicate name"), zipfile.ZipFile(path, "a") as archive:
        archive.writestr("00000/img00000003.png", encoded(picture(0)))
    with pytest.raises(DataError, match=r"more than once: 00000/img00000003\.png"):
        load(path)


def test_a_truncated_zip(tmp_path):
    path = write_zip(tmp_path / "cut.zip", some_files())
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(DataError, match="not a readable ZIP"):
        load(path)


def test_a_zip_with_a_damaged_entry_names_it(tmp_path):
    path = write_zip(tmp_path / "damaged.zip", some_files(labels=False))
    data = bytearray(path.read_bytes())
    at = data.index(b"00001/img00000022.png") + 60
    data[at] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(DataError, match=r"1 of the images .*00001/img00000022\.png \(Bad CRC"):
        load(path)


def test_a_file_too_large_for_an_image_is_not_unpacked(write, monkeypatch):
    monkeypatch.setattr(archive_module, "LARGEST_FILE", 1000)
    with pytest.raises(DataError, match=r"big\.png \(5000 bytes, more than 1000\)"):
        load(write(some_files(labels=False) | {"big.png": bytes(5000)}))


def test_neither_a_folder_nor_a_zip(tmp_path):
    (tmp_path / "faces.zip").write_text("no zip")
    with pytest.raises(DataError, match="not a readable ZIP"):
        load(tmp_path / "faces.zip")
    with pytest.raises(DataError, match="no data set or path"):
        load(tmp_path / "nowhere")
    with pytest.raises(DataError, match="leave the data path"):
        load_data(DataSpec(str(tmp_path), path=tmp_path))

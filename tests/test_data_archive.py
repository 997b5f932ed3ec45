"""The order that official tools count in, and ZIPs and folders that mean harm."""

import gc
import io
import os
import stat
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from ganforget.data import DataSpec, forget_names, load_data
from ganforget.data.archive import open_store
from ganforget.errors import DataError
from test_data_folder import encoded, labels_of, picture, some_files, write_folder, write_zip


def load(path: Path):
    return load_data(DataSpec(str(path)))


def official_order(names: list[str]) -> list[str]:
    """The rule of the official loader: every file with an image's extension, sorted by name."""
    Image.init()
    return sorted(name for name in names if os.path.splitext(name)[1].lower() in Image.EXTENSION)  # noqa: PTH122


@given(
    st.lists(
        st.from_regex(r"([a-zA-Z_.\-]{1,3}/){0,2}[a-zA-Z0-9_ é\-]{1,6}\.(png|PNG|jpg|JPEG|bmp)", fullmatch=True),
        min_size=1,
        max_size=12,
        unique=True,
    )
)
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_image_0_is_the_official_tools_image_0(tmp_path, names: list[str]):
    names = [name for name in names if ".." not in name.split("/")]
    data = {name: encoded(picture(number)) for number, name in enumerate(names)}
    path = write_zip(tmp_path / "x.zip", data | {"readme.txt": b"", "dataset.json": b'{"labels": null}'})
    if not names:
        return
    train = load(path).train
    assert list(train.names) == official_order([*names, "readme.txt", "dataset.json"])
    for name, image in zip(train.names, train.images, strict=True):
        assert np.array_equal(image[0], picture(names.index(name)))


def test_a_hidden_image_counts_and_a_hidden_file_that_is_none_does_not(tmp_path):
    files = {f"{n}.png": encoded(picture(n)) for n in range(3)} | {".a/1.png": encoded(picture(9))}
    files |= {"__MACOSX/._0.png": b"\0\5\26\7 of macOS", "._1.png": b""}
    assert load(write_zip(tmp_path / "x.zip", files)).train.names == (".a/1.png", "0.png", "1.png", "2.png")


@pytest.mark.parametrize("name", ["page.pdf", "data.h5", "old.gif", "scan.eps"])
def test_what_official_tools_count_as_an_image_and_we_cannot_read_is_named(tmp_path, name):
    """Leaving it out in silence would shift every number after it. Postscript would start an outside program."""
    files = some_files(labels=False) | {name: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n"}
    with pytest.raises(DataError, match=rf"1 of the images .*{name} \(not an image"):
        load(write_zip(tmp_path / "x.zip", files))


def test_every_image_is_a_training_image_unless_something_else_is_known(tmp_path):
    path = write_zip(tmp_path / "faces.zip", some_files())
    whole, split = load(path), load_data(DataSpec(str(path), hold_out=True))
    assert (len(whole.train), len(whole.holdout)) == (40, 0)
    assert whole.holdout.images.shape == (0, 1, 8, 8)
    assert str(whole.record["split"]).startswith("none")
    assert whole.record["holdout"] == 0
    assert (len(split.train), len(split.holdout)) == (36, 4)


def test_a_part_is_held_out_and_other_holdout_images_take_its_place(tmp_path):
    path = write_zip(tmp_path / "faces.zip", some_files(labels=False))
    other = write_folder(tmp_path / "other", {"x.png": encoded(picture(99))})
    splits = load_data(DataSpec(str(path), hold_out=True, holdout_path=other))
    assert (len(splits.train), splits.holdout.names) == (36, ("x.png",))


def test_forget_sets_by_name_inside_the_zip(tmp_path):
    train = load(write_zip(tmp_path / "faces.zip", some_files())).train
    assert forget_names(train, ["00001/img00000023.png", "00000/img00000002.png"]).indices == (2, 23)


def test_images_and_labels_that_are_wrong_come_in_one_list(tmp_path):
    files = {"a.png": b"", "b.png": encoded(picture(1)), "c.png": encoded(picture(2))}
    with pytest.raises(DataError) as error:
        load(write_zip(tmp_path / "x.zip", files | {"dataset.json": labels_of("b.png", 0)}))
    message = str(error.value)
    assert "1 of the images" in message
    assert "a.png (not an image" in message
    assert "c.png (no label)" in message


def test_grey_and_colour_together_are_refused_by_name(tmp_path):
    files = some_files(labels=False) | {"odd.png": encoded(picture(1, colour=True))}
    with pytest.raises(DataError, match=r"odd\.png \(8x8 RGB, most are 8x8 grey\)"):
        load(write_zip(tmp_path / "x.zip", files))


# ----------------------------------------------------------------------------
# Traps.


def with_entry(path: Path, entry: zipfile.ZipInfo, data: bytes, method: int = zipfile.ZIP_STORED) -> Path:
    write_zip(path, some_files(labels=False))
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(entry, data, compress_type=method)
    return path


def test_a_link_in_a_zip_is_named_and_not_followed(tmp_path):
    entry = zipfile.ZipInfo("link.png")
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    with pytest.raises(DataError, match=r"link\.png \(a link\)"):
        load(with_entry(tmp_path / "x.zip", entry, b"/etc/passwd"))


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_methods_that_unpack_without_a_bound(tmp_path, method):
    path = with_entry(tmp_path / "x.zip", zipfile.ZipInfo("x.png"), bytes(100_000), method)
    with pytest.raises(DataError, match=r"x\.png \(packed by another method than deflate\)"):
        load(path)


def test_a_bomb_that_says_so_is_not_unpacked(tmp_path):
    path = with_entry(tmp_path / "x.zip", zipfile.ZipInfo("x.png"), bytes(30 * 2**20), zipfile.ZIP_DEFLATED)
    with pytest.raises(DataError, match=r"x\.png \(unpacks from \d+ to 31457280 bytes\)"):
        load(path)


def test_a_bomb_that_lies_about_its_size_is_cut_off(tmp_path):
    """100 MiB of zeros that announce 1,000 bytes, in the local header and in the directory."""
    size = 100 * 2**20
    path = with_entry(tmp_path / "x.zip", zipfile.ZipInfo("x.png"), bytes(size), zipfile.ZIP_DEFLATED)
    data = path.read_bytes()
    assert data.count(size.to_bytes(4, "little")) == 2
    path.write_bytes(data.replace(size.to_bytes(4, "little"), (1000).to_bytes(4, "little")))
    tracemalloc.start()
    with pytest.raises(DataError, match=r"x\.png \(Bad CRC"):
        load(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**22


def test_a_label_file_that_is_a_bomb(tmp_path):
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.png", encoded(picture(0)))
        archive.writestr("dataset.json", bytes(70 * 2**20))
    with pytest.raises(DataError, match=r"dataset\.json in .* cannot be read \(73400320 bytes"):
        load(path)


def test_a_pipe_in_a_folder_does_not_hang(tmp_path):
    write_folder(tmp_path / "faces", some_files(labels=False))
    os.mkfifo(tmp_path / "faces" / "pipe.png")
    with pytest.raises(DataError, match=r"pipe\.png \(no regular file\)"):
        load(tmp_path / "faces")


def test_links_to_folders_are_not_followed(tmp_path):
    folder = write_folder(tmp_path / "faces", some_files(labels=False))
    (folder / "again").symlink_to(folder)
    assert len(load(folder).train) == 40


def test_a_png_in_a_jpeg_name_and_postscript_in_a_png_name(tmp_path):
    """Content decides, among the plain formats alone."""
    files = {f"{n}.png": encoded(picture(n)) for n in range(3)} | {"x.jpg": encoded(picture(3))}
    assert len(load(write_zip(tmp_path / "a.zip", files)).train) == 4
    files["evil.png"] = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\nshowpage\n"
    with pytest.raises(DataError, match=r"evil\.png \(not an image"):
        load(write_zip(tmp_path / "b.zip", files))


def test_many_entries_are_listed_without_being_read(tmp_path):
    """Names and sizes alone: the memory of a listing grows with the directory, not with what it points to."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for number in range(3000):
            archive.writestr(f"{number:06d}.png", b"x" * 1000)
    (tmp_path / "x.zip").write_bytes(buffer.getvalue())
    open_store(tmp_path / "x.zip")  # whatever is imported or kept at the first time is not the listing's
    gc.collect()
    tracemalloc.start()
    assert len(open_store(tmp_path / "x.zip").names) == 3000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3000 * 1500


def test_damage_anywhere_in_a_zip_is_an_error_of_ours_or_no_damage(tmp_path):
    """Three hundred ZIPs with a few bytes changed, most of them in the directory."""
    write_zip(tmp_path / "x.zip", some_files(6))
    data = (tmp_path / "x.zip").read_bytes()
    directory = data.index(b"PK\x01\x02")
    random = np.random.default_rng(0)
    path = tmp_path / "y.zip"
    for _ in range(300):
        damaged = bytearray(data)
        for _ in range(random.integers(1, 5)):
            at = int(random.integers(directory if random.random() < 0.6 else 0, len(data)))
            damaged[at] = int(random.choice(np.array([0, 255, int(random.integers(256)), damaged[at] ^ 1])))
        path.write_bytes(damaged)
        try:
            load(path).train.tensor()
        except DataError:
            continue

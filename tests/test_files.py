"""Files are whole or not there; what cannot be read or written is said in a sentence."""

import math
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganforget.errors import InputError, OutputError
from ganforget.files import (
    append_json_line,
    keep_json_lines,
    make_folder,
    read_json,
    read_json_lines,
    write_bytes,
    write_image_grid,
    write_json,
)


def test_json_comes_back(tmp_path: Path):
    write_json(tmp_path / "a.json", {"b": [1, 2.5, None], "ä": "λ"})
    assert read_json(tmp_path / "a.json", kind="thing") == {"b": [1, 2.5, None], "ä": "λ"}
    assert (tmp_path / "a.json").read_text().endswith("}\n")


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_json_without_nan_and_infinity(tmp_path: Path, value: float):
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "a.json", {"x": value})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("content", "words"), [(None, "There is no thing at"), (b'{"a": ', "truncated"), (b"\xff", "valid JSON")]
)
def test_json_that_cannot_be_read(tmp_path: Path, content: bytes | None, words: str):
    if content is not None:
        (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(InputError, match=words) as caught:
        read_json(tmp_path / "a.json", kind="thing")
    assert "thing" in str(caught.value)


def test_a_folder_is_no_json(tmp_path: Path):
    with pytest.raises(InputError, match="cannot be read"):
        read_json(tmp_path, kind="thing")


def test_a_stop_while_writing_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "a.bin"
    write_bytes(path, b"old")

    def interrupted(_descriptor: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_bytes(path, b"new")
    assert path.read_bytes() == b"old"
    assert [file.name for file in tmp_path.iterdir()] == ["a.bin"]


def test_a_full_disk_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match=r"a\.bin \(No space left on device\)"):
        write_bytes(tmp_path / "a.bin", b"new")
    assert list(tmp_path.iterdir()) == []


def test_files_can_be_read_by_others(tmp_path: Path):
    write_bytes(tmp_path / "a.bin", b"x")
    assert (tmp_path / "a.bin").stat().st_mode & 0o777 == 0o644


def test_a_missing_folder_is_an_output_error(tmp_path: Path):
    with pytest.raises(OutputError, match="Cannot write"):
        write_bytes(tmp_path / "no" / "a.bin", b"x")


def test_folders_are_made(tmp_path: Path):
    assert make_folder(tmp_path / "a" / "b").is_dir()
    assert make_folder(tmp_path / "a" / "b").is_dir()
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(OutputError, match="choose another"):
            make_folder(path)


def test_a_folder_that_is_not_writable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may write anywhere
    with pytest.raises(OutputError, match="not writable"):
        make_folder(tmp_path)


def test_a_log_grows_line_by_line(tmp_path: Path):
    log = tmp_path / "log.jsonl"
    assert read_json_lines(log) == []
    for step in range(4):
        append_json_line(log, {"step": step})
    with log.open("a") as file:
        file.write('{"step": 4, "lo')  # killed here
    assert [line["step"] for line in read_json_lines(log)] == [0, 1, 2, 3]
    keep_json_lines(log, lambda line: line["step"] < 2)
    append_json_line(log, {"step": 2})
    assert [line["step"] for line in read_json_lines(log)] == [0, 1, 2]


def test_a_line_damaged_in_the_middle_is_an_error(tmp_path: Path):
    (tmp_path / "log.jsonl").write_text('{"step": 0}\n{"st\n{"step": 2}\n')
    with pytest.raises(InputError, match="Line 2"):
        read_json_lines(tmp_path / "log.jsonl")


def test_no_log_to_keep_lines_of(tmp_path: Path):
    keep_json_lines(tmp_path / "log.jsonl", lambda _: True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("channels", [1, 3])
def test_a_grid_shows_every_image_in_its_place(tmp_path: Path, channels: int):
    images = np.random.default_rng(0).integers(0, 256, (5, channels, 4, 6), dtype=np.uint8)
    write_image_grid(tmp_path / "a.png", images, columns=3)
    sheet = np.array(Image.open(tmp_path / "a.png")).reshape(8, 18, channels)
    for number, image in enumerate(images):
        top, left = number // 3 * 4, number % 3 * 6
        assert np.array_equal(sheet[top : top + 4, left : left + 6], image.transpose(1, 2, 0))
    assert not sheet[4:, 12:].any()

"""Kinds of files, told by their first bytes; a new kind is one more entry."""

from pathlib import Path

import pytest

from ganforget.errors import ModelFileError
from ganforget.interchange import describe_file, kinds, load_file
from ganforget.interchange.kinds import FileKind
from ganforget.interchange.single_file import save_single
from official_pickles import contents, dumps
from small_gan import same_weights, small_gan


def test_the_content_counts_and_not_the_name_alone(tmp_path: Path):
    (tmp_path / "network").write_bytes(dumps(contents(small_gan())))
    save_single(small_gan(), tmp_path / "weights.bin")
    for name in ("network", "weights.bin"):
        assert same_weights(load_file(tmp_path / name).G, small_gan().G)
    assert describe_file(tmp_path / "network")["kind"] == "an official network pickle"
    assert describe_file(tmp_path / "weights.bin")["kind"] == "a single safetensors file"


def test_a_new_kind_is_one_more_entry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    gan = small_gan()
    kind = FileKind("a note", lambda path, head: head.startswith(b"note"), lambda path: gan, lambda path: {"words": 1})
    monkeypatch.setattr(kinds, "FILE_KINDS", (*kinds.FILE_KINDS, kind))
    (tmp_path / "note.txt").write_text("note")
    assert load_file(tmp_path / "note.txt") is gan
    assert describe_file(tmp_path / "note.txt")["words"] == 1


def test_other_files_and_no_file_are_named(tmp_path: Path):
    (tmp_path / "photo.png").write_bytes(b"\x89PNG")
    with pytest.raises(ModelFileError, match="is of no kind that ganforget reads: a rosinality-style"):
        load_file(tmp_path / "photo.png")
    with pytest.raises(ModelFileError, match="There is no file"):
        describe_file(tmp_path / "none.pkl")

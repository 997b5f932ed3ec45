"""Downloads from a server on this machine: checked, resumed, refused; no network is used."""

import hashlib
import io
import tarfile
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from ganforget.data import DOWNLOADS, DataSpec, cifar10, download, load_data
from ganforget.data.download import Download
from ganforget.errors import DownloadError, InputError, OutputError

MNIST_FILES = tuple(DOWNLOADS["mnist"].files)


class QuietHandler(SimpleHTTPRequestHandler):
    requests: list[str]

    def do_GET(self) -> None:
        type(self).requests.append(self.path)
        super().do_GET()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def served(tmp_path, monkeypatch) -> Iterator[tuple[Path, str, list[str]]]:
    """A folder with small files under MNIST's names, its address, and the requests so far."""
    monkeypatch.setenv("NO_PROXY", "*")
    root = tmp_path / "served"
    root.mkdir()
    for name in MNIST_FILES:
        (root / name).write_bytes(name.encode() * 5000)
    expect(monkeypatch, "mnist", root, MNIST_FILES)
    handler = type("Handler", (QuietHandler,), {"requests": []})
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(root))) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield root, f"http://127.0.0.1:{server.server_port}", handler.requests
        server.shutdown()
        thread.join()


def expect(monkeypatch, name: str, root: Path, files: tuple[str, ...]) -> None:
    """Make the served files the expected ones."""
    sums = {file: "md5:" + hashlib.md5((root / file).read_bytes()).hexdigest() for file in files}
    monkeypatch.setitem(DOWNLOADS, name, Download(DOWNLOADS[name].address, sums))


def test_files_come_with_progress_and_are_not_fetched_twice(served, tmp_path):
    root, mirror, requests = served
    calls: list[tuple[str, int, int]] = []
    wanted = tmp_path / "deep" / "mnist"
    folder = download("mnist", wanted, mirror=mirror, progress=lambda *call: calls.append(call))
    assert folder == wanted
    assert sorted(path.name for path in folder.iterdir()) == sorted(MNIST_FILES)
    assert all((folder / name).read_bytes() == (root / name).read_bytes() for name in MNIST_FILES)
    size = len(MNIST_FILES[0]) * 5000
    of_first = [(done, total) for name, done, total in calls if name == MNIST_FILES[0]]
    assert of_first == sorted(of_first)
    assert of_first[-1] == (size, size)
    assert len(requests) == 4
    download("mnist", folder, mirror=mirror)
    assert len(requests) == 4


def test_a_damaged_file_on_disk_is_fetched_again(served, tmp_path):
    root, mirror, requests = served
    folder = download("mnist", tmp_path / "mnist", mirror=mirror)
    (folder / MNIST_FILES[2]).write_bytes(b"cut")
    download("mnist", folder, mirror=mirror)
    assert requests[4:] == [f"/{MNIST_FILES[2]}"]
    assert (folder / MNIST_FILES[2]).read_bytes() == (root / MNIST_FILES[2]).read_bytes()


def test_the_download_folder_is_the_default(served, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert download("mnist", mirror=served[1]) == tmp_path / "cache" / "ganforget" / "mnist"


def test_a_wrong_checksum_leaves_no_file(served, tmp_path):
    root, mirror, _ = served
    (root / MNIST_FILES[1]).write_bytes(b"something else")
    with pytest.raises(DownloadError, match=rf"{MNIST_FILES[1]} did not bring a file with the checksum md5:"):
        download("mnist", tmp_path / "mnist", mirror=mirror)
    assert [path.name for path in (tmp_path / "mnist").iterdir()] == [MNIST_FILES[0]]


def test_a_missing_file_and_a_missing_server(served, tmp_path):
    root, mirror, _ = served
    (root / MNIST_FILES[0]).unlink()
    with pytest.raises(DownloadError, match=rf"{MNIST_FILES[0]} could not be fetched \(HTTP status 404\)"):
        download("mnist", tmp_path / "mnist", mirror=mirror)
    with pytest.raises(DownloadError, match=r"fetched \(ConnectionError\); check the connection"):
        download("mnist", tmp_path / "mnist", mirror="http://127.0.0.1:1")
    assert list((tmp_path / "mnist").iterdir()) == []


def test_the_canonical_checksums_are_asked_for(served, tmp_path, monkeypatch):
    monkeypatch.undo()
    monkeypatch.setenv("NO_PROXY", "*")
    with pytest.raises(DownloadError, match="f68b3c2dcbeaaa9fbdd348bbdeb94873"):
        download("mnist", tmp_path / "mnist", mirror=served[1])


def test_names_and_mirrors_that_cannot_be(tmp_path):
    with pytest.raises(InputError, match=r"minst cannot be .* mnist or cifar10\. Did you mean mnist\?"):
        download("minst", tmp_path)
    with pytest.raises(InputError, match=r"ftp://example\.org is no web address"):
        download("mnist", tmp_path, mirror="ftp://example.org")


def test_a_folder_that_cannot_be(served, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="Cannot create the folder"):
        download("mnist", tmp_path / "file" / "mnist", mirror=served[1])


def cifar10_archive(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


@pytest.fixture
def cifar10_files(monkeypatch) -> dict[str, bytes]:
    monkeypatch.setattr(cifar10, "IMAGES_PER_BATCH", 2)
    rng = np.random.default_rng(0)
    names = [f"{name}.bin" for names in cifar10.BATCHES.values() for name in names]
    return {name: (rng.integers(0, 10, 2 * 3073, dtype=np.uint8)).tobytes() for name in names}


def test_cifar10_is_unpacked_and_loads(served, tmp_path, monkeypatch, cifar10_files):
    root, mirror, requests = served
    (root / "cifar-10-binary.tar.gz").write_bytes(cifar10_archive(cifar10_files | {"../../evil": b"x"}))
    expect(monkeypatch, "cifar10", root, ("cifar-10-binary.tar.gz",))
    folder = download("cifar10", tmp_path / "cifar10", mirror=mirror)
    assert [path.name for path in folder.iterdir()] == ["cifar-10-batches-bin"]
    assert sorted(path.name for path in (folder / "cifar-10-batches-bin").iterdir()) == sorted(cifar10_files)
    assert not (tmp_path / "evil").exists()
    assert len(load_data(DataSpec("cifar10", path=folder)).train) == 10
    download("cifar10", folder, mirror=mirror)
    assert len(requests) == 1
    (folder / "cifar-10-batches-bin" / "test_batch.bin").write_bytes(b"cut")
    download("cifar10", folder, mirror=mirror)
    assert len(requests) == 2
    assert len(load_data(DataSpec("cifar10", path=folder)).holdout) == 2


def test_an_archive_without_the_batches(served, tmp_path, monkeypatch, cifar10_files):
    root, mirror, _ = served
    del cifar10_files["data_batch_4.bin"]
    (root / "cifar-10-binary.tar.gz").write_bytes(cifar10_archive(cifar10_files))
    expect(monkeypatch, "cifar10", root, ("cifar-10-binary.tar.gz",))
    with pytest.raises(DownloadError, match="does not hold CIFAR-10's binary files"):
        download("cifar10", tmp_path / "cifar10", mirror=mirror)

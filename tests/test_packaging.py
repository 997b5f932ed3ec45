"""The wheel, built for real: everything that runs is inside, nothing else, under 10 MB."""

import configparser
import email
import email.message
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "ganforget"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    (built,) = folder.glob("*.whl")
    return built


def read(wheel: Path, suffix: str) -> str:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [n for n in archive.namelist() if n.endswith(suffix)]
        return archive.read(name).decode()


def metadata(wheel: Path) -> email.message.Message:
    return email.message_from_string(read(wheel, ".dist-info/METADATA"))


def test_the_wheel_is_for_every_machine_and_small(wheel: Path):
    assert wheel.name.endswith("-py3-none-any.whl")
    assert wheel.stat().st_size < 10e6


def test_the_wheel_holds_the_package_and_nothing_else(wheel: Path):
    with zipfile.ZipFile(wheel) as archive:
        inside = {n for n in archive.namelist() if ".dist-info/" not in n}
    files = (p.relative_to(PACKAGE.parent) for p in PACKAGE.rglob("*") if p.is_file())
    expected = {p.as_posix() for p in files if not any(x == "__pycache__" or x[0] == "." for x in p.parts)}
    assert inside == expected
    assert "ganforget/py.typed" in inside


def test_the_wheel_holds_weights_that_are_whole(wheel: Path):
    with zipfile.ZipFile(wheel) as archive:
        weights = [n for n in archive.namelist() if n.endswith(".safetensors")]
        assert weights
        for name in weights:
            assert archive.read(name) == (PACKAGE.parent / name).read_bytes()


def test_the_wheel_says_what_it_is(wheel: Path):
    about = metadata(wheel)
    assert about["Name"] == "ganforget"
    assert about["License-Expression"] == "Apache-2.0"
    assert about["Requires-Python"] == ">=3.11"
    assert "Apache License" in read(wheel, ".dist-info/licenses/LICENSE")
    scripts = configparser.ConfigParser()
    scripts.read_string(read(wheel, ".dist-info/entry_points.txt"))
    assert dict(scripts["console_scripts"]) == {"ganforget": "ganforget.cli:main"}


def test_the_base_installation_never_pulls_torchvision(wheel: Path):
    required = [r for r in metadata(wheel).get_all("Requires-Dist", []) if "extra ==" not in r]
    assert any(r.startswith("torch<2.14") for r in required)
    assert not any(r.startswith(("torchvision", "torch-fidelity", "torch_fidelity")) for r in required)


def test_constraints_pin_every_requirement(wheel: Path):
    """Each name in pyproject.toml has one exact version in constraints.txt, without a local tag."""
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = dict(line.split("==") for line in lines if line and not line.startswith("#"))
    assert not [version for version in pins.values() if "+" in version]
    extras = ("extra ==", "extra==")
    names = set()
    for requirement in metadata(wheel).get_all("Requires-Dist", []):
        if not any(mark in requirement for mark in extras) or "'dev'" in requirement:
            names.add(requirement.split(";")[0].split("[")[0].split("<")[0].split(">")[0].split("=")[0].strip())
    assert names
    assert names <= {name.lower().replace("_", "-") for name in pins}

"""The rules of the house, as tests: who may import whom, what a module offers, how long it may be."""

import ast
import importlib
import inspect
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from jaxtyping import AbstractArray

SRC = Path(__file__).parents[1] / "src" / "ganforget"
FILES = sorted(SRC.rglob("*.py"))
EMPTY_NAMES = {"utils", "util", "helpers", "helper", "misc", "common"}
LONGER = {"models/stylegan2.py": 540}

# A module imports only what stands before it; what stands on one line may import each other.
ORDER = [
    ["errors", "version", "assets"],
    ["options"],
    ["randomness", "shapes"],
    ["files"],
    ["interruption", "progress", "devices", "rundir", "work"],
    ["data"],
    ["models"],
    ["interchange"],
    ["training"],
    ["inversion"],
    ["substitute"],
    ["unlearning"],
    ["evaluation"],
    ["audit"],
    ["report"],
    ["api"],
    ["experiments"],
    ["cli"],
]
RANK = {room: rank for rank, rooms in enumerate(ORDER) for room in rooms}


def name_of(file: Path) -> str:
    parts = ["ganforget", *file.relative_to(SRC).with_suffix("").parts]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def room_of(file: Path) -> str | None:
    """The room a file stands in; None for the package's own doors, which may open to every room."""
    first = file.relative_to(SRC).parts[0].removesuffix(".py")
    return None if first in ("__init__", "__main__") else first


def tree_of(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"), filename=str(file))


def imports_of(nodes: Iterator[ast.AST]) -> Iterator[str]:
    """Dotted names that are imported, each `from a import b` as a.b."""
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def explicit_all(file: Path) -> list[str] | None:
    for node in tree_of(file).body:
        if isinstance(node, ast.Assign) and [ast.unparse(t) for t in node.targets] == ["__all__"]:
            return ast.literal_eval(node.value)
    return None


def modules_with_code() -> list[Path]:
    """All files but the package's doors that hold more than a docstring."""
    return [f for f in FILES if f.name != "__main__.py" and len(tree_of(f).body) > 1]


def load(file: Path) -> ModuleType:
    return importlib.import_module(name_of(file))


def label(file: Path) -> str:
    return str(file.relative_to(SRC))


every_file = pytest.mark.parametrize("file", FILES, ids=label)
every_module = pytest.mark.parametrize("file", modules_with_code(), ids=label)


def test_every_room_has_its_place():
    rooms = {room_of(file) for file in FILES} - {None}
    assert rooms <= RANK.keys(), "give new modules their place in ORDER"


@every_file
def test_imports_go_one_way(file: Path):
    room = room_of(file)
    for name in imports_of(ast.walk(tree_of(file))):
        if room is None or name.split(".")[0] != "ganforget":
            continue
        parts = name.split(".")
        assert len(parts) > 1, "import a room, not the whole house"
        assert parts[1] in RANK, f"{name} goes through the package's front door; import it from its room"
        assert RANK[parts[1]] <= RANK[room], f"{room} must not import {parts[1]}"


@every_module
def test_all_is_explicit_and_true(file: Path):
    names = explicit_all(file)
    assert names is not None, "say in __all__ what others may use"
    assert len(names) == len(set(names))
    module = load(file)
    assert [name for name in names if not hasattr(module, name)] == []


@every_module
def test_what_a_module_offers_is_documented(file: Path):
    module = load(file)
    for name in explicit_all(file) or []:
        offered = getattr(module, name, None)
        if inspect.isfunction(offered) or (inspect.isclass(offered) and not issubclass(offered, AbstractArray)):
            own = offered.__doc__ or ""
            generated = own.startswith(f"{name}(")  # what a dataclass writes where nobody did
            assert own.strip(), f"{name} has no docstring"
            assert not generated, f"{name} has no docstring of its own"


@every_file
def test_files_are_named_by_what_they_hold(file: Path):
    words = set(file.stem.split("_"))
    assert not words & EMPTY_NAMES


@every_file
def test_files_are_short(file: Path):
    lines = len(file.read_text(encoding="utf-8").splitlines())
    assert lines <= LONGER.get(file.relative_to(SRC).as_posix(), 300)


@every_file
def test_modules_say_what_they_are(file: Path):
    if tree_of(file).body:
        assert ast.get_docstring(tree_of(file)), "begin with a docstring"


@every_file
def test_torchvision_stays_away(file: Path):
    """It cannot be imported beside the CPU build of torch; an error message may name it."""
    assert not [name for name in imports_of(ast.walk(tree_of(file))) if name.split(".")[0] == "torchvision"]


@pytest.mark.parametrize("file", [f for f in FILES if room_of(f) not in ("cli", None)], ids=label)
def test_only_the_command_line_needs_what_command_lines_are_made_of(file: Path):
    """Programs, and machines where they are not installed, do without."""
    assert [name for name in imports_of(ast.walk(tree_of(file))) if name.split(".")[0] in ("cyclopts", "rich")] == []


def test_examples_are_short():
    examples = (SRC.parents[1] / "examples").glob("*.py")
    assert [f.name for f in examples if len(f.read_text(encoding="utf-8").splitlines()) > 80] == []


# ----------------------------------------------------------------------------
# The command starts quickly: torch alone takes seconds to import.

HEAVY = ("torch", "scipy", "sklearn", "matplotlib")


@pytest.mark.parametrize("file", [f for f in FILES if room_of(f) in ("cli", None)], ids=label)
def test_the_command_line_imports_nothing_heavy_at_its_top(file: Path):
    top = imports_of(node for node in tree_of(file).body)
    assert [name for name in top if name.split(".")[0] in HEAVY] == []


@pytest.mark.parametrize(
    "arguments", [["--help"], ["--version"], ["unlearn", "--help"], ["train", "--help"]], ids=" ".join
)
def test_help_does_without_torch(arguments: list[str]):
    program = (
        "import sys\n"
        "from ganforget.cli import main\n"
        f"sys.argv = ['ganforget', *{arguments!r}]\n"
        "try:\n    status = main()\nexcept SystemExit as exit:\n    status = exit.code\n"
        f"heavy = sorted(set({HEAVY!r}) & set(sys.modules))\n"
        "sys.exit(f'imported {heavy}' if heavy else status)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


@pytest.mark.parametrize("script", sorted((SRC.parents[1] / "benchmarks" / "gpu").glob("*.py")), ids=lambda f: f.stem)
def test_jobs_for_a_gpu_do_without_the_command_line(script: Path):
    """They run where nothing can be installed."""
    program = (
        "import runpy, sys\n"
        "for name in ('cyclopts', 'rich', 'pooch', 'lightning_fabric', 'submitit'):\n    sys.modules[name] = None\n"
        f"sys.path.insert(0, {str(script.parent)!r})\n"
        f"runpy.run_path({str(script)!r}, run_name='imported')\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr


def test_the_package_is_imported_without_torch():
    program = f"import sys, ganforget, ganforget.options; print(sorted(set({HEAVY!r}) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"

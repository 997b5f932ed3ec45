"""The tables of docs/reproduction.md are those of the rows that were kept."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from ganforget.files import read_json_lines

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("tables", ROOT / "benchmarks" / "reproduction_tables.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_has_the_tables_of_the_rows(script: ModuleType):
    page = script.PAGE.read_text()
    assert script.written(page, script.tables(read_json_lines(script.RESULTS))) == page, "run it with --write"


def test_a_row_stands_under_the_papers(script: ModuleType):
    kept = read_json_lines(script.RESULTS)
    rows = [row for row in kept if "item-64, few-shot, average, paper" in row["words"] and "F=0.1" in row["words"]]
    lines = script.tables(rows)["mnist-64"].splitlines()
    assert [line.split("|")[2].strip() for line in lines[2:]] == ["paper", "ours, paper preset"]
    steps = sum(row["results"]["steps"] for row in rows) / len(rows)
    assert lines[3].split("|")[11].strip() == f"{steps:,.0f}"
    assert "0.51 → 0.86" in lines[2]
    assert script.tables([])["mnist-64"].count("\n") == 1, "nothing but its head"


def test_a_page_without_the_mark_is_refused(script: ModuleType):
    with pytest.raises(SystemExit, match="0 places for mnist-64"):
        script.written("", script.tables([]))

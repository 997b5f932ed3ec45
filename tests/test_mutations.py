"""Mutated files end in our own error or are read; a few here, a hundred thousand in benchmarks/fuzz.py."""

from collections import Counter
from pathlib import Path

import pytest

from mutations import KINDS, mutated, outcome, seeds

COUNTS = {"pickle": 100, "old-pickle": 50, "safetensors": 100, "zip": 100}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.filterwarnings("ignore")
def test_mutated_files_end_well(tmp_path: Path, kind: str):
    outcomes = Counter(outcome(kind, mutated(kind, number), tmp_path) for number in range(COUNTS[kind]))
    assert outcomes["error"] > COUNTS[kind] / 4  # the mutations do something


@pytest.mark.parametrize("kind", KINDS)
def test_the_seeds_are_whole(tmp_path: Path, kind: str):
    assert outcome(kind, seeds(kind)[0], tmp_path) == "read"

"""The typed numbers against the paper's own text, where it is at hand, and against each other."""

import re
from pathlib import Path

import pytest

from ganforget.experiments.printed import FIGURE_2, PRINTED

PAPER = Path(__file__).parents[2] / "shared" / "paper" / "gan-unlearning.txt"
ROMAN = ("", "I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII", "XIII", "XIV")
NUMBER = re.compile(r"-?\d+(\.\d+)?")


def paper() -> str:
    if not PAPER.exists():
        pytest.skip("the paper's text is not beside this checkout")
    return PAPER.read_text(encoding="utf-8")


def numbers_in(line: str) -> tuple[float, ...]:
    """Return the longest run of numbers that stand one after the other in a line."""
    runs: list[list[float]] = [[]]
    for word in line.split():
        if NUMBER.fullmatch(word):
            runs[-1].append(float(word))
        elif runs[-1]:
            runs.append([])
    return tuple(max(runs, key=len))


def rows_of_table(text: str, number: int) -> list[tuple[float, ...]]:
    """Return the numbers of the rows that stand under a table's caption."""
    lines = text.splitlines()
    (start,) = (place for place, line in enumerate(lines) if line.startswith(f"TABLE {ROMAN[number]}:"))
    rows = []
    for line in lines[start + 1 :]:
        if not line or line.startswith(("TABLE", "Refer to caption")):
            break
        found = numbers_in(line)
        rows += [found] if len(found) > 1 else []
    return rows


@pytest.mark.parametrize("number", sorted(PRINTED))
def test_every_number_is_the_papers(number: int):
    assert [row for _, row in PRINTED[number]] == rows_of_table(paper(), number)


def test_figure_2_is_the_papers():
    sentences = [line for line in paper().splitlines() if "Figure 2 depicts" in line]
    assert all(f"is {value}{value}{value}" in sentences[0] for value in FIGURE_2.values())


def test_the_savings_are_the_quotients_of_the_times():
    for name, row in PRINTED[14]:
        assert row[2] / row[5] == pytest.approx(row[6], abs=0.006), name


def test_numbers_that_stand_in_two_tables_are_equal():
    """Few-shot average of tables II, III and V is what table XIV compares; one ACC differs, an erratum."""
    for table, dataset in ((2, "mnist"), (3, "cifar10")):
        printed = [dict(PRINTED[table][part : part + 7]) for part in (0, 7, 14)]
        for part, images in zip(printed, ("64", "256", "1024"), strict=True):
            retrained = dict(PRINTED[14])[f"{dataset} {images}"]
            assert (part["fd_l"][0], part["seconds"][0]) == retrained[3:6:2]
            assert (part["acc"][0] == retrained[4]) is (f"{dataset} {images}" != "mnist 64")
    retraining = dict(PRINTED[14])
    for table, column, name in ((5, 0, "mnist class"), (10, 1, "cifar10 class")):
        unlearned = [dict(PRINTED[table])[key][column] for key in ("fd_l", "acc", "seconds")]
        assert unlearned == list(retraining[name][3:6])
    classes, lambdas = dict(PRINTED[6]), dict(PRINTED[10])
    assert all(classes[key][:2] == lambdas[key][::3] for key in classes)


def test_means_over_substitutes_agree_to_the_rounding():
    """Tables VII and VIII average the first part of tables II and III at F_label 0.1; so does table IX at λ2 = 0."""
    for items, means in ((2, 7), (3, 8)):
        first, mean = dict(PRINTED[items][:7]), dict(PRINTED[means])
        for key in first:
            for mode, column in ((0, 1), (3, 4)):
                three = first[key][mode : mode + 3]
                assert sum(three) / 3 == pytest.approx(mean[key][column], abs=0.011), (items, key, mode)

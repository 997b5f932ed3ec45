"""Which runs each experiment asks for."""

from typing import Any

import pytest

from ganforget.api.calls import as_options
from ganforget.errors import InputError
from ganforget.experiments.catalogue import EXPERIMENTS, Plan, find_experiment
from ganforget.experiments.configuration import Configuration, Target
from ganforget.options import UnlearnOptions

PLAN = Plan(Target("digits", "digits"), retrain_kimg=300.0)


def configurations(name: str, plan: Plan = PLAN) -> list[Configuration]:
    return [c for row in EXPERIMENTS[name].rows(plan) for c in row.configurations]


def only(name: str, row_name: str) -> list[dict[str, Any]]:
    """Return the options of the runs of one row."""
    (row,) = [row for row in EXPERIMENTS[name].rows(PLAN) if row.name == row_name]
    return [{**c.options, "seed": c.seed} for c in row.configurations]


def test_every_table_and_figure_is_there():
    expected = {f"table-{n}" for n in range(2, 15)} | {f"figure-{n}" for n in range(2, 9)} | {"baseline"}
    assert set(EXPERIMENTS) == expected


@pytest.mark.parametrize("name", sorted(EXPERIMENTS))
def test_what_is_asked_for_can_be_asked(name: str):
    """Every unlearning configuration makes valid options."""
    for c in configurations(name):
        if c.kind == "unlearn":
            options = as_options(UnlearnOptions, None, {**c.options, "model": "digits", "data": "digits"})
            assert options.max_cost == 60.0
        assert c.words


def test_an_unknown_name_lists_the_near_ones():
    with pytest.raises(InputError, match=r"no experiment tabel-2\. Near it are table-2"):
        find_experiment("tabel-2")
    with pytest.raises(InputError, match="--list"):
        find_experiment("cascade")


def test_the_paper_preset_is_the_papers_and_the_default_is_ours():
    (paper,) = only("table-2", "item-256 zero-shot projection, paper preset")
    ours = only("table-2", "item-256 zero-shot projection, default preset")[0]
    assert paper["fake_label"] == "0.1"
    assert paper["max_steps"] == 1_000_000  # the cost ends it
    assert "fake_label" not in ours
    assert "max_steps" not in ours
    shared = {"forget_random": 256, "mode": "zero-shot", "substitute": "projection", "seed": 0, "reconstruct": True}
    assert shared.items() <= paper.items()
    assert shared.items() <= ours.items()


def test_three_seeds_for_64_images_and_the_class_and_one_otherwise():
    assert [o["seed"] for o in only("table-2", "item-64 few-shot average, paper preset")] == [0, 1, 2]
    assert [o["seed"] for o in only("table-2", "item-1024 few-shot average, paper preset")] == [0]
    assert [o["seed"] for o in only("table-5", "class zero-shot other-class, default preset")] == [0, 1, 2]
    assert {c.seed for c in configurations("table-2", Plan(PLAN.target, seeds=(4,)))} == {4}


def test_means_over_substitutes_run_all_three():
    runs = only("table-7", "item-64 few-shot mean F=0.5, default preset")
    assert len(runs) == 9
    assert {o["substitute"] for o in runs} == {"average", "projection", "truncation"}
    assert {o["fake_label"] for o in runs} == {"0.5"}  # the table varies it, for ours as well
    assert {o["lambda2"] for o in only("table-10", "class few-shot average λ2=0.5, paper preset")} == {0.5}


def test_tables_share_their_runs():
    items = {c.hash for c in configurations("table-2")}
    classes = {c.hash for c in configurations("table-5")}
    assert {c.hash for c in configurations("table-11")} == items | classes
    first_seed = {c.hash for c in configurations("figure-6")}
    assert first_seed < classes
    unlearned = {c.hash for c in configurations("baseline") if c.kind == "unlearn"}
    assert unlearned < items


def test_retraining_is_once_a_task():
    retrained = [c for c in configurations("table-14") if c.kind == "retrain"]
    assert [c.options for c in retrained] == [
        {"forget_random": 64, "kimg": 300.0},
        {"forget_random": 256, "kimg": 300.0},
        {"forget_random": 1024, "kimg": 300.0},
        {"forget_class": (7,), "kimg": 300.0},
    ]
    assert {c.seed for c in retrained} == {0}

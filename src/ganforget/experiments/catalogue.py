"""The experiments by name, each a function that returns its rows: published numbers and the runs to set beside them."""

import difflib
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from ganforget.errors import InputError
from ganforget.experiments.configuration import Configuration, Target
from ganforget.experiments.printed import FIGURE_2
from ganforget.experiments.published import CLASS, ITEM_SUBSTITUTES, Dataset, Published, Setting, published
from ganforget.options import Mode, Preset, SubstituteName

__all__ = ["EXPERIMENTS", "Experiment", "Plan", "Row", "find_experiment"]

PRESETS: tuple[Preset, ...] = ("paper", "default")
UNLIMITED_STEPS = 1_000_000
"""The cost is what ends a run that does not arrive."""

CLASS_INVERSIONS = 512
"""Most images of a class that the paper preset inverts: thousands would cost more than all else."""


@dataclass(frozen=True)
class Plan:
    """What the rows of an experiment are made for."""

    target: Target
    seeds: tuple[int, ...] = ()
    max_cost: float = 60.0
    sham: bool = False
    retrain_kimg: float = 0.0


@dataclass(frozen=True)
class Row:
    """One line of ours beside one of the paper's: a setting, a preset, and the runs that are averaged."""

    published: Published
    preset: Preset | None
    """None where nothing is unlearned: the original measured, or retraining."""

    configurations: tuple[Configuration, ...]
    label: str = ""

    @property
    def title(self) -> str:
        """What stands at the head of its lines."""
        return self.label or self.published.setting.name

    @property
    def name(self) -> str:
        """The title, with the preset."""
        return self.title + ("" if self.preset is None else f", {self.preset} preset")


@dataclass(frozen=True)
class Experiment:
    """A table or figure of the paper as something that can be run."""

    name: str
    title: str
    dataset: Dataset
    measures: tuple[str, ...]
    """Columns of the comparison, by key."""

    rows: Callable[[Plan], list[Row]]
    pictures: tuple[str, ...] = ()
    """Picture sheets of each run to show, by file name."""


def find_experiment(name: str) -> Experiment:
    """Return the experiment ``name``; InputError lists the near ones where there is none."""
    if name in EXPERIMENTS:
        return EXPERIMENTS[name]
    near = difflib.get_close_matches(name, EXPERIMENTS, n=4, cutoff=0.5)
    hint = f"Near it are {', '.join(near)}." if near else "`ganforget reproduce --list` shows them all."
    raise InputError(f"There is no experiment {name}. {hint}")


def unlearning(plan: Plan, setting: Setting, preset: Preset, substitute: SubstituteName, seed: int) -> Configuration:
    """Return one unlearning run in the setting of a column of the paper."""
    options: dict[str, Any] = {"mode": setting.mode, "substitute": substitute, "preset": preset}
    if setting.forget is None:
        options |= {"forget_class": (CLASS,)} | ({"invert": CLASS_INVERSIONS} if preset == "paper" else {})
    else:
        options |= {"forget_random": setting.forget, "reconstruct": True}
    if preset == "paper" or setting.fake_label != 0.1:
        options["fake_label"] = f"{setting.fake_label:g}"
    if preset == "paper":
        options["max_steps"] = UNLIMITED_STEPS
    else:
        options["destination"] = "separated"  # the paper's, and the generator's: calibrated is beyond the paper
    if setting.lambda2:
        options["lambda2"] = setting.lambda2
    options |= {"max_cost": plan.max_cost, "downstream": True, "sham": plan.sham}
    return Configuration("unlearn", plan.target, seed, options)


def retraining(plan: Plan, setting: Setting, seed: int) -> Configuration:
    """Return the training from scratch without the setting's forget set."""
    what = {"forget_class": (CLASS,)} if setting.forget is None else {"forget_random": setting.forget}
    return Configuration("retrain", plan.target, seed, {**what, "kimg": plan.retrain_kimg})


def _seeds(plan: Plan, setting: Setting) -> tuple[int, ...]:
    """Three for 64 images and for the class, as cheap as they are; one otherwise."""
    return plan.seeds or ((0, 1, 2) if setting.forget in (64, None) else (0,))


def _unlearning_rows(plan: Plan, table: int) -> list[Row]:
    rows, columns = [], published(table)
    for line in columns:
        for preset in PRESETS:
            runs = [
                unlearning(plan, line.setting, preset, substitute, seed)
                for seed in _seeds(plan, line.setting)
                for substitute in line.setting.substitutes
            ]
            varied = any(other.setting.fake_label != line.setting.fake_label for other in columns)
            ours = f"{line.setting.name} (ours: F_label auto)" if varied and "fake_label" not in runs[0].options else ""
            rows.append(Row(line, preset, tuple(runs), ours))
    return rows


def _baseline_rows(plan: Plan, dataset: Dataset, forget: tuple[int | None, ...]) -> list[Row]:
    """Table XIV's rows: retraining once, and beside it few-shot unlearning in both presets."""
    rows = []
    for line in published(14):
        if line.setting.dataset != dataset or line.setting.forget not in forget:
            continue
        seeds = _seeds(plan, line.setting)
        rows.append(Row(line, None, (retraining(plan, line.setting, seeds[0]),)))
        for preset in PRESETS:
            setting = line.setting
            substitute = "other-class" if preset == "default" and setting.forget is None else setting.substitutes[0]
            runs = [unlearning(plan, setting, preset, substitute, seed) for seed in seeds]
            label = "" if substitute in setting.substitutes else f"{setting.name} (ours: {substitute})"
            rows.append(Row(line, preset, tuple(runs), label))
    return rows


def _scores_rows(plan: Plan) -> list[Row]:
    """Figure 2: D's scores of training, test and generated images, before anything is unlearned."""
    values = {f"before.{key}": value for key, value in FIGURE_2.items()}
    line = Published(Setting("mnist", 0, "few-shot", ("average",)), values)
    runs = tuple(Configuration("measure", plan.target, seed) for seed in plan.seeds or (0,))
    return [Row(line, None, runs, "the original")]


def _drawing_rows(plan: Plan, forget: int | None, names: tuple[SubstituteName, ...], mode: Mode) -> list[Row]:
    """Figures that show pictures or draw the method: one run of the default preset for each substitute."""
    rows = []
    for name in names:
        setting = Setting("mnist", forget, mode, (name,))
        runs = [unlearning(plan, setting, "default", name, seed) for seed in (plan.seeds or (0,))[:1]]
        rows.append(Row(Published(setting, {}), "default", tuple(runs)))
    return rows


def _picture_rows(plan: Plan, table: int) -> list[Row]:
    """Figures 6 to 8: the samples of the runs of a table of class unlearning, one seed."""
    return _unlearning_rows(replace(plan, seeds=(plan.seeds or (0,))[:1]), table)


ITEMS = ("auc_lu", "fd_l", "r", "acc", "saving")
CLASSES = ("fd_u", "destination", "auc_lu", "fd_l", "r", "acc", "saving")
_SHEETS = ("samples_before", "samples_after")
_STRIPS = ("forgotten", "inversion", "substitute", "now")
_ITEMS_TITLE = "Items of {}: 64, 256 and 1024 images, three substitutes, few-shot and zero-shot"
_CLASS_TITLE = "Class 7 of {}: average and other-class, few-shot and zero-shot"
_ATTACK_TITLE = "LOGAN's membership inference on the discriminator, {}"


def _table(number: int, title: str, dataset: Dataset, measures: tuple[str, ...]) -> Experiment:
    return Experiment(f"table-{number}", title, dataset, measures, partial(_unlearning_rows, table=number))


_ALL: tuple[Experiment, ...] = (
    _table(2, _ITEMS_TITLE.format("MNIST"), "mnist", ITEMS),
    _table(3, _ITEMS_TITLE.format("CIFAR-10"), "cifar10", ITEMS),
    _table(4, "Items of FFHQ: 64, 256 and 1024 images, few-shot, average", "ffhq", ("auc_lu", "fd_l", "r")),
    _table(5, _CLASS_TITLE.format("MNIST"), "mnist", CLASSES),
    _table(6, _CLASS_TITLE.format("CIFAR-10"), "cifar10", CLASSES),
    _table(7, "F_label −1, 0.1 and 0.5: 64 images of MNIST, means over the substitutes", "mnist", ITEMS),
    _table(8, "F_label −1, 0.1 and 0.5: 64 images of CIFAR-10, means over the substitutes", "cifar10", ITEMS),
    _table(9, "λ2 of 0, 0.5 and 1: items of CIFAR-10, few-shot, means over the substitutes", "cifar10", ITEMS),
    _table(10, "λ2 of 0, 0.5 and 1: class 7 of CIFAR-10, few-shot", "cifar10", CLASSES),
    _table(11, _ATTACK_TITLE.format("MNIST"), "mnist", ("auc_ut",)),
    _table(12, _ATTACK_TITLE.format("CIFAR-10"), "cifar10", ("auc_ut",)),
    _table(13, _ATTACK_TITLE.format("FFHQ"), "ffhq", ("auc_ut",)),
    Experiment(
        "table-14",
        "Retraining beside few-shot unlearning; MNIST's rows (--data cifar10: CIFAR-10's)",
        "mnist",
        ("fd_l", "acc", "saving"),
        lambda plan: _baseline_rows(
            plan, "cifar10" if plan.target.data == "cifar10" else "mnist", (64, 256, 1024, None)
        ),
    ),
    Experiment(
        "baseline",
        "The retraining baseline: 64 images, its Fréchet distance over kimg, and what unlearning saves",
        "mnist",
        ("fd_l", "acc", "saving"),
        lambda plan: _baseline_rows(plan, "cifar10" if plan.target.data == "cifar10" else "mnist", (64,)),
    ),
    Experiment(
        "figure-2", "D's scores of training, test and generated images", "mnist", ("auc_lt", "auc_lg"), _scores_rows
    ),
    Experiment(
        "figure-3",
        "Substitutes of items (a drawing in the paper; ours shows those of a run)",
        "mnist",
        (),
        partial(_drawing_rows, forget=64, names=ITEM_SUBSTITUTES, mode="few-shot"),
        _STRIPS,
    ),
    Experiment(
        "figure-4",
        "Substitutes of a class (a drawing in the paper; ours shows those of a run)",
        "mnist",
        (),
        partial(_drawing_rows, forget=None, names=("average", "other-class"), mode="few-shot"),
        _STRIPS,
    ),
    Experiment(
        "figure-5",
        "The projection substitute (a series of images in the paper; ours shows where a run's series ends)",
        "mnist",
        (),
        partial(_drawing_rows, forget=64, names=("projection",), mode="few-shot"),
        _STRIPS,
    ),
    Experiment(
        "figure-6", "Samples after class 7 of MNIST", "mnist", ("fd_u",), partial(_picture_rows, table=5), _SHEETS
    ),
    Experiment(
        "figure-7", "Samples after class 7 of CIFAR-10", "cifar10", ("fd_u",), partial(_picture_rows, table=6), _SHEETS
    ),
    Experiment(
        "figure-8", "The same with λ2, few-shot", "cifar10", ("fd_u",), partial(_picture_rows, table=10), _SHEETS
    ),
)

EXPERIMENTS: dict[str, Experiment] = {experiment.name: experiment for experiment in _ALL}

"""What the printed numbers mean: for each column of a table its setting, and the measures that it gives."""

from dataclasses import dataclass
from typing import Literal

from ganforget.experiments.printed import PRINTED, PrintedRow
from ganforget.options import Mode, SubstituteName

__all__ = ["CLASS", "ITEM_SUBSTITUTES", "Dataset", "Published", "Setting", "published", "retraining_seconds"]

Dataset = Literal["mnist", "cifar10", "ffhq"]

CLASS = 7
"""The class that the paper forgets, of MNIST and of CIFAR-10."""

ITEM_SUBSTITUTES: tuple[SubstituteName, ...] = ("average", "projection", "truncation")
"""In the order of the tables' columns."""

_CLASS_SUBSTITUTES: tuple[SubstituteName, ...] = ("average", "other-class")
_MODES: tuple[Mode, ...] = ("few-shot", "zero-shot")
_COUNTS = (64, 256, 1024)
_FAKE_LABELS = (-1.0, 0.1, 0.5)
_LAMBDAS = (0.0, 0.5, 1.0)


@dataclass(frozen=True)
class Setting:
    """What one column of a table was made with."""

    dataset: Dataset
    forget: int | None
    """So many random images; None is class 7."""

    mode: Mode
    substitutes: tuple[SubstituteName, ...]
    """Several: the printed numbers are means over them."""

    fake_label: float = 0.1
    lambda2: float = 0.0

    @property
    def name(self) -> str:
        """How rows are called: ``item-64 few-shot average``, with what differs from the paper's defaults behind it."""
        what = "class" if self.forget is None else f"item-{self.forget}"
        how = self.substitutes[0] if len(self.substitutes) == 1 else "mean"
        label = "" if self.fake_label == 0.1 else f" F={self.fake_label:g}"
        return f"{what} {self.mode} {how}{label}" + (f" λ2={self.lambda2:g}" if self.lambda2 else "")


@dataclass(frozen=True)
class Published:
    """One setting's printed numbers, by ``before.auc_lu``, ``after.auc_lu``, ``seconds`` and so on."""

    setting: Setting
    values: dict[str, float]


def published(table: int) -> list[Published]:
    """Return the rows of a table of results, 2 to 14, in the order of its columns."""
    return _READERS[table]()


def retraining_seconds(setting: Setting) -> float | None:
    """Return the seconds that the paper's retraining took for this data set and forget set (table XIV)."""
    what = "class" if setting.forget is None else str(setting.forget)
    row = dict(PRINTED[14]).get(f"{setting.dataset} {what}")
    return None if row is None else row[2]


def _key(label: str) -> str:
    if label == "seconds":
        return label
    return f"before.{label.removeprefix('pre ')}" if label.startswith("pre ") else f"after.{label}"


def _columns(rows: tuple[PrintedRow, ...], settings: list[Setting]) -> list[Published]:
    """Return one `Published` a column; header rows are left out."""
    measured = [row for row in rows if row[0] not in ("images", "fake_label", "lambda2")]
    return [
        Published(setting, {_key(label): numbers[place] for label, numbers in measured})
        for place, setting in enumerate(settings)
    ]


def _items(table: int, dataset: Dataset) -> list[Published]:
    """Tables II and III."""
    found = []
    for part, count in enumerate(_COUNTS):
        settings = [Setting(dataset, count, mode, (name,)) for mode in _MODES for name in ITEM_SUBSTITUTES]
        found += _columns(PRINTED[table][7 * part : 7 * part + 7], settings)
    return found


def _ffhq() -> list[Published]:
    """Table IV."""
    return _columns(PRINTED[4], [Setting("ffhq", count, "few-shot", ("average",)) for count in _COUNTS])


def _classes(table: int, dataset: Dataset) -> list[Published]:
    """Tables V and VI."""
    settings = [Setting(dataset, None, mode, (name,)) for mode in _MODES for name in _CLASS_SUBSTITUTES]
    return _columns(PRINTED[table], settings)


def _fake_labels(table: int, dataset: Dataset) -> list[Published]:
    """Tables VII and VIII."""
    settings = [Setting(dataset, 64, mode, ITEM_SUBSTITUTES, label) for mode in _MODES for label in _FAKE_LABELS]
    return _columns(PRINTED[table], settings)


def _item_lambdas() -> list[Published]:
    """Table IX."""
    settings = [
        Setting("cifar10", count, "few-shot", ITEM_SUBSTITUTES, lambda2=lambda2)
        for count in _COUNTS
        for lambda2 in _LAMBDAS
    ]
    return _columns(PRINTED[9], settings)


def _class_lambdas() -> list[Published]:
    """Table X."""
    settings = [
        Setting("cifar10", None, "few-shot", (name,), lambda2=lambda2)
        for name in _CLASS_SUBSTITUTES
        for lambda2 in _LAMBDAS
    ]
    return _columns(PRINTED[10], settings)


def _attacks(table: int, dataset: Dataset) -> list[Published]:
    """Tables XI and XII: a row is a substitute, its columns are before, few-shot and zero-shot."""
    found = []
    for label, (before, *after) in PRINTED[table]:
        what, substitute = label.split(" ")
        count = None if what == "class" else int(what)
        names: tuple[SubstituteName, ...] = (*ITEM_SUBSTITUTES, *_CLASS_SUBSTITUTES)
        name: SubstituteName = names[[str(n) for n in names].index(substitute)]
        found += [
            Published(Setting(dataset, count, mode, (name,)), {"before.auc_ut": before, "after.auc_ut": value})
            for mode, value in zip(_MODES, after, strict=True)
        ]
    return found


def _ffhq_attacks() -> list[Published]:
    """Table XIII."""
    return [
        Published(
            Setting("ffhq", int(count), "few-shot", ("average",)), {"before.auc_ut": before, "after.auc_ut": after}
        )
        for _, (count, before, after) in PRINTED[13]
    ]


def _retraining() -> list[Published]:
    """Table XIV: retraining beside few-shot unlearning with the average substitute; CIFAR-10's class with λ2 = 0.5."""
    keys = ("retrained.fd_l", "retrained.acc", "retrained.seconds", "after.fd_l", "after.acc", "seconds", "saving")
    found = []
    for label, numbers in PRINTED[14]:
        dataset, what = label.split(" ")
        setting = Setting(
            "mnist" if dataset == "mnist" else "cifar10",
            None if what == "class" else int(what),
            "few-shot",
            ("average",),
            lambda2=0.5 if label == "cifar10 class" else 0.0,
        )
        found.append(Published(setting, dict(zip(keys, numbers, strict=True))))
    return found


_READERS = {
    2: lambda: _items(2, "mnist"),
    3: lambda: _items(3, "cifar10"),
    4: _ffhq,
    5: lambda: _classes(5, "mnist"),
    6: lambda: _classes(6, "cifar10"),
    7: lambda: _fake_labels(7, "mnist"),
    8: lambda: _fake_labels(8, "cifar10"),
    9: _item_lambdas,
    10: _class_lambdas,
    11: lambda: _attacks(11, "mnist"),
    12: lambda: _attacks(12, "cifar10"),
    13: _ffhq_attacks,
    14: _retraining,
}

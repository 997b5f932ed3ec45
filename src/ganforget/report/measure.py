"""The measures in plain words: what each one says, and which way is wanted."""

from dataclasses import dataclass
from typing import Any

from ganforget.report.goal import Goal
from ganforget.report.numerals import MISSING, decimal, significant

__all__ = ["MEASURES", "Measure", "MeasureRow", "measure_rows", "ratio"]

DISCRIMINATOR = "Does the discriminator still favour the forget images?"
GENERATOR = "Can the generator still make them?"
OTHERS = "What happened to everything else?"


@dataclass(frozen=True)
class Measure:
    """One line of the table: its key in the files and its words."""

    key: str
    group: str
    name: str
    meaning: str
    wanted: str
    places: int | None = 3
    tasks: tuple[str, ...] = ("item", "class")
    distance: bool = False
    """A Fréchet distance, which is named after its extractor."""

    on_request: bool = False
    """Left out of the table where it was not measured."""

    def text(self, value: float | None) -> str:
        """Return ``value`` as it stands in the table."""
        return significant(value) if self.places is None else decimal(value, self.places)


MEASURES = (
    Measure(
        "auc_lu",
        DISCRIMINATOR,
        "Retain image scored above forget image",
        "How often the discriminator gives a retain image the higher score. 0.5: it treats both alike; 1: it "
        "always ranks the forget images lower. Taken over retain images that the run never saw.",
        "higher",
    ),
    Measure(
        "auc_lu_seen",
        DISCRIMINATOR,
        "The same, over retain images the run saw",
        "Much above the line before, it means that the discriminator learned those images by heart.",
        "like the line before",
    ),
    Measure(
        "auc_ut",
        DISCRIMINATOR,
        "Forget image scored above an image never trained on",
        "Above 0.5, scores still give the forget images away as training images; below 0.5, their low scores do.",
        "0.5, as after retraining",
    ),
    Measure(
        "auc_ut_error",
        DISCRIMINATOR,
        "Standard error of that",
        "How far the line before is off by chance, with so few images: it is known to twice this much.",
        "for comparison",
        places=3,
    ),
    Measure(
        "substitution",
        GENERATOR,
        "Distance left to the substitutes",
        "Put into the generator, the latents of the forget images should now give the substitutes. As a "
        "share of the way, 1: they still give what the original gave; 0: the substitutes are in place.",
        "lower",
    ),
    Measure(
        "class_recall",
        GENERATOR,
        "Images of the class that are read as that class",
        "Share of images generated for the class to forget that an independent classifier still reads as it.",
        "lower",
        tasks=("class",),
    ),
    Measure(
        "class_diversity",
        GENERATOR,
        "Variety within the class",
        "Mean distance between two images generated for the class to forget.",
        "lower with the average substitute",
        tasks=("class",),
        places=None,
    ),
    Measure(
        "fd_u",
        GENERATOR,
        "Distance from the class’s real images",
        "Fréchet distance between images generated for the class to forget and its real images.",
        "higher",
        tasks=("class",),
        places=2,
        distance=True,
    ),
    Measure(
        "rec_u",
        GENERATOR,
        "Error of reconstructing forget images",
        "A fresh search for latents that reproduce the forget images: how far off the best ones remain.",
        "not below the next line",
        places=4,
    ),
    Measure(
        "rec_t",
        GENERATOR,
        "Error of reconstructing images never trained on",
        "The same search for holdout images, the yardstick for the line before.",
        "for comparison",
        places=4,
    ),
    Measure(
        "rec_gap_error",
        GENERATOR,
        "Standard error of the difference of the two",
        "How far apart the two lines before come by chance, with so few images: up to twice this much says nothing.",
        "for comparison",
        places=4,
    ),
    Measure(
        "fd_l",
        OTHERS,
        "Distance from the retain images",
        "Fréchet distance between generated images and the retain images: the quality of what is left.",
        "close to before",
        places=2,
        distance=True,
    ),
    Measure(
        "fd_floor",
        OTHERS,
        "Floor of that distance",
        "The distance between two separate sets of real images, as many in each: nothing can be expected below it.",
        "for comparison",
        places=2,
        distance=True,
    ),
    Measure(
        "r",
        OTHERS,
        "That distance as a ratio",
        "r = after ÷ the larger of before and floor. Above 1, quality was lost.",
        "close to 1",
        places=2,
    ),
    Measure(
        "acc",
        OTHERS,
        "Generated images that are read as the label asked for",
        "Share that an independent classifier gets right; for a class, without the class to forget.",
        "close to before",
    ),
    Measure(
        "acc_real",
        OTHERS,
        "The same for real images",
        "What the classifier reaches on real images: the ceiling of the line before.",
        "for comparison",
    ),
    Measure(
        "acc_downstream",
        OTHERS,
        "Real images read by a classifier trained on generated ones",
        "Accuracy on holdout images of a classifier that has seen generated images alone; for a class, without the "
        "class to forget.",
        "close to before",
        on_request=True,
    ),
)


@dataclass(frozen=True)
class MeasureRow:
    """A measure with its figures as texts, one for each column that the run has."""

    measure: Measure
    name: str
    wanted: str
    goal: str | None
    cells: tuple[str, ...]
    starts_group: bool


def ratio(before: dict[str, Any], after: dict[str, Any]) -> float | None:
    """Return r = fd_l after ÷ max(fd_l before, floor), or None where a figure is missing."""
    start, floor, end = before.get("fd_l"), before.get("fd_floor"), after.get("fd_l")
    if start is None or end is None:
        return None
    yardstick = max(start, floor or 0.0)
    return end / yardstick if yardstick > 0 else None


def measure_rows(
    task: str, columns: list[tuple[str, dict[str, Any]]], fd_name: str | None, goals: dict[str, Goal]
) -> list[MeasureRow]:
    """Return the table of a run; the first of ``columns`` is "before"."""
    rows: list[MeasureRow] = []
    for measure in MEASURES:
        if task not in measure.tasks:
            continue
        if measure.key == "r":
            values = [None] + [ratio(columns[0][1], values) for _, values in columns[1:]]
        else:
            values = [values.get(measure.key) for _, values in columns]
        if measure.on_request and all(value is None for value in values):
            continue
        goal = goals.get(measure.key)
        name = f"{measure.name}, {fd_name}" if measure.distance and fd_name else measure.name
        starts = not rows or rows[-1].measure.group != measure.group
        cells = tuple(measure.text(value) for value in values) or (MISSING,)
        rows.append(MeasureRow(measure, name, measure.wanted, goal.text if goal else None, cells, starts))
    return rows

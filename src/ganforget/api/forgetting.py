"""Making a forget_set.json by itself, to unlearn it later or to leave it out of a training."""

from dataclasses import dataclass
from pathlib import Path

from ganforget.api.model import load_model
from ganforget.api.options import ForgetSetOptions
from ganforget.api.selection import choose_forget_set, find_copies
from ganforget.api.task import load_training_data
from ganforget.data import DataSpec, ForgetSet, load_data
from ganforget.files import make_folder

__all__ = ["ChosenForgetSet", "make_forget_set"]


@dataclass(frozen=True)
class ChosenForgetSet:
    """A forget set, how many copies of its images lie elsewhere, and what to say about them."""

    forget: ForgetSet
    duplicates: dict[str, int]
    warnings: tuple[str, ...]


def make_forget_set(options: ForgetSetOptions, out: Path | None = None) -> ChosenForgetSet:
    """Choose the forget set of ``options``, look for copies of its images, and write it to ``out`` where that is given.

    Raises DataError and ForgetSetError for data and a selection that do not go together, before anything is written.
    """
    spec = DataSpec(options.data, options.data_path, options.data_subset, options.data_subset_seed)
    if options.model is None:
        splits = load_data(spec)
    else:  # without mirror images: whoever uses the forget set adds them
        splits = load_training_data(spec, load_model(options.model), mirror=False)
    forget = choose_forget_set(options, splits.train, data=splits.name)
    forget, duplicates, warnings = find_copies(forget, splits, include=options.forget_duplicates)
    if out is not None:
        make_folder(out.parent)
        forget.save(out)
    return ChosenForgetSet(forget, duplicates, tuple(warnings))

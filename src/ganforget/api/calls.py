"""The package's calls: each takes an options object, or the fields of one by name, and does a whole task."""

import types
from collections.abc import Callable
from dataclasses import MISSING, fields, replace
from pathlib import Path
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from ganforget.api.audit_options import AuditOptions
from ganforget.api.auditing import AuditResult, run_audit
from ganforget.api.evaluating import evaluate_model
from ganforget.api.generating import generate_images
from ganforget.api.options import EvaluateOptions, GenerateOptions
from ganforget.api.training import train_gan
from ganforget.api.unlearning import UnlearningResult, run_unlearning
from ganforget.data import did_you_mean
from ganforget.errors import InputError
from ganforget.options import UnlearnOptions
from ganforget.progress import Progress
from ganforget.training.options import TrainOptions

__all__ = ["as_options", "audit", "evaluate", "generate", "train", "unlearn"]

Options = TypeVar("Options", bound=Any)


def unlearn(
    options: UnlearnOptions | None = None, /, *, progress: Progress | None = None, **given: Any
) -> UnlearningResult:
    """Make a trained GAN forget: ``unlearn(model="digits", data="digits", forget_class=7)``.

    Takes the fields of `UnlearnOptions`. The run folder holds the unlearned model, its measures and a report.
    """
    return run_unlearning(as_options(UnlearnOptions, options, given), progress)


def train(options: TrainOptions | None = None, /, *, progress: Progress | None = None, **given: Any) -> Path:
    """Train a GAN and return its run folder: ``train(data="digits", kimg=20)``. Takes the fields of `TrainOptions`."""
    return train_gan(as_options(TrainOptions, options, given), progress)


def audit(options: AuditOptions | None = None, /, *, progress: Progress | None = None, **given: Any) -> AuditResult:
    """Audit an unlearned GAN: ``audit(model="runs/00000-…", retrained=("runs/00001-…",)).verdict``.

    Takes the fields of `AuditOptions`. The run folder holds audit.json, a report and a certificate.
    """
    return run_audit(as_options(AuditOptions, options, given), progress)


def evaluate(
    options: EvaluateOptions | None = None, /, *, progress: Progress | None = None, **given: Any
) -> dict[str, Any]:
    """Measure a GAN: ``evaluate(model="digits")["measures"]``. Takes the fields of `EvaluateOptions`."""
    return evaluate_model(as_options(EvaluateOptions, options, given), progress)


def generate(
    options: GenerateOptions | None = None, /, *, progress: Progress | None = None, **given: Any
) -> list[Path]:
    """Write images of a GAN: ``generate(model="digits", out="sheet.png")``. Takes the fields of `GenerateOptions`."""
    return generate_images(as_options(GenerateOptions, options, given), progress)


def as_options(kind: Callable[..., Options], options: Options | None, given: dict[str, Any]) -> Options:
    """Return ``options`` with what is ``given`` by name; a text may stand for a path, one value for several."""
    hints = get_type_hints(kind)
    known = {field.name: field for field in fields(kind)}  # type: ignore[arg-type]
    for name in given.keys() - known.keys():
        raise InputError(f"There is no option {name}.{did_you_mean(name, known)}")
    values = {name: _fit(value, hints[name]) for name, value in given.items()}
    if options is not None:
        return replace(options, **values)
    required = (name for name, field in known.items() if field.default is MISSING)
    missing = [name for name in required if name not in values]
    if missing:
        raise InputError(f"{missing[0]} is missing; {kind.__name__} needs it.")
    return kind(**values)


def _fit(value: Any, hint: Any) -> Any:
    """Return ``value`` as the type that an option has."""
    kinds = get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)
    if Path in kinds and isinstance(value, str):
        return Path(value)
    if any(get_origin(kind) is tuple for kind in kinds):
        return tuple(value) if isinstance(value, (list, tuple, set, range)) else (value,)
    if kinds == (str,) and isinstance(value, (int, float, Path)):
        return str(value)
    return value

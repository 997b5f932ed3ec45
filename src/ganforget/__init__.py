"""Make a trained GAN forget given training images or a whole class, and show that it did.

``import ganforget`` is quick: PyTorch is imported with the first thing that needs it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ganforget.api.audit_options import AuditOptions
    from ganforget.api.auditing import AuditResult, resume_audit
    from ganforget.api.calls import audit, evaluate, generate, train, unlearn
    from ganforget.api.certifying import verify_certificate
    from ganforget.api.exchange import export_model, import_model, inspect
    from ganforget.api.model import load_model
    from ganforget.api.options import EvaluateOptions, GenerateOptions
    from ganforget.api.training import resume_training
    from ganforget.api.unlearning import UnlearningResult, resume_unlearning
    from ganforget.data import DataSpec, ForgetSet, load_data
    from ganforget.errors import (
        DataError,
        DownloadError,
        ForgetSetError,
        GanForgetError,
        InputError,
        Interrupted,
        ModelFileError,
        NumericalError,
        OutputError,
    )
    from ganforget.interchange.hub import PretrainedGan
    from ganforget.models.gan import Gan
    from ganforget.options import UnlearnOptions
    from ganforget.report import write_report
    from ganforget.training.options import TrainOptions
    from ganforget.version import __version__

__all__ = [
    "AuditOptions",
    "AuditResult",
    "DataError",
    "DataSpec",
    "DownloadError",
    "EvaluateOptions",
    "ForgetSet",
    "ForgetSetError",
    "Gan",
    "GanForgetError",
    "GenerateOptions",
    "InputError",
    "Interrupted",
    "ModelFileError",
    "NumericalError",
    "OutputError",
    "PretrainedGan",
    "TrainOptions",
    "UnlearnOptions",
    "UnlearningResult",
    "__version__",
    "audit",
    "evaluate",
    "export_model",
    "generate",
    "import_model",
    "inspect",
    "load_data",
    "load_model",
    "resume_audit",
    "resume_training",
    "resume_unlearning",
    "train",
    "unlearn",
    "verify_certificate",
    "write_report",
]

_HOMES = {
    "api.exchange": ("export_model", "import_model", "inspect"),
    "api.audit_options": ("AuditOptions",),
    "api.auditing": ("AuditResult", "resume_audit"),
    "api.calls": ("audit", "evaluate", "generate", "train", "unlearn"),
    "api.certifying": ("verify_certificate",),
    "api.model": ("load_model",),
    "api.options": ("EvaluateOptions", "GenerateOptions"),
    "api.training": ("resume_training",),
    "api.unlearning": ("UnlearningResult", "resume_unlearning"),
    "data": ("DataSpec", "ForgetSet", "load_data"),
    "errors": (
        *("DataError", "DownloadError", "ForgetSetError", "GanForgetError", "InputError", "Interrupted"),
        *("ModelFileError", "NumericalError", "OutputError"),
    ),
    "interchange.hub": ("PretrainedGan",),
    "models.gan": ("Gan",),
    "options": ("UnlearnOptions",),
    "report": ("write_report",),
    "training.options": ("TrainOptions",),
    "version": ("__version__",),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    """Import what is asked for from its home (PEP 562)."""
    if name not in _HOME:
        raise AttributeError(f"module 'ganforget' has no attribute {name!r}")
    value = getattr(import_module(f"ganforget.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)

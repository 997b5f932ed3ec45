"""The exception tree, and the exit status that each branch gives a command.

A message says what arrived, what was expected and what to do. The command line prints it as one sentence; a
traceback appears only with ``--debug``.
"""

__all__ = [
    "DataError",
    "DownloadError",
    "ForgetSetError",
    "GanForgetError",
    "InputError",
    "Interrupted",
    "ModelFileError",
    "NumericalError",
    "OutputError",
]


class GanForgetError(Exception):
    """Base of every error that ganforget raises on purpose."""

    exit_status = 1


class InputError(GanForgetError):
    """An argument, an option or a configuration that cannot be used."""

    exit_status = 2


class DataError(InputError):
    """A data set that is missing, damaged or does not fit the model."""


class ForgetSetError(InputError):
    """A forget set that is empty, not in the training set, or cannot be read."""


class ModelFileError(InputError):
    """A model folder or file that is missing, truncated, corrupt or of another kind."""


class OutputError(InputError):
    """A place that cannot be written to."""


class DownloadError(GanForgetError):
    """A download that failed or did not have the expected checksum."""


class NumericalError(GanForgetError):
    """NaN or infinity in training or unlearning; the last good state was kept."""

    exit_status = 4


class Interrupted(GanForgetError):
    """Ctrl-C: the state was saved and the run can be resumed."""

    exit_status = 130

"""Shapes are checked, Ctrl-C is heard, no example is timed, and fixtures that several files share."""

import signal

import hypothesis

from shape_checks import check_shapes, checked_layers, unchecked

check_shapes()

from tiny_gan import tiny_run, tiny_unlearned  # noqa: E402  (imports what is to be checked)

__all__ = ["checked_layers", "tiny_run", "tiny_unlearned", "unchecked"]

# A shell that starts the tests in the background has them ignore Ctrl-C, which some of them send.
signal.signal(signal.SIGINT, signal.default_int_handler)

# How long an example takes says how busy the machine is.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")

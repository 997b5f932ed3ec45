"""Shapes are checked, Ctrl-C is heard, and fixtures that several files share."""

import signal

from shape_checks import check_shapes, checked_layers, unchecked

check_shapes()

from tiny_gan import tiny_run, tiny_unlearned  # noqa: E402  (imports what is to be checked)

__all__ = ["checked_layers", "tiny_run", "tiny_unlearned", "unchecked"]

# A shell that starts the tests in the background has them ignore Ctrl-C, which some of them send.
signal.signal(signal.SIGINT, signal.default_int_handler)

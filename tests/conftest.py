"""Shapes are checked, and fixtures that several files share."""

from shape_checks import check_shapes, checked_layers, unchecked

check_shapes()

from tiny_gan import tiny_run, tiny_unlearned  # noqa: E402  (imports what is to be checked)

__all__ = ["checked_layers", "tiny_run", "tiny_unlearned", "unchecked"]

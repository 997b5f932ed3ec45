"""Fixtures that several files share."""

from tiny_gan import tiny_run, tiny_unlearned

__all__ = ["tiny_run", "tiny_unlearned"]

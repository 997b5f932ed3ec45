"""What long work tells whoever waits for it; the command line draws it, a program may ignore it."""

from typing import Protocol

__all__ = ["Progress", "Silent"]


class Progress(Protocol):
    """Listener to stages, steps and remarks."""

    def stage(self, title: str) -> None:
        """A new piece of work begins."""

    def step(self, done: float, total: float, text: str = "") -> None:
        """The stage has come this far."""

    def note(self, text: str) -> None:
        """A fact worth a line."""

    def warn(self, text: str) -> None:
        """Something that the user should know or change."""


class Silent:
    """Says nothing."""

    def stage(self, title: str) -> None:
        """Ignore."""

    def step(self, done: float, total: float, text: str = "") -> None:
        """Ignore."""

    def note(self, text: str) -> None:
        """Ignore."""

    def warn(self, text: str) -> None:
        """Ignore."""

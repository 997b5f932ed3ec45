"""One call of the command: where it prints, how much, and in which form."""

import json
import logging
import sys
import traceback
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console, RenderableType
from rich.text import Text

from ganforget.cli.progress import LineProgress, QuietProgress, TerminalProgress

__all__ = ["Session"]


@dataclass
class Session:
    """The global options, standard output for results, standard error for everything else."""

    quiet: bool = False
    json: bool = False
    debug: bool = False
    out: Console = field(default_factory=lambda: Console(file=sys.stdout, highlight=False))
    errors: Console = field(default_factory=lambda: Console(file=sys.stderr, highlight=False))

    def progress(self) -> QuietProgress:
        """Return the listener to pass to a call, to be entered as a context."""
        if self.quiet:
            return QuietProgress(self.errors)
        return TerminalProgress(self.errors) if self.errors.is_terminal else LineProgress(self.errors)

    def show(self, *parts: RenderableType) -> None:
        """Print a result for people; with --json nothing."""
        if not self.json:
            for part in parts:
                self.out.print(Text(part) if isinstance(part, str) else part, soft_wrap=isinstance(part, str))

    def emit(self, value: Any) -> None:
        """Print a result for programs, with --json alone."""
        if self.json:
            print(json.dumps(value, indent=2, allow_nan=False), file=self.out.file)

    def warn(self, text: str) -> None:
        """Print a warning on standard error."""
        self.errors.print(Text.assemble(("warning: ", "yellow"), text), soft_wrap=True)

    def fail(self, message: str, status: int, error: BaseException | None = None) -> int:
        """Say what went wrong in one sentence, with --debug where, and return ``status``."""
        if self.debug and error is not None:
            self.errors.print(Text("".join(traceback.format_exception(error))), soft_wrap=True)
        label = ("stopped: ", "yellow") if status == 130 else ("error: ", "red")
        self.errors.print(Text.assemble(label, " ".join(message.split())), soft_wrap=True)
        self.emit({"error": message, "status": status})
        return status

    def start_logging(self) -> logging.Handler:
        """Show what the package logs on standard error; the handler is to be removed at the end."""
        handler = _ConsoleHandler(self.errors)
        handler.setLevel(logging.DEBUG if self.debug else logging.WARNING)
        logging.getLogger("ganforget").addHandler(handler)
        return handler


class _ConsoleHandler(logging.Handler):
    """Prints each message once, above a progress bar where there is one."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        self.console = console
        self.said: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        if message not in self.said:
            self.said.add(message)
            level = record.levelname.lower()
            self.console.print(Text.assemble((f"{level}: ", "yellow"), message), soft_wrap=True)

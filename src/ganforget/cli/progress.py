"""What a command shows while it works: a bar on a terminal, a few plain lines elsewhere, or warnings alone."""

import time

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.text import Text

__all__ = ["LineProgress", "QuietProgress", "TerminalProgress"]


class QuietProgress:
    """Shows warnings and nothing else."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.warnings: list[str] = []
        """The warnings shown so far; each is shown once."""

    def __enter__(self) -> "QuietProgress":
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        """Leave nothing open."""

    def stage(self, title: str) -> None:
        """Say nothing."""

    def step(self, done: float, total: float, text: str = "") -> None:
        """Say nothing."""

    def note(self, text: str) -> None:
        """Say nothing."""

    def warn(self, text: str) -> None:
        """Print the warning, unless it was printed before."""
        if text not in self.warnings:
            self.warnings.append(text)
            self.console.print(Text.assemble(("warning: ", "yellow"), text), soft_wrap=True)


class LineProgress(QuietProgress):
    """A line for each stage, and now and then one for how far it has come: for logs and pipes."""

    first_wait = 10.0
    longest_wait = 300.0

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self._said, self._wait = time.monotonic(), self.first_wait

    def stage(self, title: str) -> None:
        """Print the title."""
        self._print(title)
        self._wait = self.first_wait

    def step(self, done: float, total: float, text: str = "") -> None:
        """Print how far the stage is, if the last line is long ago; the longer it takes, the fewer lines."""
        if time.monotonic() - self._said >= self._wait:
            self._print(f"  {done / max(total, 1e-9):4.0%}  {text}".rstrip())
            self._wait = min(self._wait * 1.5, self.longest_wait)

    def note(self, text: str) -> None:
        """Print the line."""
        self._print(f"  {text}")

    def _print(self, text: str) -> None:
        self.console.print(Text(text), soft_wrap=True)
        self._said = time.monotonic()


class TerminalProgress(QuietProgress):
    """A bar for the stage at work; stages that are done stay as a line with their time."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        title, text = (TextColumn(what, markup=False) for what in ("{task.description}", "{task.fields[text]}"))
        columns = (SpinnerColumn(), title, BarColumn(bar_width=24), TimeRemainingColumn(), text)
        self._bars = Progress(*columns, console=console, transient=True)
        self._task: TaskID | None = None
        self._title, self._began = "", 0.0

    def __enter__(self) -> "TerminalProgress":
        self._bars.start()
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self._close(done=kind is None)
        self._bars.stop()

    def stage(self, title: str) -> None:
        """Close the stage before, and open a bar."""
        self._close(done=True)
        self._task = self._bars.add_task(title, total=None, text="")
        self._title, self._began = title, time.monotonic()

    def step(self, done: float, total: float, text: str = "") -> None:
        """Move the bar."""
        if self._task is not None:
            self._bars.update(self._task, completed=done, total=total, text=text)

    def note(self, text: str) -> None:
        """Print the line above the bar."""
        self.console.print(Text(f"  {text}", style="dim"), soft_wrap=True)

    def _close(self, *, done: bool) -> None:
        if self._task is None:
            return
        self._bars.remove_task(self._task)
        self._task = None
        if done:
            seconds = f"{time.monotonic() - self._began:.1f} s"
            self.console.print(Text.assemble(("✓ ", "green"), self._title, (f"  {seconds}", "dim")))

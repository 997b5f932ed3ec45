"""What is shown while a command works: on a terminal, in a log, and where silence was asked for."""

import io
import logging
import time

import pytest
from rich.console import Console

from ganforget.cli.progress import LineProgress, QuietProgress, TerminalProgress
from ganforget.cli.session import Session
from ganforget.cli.tables import facts_table, measures_table


def console(*, terminal: bool = False) -> tuple[Console, io.StringIO]:
    file = io.StringIO()
    return Console(file=file, force_terminal=terminal, width=100, highlight=False), file


def test_lines_are_few_and_fewer_the_longer_it_takes(monkeypatch: pytest.MonkeyPatch):
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    shown, file = console()
    with LineProgress(shown) as progress:
        progress.stage("Training [digits]")
        for second in range(3600):
            now[0] += 1
            progress.step(second, 3600, f"{second} s")
        progress.note("half way")
        progress.warn("watch out")
        progress.warn("watch out")
    lines = file.getvalue().splitlines()
    assert lines[0] == "Training [digits]"
    assert lines[1] == "    0%  9 s"
    assert lines[-2:] == ["  half way", "warning: watch out"]
    assert 10 < len(lines) < 25
    assert progress.warnings == ["watch out"]
    assert "\r" not in file.getvalue()
    assert "\x1b" not in file.getvalue()


def test_a_terminal_has_a_bar_and_keeps_a_line_for_each_stage():
    shown, file = console(terminal=True)
    with TerminalProgress(shown) as progress:
        progress.step(1, 2)  # nothing is at work yet
        progress.stage("Loading")
        progress.stage("Training")
        progress.step(1, 2, "12 img/s")
        progress.note("a note [brackets]")
        progress.warn("watch out")
    said = file.getvalue()
    assert said.index("Loading") < said.rindex("Training") < said.index("a note [brackets]") + len(said)
    assert said.count("✓ ") == 2
    assert "watch out" in said
    assert "a note [brackets]" in said


def test_a_stage_that_failed_is_not_ticked():
    shown, file = console(terminal=True)
    progress = TerminalProgress(shown).__enter__()
    progress.stage("Loading")
    progress.stage("Training")
    progress.__exit__(KeyboardInterrupt)
    assert file.getvalue().count("✓ ") == 1


def test_quiet_shows_warnings_alone():
    shown, file = console()
    with QuietProgress(shown) as progress:
        progress.stage("Training")
        progress.step(1, 2, "text")
        progress.note("a note")
        progress.warn("watch out")
    assert file.getvalue() == "warning: watch out\n"


@pytest.mark.parametrize(
    ("terminal", "quiet", "kind"),
    [(False, False, LineProgress), (True, False, TerminalProgress), (True, True, QuietProgress)],
)
def test_the_session_chooses(terminal: bool, quiet: bool, kind: type):
    assert type(Session(quiet=quiet, errors=console(terminal=terminal)[0]).progress()) is kind


def test_what_the_package_logs_is_shown_once():
    shown, file = console()
    handler = Session(errors=shown).start_logging()
    try:
        for _ in range(3):
            logging.getLogger("ganforget.data").warning("There are %d [x].", 3)
        logging.getLogger("ganforget.data").debug("unseen")
    finally:
        logging.getLogger("ganforget").removeHandler(handler)
    assert file.getvalue() == "warning: There are 3 [x].\n"


def test_a_failure_is_one_line_whatever_its_message():
    shown, file = console()
    assert Session(errors=shown).fail("Two\n  lines of [red]text[/red].", 2) == 2
    assert Session(errors=shown).fail("Stopped.", 130) == 130
    assert file.getvalue() == "error: Two lines of [red]text[/red].\nstopped: Stopped.\n"


def test_square_brackets_are_no_markup():
    plain, file = console()
    Session(out=plain).show(facts_table([("/data/[/old]", "pickle [/b] [red]x[/red]")]))
    assert "/data/[/old]" in file.getvalue()
    assert "pickle [/b] [red]x[/red]" in file.getvalue()
    shown, file = console(terminal=True)
    with TerminalProgress(shown) as progress:
        progress.stage("Reading [/old]")
        progress.step(1, 2, "[/b]")
    assert "Reading [/old]" in file.getvalue()


def test_the_table_of_measures_takes_a_name_with_square_brackets():
    plain, file = console()
    measures = {"fd_l": 2.5, "auc_lu": 0.9}
    Session(out=plain).show(
        measures_table({"task": "item", "before": measures, "after": measures, "fd_name": "FD ([/x])"})
    )
    assert "[/x]" in file.getvalue()

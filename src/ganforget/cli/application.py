"""The command ``ganforget``: its commands, its global options, and what each way to fail returns."""

import io
import logging
import os
import sys
from collections.abc import Sequence
from typing import Annotated, Any

from cyclopts import App, CycloptsError, Group, Parameter

from ganforget.cli.audit import audit
from ganforget.cli.data import download_data, list_data
from ganforget.cli.demo import demo
from ganforget.cli.evaluate import evaluate
from ganforget.cli.exchange import export_network, import_network, inspect
from ganforget.cli.forget_set import create_forget_set, show_forget_set
from ganforget.cli.generate import generate
from ganforget.cli.report import report
from ganforget.cli.reproduce import reproduce
from ganforget.cli.resume import resume
from ganforget.cli.session import Session
from ganforget.cli.train import train
from ganforget.cli.unlearn import preset_defaults, unlearn
from ganforget.cli.verify import verify
from ganforget.errors import GanForgetError

__all__ = ["main"]

_STATUSES = """\
Exit statuses: 0 done · 1 internal error, or a download that failed · 2 bad input, nothing written · \
3 destination not reached, everything saved · 4 NaN or infinity, last good state kept · 130 interrupted, can be resumed.
"""

_AUDITED = "It ends with 0 whatever the verdict is; with --state it ends with 3 while something is left."

_VERIFIED = "It ends with 3 where something does not hold."


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status; ``arguments`` are those of the process if left out."""
    _never_fail_to_print()
    session = Session()
    handler: logging.Handler | None = None
    try:
        tokens = list(sys.argv[1:] if arguments is None else arguments)
        session.debug, session.json = "--debug" in tokens, "--json" in tokens  # known to parse errors as well
        handler = session.start_logging()
        status = _application(session).meta(
            tokens, exit_on_error=False, print_error=False, result_action="return_value"
        )
        sys.stdout.flush()
        return status or 0
    except CycloptsError as error:
        return session.fail(f"{_sentence(error)} See {_help_command(error)} --help.", 2, error)
    except GanForgetError as error:
        return session.fail(str(error), error.exit_status, error)
    except KeyboardInterrupt as error:
        return session.fail("Stopped at once; what was saved before is whole.", 130, error)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the reader has gone; so be it
        return 0
    except OSError as error:
        return session.fail(f"{error.strerror or error}: {error.filename or 'a file'}.", 1, error)
    except Exception as error:
        hint = "" if session.debug else " Run it again with --debug to see where."
        return session.fail(f"internal error: {type(error).__name__}: {error}.{hint}", 1, error)
    finally:
        if handler is not None:
            logging.getLogger("ganforget").removeHandler(handler)


def _never_fail_to_print() -> None:
    """Let a terminal without ≤ or λ show a question mark, in place of an error after all the work."""
    for file in (sys.stdout, sys.stderr):
        if isinstance(file, io.TextIOWrapper):
            file.reconfigure(errors="replace")


def _application(session: Session) -> App:
    """Return the application, with ``session`` handed to each command."""
    app = App(
        name="ganforget",
        help="Make a trained GAN forget training images or a whole class, and show that it did.",
        help_epilogue=_STATUSES,
        version=_version,
        default_parameter=Parameter(negative_iterable=(), show_default=_shown_default),
    )
    data = App(name="data", help="List data sets, and download their files.")
    data.command(list_data, name="list")
    data.command(download_data, name="download")
    forget_set = App(name="forget-set", help="Make and show files that say what is to be forgotten.")
    forget_set.command(create_forget_set, name="create")
    forget_set.command(show_forget_set, name="show")
    commands: list[tuple[Any, dict[str, Any]]] = [
        (demo, {}),
        (unlearn, {"help_epilogue": f"{preset_defaults()}\n\n{_STATUSES}"}),
        (resume, {}),
        (audit, {"help_epilogue": f"{_AUDITED}\n\n{_STATUSES}", "default_parameter": Parameter(consume_multiple=True)}),
        (verify, {"help_epilogue": f"{_VERIFIED}\n\n{_STATUSES}"}),
        (report, {}),
        (evaluate, {}),
        (generate, {}),
        (forget_set, {}),
        (train, {}),
        (data, {}),
        (inspect, {}),
        (import_network, {"name": "import"}),
        (export_network, {"name": "export"}),
        (reproduce, {}),
    ]
    for position, (command, options) in enumerate(commands):
        if isinstance(command, App):
            command.sort_key = position
            app.command(command)
        else:
            app.command(command, sort_key=position, **options)

    app.meta.suppress_keyboard_interrupt = False  # main() has its own words and status
    app.meta.group_parameters = Group("Global options", sort_key=99)

    @app.meta.default
    def launch(
        *tokens: Annotated[str, Parameter(show=False, allow_leading_hyphen=True)],
        quiet: Annotated[bool, Parameter(negative=())] = False,
        json: Annotated[bool, Parameter(negative=())] = False,
        debug: Annotated[bool, Parameter(negative=())] = False,
    ) -> int | None:
        """Hand the global options to the command.

        Parameters
        ----------
        quiet:
            Show results, warnings and errors, and no progress.
        json:
            Print the result as JSON, and nothing else, on standard output.
        debug:
            Show a traceback with an error, and what the package logs.
        """
        session.quiet, session.json, session.debug = quiet, json, debug
        command, bound, ignored = app.parse_args(tokens, exit_on_error=False, print_error=False)
        extra = {"session": session} if "session" in ignored else {}
        return command(*bound.args, **bound.kwargs, **extra)

    return app


def _version() -> str:
    from ganforget.version import __version__  # reads the installed package's metadata

    return __version__


def _shown_default(value: object) -> str | None:
    """Return how --help shows a default; where there is none, the option's own words say what happens."""
    if value is None or value == ():
        return None
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def _sentence(error: CycloptsError) -> str:
    text = " ".join(str(error).split())
    return text if text.endswith((".", "?")) else f"{text}."


def _help_command(error: CycloptsError) -> str:
    return " ".join(["ganforget", *(error.command_chain or ())])

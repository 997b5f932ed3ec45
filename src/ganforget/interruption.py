"""Ctrl-C at any moment: the first one asks for an orderly stop, the second one stops at once."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from ganforget.errors import Interrupted

__all__ = ["StopRequest", "stop_on_signal"]


class StopRequest:
    """Says whether somebody has asked for a stop; loops look at it between steps."""

    def __init__(self) -> None:
        self.requested = False
        self._at_once = False

    @property
    def pressing(self) -> bool:
        """Whether a signal is to stop the work at once: the second one, or any where nobody looks at the request."""
        return self.requested or self._at_once

    @contextmanager
    def at_once(self, message: str) -> Iterator[None]:
        """Let a signal end the work inside at once, as Interrupted with ``message``: work that has nothing to save."""
        if self.requested:
            raise Interrupted(message)
        self._at_once = True
        try:
            yield
        except KeyboardInterrupt as error:
            raise Interrupted(message) from error
        finally:
            self._at_once = False


@contextmanager
def stop_on_signal() -> Iterator[StopRequest]:
    """Turn the first SIGINT or SIGTERM into a stop request; a second SIGINT raises KeyboardInterrupt."""
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return

    def handle(number: int, _frame: object) -> None:
        pressing, request.requested = request.pressing, True
        if pressing:
            raise KeyboardInterrupt

    previous = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield request
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)

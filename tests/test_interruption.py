"""Ctrl-C: the first asks, the second insists."""

import signal
import threading

import pytest

from ganforget.errors import Interrupted
from ganforget.interruption import StopRequest, stop_on_signal


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_asks(number: signal.Signals):
    with stop_on_signal() as stop:
        assert not stop.requested
        signal.raise_signal(number)
        assert stop.requested


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_second_signal_insists(number: signal.Signals):
    with stop_on_signal():
        signal.raise_signal(number)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_work_with_nothing_to_save_ends_at_once():
    with stop_on_signal() as stop:
        with pytest.raises(Interrupted, match="go on so"), stop.at_once("go on so"):
            signal.raise_signal(signal.SIGINT)
        assert stop.requested
        with pytest.raises(Interrupted, match="again"), stop.at_once("again"):
            pytest.fail("it had been asked to stop before")


def test_afterwards_an_orderly_stop_is_back():
    with stop_on_signal() as stop:
        with stop.at_once("now"):
            pass
        signal.raise_signal(signal.SIGINT)
        assert stop.requested


def test_other_handlers_come_back():
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)

    def work() -> None:
        with stop_on_signal():
            assert signal.getsignal(signal.SIGINT) != before[0]
            raise RuntimeError

    with pytest.raises(RuntimeError):
        work()
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_other_threads_have_no_signals():
    found: list[StopRequest] = []

    def work() -> None:
        with stop_on_signal() as stop:
            found.append(stop)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert not found[0].requested

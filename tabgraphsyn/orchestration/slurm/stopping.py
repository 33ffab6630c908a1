"""Signals that wait: a launch is never stopped between sbatch's acceptance of a job and the note of its id."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from tabgraphsyn.errors import Interrupted

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stop:
    """Whether a signal asked to stop."""

    def __init__(self) -> None:
        self._name: str | None = None

    def request(self, number: int, _: FrameType | None) -> None:
        """Remember a signal; a second one does not wait."""
        if self._name is not None:
            raise KeyboardInterrupt
        self._name = signal.Signals(number).name

    def check(self) -> None:
        """Stop here if that was asked for.

        Raises:
            Interrupted: it was.
        """
        if self._name is not None:
            raise Interrupted(f"stopped by {self._name}")


@contextmanager
def deferred_signals() -> Iterator[Stop]:
    """Let signals that end a process wait for ``check``; only the main thread can."""
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = {number: signal.signal(number, stop.request) for number in _SIGNALS}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

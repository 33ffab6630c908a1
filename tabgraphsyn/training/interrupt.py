"""The flag that a signal raises and a training loop reads at its step boundaries."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any, Protocol, Self

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR2)


class InterruptFlag(Protocol):
    """Tells a loop that it was asked to save and leave."""

    @property
    def requested(self) -> bool:
        """True once asked."""

    @property
    def overtaken(self) -> bool:
        """True once a later attempt computes the same: this one must write nothing more that the other reads."""


class SignalFlag:
    """Set by SIGTERM, SIGINT or SIGUSR2 while installed; a second SIGINT raises ``KeyboardInterrupt``.

    Use it as a context manager in the main thread::

        with SignalFlag() as interrupt:
            run(context_with(interrupt))
    """

    def __init__(self) -> None:
        self.signal_name: str | None = None
        self._interrupts = 0
        self._former: dict[signal.Signals, Any] = {}

    @property
    def requested(self) -> bool:
        """True once a signal came."""
        return self.signal_name is not None

    @property
    def overtaken(self) -> bool:
        """False: nobody else computes the same."""
        return False

    def __enter__(self) -> Self:
        self.install()
        return self

    def __exit__(self, *_: object) -> None:
        self.restore()

    def install(self) -> None:
        """Take over the signals; remembers who had them. In a thread beside the main one signals are not to be had."""
        if threading.current_thread() is not threading.main_thread():
            return
        for number in STOP_SIGNALS:
            self._former[number] = signal.signal(number, self._receive)

    def restore(self) -> None:
        """Give the signals back."""
        while self._former:
            number, handler = self._former.popitem()
            signal.signal(number, signal.SIG_DFL if handler is None else handler)

    def _receive(self, number: int, _frame: FrameType | None) -> None:
        self.signal_name = signal.Signals(number).name
        if number == signal.SIGINT:
            self._interrupts += 1
            if self._interrupts > 1:
                raise KeyboardInterrupt


class NeverInterrupted:
    """The flag of a run that nothing stops."""

    requested = False
    overtaken = False

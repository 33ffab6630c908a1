"""What the user sees while stages run: a live table on a terminal, plain lines elsewhere."""

from __future__ import annotations

import os
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.table import Table

from tabgraphsyn.orchestration.local.frontier import FINISHED, Frontier, Progress
from tabgraphsyn.orchestration.reading.wording import duration, measured
from tabgraphsyn.terminal import raw

_PLAIN_EVERY_S = 30.0
_LIVE_EVERY_S = 0.25


@dataclass(frozen=True)
class RunningStage:
    """A stage that runs here or is waited for elsewhere."""

    label: str
    folder: Path
    started: float
    is_elsewhere: bool = False


class View(ABC):
    """Told of what happens, and of what runs at every turn of the runner's loop."""

    @abstractmethod
    def say(self, text: str) -> None:
        """Show a line for good."""

    @abstractmethod
    def update(self, frontier: Frontier, running: Sequence[RunningStage]) -> None:
        """Show what runs now."""

    def close(self) -> None:  # noqa: B027 - most views hold nothing
        """Give the terminal back."""


class PlainView(View):
    """Lines, with the progress of running stages now and then."""

    def __init__(self) -> None:
        self._next = time.monotonic() + _PLAIN_EVERY_S

    def say(self, text: str) -> None:
        """Print a line with the time. A reader that went away (head, a pager) does not end the run."""
        try:
            print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

    def update(self, frontier: Frontier, running: Sequence[RunningStage]) -> None:
        """Print the progress of running stages every half minute."""
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + _PLAIN_EVERY_S
        for stage in running:
            self.say(
                f"running {stage.label}: {duration(time.time() - stage.started)} {measured(stage.folder)}".rstrip()
            )


class LiveView(View):
    """A table of what runs, redrawn in place; events scroll above it."""

    def __init__(self, console: Console) -> None:
        self._live = Live(console=console, auto_refresh=False, transient=True)
        self._live.start()
        self._next = 0.0
        self._started = time.time()

    def say(self, text: str) -> None:
        """Print a line above the table."""
        self._live.console.print(f"{time.strftime('%H:%M:%S')} {text}", markup=False, highlight=False, soft_wrap=True)

    def update(self, frontier: Frontier, running: Sequence[RunningStage]) -> None:
        """Redraw the table."""
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + _LIVE_EVERY_S
        self._live.update(self._table(frontier, running), refresh=True)

    def close(self) -> None:
        """Remove the table."""
        self._live.stop()

    def _table(self, frontier: Frontier, running: Sequence[RunningStage]) -> Table:
        title = (
            f"{frontier.count(*FINISHED)} of {len(frontier.progress)} stages, "
            f"{frontier.count(Progress.FAILED)} failed, {duration(time.time() - self._started)}"
        )
        table = Table(title=title, title_justify="left", box=None, padding=(0, 2, 0, 0))
        for name in ("stage", "time", "progress"):
            table.add_column(name, no_wrap=True)
        for stage in running:
            where = " (another launch)" if stage.is_elsewhere else ""
            table.add_row(stage.label + where, duration(time.time() - stage.started), measured(stage.folder))
        return table


def view_for(stream: Any = None) -> View:
    """Return a live view on a terminal, else plain lines."""
    out = raw(sys.stdout if stream is None else stream)
    return LiveView(Console(file=out)) if out.isatty() else PlainView()

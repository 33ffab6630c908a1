"""How a running ``fit`` is shown: a table that is redrawn, on a terminal or in a notebook; else lines; or nothing."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tabgraphsyn.orchestration.local.view import RunningStage, View, view_for

if TYPE_CHECKING:
    from tabgraphsyn.orchestration.local.frontier import Frontier

_EVERY_S = 0.5
_EVENTS = 8


class SilentView(View):
    """Shows nothing."""

    def say(self, text: str) -> None:
        """Show nothing."""

    def update(self, frontier: Frontier, running: Sequence[RunningStage]) -> None:
        """Show nothing."""


class NotebookView(View):
    """One output of a cell, redrawn: how many stages are done, what runs, the last events."""

    def __init__(self, display: Any) -> None:
        self._events: list[str] = []
        self._started = time.time()
        self._next = 0.0
        self._title = "reading the data"
        self._running: Sequence[RunningStage] = ()
        self._handle = display(self._table(), display_id=True)

    def say(self, text: str) -> None:
        """Add an event; what failed is kept whatever comes after it."""
        self._events.append(text)
        self._show()

    def update(self, frontier: Frontier, running: Sequence[RunningStage]) -> None:
        """Redraw what runs, twice a second at most."""
        from tabgraphsyn.orchestration.local.frontier import FINISHED, Progress

        self._title = f"{frontier.count(*FINISHED)} of {len(frontier.progress)} stages"
        if frontier.count(Progress.FAILED):
            self._title += f", {frontier.count(Progress.FAILED)} failed"
        self._running = running
        if time.monotonic() >= self._next:
            self._show()

    def close(self) -> None:
        """Show how it ended."""
        self._running = ()
        self._show()

    def _show(self) -> None:
        self._next = time.monotonic() + _EVERY_S
        self._handle.update(self._table())

    def _table(self) -> Any:
        from rich.table import Table
        from rich.text import Text

        from tabgraphsyn.orchestration.reading.wording import duration, measured
        from tabgraphsyn.terminal import printable

        title = f"{self._title}, {duration(time.time() - self._started)}"
        table = Table(title=title, title_justify="left", box=None, show_header=False, padding=(0, 2, 0, 0))
        for stage in self._running:
            words = f"{stage.label}: {duration(time.time() - stage.started)} {measured(stage.folder)}"
            table.add_row(Text(printable(words.strip())))
        kept = [each for each in self._events[:-_EVENTS] if each.startswith(("FAILED", "privacy gate"))]
        for event in [*kept, *self._events[-_EVENTS:]]:
            table.add_row(Text(printable(event)))
        return table


def progress_view(*, shown: bool) -> View:
    """Return the view that fits where this process runs."""
    if not shown:
        return SilentView()
    display = _notebook_display()
    return view_for() if display is None else NotebookView(display)


def _notebook_display() -> Any:
    """Return IPython's ``display`` in a notebook, None elsewhere; IPython is not imported for asking."""
    import sys

    if "IPython" not in sys.modules:
        return None
    shell = sys.modules["IPython"].get_ipython()
    if type(shell).__name__ != "ZMQInteractiveShell":
        return None
    from IPython.display import display

    return display

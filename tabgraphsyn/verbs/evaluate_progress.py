"""How far an evaluation is: a bar on a terminal, a line per part in a file or a pipe."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Column

from tabgraphsyn import terminal
from tabgraphsyn.evaluation.run import Part

_BAR = 16


@contextmanager
def progress_bar(title: str = "") -> Iterator[Callable[[Part], None]]:
    """Yield what to tell of each part as it begins: metric, percentage and time are shown on standard error.

    On a terminal that is a bar, which vanishes at the end; elsewhere one line per part, without control characters.
    """
    console = terminal.console(stderr=True)
    if not console.is_terminal:
        yield _lines(console, title)
        return
    # What is left of the width is the name's, so that a narrow terminal cuts neither percentage nor time.
    name = TextColumn("{task.description}", markup=False, table_column=Column(ratio=1, no_wrap=True))
    columns = (SpinnerColumn(), TaskProgressColumn(), TimeElapsedColumn(), BarColumn(_BAR), name)
    with Progress(*columns, console=console, transient=True, expand=True) as bar:
        task = bar.add_task(title, total=None)

        def begins(part: Part) -> None:
            told = f"{part.name} {title}".strip()
            # Drawn at once: a short part would else be seen or not as the machine's load has it.
            bar.update(task, completed=part.done, total=part.total or None, description=told, refresh=True)

        yield begins


def _lines(console: Console, title: str) -> Callable[[Part], None]:
    start = time.monotonic()

    def begins(part: Part) -> None:
        if not part.name:
            return
        elapsed = str(timedelta(seconds=int(time.monotonic() - start)))
        share = f"{100 * part.done // part.total:3d} %" if part.total else ""
        line = " ".join(filter(None, (elapsed, share, part.name, title)))
        console.print(line, markup=False, highlight=False, soft_wrap=True)

    return begins

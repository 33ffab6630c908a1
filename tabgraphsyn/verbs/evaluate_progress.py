"""How far an evaluation is, on a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from tabgraphsyn.evaluation.run import Part


@contextmanager
def progress_bar(title: str = "") -> Iterator[Callable[[Part], None]]:
    """Yield what to tell of each part as it begins; the bar vanishes at the end, and is none in a file or a pipe."""
    console = Console(stderr=True)
    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn())
    with Progress(
        *columns, TimeElapsedColumn(), console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task(title, total=None)

        def begins(part: Part) -> None:
            bar.update(task, completed=part.done, total=part.total or None, description=f"{title} {part.name}".strip())

        yield begins

"""Where verbs print tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tabgraphsyn.terminal import console

if TYPE_CHECKING:
    from rich.console import Console

_FILE_COLUMNS = 250


def output() -> Console:
    """Return a console as wide as the terminal; into a file or a pipe lines are not broken."""
    made = console(highlight=False)
    return made if made.is_terminal else console(highlight=False, width=_FILE_COLUMNS)

"""Pieces of Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

# What a reader sees as the tag of some page would otherwise be one.
_TAG = re.compile(r"<(?=[A-Za-z/!])")


def cell(text: object) -> str:
    """Return a text as it can stand in one cell of a table: one line, no bar, no tag outside code.

    Nor a brace: what stands in braces at the end of a cell would be its attributes, and not be shown.

    >>> cell("a | b\\n<name> and ``code``"), cell("a map: {key: value}")
    ('a \\\\| b &lt;name> and `code`', 'a map: &#123;key: value}')
    """
    line = " ".join(str(text).replace("``", "`").split()).replace("|", "\\|")
    parts = line.split("`")
    return "`".join(
        part if number % 2 else _TAG.sub("&lt;", part).replace("{", "&#123;") for number, part in enumerate(parts)
    )


def code(text: object) -> str:
    """Return a text as code in a cell; a longer fence where it holds backticks.

    >>> code("a|b"), code("")
    ('`a\\\\|b`', '')
    """
    line = " ".join(str(text).split()).replace("|", "\\|")
    fence = "``" if "`" in line else "`"
    return f"{fence}{line}{fence}" if line else ""


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Return the lines of a table whose cells are Markdown already, and an empty one."""
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    return [*lines, *(f"| {' | '.join(row)} |" for row in rows), ""]

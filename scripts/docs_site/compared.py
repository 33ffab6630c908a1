"""Our own cells for the page that lays published ones beside them: read from the README's table, so never stale."""

from __future__ import annotations

import re
from pathlib import Path

README = Path(__file__).resolve().parents[2] / "README.md"
ROOT = README.parent
_CELL = re.compile(r"\{\{ ours ([\w-]+) ([^}]+?) \}\}")


def our_cells(text: str) -> dict[str, dict[str, str]]:
    """Return database -> column -> cell, of the first table whose first column is ``database``."""
    lines = text.splitlines()
    start = next((number for number, line in enumerate(lines) if re.match(r"\|\s*database\s*\|", line)), None)
    if start is None:
        return {}
    head, found = _split(lines[start]), {}
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        values = _split(line)
        found[values[0]] = dict(zip(head[1:], values[1:], strict=False))
    return found


def _split(line: str) -> list[str]:
    return [part.strip().replace("**", "") for part in line.strip().strip("|").split("|")]


def filled(text: str) -> str:
    """Return a page with ``{{ ours DATABASE COLUMN }}`` replaced: the README's cell, an older one, or a dash.

    >>> filled("x {{ ours nowhere C2ST-Agg }}")
    'x –'
    """
    new, old = our_cells(README.read_text(encoding="utf-8")), our_cells(text)

    def cell(found: re.Match[str]) -> str:
        database, column = found[1], found[2]
        if column in new.get(database, {}):
            return new[database][column]
        return f"{old[database][column]} *(older)*" if column in old.get(database, {}) else "–"

    return _CELL.sub(cell, text)

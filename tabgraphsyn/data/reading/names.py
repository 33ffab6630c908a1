"""Names that become file names, and paths that stay inside the data folder."""

from __future__ import annotations

import re
from pathlib import Path

_TABLE_NAME = re.compile(r"\w(?:[\w .+-]*[\w+-])?")
_MAX_LENGTH = 120


def table_name_problem(name: str, location: str) -> str | None:
    """Return what is wrong with a table name, or None.

    >>> table_name_problem("flights_2013", "flights_2013.csv")
    >>> table_name_problem("../etc/passwd", "metadata.json")
    "metadata.json: a table name becomes a file name: letters, digits, '_', '-', '+', '.' and spaces inside; \
found '../etc/passwd'. Rename the table."
    """
    if _TABLE_NAME.fullmatch(name) and len(name) <= _MAX_LENGTH:
        return None
    shown = name if len(name) <= _MAX_LENGTH else name[:40] + "..."
    return (
        f"{location}: a table name becomes a file name: letters, digits, '_', '-', '+', '.' and spaces inside; "
        f"found {shown!r}. Rename the table."
    )


def outside_problem(path: Path, folder: Path) -> str | None:
    """Return what is wrong where ``path`` leads out of ``folder`` (a symlink, ``..``), or None."""
    try:
        target, root = path.resolve(), folder.resolve()
    except (OSError, RuntimeError) as error:  # a symlink that points at itself
        return f"{path}: the path cannot be followed ({error}). Replace the link by the file."
    if target.is_relative_to(root):
        return None
    return (
        f"{path}: files of a data folder lie inside it; this one leads to {target}. Copy the file into {folder}, "
        f"or set dataset.path to the folder that holds it."
    )


def quoted(name: str) -> str:
    """Return an SQL identifier.

    >>> quoted('a"b')
    '"a""b"'
    """
    return '"' + name.replace('"', '""') + '"'


def column_name_problem(name: str, location: str) -> str | None:
    """Return what is wrong with a column's name, or None: metadata must be able to spell it.

    >>> column_name_problem("pay", "t.parquet")
    >>> column_name_problem(" ", "t.parquet")
    "t.parquet: a column has a name made of Unicode characters, found ' '. Rename the column."
    """
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:  # half of a surrogate pair, which json can spell
        is_unicode = False
    else:
        is_unicode = True
    if is_unicode and name.strip():
        return None
    return f"{location}: a column has a name made of Unicode characters, found {name!r}. Rename the column."

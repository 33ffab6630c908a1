"""Which rows of a sample a user gave: a file beside its tables, read where the sample is scored."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from tabgraphsyn.data.files import write_json
from tabgraphsyn.data.untrusted import Count, Form, Name, read_form
from tabgraphsyn.errors import DataError

GIVEN_FILE = "given.json"


class GivenForm(Form):
    """``given.json``: table -> numbers of its rows, from 0 on in the order of its file."""

    given: dict[Name, list[Count]]


def write_given(folder: Path, given: Mapping[str, np.ndarray]) -> None:
    """Write which rows of tables are given, (n,) int64 each; nothing where none is."""
    if given:
        write_json(folder / GIVEN_FILE, {"given": {table: np.sort(rows).tolist() for table, rows in given.items()}})


def read_given(folder: Path, rows: Mapping[str, int]) -> dict[str, np.ndarray]:
    """Return which rows of the tables of a folder are given, (n,) int64 each; empty where the folder does not say.

    Args:
        folder: of the tables; may be a file, which says nothing.
        rows: number of rows of each table.

    Raises:
        DataError: rows or tables that there are not: the tables were changed after they were sampled.
    """
    path = folder / GIVEN_FILE
    if not folder.is_dir() or not path.exists():
        return {}
    found = {table: np.unique(np.array(one, dtype=np.int64)) for table, one in read_form(path, GivenForm).given.items()}
    wrong = [table for table, one in found.items() if len(one) and int(one[-1]) >= rows.get(table, 0)]
    if wrong:
        raise DataError(
            f"{path}: {wrong[0]!r}: rows of its {rows.get(wrong[0], 0):,} expected, found others: the tables are not "
            "those that it was written with. Sample again, or remove the file: its rows then count as made."
        )
    return {table: one for table, one in found.items() if len(one)}


def given_words(given: Mapping[str, np.ndarray], rows: Mapping[str, int]) -> list[str]:
    """Return for each table how many of its rows were given, and what that means for its scores."""
    return [
        f"{table}: {len(one):,} of {rows[table]:,} rows are said to be given by a user ({GIVEN_FILE}): they are left "
        "out of copies, the gate and all scores of rows; keys, rules and utility are of all rows."
        for table, one in given.items()
    ]

"""Where a table stands among the lines of a file: titles before it, its names, units under them, a total at its end.

What is sure is passed over and noted; what may be a row is refused, with the option that says what it is.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from tabgraphsyn.errors import DataError, listing

Cells = Sequence[str | None]
Verdict = Literal["names", "row", "unknown"]

_NUMBER = re.compile(
    "[+\\-(\u2212]?\\s?[$€£¥]?\\s?\\d[\\d.,'\u2019\u00a0\u202f\\s]*(?:[eE][+-]?\\d+)?\\s?[%€$£)]?|[+-]?[.,]\\d+"
)
_DATE = re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}([T ].*)?|\d{1,2}:\d{2}(:\d{2}.*)?")
_TOTALS = frozenset(
    re.split(
        "/",
        "total/totals/grand total/sub total/subtotal/sum/sums/average/mean/gesamt/summe/gesamtsumme/durchschnitt/"
        "somme/totaux/totale/totales/suma/soma/totaal/итого/всего/合計/总计/总和/합계/toplam/yhteensä/summa/i alt/"
        "celkem/razem",
    )
)
_FEW_ROWS = 3
_MOST_ROWS = 200


@dataclass(frozen=True)
class Given:
    """What the user says about one table; None where it is to be found.

    Attributes:
        skip_rows: lines before the names.
        header: whether the first line holds names.
        skip_after_header: rows under the names that are none (units, types).
        skip_footer: lines at the end that are no rows.
    """

    skip_rows: int | None = None
    header: bool | None = None
    skip_after_header: int | None = None
    skip_footer: int | None = None


@dataclass(frozen=True)
class Found:
    """Where the table stands.

    Attributes:
        first: number of the first row that counts (the names, or the first row without them), among those given.
        has_names: whether that row holds the names.
        note: what was passed over, in words; empty for nothing.
    """

    first: int
    has_names: bool = True
    note: str = ""


def chosen(value: object, table: str) -> object:
    """Return what an option says about one table: the value itself, or its entry in a mapping by table."""
    return value.get(table) if isinstance(value, Mapping) else value


def find_layout(rows: Sequence[Cells], lines: Sequence[int], given: Given, nulls: frozenset[str], where: str) -> Found:
    """Return where the table stands in the first rows of a file.

    Args:
        rows: the first rows that are not empty, comments and ``given.skip_rows`` left out.
        lines: the number of the line that each starts in.
        given: what the user says.
        nulls: words for a missing value.
        where: the file, for messages.

    Raises:
        DataError: a row may or may not be one, and only the user can say.
    """
    first, note = (0, "") if given.skip_rows is not None else _after_titles(rows, lines, nulls, where)
    table = rows[first : first + _MOST_ROWS]
    if given.header is False or not table:
        return Found(first, has_names=given.header is not False, note=note)
    if given.header is None and looks_like(table[0], table[1:], nulls) == "row":
        raise DataError(
            f"{where}: line {lines[first]} looks like a row, not like names: {_shown(table[0])}. Set "
            f"dataset.header=false if it is one (columns are then column_1, column_2, ...), or dataset.header=true if "
            f"these are names."
        )
    if given.skip_after_header is None and len(table) > 1 and _is_second_header(table[1], table[2:], nulls):
        raise DataError(
            f"{where}: line {lines[first + 1]} looks like a second line of names, units or types: {_shown(table[1])}. "
            f"Set dataset.skip_after_header=1 to pass over it, dataset.skip_rows={lines[first + 1] - 1} if the names "
            f"stand there, or dataset.skip_after_header=0 if it is a row."
        )
    return Found(first, note=note)


def looks_like(first: Cells, rest: Sequence[Cells], nulls: frozenset[str]) -> Verdict:
    """Return whether the first row holds names or is one of the rows, as far as the others tell.

    >>> looks_like(["id", "kind"], [["1", "a"], ["2", "b"]], frozenset())
    'names'
    >>> looks_like(["1", "a"], [["2", "b"], ["3", "a"]], frozenset())
    'row'
    """
    says_names = says_row = False
    for column, cell in enumerate(first):
        values = _values(rest, column, nulls)
        if len(values) < 2 or cell is None or not cell.strip() or cell.strip() in nulls:
            continue
        if all(map(_is_number, values)) or all(map(_is_date, values)):
            says_row |= _is_number(cell) or _is_date(cell)
            says_names |= not (_is_number(cell) or _is_date(cell))
        elif len(set(values)) <= len(values) / 2:
            says_row |= cell in values
            says_names |= cell not in values
    if says_names or _counts_up(first):
        return "names"
    return "row" if says_row else "unknown"


def total_problem(last: Cells, others: Sequence[Cells], nulls: frozenset[str], where: str) -> str | None:
    """Return what is wrong where the last row is a total of the others, or None."""
    filled = [column for column, cell in enumerate(last) if cell is not None and cell.strip()]
    if not filled or (last[filled[0]] or "").strip().rstrip(":").casefold() not in _TOTALS:
        return None
    values = [_values(others, column, nulls) for column in range(len(last))]
    others_are_numbers = bool(values[filled[0]]) and all(map(_is_number, values[filled[0]]))
    is_empty_here = any(
        column not in filled and len(found) == len(others) and found for column, found in enumerate(values)
    )
    if not (others_are_numbers or is_empty_here or _is_sum(last, others, filled[1:])):
        return None
    return (
        f"{where}: the last row looks like a total of the others: {_shown(last)}. Set dataset.skip_footer=1 to leave "
        f"it out, or dataset.skip_footer=0 if it is a row."
    )


def _after_titles(rows: Sequence[Cells], lines: Sequence[int], nulls: frozenset[str], where: str) -> tuple[int, str]:
    """Return the first row that belongs to the table, and a note on what stands before it."""
    widths = [len(row) for row in rows]
    if len(rows) < 2:
        return 0, ""
    usual, count = Counter(widths).most_common(1)[0]
    if widths[0] >= usual or usual < 2:
        return 0, ""
    first = next(number for number, width in enumerate(widths) if width >= usual)
    after = widths[first:]
    gap = lines[first] - lines[first - 1] > 1
    if count < 0.5 * len(after) or widths[first] != max(after):
        return 0, ""
    if not gap and looks_like(rows[first], rows[first + 1 :], nulls) != "names":
        raise DataError(
            f"{where}: line {lines[0]} has {widths[0]} field(s), the lines from {lines[first]} on have {usual}. If the "
            f"table starts there, set dataset.skip_rows={lines[first] - 1}; if not, mend the line or set "
            f"dataset.delimiter."
        )
    return first, f"passed over what stands before the table: {_shown([_joined(row) for row in rows[:first]])}"


def _is_second_header(row: Cells, rest: Sequence[Cells], nulls: frozenset[str]) -> bool:
    """Return True where no number column has a number in this row, and every other row has them."""
    if len(rest) < _FEW_ROWS:
        return False
    odd = 0
    for column, cell in enumerate(row):
        values = _values(rest, column, nulls)
        if len(values) < _FEW_ROWS or not (all(map(_is_number, values)) or all(map(_is_date, values))):
            continue
        if cell is None or not cell.strip() or cell.strip() in nulls:
            continue
        if _is_number(cell) or _is_date(cell):
            return False
        odd += 1
    return odd > 0


def _values(rows: Sequence[Cells], column: int, nulls: frozenset[str]) -> list[str]:
    cells = (row[column] for row in rows if column < len(row))
    return [cell.strip() for cell in cells if cell is not None and cell.strip() and cell.strip() not in nulls]


def _is_number(cell: str) -> bool:
    return _NUMBER.fullmatch(cell.strip()) is not None


def _is_date(cell: str) -> bool:
    return _DATE.fullmatch(cell.strip()) is not None


def _counts_up(cells: Cells) -> bool:
    """Return True for names such as 0, 1, 2 or 2010, 2015, 2020."""
    numbers = [int(cell) for cell in cells if cell is not None and cell.strip().isdecimal() and len(cell.strip()) < 10]
    steps = {high - low for low, high in pairwise(numbers)}
    return len(numbers) >= 3 and len(numbers) >= len(cells) - 1 and len(steps) == 1 and steps != {0}


def _is_sum(last: Cells, others: Sequence[Cells], columns: Sequence[int]) -> bool:
    for column in columns:
        try:
            numbers = [float((row[column] or "0").replace(",", "")) for row in others if column < len(row)]
            total = float((last[column] or "").replace(",", ""))
        except ValueError:
            continue
        if len(numbers) > 1 and abs(sum(numbers) - total) <= 1e-6 * max(1.0, abs(total)):
            return True
    return False


def _joined(row: Cells) -> str:
    return " ".join(cell for cell in row if cell)


def _shown(row: Cells) -> str:
    return listing([(cell or "")[:40] for cell in row], 6)

"""Columns that say a row's day, or a part of it, in another way: its year, its weekday, its quarter as text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pyarrow as pa

from tabgraphsyn.data.codes import as_text, column_codes
from tabgraphsyn.data.rules.operand import Operand
from tabgraphsyn.data.rules.rule import Checked, Rule
from tabgraphsyn.data.rules.search import Search
from tabgraphsyn.data.rules.tables import RuleTables
from tabgraphsyn.data.rules.value_kinds import Fixed, agreeing, most_frequent

DAY_S = 86_400
ROWS_PER_PART = 5
YEARS_MORE = 1
"""Years before and after the known ones whose words are listed, too."""
_LISTED = {"year": (1, 0, 0), "year and quarter": (10, 1, 4), "year and month": (100, 1, 12),
           "year and ISO week": (100, 1, 53)}  # fmt: skip
"""Parts that go on from year to year: by how much a year's number is multiplied, the first and the last one in it."""
PARTS = (
    "year", "quarter", "month", "weekday", "hour", "day of the month", "year and quarter", "year and month", "ISO week",
    "year and ISO week",
)  # fmt: skip
"""Parts of a time, the ones with fewer values first: of two that fix a column the first one is named."""


def part_of(seconds: np.ndarray, part: str) -> np.ndarray:
    """Return (rows,) int64: the number of a part of each time, -1 where there is no time.

    Args:
        seconds: (rows,) since 1970, NaN for none.
        part: one of ``PARTS``.

    >>> [int(part_of(np.array([1_706_745_600.0]), part)[0]) for part in ("year", "month", "weekday", "ISO week")]
    [2024, 2, 3, 5]
    """
    has = np.isfinite(seconds)
    whole = np.where(has, seconds, 0).astype("datetime64[s]")
    day = whole.astype("datetime64[D]")
    year, month = day.astype("datetime64[Y]").astype(np.int64) + 1970, day.astype("datetime64[M]").astype(np.int64) % 12
    weekday = (day.astype(np.int64) + 3) % 7
    if "ISO" in part:  # the week belongs to the year of its Thursday
        thursday = day - weekday + 3
        year = thursday.astype("datetime64[Y]").astype(np.int64) + 1970
        week = (thursday - thursday.astype("datetime64[Y]").astype("datetime64[D]")).astype(np.int64) // 7 + 1
        found = week if part == "ISO week" else year * 100 + week
    else:
        found = {
            "year": year,
            "quarter": month // 3 + 1,
            "month": month + 1,
            "weekday": weekday,
            "hour": whole.astype(np.int64) % DAY_S // 3600,
            "day of the month": (day - day.astype("datetime64[M]").astype("datetime64[D]")).astype(np.int64) + 1,
            "year and quarter": year * 10 + month // 3 + 1,
            "year and month": year * 100 + month + 1,
        }[part]
    return np.where(has & (found >= 0), found, -1)


def continued(part: str, known: Mapping[tuple[str, ...], str | None]) -> dict[tuple[str, ...], str | None]:
    """Return what is known of the words for parts of times, and how others of these years are written, if they all say.

    >>> continued("year and quarter", {("20191",): "2019Q1", ("20193",): "2019Q3"})[("20202",)]
    '2020Q2'
    """
    numbers = {int(key[0]): text for key, text in known.items() if text is not None}
    if part not in _LISTED or len(numbers) < max(2, len(known)):
        return dict(known)
    base, first, last = _LISTED[part]
    years = range(min(numbers) // base - YEARS_MORE, max(numbers) // base + YEARS_MORE + 1)
    every = [year * base + below for year in years for below in range(first, last + 1)]
    for form in _forms(min(numbers), base, numbers[min(numbers)]):
        if all(_written(form, number, base) == text for number, text in numbers.items()):
            return {(str(number),): _written(form, number, base) for number in every} | dict(known)
    return dict(known)


def _forms(number: int, base: int, text: str) -> Iterator[str]:
    """Yield how the number of a part is written in ``text``: what ``_written`` fills in."""
    for year in ("{year}", "{short:02d}"):
        for below in ("{below:02d}", "{below}") if base > 1 else ("",):
            form, found = text.replace("{", "{{").replace("}", "}}"), True
            marked = [(place, mark) for place, mark in ((year, "\0"), (below, "\1")) if place]
            for place, mark in marked:
                word = _written(place, number, base)
                found &= word in form
                form = form.replace(word, mark, 1)
            for place, mark in marked:
                form = form.replace(mark, place)
            if found:
                yield form


def _written(form: str, number: int, base: int) -> str:
    return form.format(year=number // base, short=number // base % 100, below=number % base)


@dataclass(frozen=True, kw_only=True)
class Calendar(Rule):
    """A column follows from a part of a time of its row: ``month`` is the month of ``visited_at``, in whatever words.

    Attributes:
        column: what follows.
        time: the time.
        part: which part, one of ``PARTS``.
    """

    kind: ClassVar[str] = "calendar"
    column: Operand
    time: Operand
    part: str

    def __post_init__(self) -> None:
        if self.part not in PARTS:
            raise ValueError(f"part: one of {', '.join(PARTS)}, found {self.part!r}")

    @property
    def operands(self) -> tuple[Operand, ...]:
        """The column and the time."""
        return (self.column, self.time)

    @property
    def follows(self) -> tuple[str, ...]:
        """The column."""
        return (self.column.column,)

    def check(self, tables: RuleTables, reference: RuleTables | None = None) -> Checked:
        """Return where the column is not what goes with the part; the reference says what does, where it knows it."""
        own = part_of(tables.numbers(self.table, self.time), self.part)
        if reference is None:
            return agreeing(own, tables.codes(self.table, self.column) + 1)
        there = part_of(reference.numbers(self.table, self.time), self.part)
        texts = [as_text(side.values(self.table, self.column)) for side in (tables, reference)]
        codes = column_codes(pa.concat_arrays(texts), null_code=False) + 1
        wanted = np.full(max(int(own.max(initial=-1)), int(there.max(initial=-1))) + 2, -1, dtype=np.int64)
        for part, value in ((own, codes[: len(own)]), (there, codes[len(own) :])):
            known, usual = most_frequent(part, value)
            wanted[known] = usual
        return Checked.of(own >= 0, wanted[np.maximum(own, 0)] == codes[: len(own)])

    def statement(self) -> str:
        """Return the rule in plain words."""
        return f"{self.column} goes by the {self.part} of {self.time}"


def find_calendar(search: Search, told: Iterable[Rule]) -> Iterator[Calendar]:
    """Yield candidates: a column of few values and the first part of a time of its row that fixes it.

    Args:
        search: the table.
        told: rules found before: what a time fixes as it is needs no part of it.
    """
    fixed = {(one.dependent, one.determinant) for one in told if isinstance(one, Fixed) and one.strength == 1}
    times = [one for one in search.attributes if search.sample.is_time(search.table, one)]
    rows = search.sample.num_rows(search.table)
    others = {}
    for one in search.attributes:
        codes = search.sample.codes(search.table, one) if one not in times else np.zeros(0, dtype=np.int64)
        if len(codes) and 1 <= codes.max() < rows / ROWS_PER_PART:
            others[one] = codes + 1
    for time in times:
        seconds = search.sample.numbers(search.table, time)
        parts = {part: part_of(seconds, part) for part in PARTS}
        found = {part: len(np.unique(each[each >= 0])) for part, each in parts.items()}  # no time is no part of one
        usable = {part: each for part, each in parts.items() if 2 <= found[part] <= rows / ROWS_PER_PART}
        for column, codes in others.items():
            if (column, (time,)) in fixed or len(np.unique(codes[~np.isnan(seconds) & (codes > 0)])) < 2:
                continue  # closed wherever there is a day of closing: its year says nothing
            for part, each in usable.items():
                few = search.glance
                if not agreeing(each[few], codes[few]).broken.any() and not agreeing(each, codes).broken.any():
                    yield Calendar(table=search.table, column=column, time=time, part=part)
                    break

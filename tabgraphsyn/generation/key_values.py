"""Values of key columns: numbers in a row, ids of a pattern, steps of a grid, levels. None is taken from a real row."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tabgraphsyn.data.codec.groups import outward
from tabgraphsyn.data.codec.identifier import checked_pattern
from tabgraphsyn.data.codec.levels import Levels
from tabgraphsyn.data.codec.pattern import Pattern
from tabgraphsyn.data.codec.personal import PersonalCodec
from tabgraphsyn.data.counts import ValueCounts, as_numpy
from tabgraphsyn.data.formats import Format
from tabgraphsyn.data.formats.arrow_types import ArrowType
from tabgraphsyn.data.personal_words import PersonalKind
from tabgraphsyn.data.plain import Plain
from tabgraphsyn.data.untrusted import Count, Int64

PATTERN_EXAMPLES = 10_000
# A grid with more steps than this per distinct value is no grid: its values are spaced at will.
MAX_GRID_STEPS = 20
DAY_US = 86_400_000_000
LEAST_IDS = 20
"""So many whole numbers, at least, before they say how ids look."""
ROOM = 100
"""So many times the rows of training may be made before ids are beyond the column's type."""
LARGEST = 2**63 - 1
_PERSONS: tuple[PersonalKind, ...] = ("email", "name", "user_name")
"""What names each person once; a pattern of such keys would hold letters that a few real names share."""


class KeyMaker(Plain, ABC):
    """Makes the values of one key column: different numbers give different values.

    Attributes:
        kind: name in the json form.
        size: how many different values the real column has room for; more are made where they are needed.
        may_exceed: False where ``size`` is all there is.
        is_ranked: True where the rows of a family hold the first values (1, 2, 3), False where they hold any.
    """

    kind: ClassVar[str]
    size: int
    is_ranked: bool
    may_exceed: bool = True

    @abstractmethod
    def make(self, number: np.ndarray) -> pa.Array:
        """Return one value per number, (rows,); numbers count from 0."""


@dataclass(frozen=True)
class GridMaker(KeyMaker):
    """``start + step * number``: whole numbers, times (microseconds) or floats."""

    kind = "grid"
    type: ArrowType
    start: Int64
    step: Int64
    size: Count
    is_ranked: bool

    def make(self, number: np.ndarray) -> pa.Array:
        """Return ``start + step * number``, (rows,)."""
        return pa.array(self.start + self.step * number.astype(np.int64), pa.int64()).cast(pa.type_for_alias(self.type))


@dataclass(frozen=True)
class PatternMaker(KeyMaker):
    """Strings of the shape that the real ids have."""

    kind = "pattern"
    is_ranked = True
    type: ArrowType
    pattern: Pattern
    size: Count

    def make(self, number: np.ndarray) -> pa.Array:
        """Return ids of the pattern, (rows,)."""
        return pa.array(self.pattern.make(number), pa.string()).cast(pa.type_for_alias(self.type))


@dataclass(frozen=True)
class PersonMaker(KeyMaker):
    """E-mails, or names: those of the same made persons whom other columns of the row name."""

    kind = "person"
    is_ranked = True
    codec: PersonalCodec
    size: Count

    def make(self, number: np.ndarray) -> pa.Array:
        """Return what names these persons, (rows,)."""
        return pa.array(self.codec.made(number), pa.string()).cast(pa.type_for_alias(self.codec.type))


@dataclass(frozen=True)
class LevelMaker(KeyMaker):
    """Levels of a categorical or boolean part of a key, in their own order."""

    kind = "levels"
    levels: Levels
    size: Count
    is_ranked: bool
    may_exceed = False

    def make(self, number: np.ndarray) -> pa.Array:
        """Return the levels at these places, (rows,)."""
        return self.levels.take(number)


AnyMaker = GridMaker | PatternMaker | PersonMaker | LevelMaker
"""All kinds of makers, a closed list."""


def row_number_maker(
    values: pa.ChunkedArray,
    regex_format: str | None,
    largest: int = LARGEST,
    person: PersonalKind | None = None,
) -> KeyMaker:
    """Return the maker of a column that alone is a key: numbers in a row, ids of the real ids' shape, or made persons.

    Whole numbers are as long as the real ones, and begin with what all of them begin with: 100045, 100052, ... become
    100000, 100001, ...; where the real ones begin near 1, they count from 1. Which of them there are is not told.

    Args:
        values: of the training rows.
        regex_format: pattern of ids, if the metadata has one.
        largest: what the column's type holds.
        person: how the values lead to a person, None where they do not.
    """
    if person is not None and person in _PERSONS and regex_format is None:
        return PersonMaker(PersonalCodec.fit("key", person, values), max(len(values), 1))
    if pa.types.is_string(values.type) or pa.types.is_large_string(values.type):
        return _pattern(values, regex_format)
    if pa.types.is_integer(values.type) and (pattern := checked_pattern(pc.unique(values.drop_null()), len(values))):
        return PatternMaker(str(values.type), pattern, max(len(values), 1))
    start, step = 1, 1
    times = np.unique(_numbers(values)) if pa.types.is_timestamp(values.type) else np.empty(0, dtype=np.int64)
    if len(times):
        # From before the first real time, which itself is nobody's to know.
        step = _usual_step(times)
        is_within_day = step < DAY_US
        start = (
            (int(times[0]) - 1) // DAY_US * DAY_US if is_within_day else outward(int(times[0]), int(times[-1]), step)[0]
        )
    elif pa.types.is_integer(values.type):
        start, step = _first_number(np.unique(_numbers(values)), largest)
    return GridMaker(str(values.type), start, step, len(values), True)


def largest_number(format: Format | None) -> int:
    """Return the largest whole number of a column's type."""
    if format is None or not pa.types.is_integer(format.arrow):
        return LARGEST
    return min(int(np.iinfo(format.arrow.to_pandas_dtype()).max), LARGEST)


def _first_number(numbers: np.ndarray, largest: int = LARGEST) -> tuple[int, int]:
    """Return where ids begin, and the step between them, told by none of them alone.

    Args:
        numbers: sorted, each once.
        largest: what the column's type holds; ids that leave no room below it count from 1.

    >>> _first_number(np.arange(100045, 107000, 7)), _first_number(np.arange(3, 900))
    ((100003, 7), (1, 1))
    """
    count = len(numbers)
    if count < LEAST_IDS or numbers[0] < 1:
        return 1, 1
    step = int(np.gcd.reduce(np.diff(numbers)))
    phase = int(numbers[0]) % step
    if numbers[0] <= count * step:
        return phase or step, step
    least, most = str(int(numbers[0])), str(int(numbers[-1]))
    differ = next((place for place, (one, other) in enumerate(zip(least, most, strict=False)) if one != other), 0)
    shared = differ if len(least) == len(most) else 0
    # Room for as many as there are, so that what is shared is never one id.
    zeros = max(len(least) - shared, len(str(count * step)))
    low = max(int(least) // 10**zeros * 10**zeros, 10 ** (len(least) - 1))
    is_roomy = low + ROOM * count * step <= largest
    return (low + (phase - low) % step, step) if is_roomy else (1, 1)


def part_maker(
    values: pa.ChunkedArray,
    rank: np.ndarray | None,
    *,
    is_categorical: bool,
    regex_format: str | None,
    entities: np.ndarray | None = None,
    min_entities: int = 1,
) -> KeyMaker:
    """Return the maker of a part of a composite key that is no foreign key.

    Args:
        values: the part in the training rows.
        rank: (rows,) place of each row among the rows that share the rest of the key, ordered by this part; None where
            several parts are no foreign keys.
        is_categorical: whether the column is categorical or boolean.
        regex_format: pattern of string ids, if the metadata has one.
        entities: (rows,) the entity of each row, None where every row is one.
        min_entities: so many entities must hold a level, or an end of the grid, before it is named.
    """
    is_text = pa.types.is_string(values.type) or pa.types.is_large_string(values.type)
    if is_text and not is_categorical:
        return _pattern(values, regex_format)
    if is_categorical or pa.types.is_boolean(values.type):
        distinct = pc.unique(values.drop_null())
        levels = Levels.of(distinct.take(pc.sort_indices(distinct.cast(pa.string()))))
        place = pc.index_in(values, levels.take(np.arange(len(levels)))).to_numpy()
        is_ranked = rank is not None and _follows(place, rank)
        return LevelMaker(_shared_levels(levels, values, entities, min_entities), len(levels), is_ranked)
    numbers = _numbers(values)
    held_by = entities if entities is None or not values.null_count else entities[as_numpy(pc.is_valid(values))]
    counted = ValueCounts.of(pa.array(numbers), held_by)
    distinct_numbers = as_numpy(counted.distinct)
    if not len(distinct_numbers):
        return GridMaker(str(values.type), 1, 1, 1, False)
    step = _usual_step(distinct_numbers)
    start, last = int(distinct_numbers[0]), int(distinct_numbers[-1])
    is_ranked = rank is not None and _follows((numbers - start) / step, rank)
    steps = (last - start) // step + 1
    held = counted.held_by(min_entities)
    if not (held[0] or start in (0, 1)):
        first, steps = outward(start, last, step)
        if start >= 0 > first:  # numbers stay on their side of zero
            steps -= (start % step - first) // step
            first = start % step
        start = first
    elif not (held[-1] or is_ranked):
        steps = outward(start, last, step)[1]
    return GridMaker(str(values.type), start, step, min(steps, MAX_GRID_STEPS * len(distinct_numbers)), is_ranked)


def _shared_levels(levels: Levels, values: pa.ChunkedArray, entities: np.ndarray | None, min_entities: int) -> Levels:
    """Return as many levels, those of fewer entities made anew: texts in the pattern of all, numbers beyond all.

    Both truth values may be said; they tell nothing of anybody.
    """
    kind = levels.arrow_type
    if pa.types.is_boolean(kind) or min_entities <= 1:
        return levels
    counted = ValueCounts.of(values, entities)
    shared = set(counted.distinct.filter(pa.array(counted.held_by(min_entities))).to_pylist())
    real = levels.array.to_pylist()
    rare = [place for place, one in enumerate(real) if one not in shared]
    if not rare:
        return levels
    made: list[Any] = list(levels.values)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        tries = Pattern.learn([str(one) for one in real]).make(np.arange(len(rare) + len(real))).tolist()
        fresh = iter([one for one in dict.fromkeys(tries) if one not in set(real)])
        for place in rare:
            made[place] = next(fresh)
        return Levels(levels.type, tuple(made))
    numbers = [one for one in made if one is not None]
    top = 10 ** len(str(int(max(abs(one) for one in numbers))))
    for number, place in enumerate(rare):
        made[place] = type(numbers[0])(top + number)
    return Levels(levels.type, tuple(made))


def _follows(place: np.ndarray, rank: np.ndarray) -> bool:
    return bool(len(rank)) and float((place == rank).mean()) > 0.5


def _pattern(values: pa.ChunkedArray, regex_format: str | None) -> PatternMaker:
    if regex_format is not None:
        pattern = Pattern.from_regex(regex_format)
    else:
        examples = pc.unique(values.drop_null())
        step = max(1, len(examples) // PATTERN_EXAMPLES)
        some = examples[::step].to_pylist() if step > 1 else examples.to_pylist()
        pattern = Pattern.learn(some, needed=len(examples))
    return PatternMaker(str(values.type), pattern, max(len(values), 1))


def _numbers(values: pa.ChunkedArray) -> np.ndarray:
    filled = values.drop_null()
    if pa.types.is_timestamp(values.type):
        filled = filled.cast(pa.timestamp("us"))
    return filled.cast(pa.int64(), safe=False).to_numpy().astype(np.int64)


def _usual_step(distinct: np.ndarray) -> int:
    """Return the most frequent difference of sorted distinct values, 1 where there is none."""
    if len(distinct) < 2:
        return 1
    gaps, counts = np.unique(np.diff(distinct), return_counts=True)
    return max(int(gaps[counts.argmax()]), 1)

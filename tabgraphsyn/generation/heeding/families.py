"""Rules among the rows of a parent, heeded row by row: what siblings hold leaves a row only what keeps them.

Kept when all rows are made (``family_keeping``), such a rule brings values from where they do not belong: a row that
repeats another takes the value of any row, and a shop has departments that no shop of its kind has. Drawn where only
what keeps the rule has a probability, a row goes with its siblings, and those after it go with it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from math import prod

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from torch import Tensor

from tabgraphsyn.data.codec.categorical import CategoricalCodec
from tabgraphsyn.data.codes import as_text
from tabgraphsyn.data.rules.family_kinds import Rising, ends_of
from tabgraphsyn.data.rules.kept import fixing_keys
from tabgraphsyn.data.rules.operand import Operand
from tabgraphsyn.data.rules.rule import Rule
from tabgraphsyn.data.rules.value_kinds import Fixed, Unique
from tabgraphsyn.data.schema import Schema
from tabgraphsyn.generation.fields import Fields
from tabgraphsyn.generation.heeding.sets import joined, numbers_of
from tabgraphsyn.models.absorbing.columns.units import Unit
from tabgraphsyn.models.absorbing.drawing import Made
from tabgraphsyn.models.batch import EncodedBatch

MOST_HELD, MOST_TOGETHER = 1 << 26, 1 << 12
"""Combinations of levels, in all families and in one, of which it is remembered whether a row holds them, at most."""


class UnmaskedFamilies:
    """What siblings leave each other, of columns that one field of levels says.

    Args:
        fields: of the table.
        schema: of the database.
        rules: among the rows of the table.
        relation: the key along which siblings are made one after another.
        family: (rows,) int64, the parent of each row along it, negative for none.
        avoided: column -> what it must not hold in each row, (rows,) text, null for nothing.
        dead_ends: column -> what it must not hold in a row that has one after it, (values,) text.
    """

    def __init__(
        self,
        fields: Fields,
        schema: Schema,
        rules: Sequence[Rule],
        relation: str,
        family: np.ndarray,
        avoided: Mapping[str, pa.Array] | None = None,
        dead_ends: Mapping[str, pa.Array] | None = None,
    ) -> None:
        self._place, self._family, self._kept = fields.place, family, list[_Siblings]()
        barred = _Barred(len(family))
        for name, values in (avoided or {}).items():
            if _is_told(fields, name):
                barred.avoid(_Levels(fields, name), values)
        last = ends_of("last", family, int(family.max(initial=-1)) + 1)
        for name, values in (dead_ends or {}).items():
            if _is_told(fields, name):
                barred.end(_Levels(fields, name), values, last)
        self._barred = barred
        families = max(int(family.max(initial=-1)) + 1, 1)
        # What rises first: unique rows leave room for those after them.
        for rule in sorted(rules, key=lambda one: not isinstance(one, Rising)):
            names = [one.column for one in _limited(rule, schema, relation)]
            levels = [_Levels(fields, name) for name in names if _is_told(fields, name)]
            if not names or len(levels) < len(names):
                continue
            if isinstance(rule, Rising):
                self._kept.append(_Rises(levels[0], families, rule))
            elif isinstance(rule, Fixed):
                self._kept.append(_Stays(levels[0], families))
            elif prod(one.count for one in levels) <= min(MOST_TOGETHER, MOST_HELD // families):
                places = {one.place for one in levels}
                rising = (one for one in self._kept if isinstance(one, _Rises) and one.places <= places)
                left = np.bincount(family[family >= 0], minlength=families)
                self._kept.append(_Differs(levels, left, next(rising, None)))

    def __bool__(self) -> bool:
        return bool(self._kept or self._barred.places)

    def allowed(self, unit: Unit, made: Made) -> Tensor | None:
        """Return (rows, levels) bool, which levels a unit may be; None for all."""
        place = self._place[unit]
        asked = [one for one in self._kept if place in one.places]
        if not (asked or place in self._barred.places) or made.numbers is None:
            return None
        numbers = made.numbers.cpu().numpy()
        family = self._family[numbers]
        masks = (one.allowed(place, made, np.maximum(family, 0)) for one in asked)
        has = torch.from_numpy(family >= 0).unsqueeze(1)
        among = joined(None if one is None else torch.from_numpy(one) | ~has for one in masks)
        return joined([among, self._barred.allowed(place, numbers, unit.levels)])

    def add(self, rows: EncodedBatch, numbers: Tensor) -> None:
        """Remember rows that are made; ``numbers`` (rows,) int64 says which ones of the table they are."""
        family = self._family[numbers.cpu().numpy()]
        has, categorical = family >= 0, rows.categorical.cpu().numpy()
        for one in self._kept:
            one.add(categorical[has], family[has])


def _limited(rule: Rule, schema: Schema, relation: str) -> Sequence[Operand]:
    """Return the columns that siblings along a key leave each other values of, by a rule; none for other rules."""
    if isinstance(rule, Unique):
        return rule.columns if rule.relation == relation else ()
    if isinstance(rule, Rising):
        return (rule.column,) if rule.relation == relation and rule.by is None else ()
    return (rule.dependent,) if isinstance(rule, Fixed) and fixing_keys(rule, schema) == (relation,) else ()


def _is_told(fields: Fields, column: str) -> bool:
    return isinstance(fields.codec.columns.get(column), CategoricalCodec) and len(fields.places[column]) == 1


class _Levels:
    """A column of levels: its place among units and fields, how many levels there are, and what each stands for.

    Of a level that stands for several values, or for none, no rule says anything.
    """

    def __init__(self, fields: Fields, column: str) -> None:
        (self.place,) = fields.places[column]
        unit, own = fields.units.all[self.place], fields.codec.columns[column]
        assert isinstance(own, CategoricalCodec)
        self.field, self.count = unit.field, unit.levels
        self.is_value = np.zeros(self.count, dtype=bool)
        self.is_value[: len(own.levels)] = own.levels.array.is_valid().to_numpy(zero_copy_only=False)
        self.number = np.full(self.count, np.nan)
        self.number[: len(own.levels)] = numbers_of(own.levels.array)
        self._texts = as_text(own.levels.array)

    def out(self, values: pa.Array) -> np.ndarray:
        """Return the level of each of some values, (rows,) text: int64, negative for what has none of its own."""
        found: np.ndarray = pc.index_in(values, value_set=self._texts).fill_null(-1).to_numpy(zero_copy_only=False)
        return np.where(values.is_null().to_numpy(zero_copy_only=False), -1, found).astype(np.int64)


class _Barred:
    """Levels that rows must not hold for what comes after them."""

    def __init__(self, rows: int) -> None:
        self._rows = rows
        self._avoided: dict[int, np.ndarray] = {}
        self._ends: dict[int, tuple[np.ndarray, np.ndarray]] = {}

    @property
    def places(self) -> frozenset[int]:
        """The units that this is about."""
        return frozenset({*self._avoided, *self._ends})

    def avoid(self, levels: _Levels, values: pa.Array) -> None:
        """Bar one value in each row, (rows,) text, null for none."""
        self._avoided[levels.place] = levels.out(values)

    def end(self, levels: _Levels, values: pa.Array, last: np.ndarray) -> None:
        """Bar some values, (values,) text, in each row of a family but its ``last``, (families,) int64."""
        is_out, goes_on = np.zeros(levels.count, dtype=bool), np.ones(self._rows, dtype=bool)
        is_out[(found := levels.out(values))[found >= 0]] = True
        goes_on[last[last >= 0]] = False
        if is_out.any():
            self._ends[levels.place] = is_out, goes_on

    def allowed(self, place: int, numbers: np.ndarray, levels: int) -> Tensor | None:
        """Return (rows, levels) bool for some rows, (rows,) int64; None for all."""
        found: list[Tensor | None] = []
        if place in self._avoided:
            level = torch.from_numpy(self._avoided[place][numbers])
            found.append(torch.arange(levels) != level.unsqueeze(1))
        if place in self._ends:
            is_out, goes_on = self._ends[place]
            found.append(torch.from_numpy(~(is_out & goes_on[numbers][:, None])))
        return joined(found)


class _Siblings(ABC):
    """What the siblings of a row hold, as far as one rule asks."""

    places: frozenset[int]

    @abstractmethod
    def allowed(self, place: int, made: Made, family: np.ndarray) -> np.ndarray | None:
        """Return (rows, levels) bool; None for all. ``family`` is (rows,) int64."""

    @abstractmethod
    def add(self, categorical: np.ndarray, family: np.ndarray) -> None:
        """Remember rows, (rows, fields) levels of (rows,) families, no two of one family."""


class _Rises(_Siblings):
    """A column never falls, or never rises, from row to row."""

    def __init__(self, levels: _Levels, families: int, rule: Rising) -> None:
        self.places, self._levels, self._is_strict = frozenset({levels.place}), levels, rule.strict
        self._number = -levels.number if rule.falling else levels.number
        self._last = np.full(families, -np.inf)

    @property
    def order(self) -> np.ndarray:
        """The levels in their order, (levels,) int64, those without one last."""
        return np.argsort(self._number, kind="stable")

    def open_to(self, family: np.ndarray) -> np.ndarray:
        """Return (rows, levels) bool, which levels do not lie before the last sibling's."""
        last = self._last[family][:, None]
        is_open: np.ndarray = ~((self._number <= last) if self._is_strict else (self._number < last))
        return is_open

    def allowed(self, place: int, made: Made, family: np.ndarray) -> np.ndarray:
        return self.open_to(family)

    def add(self, categorical: np.ndarray, family: np.ndarray) -> None:
        number = self._number[categorical[:, self._levels.field]]
        self._last[family] = np.where(np.isnan(number), self._last[family], number)


class _Stays(_Siblings):
    """A column holds one value in all rows of a parent."""

    def __init__(self, levels: _Levels, families: int) -> None:
        self.places, self._levels = frozenset({levels.place}), levels
        self._first = np.full(families, -1)

    def allowed(self, place: int, made: Made, family: np.ndarray) -> np.ndarray:
        first = self._first[family][:, None]
        return (first < 0) | (np.arange(self._levels.count) == first)

    def add(self, categorical: np.ndarray, family: np.ndarray) -> None:
        self._first[family] = np.where(self._first[family] < 0, categorical[:, self._levels.field], self._first[family])


class _Differs(_Siblings):
    """Values of some columns together stand in one row of a parent only.

    Where one of them rises as well, a row goes no further than leaves room for the rows after it.
    """

    def __init__(self, levels: Sequence[_Levels], left: np.ndarray, rises: _Rises | None) -> None:
        self.places, self._levels, self._rises = frozenset(one.place for one in levels), levels, rises
        self._left = left
        self._is_held = np.zeros((len(left), *(one.count for one in levels)), dtype=bool)

    def allowed(self, place: int, made: Made, family: np.ndarray) -> np.ndarray | None:
        known = made.is_known.cpu().numpy()
        turn = next(number for number, one in enumerate(self._levels) if one.place == place)
        held = np.moveaxis(self._is_held[family] | self._too_far(family), turn + 1, -1)
        for one in (each for each in self._levels if each.place != place):
            # What a column that is not known yet may still be: a value is out when it stands beside all of them.
            level = made.rows.categorical[:, one.field].cpu().numpy()
            beside = held[np.arange(len(held)), level]
            held = np.where(known[:, one.place].reshape(-1, *[1] * (beside.ndim - 1)), beside, held.all(1))
        return ~held

    def _too_far(self, family: np.ndarray) -> np.ndarray:
        """Return (rows, *levels) bool, of one level each but of what rises: beyond it are fewer places than rows."""
        shape = [1] * (len(self._levels) + 1)
        if self._rises is None:
            return np.zeros(shape, dtype=bool)
        axis = next(n for n, one in enumerate(self._levels) if one.place in self._rises.places)
        shape[0], shape[axis + 1] = len(family), self._levels[axis].count
        others = tuple(n + 1 for n in range(len(self._levels)) if n != axis)
        free = (~self._is_held[family]).sum(others)
        is_before = ~self._rises.open_to(family)
        turn = self._rises.order
        room = np.empty_like(free)
        room[:, turn] = np.where(is_before, 0, free)[:, turn[::-1]].cumsum(1)[:, ::-1]
        far: np.ndarray = is_before | (room < self._left[family][:, None])
        return far.reshape(shape)

    def add(self, categorical: np.ndarray, family: np.ndarray) -> None:
        level = [categorical[:, one.field] for one in self._levels]
        told = np.all([one.is_value[at] for one, at in zip(self._levels, level, strict=True)], axis=0)
        self._is_held[(family[told], *(at[told] for at in level))] = True
        self._left[family] -= 1

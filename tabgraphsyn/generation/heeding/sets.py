"""Which numbers a row in the making may still hold: between what its other columns, or declared bounds, leave."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from tabgraphsyn.data.codec.categorical import CategoricalCodec
from tabgraphsyn.data.codec.column import ColumnCodec
from tabgraphsyn.data.codec.numerical import NumericalCodec
from tabgraphsyn.data.rules.coarse_kind import Coarse
from tabgraphsyn.data.rules.operand import Operand
from tabgraphsyn.data.rules.row_kinds import Bounds, Order
from tabgraphsyn.data.rules.rule import Rule
from tabgraphsyn.data.schema import Column, TableSchema
from tabgraphsyn.generation.fields import Fields
from tabgraphsyn.generation.keeping.rule_parents import BesideParents
from tabgraphsyn.generation.keeping.rule_rows import RuleRows
from tabgraphsyn.models.absorbing.columns.units import LEVEL, Unit
from tabgraphsyn.models.absorbing.drawing import Made
from tabgraphsyn.models.absorbing.numbers.scales import REACH

_ALONE = TableSchema("alone", (Column("value", "numerical"),), ())
_INSIDE = 1 - 1e-6
"""How much of a cell lies before the next one begins."""
Limits = tuple[np.ndarray, np.ndarray, bool]
"""The least and the largest value, (rows,) float64 each, NaN for none, and whether these themselves are out."""


class UnmaskedLimits:
    """What orders and bounds leave of the columns of numbers and times with one field for all their values.

    Args:
        fields: of the table.
        beside: its rules, with the parents' columns.
        protected: columns that no rule changes.
    """

    def __init__(self, fields: Fields, beside: BesideParents, protected: frozenset[str]) -> None:
        self._fields, self._beside = fields, beside
        self._rules: dict[str, list[Rule]] = defaultdict(list)
        for rule in beside.rules.rules:
            if isinstance(rule, Order | Bounds | Coarse):
                for one in (rule.of,) if isinstance(rule, Coarse) else rule.operands:
                    if one.column not in protected and self._is_limited(one.column):
                        self._rules[one.column].append(rule)
        self._column = {place: name for name in self._rules for place in fields.places[name]}
        self._held: dict[tuple[str, int], np.ndarray] = {}

    def __bool__(self) -> bool:
        return bool(self._rules)

    def _is_limited(self, column: str) -> bool:
        own = self._fields.codec.columns.get(column)
        return isinstance(own, NumericalCodec | CategoricalCodec) and column in self._fields.types

    def within(self, unit: Unit, made: Made) -> tuple[Tensor, Tensor] | None:
        """Return the least and the largest normalised number that a unit may be, (rows,) each; None for any."""
        column = self._column.get(self._fields.place[unit])
        own = None if column is None else self._fields.codec.columns[column]
        limits = None if column is None or unit.kind == LEVEL else self._limits(column, made)
        if limits is None or not isinstance(own, NumericalCodec):
            return None
        sides = []
        for place, (limit, far) in enumerate(zip(limits[:2], (-REACH, REACH), strict=True)):
            has = ~np.isnan(limit)
            held = np.clip(limit[has], own.precision.minimum, own.precision.maximum)
            cell = own.normalisation.interval(*own.precision.cell(held))
            side = np.full(len(limit), far, dtype=np.float32)
            # The cell of a limit that is out itself is out.
            side[has] = np.clip(cell[:, place if not limits[2] else 1 - place], -REACH, REACH)
            sides.append(torch.from_numpy(side).to(made.is_known.device))
        return sides[0], sides[1]

    def allowed(self, unit: Unit, made: Made) -> Tensor | None:
        """Return (rows, levels) bool, which values with a level of their own are between the limits; None for all."""
        column = self._column.get(self._fields.place[unit])
        limits = None if column is None or unit.kind != LEVEL else self._limits(column, made)
        if column is None or limits is None:
            return None
        level = self._levels(column, unit.levels)[None, :]
        low, high = (one[:, None] for one in limits[:2])
        out = ((level <= low) | (level >= high)) if limits[2] else ((level < low) | (level > high))
        return torch.from_numpy(~out).to(made.is_known.device)

    def _levels(self, column: str, count: int) -> np.ndarray:
        """Return the number that each level stands for, (levels,) float64, NaN for none; found once."""
        if (column, count) not in self._held:
            self._held[column, count] = level_numbers(self._fields.codec.columns[column], count)
        return self._held[column, count]

    def _limits(self, column: str, made: Made) -> Limits | None:
        """Return what rules leave of a column; None: anything. A strict rule's limits are out for all of them."""
        low, high = np.full(made.rows.rows, np.nan), np.full(made.rows.rows, np.nan)
        is_strict = False
        for rule in self._rules[column]:
            for value, is_below, strict in self._said(rule, column, made):
                if is_below:
                    low = np.fmax(low, value)
                else:
                    high = np.fmin(high, value)
                is_strict |= strict and bool(np.isfinite(value).any())
        return None if np.isnan(low).all() and np.isnan(high).all() else (low, high, is_strict)

    def _said(self, rule: Rule, column: str, made: Made) -> Iterator[tuple[np.ndarray, bool, bool]]:
        """Yield limits, (rows,), whether they lie below the column, and whether they are out."""
        if isinstance(rule, Bounds):
            for bound, is_below in ((rule.low, True), (rule.high, False)):
                if bound is not None:
                    yield np.full(made.rows.rows, bound), is_below, rule.strict
        elif isinstance(rule, Coarse):
            value = self._known(rule.column.column, made)
            if value is not None:
                low, high = rule.cell(value)
                yield low, True, False
                yield low + (high - low) * _INSIDE, False, False
        elif isinstance(rule, Order):
            names = [one.column for one in rule.columns]
            for place, name in enumerate(names):
                value = None if name == column else self._known(name, made)
                if value is not None:
                    yield value, place < names.index(column), rule.strict

    def _known(self, column: str, made: Made) -> np.ndarray | None:
        """Return a column's numbers where it is known, (rows,) float64, else NaN; None where no row's is."""
        if column in self._beside.names:
            assert made.numbers is not None
            return numbers_of(self._beside.columns(made.numbers.cpu().numpy())[column])
        if column in made.read:
            return made.read[column]
        if not self._fields.is_read(column):
            return None
        known = made.is_known[:, list(self._fields.units_of(column))].all(1)
        if not known.any():
            return None
        found = np.full(made.rows.rows, np.nan)
        numbers, levels = made.rows.numerical[known].cpu().numpy(), made.rows.categorical[known].cpu().numpy()
        value = numbers_of(self._fields.values(column, numbers, levels))
        found[known.cpu().numpy()] = np.where(self._fields.is_certain(column, levels), value, np.nan)
        if known.all():
            made.read[column] = found
        return found


def level_numbers(codec: ColumnCodec, count: int) -> np.ndarray:
    """Return the number that each of a column's levels stands for, (levels,) float64, NaN for none."""
    found = np.full(count, np.nan)
    if isinstance(codec, CategoricalCodec):
        found[: len(codec.levels)] = numbers_of(codec.levels.array)
    elif isinstance(codec, NumericalCodec):
        found[1 : 1 + len(codec.atoms)] = numbers_of(codec.atoms.array)
    return found


def numbers_of(values: pa.Array) -> np.ndarray:
    """Return values as rules read numbers, (rows,) float64, NaN for none."""
    return RuleRows(_ALONE, pa.table({"value": values})).numbers(Operand("value"))


def joined(masks: Iterable[Tensor | None]) -> Tensor | None:
    """Return what all masks allow, (rows, levels) bool; None where each allows everything."""
    found: Tensor | None = None
    for one in masks:
        if one is not None:
            found = one if found is None else found & one
    return found

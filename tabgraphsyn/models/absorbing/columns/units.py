"""The units that are unmasked one after another: levels, digits of rough numbers, smooth numbers.

A number that is *rough* (values that repeat arbitrarily: a price list, distances of routes, a timetable) is one or two
digits over a grid of cells in normalised space; a *smooth* one stays a number under a continuous head.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from tabgraphsyn.data.layout import TableLayout

LEVEL: Literal["level"] = "level"
DIGIT: Literal["digit"] = "digit"
NUMBER: Literal["number"] = "number"


@dataclass(frozen=True)
class Unit:
    """One thing that is masked or known.

    Attributes:
        kind: ``level`` (a categorical field), ``digit`` (of a rough number) or ``number`` (a smooth one).
        field: index among the layout's categorical fields (levels) or numerical ones.
        levels: number of levels; 0 for a number.
        digit: 0 for the first digit, 1 for the second one.
    """

    kind: Literal["level", "digit", "number"]
    field: int
    levels: int = 0
    digit: int = 0


@dataclass(frozen=True)
class Digits:
    """How a rough number is written: ``coarse`` cells, each of up to ``fine`` parts (1: one digit is enough)."""

    coarse: int
    fine: int = 1


@dataclass(frozen=True)
class Units:
    """All units of a table, in groups that are unmasked together and in order: a gate before what it gates.

    Attributes:
        layout: fields of the encoded table.
        digits: of each numerical field, None for a smooth one.
    """

    layout: TableLayout
    digits: tuple[Digits | None, ...]

    @cached_property
    def groups(self) -> tuple[tuple[Unit, ...], ...]:
        """Units by group."""
        gated: dict[int, list[Unit]] = {}
        alone: list[tuple[Unit, ...]] = []
        for number, field in enumerate(self.layout.numerical):
            own = self._of_number(number)
            if field.gate is None:
                alone.append(own)
            else:
                gated.setdefault(field.gate, []).extend(own)
        levels = [
            (Unit(LEVEL, place, field.levels), *gated.get(place, ()))
            for place, field in enumerate(self.layout.categorical)
        ]
        return (*levels, *alone)

    def _of_number(self, number: int) -> tuple[Unit, ...]:
        digits = self.digits[number]
        if digits is None:
            return (Unit(NUMBER, number),)
        first = Unit(DIGIT, number, digits.coarse)
        return (first,) if digits.fine == 1 else (first, Unit(DIGIT, number, digits.fine, 1))

    @cached_property
    def all(self) -> tuple[Unit, ...]:
        """All units, group after group: the order of masks."""
        return tuple(unit for group in self.groups for unit in group)

    @cached_property
    def tokens(self) -> tuple[Unit, ...]:
        """Units with levels, in the order of codes."""
        return tuple(unit for unit in self.all if unit.levels)

    @cached_property
    def levels(self) -> tuple[Unit, ...]:
        """The level of each categorical field."""
        return tuple(Unit(LEVEL, place, field.levels) for place, field in enumerate(self.layout.categorical))

    @cached_property
    def smooth(self) -> tuple[int, ...]:
        """Numerical fields under a continuous head."""
        return tuple(unit.field for unit in self.all if unit.kind == NUMBER)

    @cached_property
    def revealed_by(self) -> tuple[int, ...]:
        """For each numerical field the place (in ``all``) of the unit that makes it known."""
        last = {unit.field: place for place, unit in enumerate(self.all) if unit.kind != LEVEL}
        return tuple(last[number] for number in range(len(self.layout.numerical)))

    def to_dict(self) -> dict[str, Any]:
        """Return the json form; the layout is the codec's."""
        return {"digits": [None if one is None else [one.coarse, one.fine] for one in self.digits]}

    @staticmethod
    def from_dict(raw: Mapping[str, Any], layout: TableLayout) -> Units:
        """Read the form that ``to_dict`` writes."""
        digits: Sequence[Sequence[int] | None] = raw["digits"]
        return Units(layout, tuple(None if one is None else Digits(*one) for one in digits))

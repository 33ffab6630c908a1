"""Panels: one row per parent and period, such as a station's weather by the hour or a shop's sales by the week.

Generated one by one, rows of a family take some periods twice and leave others out. Such a column is found in the
training rows: new keys say in which periods rows stand, and steps from one to the next are drawn first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np
import pyarrow as pa
from msgspec import Meta

from tabgraphsyn.data.codec.groups import outward
from tabgraphsyn.data.codec.table import TableCodec
from tabgraphsyn.data.counts import ValueCounts, as_numpy
from tabgraphsyn.data.plain import Plain
from tabgraphsyn.data.untrusted import Int64, Name, Size

PERIODS_MIN = 8
SPARE_PERIODS = 1.1
"""Periods of the grid per period that occurs, at most: times that are further apart are no grid."""
OCCUPIED_MIN = 0.6
"""Share of periods that a parent's rows fill, at least, on average."""
DAY_US = 86_400_000_000


@dataclass(frozen=True)
class Panel(Plain):
    """A column of times that rows of one parent never share.

    Attributes:
        column: its name.
        relation: name of the relation to the parent.
        start: first period, in microseconds since 1970.
        step: length of a period in microseconds.
        periods: number of periods.
    """

    column: Name
    relation: Name
    start: Int64
    step: Annotated[int, Meta(ge=1, le=2**62)]
    periods: Size

    @property
    def cycle(self) -> int:
        """Periods in a day, 1 where a period is no whole part of a day."""
        return DAY_US // self.step if self.step < DAY_US and DAY_US % self.step == 0 else 1

    @property
    def cycles(self) -> tuple[int, ...]:
        """Periods in a week and in a day, of those that are whole numbers and pass twice; the longest first."""
        found = (days * DAY_US // self.step for days in (7, 1) if days * DAY_US % self.step == 0)
        return tuple(one for one in found if 1 < one <= self.periods // 2)

    @staticmethod
    def fit(
        column: str,
        relation: str,
        values: pa.Array,
        pointer: np.ndarray,
        entities: np.ndarray | None = None,
        min_entities: int = 1,
    ) -> Panel | None:
        """Return the panel that training rows make, or None.

        Args:
            column: name of the column.
            relation: name of the relation.
            values: (rows,) times.
            pointer: (rows,) row of the parent, -1 for none.
            entities: (rows,) the entity of each row, None where every row is one.
            min_entities: so many must have the first or the last period before it is named.
        """
        if values.null_count or not len(values) or (pointer < 0).all():
            return None
        times = microseconds(values)
        distinct = np.unique(times)
        if len(distinct) < PERIODS_MIN:
            return None
        step = int(np.gcd.reduce(np.diff(distinct)))
        periods = int((distinct[-1] - distinct[0]) // step) + 1
        if periods > SPARE_PERIODS * len(distinct):
            return None
        has = pointer >= 0
        place = pointer[has] * periods + (times[has] - distinct[0]) // step
        parents = len(np.unique(pointer[has]))
        if len(np.unique(place)) < len(place) or len(place) < OCCUPIED_MIN * parents * periods:
            return None
        panel = Panel(column, relation, int(distinct[0]), step, periods)
        return panel._coarse(ValueCounts.of(pa.array(times), entities).held_by(min_entities))

    def _coarse(self, held: np.ndarray) -> Panel:
        """Return the panel with ends that are no time of a few; ``held`` says of each period whether enough have it."""
        first, last = self.start, self.start + (self.periods - 1) * self.step
        before, after = int(not held[0]), int(not held[-1])
        if self.cycle == 1 or first % DAY_US % self.step:
            low, reach = outward(first, last, self.step)
            start = low if before else first
            end = low + reach * self.step if after else last + self.step
        else:  # whole days
            start = (first - before) // DAY_US * DAY_US
            end = -(-(last + self.step + after) // DAY_US) * DAY_US
        return replace(self, start=start, periods=(end - start) // self.step)


def find_panels(
    codec: TableCodec,
    values: Mapping[str, pa.Array],
    pointers: Mapping[str, np.ndarray],
    entities: np.ndarray | None = None,
    min_entities: int = 1,
) -> list[Panel]:
    """Return at most one panel per column of times.

    Args:
        codec: the table's; columns that its rules tie to others are left alone.
        values: columns of times, of the training rows.
        pointers: relation name -> row of the parent, of the training rows.
        entities, min_entities: see ``Panel.fit``.
    """
    tied = {name for rule in codec.rules for name in (rule.column, *rule.inputs)}
    tied |= {name for name, one in codec.columns.items() if one.given is not None}
    tied |= {one.given for name, one in codec.columns.items() if one.given is not None and name not in codec.derived}
    found = []
    for column in [name for name in values if name not in tied]:
        panels = (
            Panel.fit(column, name, values[column], pointer, entities, min_entities)
            for name, pointer in pointers.items()
        )
        found.extend([panel for panel in panels if panel is not None][:1])
    return found


def microseconds(values: pa.Array | pa.ChunkedArray) -> np.ndarray:
    """Return times as int64 microseconds since 1970."""
    return as_numpy(values.cast(pa.timestamp("us")).cast(pa.int64()))

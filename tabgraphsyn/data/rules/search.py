"""What a search for rules works with: a sample, all rows, and the test that keeps chance out.

A candidate is held against a sample first, which most do not survive, then against all rows. What holds everywhere is a
rule only where it could have failed: with any one of its columns shuffled some rows must break it. Were the columns
independent, none of n such rows would be broken with a chance of about exp(-n), so n grows with the logarithm of how
many candidates were looked at: at least 20 where they are all pairs or triples of columns, 10 where they are few.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property
from math import log

import numpy as np

from tabgraphsyn.data.counts import even_sample
from tabgraphsyn.data.rules.operand import Operand
from tabgraphsyn.data.rules.rule import Rule, Support
from tabgraphsyn.data.rules.tables import RuleTables
from tabgraphsyn.data.seeding import numpy_generator

BY_CHANCE_MIN = 20
FALSE_ALARMS = 1e-4
"""Of one finder in one table, where it looked at few candidates."""
SHUFFLES = 8
SAMPLE_ROWS = 20_000
GLANCE_ROWS = 256
JUDGED_ROWS = 1_000_000
COLUMNS_MAX = 160
"""Columns of a table that pairs are made of; the first ones of a wider table."""
_WHOLE_KINDS = ("unique", "fixed", "numbered", "placed", "rising", "equal_gap", "family_total", "running", "continued")
"""Kinds whose rows break together with others of a group: a sample of rows would say too little."""


class Search:
    """The rows of one table in which rules are sought.

    Args:
        tables: all training rows.
        table: the table whose rows the rules are about.
        relation: sample whole families of this relation instead of single rows.
    """

    def __init__(self, tables: RuleTables, table: str, relation: str | None = None) -> None:
        self.tables, self.table, self.relation = tables, table, relation
        self.rows = tables.num_rows(table)

    @cached_property
    def sample(self) -> RuleTables:
        """About 20,000 of the rows: evenly spaced ones, or all rows of some parents."""
        if self.rows <= SAMPLE_ROWS:
            return self.tables
        mask = self.tables.mask(self.table)
        keep = np.zeros(len(mask), dtype=bool)
        places = np.flatnonzero(mask)
        if self.relation is None:
            chosen = np.arange(SAMPLE_ROWS) * len(places) // SAMPLE_ROWS
        else:
            family = self.tables.family(self.relation)
            chosen = np.flatnonzero(_some_of(family, SAMPLE_ROWS))
        keep[places[chosen]] = True
        return self.tables.part({self.table: keep})

    @cached_property
    def judged(self) -> RuleTables:
        """At most a million of the rows, evenly spaced, in which shuffling is tried."""
        if self.rows <= JUDGED_ROWS:
            return self.tables
        keep = even_sample(self.tables.mask(self.table), JUDGED_ROWS)
        return self.tables.part({self.table: keep})

    @cached_property
    def glance(self) -> np.ndarray:
        """Row numbers of a few rows of the sample: enough to rule out nearly every candidate."""
        rows = self.sample.num_rows(self.table)
        return np.unique(np.linspace(0, max(rows - 1, 0), min(rows, GLANCE_ROWS)).astype(np.int64))

    @cached_property
    def attributes(self) -> list[Operand]:
        """The row's own columns that are no key, id or text."""
        schema = self.tables.schema.table(self.table)
        names = self.tables.schema.attribute_columns(self.table)
        return [Operand(name) for name in names if schema.column(name).sdtype not in ("id", "text")][:COLUMNS_MAX]

    @cached_property
    def inherited(self) -> list[Operand]:
        """The same of the rows that the keys lead to, one after another, the nearest first."""
        found, schema = [], self.tables.schema
        for through in schema.ways_of(self.table):
            parent = schema.table(schema.way(through)[-1].parent_table)
            for name in schema.attribute_columns(parent.name):
                if parent.column(name).sdtype not in ("id", "text"):
                    found.append(Operand(name, through))
        return found[:COLUMNS_MAX]

    def one_each(self, through: str) -> RuleTables:
        """One row of the table for each row that a way leads to: what stands above many rows is one draw."""
        if through not in self._one_each:
            above = self.tables.pointer(through)
            rows = np.unique(above, return_index=True)[1]
            keep = np.zeros(len(self.tables.mask(self.table)), dtype=bool)
            keep[np.flatnonzero(self.tables.mask(self.table))[rows[above[rows] >= 0]]] = True
            self._one_each[through] = self.tables.part({self.table: keep})
        return self._one_each[through]

    @cached_property
    def _one_each(self) -> dict[str, RuleTables]:
        return {}

    def numeric(self, operands: Iterable[Operand]) -> dict[Operand, np.ndarray]:
        """Return numbers and times of the sample, of operands that have at least two values.

        Shape:
            (sampled rows,) float64 each.
        """
        found = {}
        for operand in operands:
            if self.sample.is_number(self.table, operand) or self.sample.is_time(self.table, operand):
                values = self.sample.numbers(self.table, operand)
                if (~np.isnan(values)).sum() >= BY_CHANCE_MIN and np.nanmin(values) < np.nanmax(values):
                    found[operand] = values
        return found

    def written(self, operands: Iterable[Operand]) -> dict[Operand, np.ndarray]:
        """Return numbers and times that are written in several ways, and so stored as text, as ``numeric`` does.

        Shape:
            (sampled rows,) float64 each.
        """
        texts = [one for one in operands if self.sample.is_written(self.table, one)]
        found = {one: self.sample.numbers(self.table, one) for one in texts}
        return {one: values for one, values in found.items() if (~np.isnan(values)).sum() >= BY_CHANCE_MIN}

    def accepted(self, candidates: Iterable[Rule], tests: int | None = None) -> Iterator[Rule]:
        """Yield the candidates that hold in all rows and that chance does not explain, with their support."""
        for rule in candidates:
            found = self.accept(rule, tests=tests)
            if found is not None:
                yield found

    def accept(self, rule: Rule, share_min: float = 0.0, tests: int | None = None) -> Rule | None:
        """Return the rule with its support, or None.

        Args:
            rule: a candidate.
            share_min: share of the rows that shuffling must break, at least.
            tests: how many candidates there were where they are few, None for all pairs or triples.
        """
        least = BY_CHANCE_MIN if tests is None else min(BY_CHANCE_MIN, log(max(tests, 1) / FALSE_ALARMS))
        applies, broken = rule.check(self.sample).counts
        if broken or applies < BY_CHANCE_MIN:
            return None
        if self.sample is not self.tables:
            whole = rule.check(self.tables).counts
            if whole[1]:
                return None
        else:
            whole = (applies, broken)
        asked, rows = self.sample, applies
        if rule.kind in _WHOLE_KINDS and self.relation is None:
            asked, rows = self.judged, whole[0]
            if asked is not self.tables:
                rows = rule.check(asked).counts[0]
        chance = round(by_chance(rule, asked) * whole[0] / max(rows, 1))
        if chance < max(least, share_min * whole[0]):
            return None
        far = [one.through for one in rule.operands if one.through and len(self.tables.schema.way(one.through)) > 1]
        if any(by_chance(rule, self.one_each(through)) < BY_CHANCE_MIN for through in dict.fromkeys(far)):
            return None
        return rule.supported(Support(rows=whole[0], broken=0, by_chance=chance))


def by_chance(rule: Rule, tables: RuleTables) -> int:
    """Return how many rows break a rule when one of its columns is shuffled, the least over its columns."""
    counts = []
    for operand in dict.fromkeys(rule.operands):
        generator = numpy_generator(0, "rules", rule.table, str(operand))
        found = [rule.check(tables.shuffled(rule.table, operand, generator)).counts[1]]
        while found[0] < 4 * BY_CHANCE_MIN and len(found) < SHUFFLES:  # few rows: one shuffle says too little
            found.append(rule.check(tables.shuffled(rule.table, operand, generator)).counts[1])
        counts.append(sum(found) / len(found))
        if counts[-1] < 1:
            break
    return round(min(counts))


def _some_of(groups: np.ndarray, rows: int) -> np.ndarray:
    """Return a mask of all rows of about as many groups as hold so many rows; negative groups are left out."""
    one_in = max(1, -(-len(groups) // rows))
    mixed = (groups.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(40)
    return (groups >= 0) & (mixed % np.uint64(one_in) == 0)

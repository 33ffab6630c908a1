"""A column that carries on from row to row of a parent: a balance, a stock, points so far."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from tabgraphsyn.data.rules.find_groups import few_valued
from tabgraphsyn.data.rules.find_sums import decimals_of
from tabgraphsyn.data.rules.operand import Operand
from tabgraphsyn.data.rules.rule import Checked, Rule
from tabgraphsyn.data.rules.search import BY_CHANCE_MIN, Search
from tabgraphsyn.data.rules.tables import RuleTables
from tabgraphsyn.data.rules.value_kinds import parent_of
from tabgraphsyn.data.schema import Relation

MOVES_MIN = 0.1
"""Share of the steps from row to row that change a column, at least."""
COLUMNS_MOST = 40
"""Numbers of a table among which such a column is sought, at most."""


@dataclass(frozen=True, kw_only=True)
class Running(Rule):
    """A column is what the row before it in the file holds under the same parent, plus or less another column.

    Attributes:
        relation: whose families.
        column: what is carried on.
        of: what is added.
        sign_by: the column that says where it is taken off instead, None: it is always added.
        minus: levels of ``sign_by`` at which it is taken off, as text, empty for missing.
        start: what stands before the first row, None: the first row may hold anything.
        tolerance: how far a kept row may be off.
    """

    kind: ClassVar[str] = "running"
    relation: str
    column: Operand
    of: Operand
    sign_by: Operand | None = None
    minus: tuple[str, ...] | None = None
    start: float | None = None
    tolerance: float = 1e-6

    def __post_init__(self) -> None:
        if (self.sign_by is None) != (self.minus is None):
            raise ValueError("sign_by: with 'minus', the levels at which 'of' is taken off, or neither of them")

    @property
    def operands(self) -> tuple[Operand, ...]:
        """The column, and what it goes by."""
        return (self.column, self.of, *((self.sign_by,) if self.sign_by else ()))

    def signed(self, tables: RuleTables) -> np.ndarray:
        """Return what each row adds, (rows,) float64, NaN for nothing."""
        added = tables.numbers(self.table, self.of)
        if self.sign_by is None:
            return added
        off = np.isin(np.array(tables.texts(self.table, self.sign_by).fill_null("").to_pylist()), self.minus or ())
        return np.where(off, -added, added)

    def check(self, tables: RuleTables, reference: RuleTables | None = None) -> Checked:
        """Return rows that do not carry on what the row before them holds; only whole families are asked."""
        value, added = tables.numbers(self.table, self.column), self.signed(tables)
        family = tables.family(self.relation)
        here = np.flatnonzero((family >= 0) & tables.is_whole(self.relation) & ~np.isnan(value) & ~np.isnan(added))
        order = here[np.argsort(family[here], kind="stable")]
        is_first = np.diff(family[order], prepend=-1) != 0
        before = np.where(is_first, np.nan if self.start is None else self.start, np.roll(value[order], 1))
        applies, held = np.zeros(len(value), dtype=bool), np.zeros(len(value), dtype=bool)
        applies[order] = ~np.isnan(before)
        held[order] = np.abs(value[order] - before - added[order]) <= self.tolerance
        return Checked.of(applies, held)

    def statement(self) -> str:
        """Return the rule in plain words."""
        less = f", less it where {self.sign_by} is {' or '.join(map(repr, self.minus or ()))}" if self.sign_by else ""
        start = "" if self.start is None else f" (from {self.start:.10g})"
        parent = parent_of(self.relation)
        return f"{self.column} is that of the row before under the same {parent}{start} plus {self.of}{less}"


def find_running(search: Search, relation: Relation) -> Iterator[Running]:
    """Yield candidates for columns that carry on along one key, in the order of the file.

    Args:
        search: of the child table, its sample made of whole families of ``relation``.
        relation: the key.
    """
    sample, table = search.sample, search.table
    family = sample.family(relation.name)
    has = np.flatnonzero((family >= 0) & sample.is_whole(relation.name))
    order = has[np.argsort(family[has], kind="stable")]
    goes_on = np.diff(family[order], prepend=-1) == 0
    numbers = {one: v for one, v in search.numeric(search.attributes).items() if not sample.is_time(table, one)}
    names = list(numbers)[:COLUMNS_MOST]
    for column in names:
        value = numbers[column][order]
        step = np.diff(value, prepend=np.nan)[goes_on]
        if np.isnan(step).any() or len(step) < BY_CHANCE_MIN or (step != 0).mean() < MOVES_MIN:
            continue
        unit, size = 10.0 ** -decimals_of(value), max(1.0, float(np.abs(value).max()))
        tolerance = float(f"{max(1e-9 * size, 1e-2 * unit):.6g}")
        for of in names:
            added = numbers[of][order]
            if of == column or not (np.abs(np.abs(step) - np.abs(added[goes_on])) <= tolerance).all():
                continue
            for sign_by, minus in _signs(search, order[goes_on], step, added[goes_on], tolerance):
                rule = Running(table=table, relation=relation.name, column=column, of=of, tolerance=tolerance)
                rule = replace(rule, sign_by=sign_by, minus=minus)
                yield _with_start(rule, rule.signed(sample)[order], value, ~goes_on)
                break


def _signs(
    search: Search, rows: np.ndarray, step: np.ndarray, added: np.ndarray, tolerance: float
) -> Iterator[tuple[Operand | None, tuple[str, ...] | None]]:
    """Yield what says whether ``added`` is taken off: nothing, or a column of few values and some of them."""
    is_plus, is_minus = np.abs(step - added) <= tolerance, np.abs(step + added) <= tolerance
    if is_plus.all():
        yield None, None
        return
    for by, (codes, levels) in few_valued(search).items():
        up = np.bincount(codes[rows], weights=~is_minus, minlength=len(levels))
        down = np.bincount(codes[rows], weights=~is_plus, minlength=len(levels))
        if not ((up > 0) & (down > 0)).any():
            yield by, tuple(sorted(levels[one] for one in np.flatnonzero(down)))


def _with_start(rule: Running, signed: np.ndarray, value: np.ndarray, is_first: np.ndarray) -> Running:
    """Return the rule with what stands before all first rows, where that is one number; (rows,) each."""
    start = (value - signed)[is_first]
    usual = round(float(np.median(start)), 9) + 0.0
    if not np.isfinite(start).all() or float(np.abs(start - usual).max()) > rule.tolerance:
        return rule
    return replace(rule, start=usual)


def carried_on(rule: Running, value: np.ndarray, signed: np.ndarray, family: np.ndarray) -> np.ndarray:
    """Return the column as the rule says it is, (rows,) float64, NaN where nothing is said.

    Args:
        rule: it.
        value: (rows,) the column as it was made: what a family begins with where the rule does not say.
        signed: (rows,) what each row adds, NaN for nothing.
        family: (rows,) number of the parent, negative for none.

    >>> rule = Running(table="t", relation="r", column=Operand("left"), of=Operand("n"), start=10.0)
    >>> carried_on(rule, np.zeros(4), np.array([1.0, 2.0, -3.0, 5.0]), np.array([0, 0, 1, 0])).tolist()
    [11.0, 13.0, 7.0, 18.0]
    """
    here = np.flatnonzero((family >= 0) & ~np.isnan(value))
    order = here[np.argsort(family[here], kind="stable")]
    is_first = np.diff(family[order], prepend=-1) != 0
    added = np.nan_to_num(signed[order])
    if rule.start is None:
        added[is_first] = value[order][is_first]
    else:
        added[is_first] += rule.start
    total = np.cumsum(added)
    opens = np.flatnonzero(is_first)
    sizes = np.diff(np.append(opens, len(order)))
    found = np.full(len(value), np.nan)
    found[order] = total - np.repeat((total - added)[opens], sizes)
    return found


def is_told(rule: Rule, found: Iterable[Rule]) -> bool:
    """Return whether a rule found along another key says the same of a column."""
    return any(isinstance(one, Running) and one.operands[0] == rule.operands[0] for one in found)

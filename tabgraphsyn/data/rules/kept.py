"""What sampling needs to keep the rules of single rows: the rules, and which values stand together in real rows.

Nothing of a single row leaves: a combination of values is kept where at least ``min_entities`` entities hold it, and
never of ids, text or what names a person. Files hold rules without their support.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from tabgraphsyn.data.codes import column_codes, tuple_codes
from tabgraphsyn.data.files import read_json, write_json
from tabgraphsyn.data.holders import are_held
from tabgraphsyn.data.rules.calendar_kind import Calendar, continued, part_of
from tabgraphsyn.data.rules.continued_kind import Continued
from tabgraphsyn.data.rules.family_kinds import EqualGap, FamilyTotal, Numbered, ParentTotal, Rising
from tabgraphsyn.data.rules.operand import Operand
from tabgraphsyn.data.rules.placed_kind import Placed
from tabgraphsyn.data.rules.row_kinds import Order, Same, Total
from tabgraphsyn.data.rules.rule import Rule, Support
from tabgraphsyn.data.rules.running_kind import Running
from tabgraphsyn.data.rules.store import rule_from_dict
from tabgraphsyn.data.rules.tables import RuleTables
from tabgraphsyn.data.rules.value_kinds import Combination, Fixed, Unique
from tabgraphsyn.data.schema import Schema

MOST_PAIRS = 20_000
"""Combinations of one rule; the ones with the most rows stay."""
FAMILY_KINDS = (Numbered, Placed, Rising, EqualGap, Unique, ParentTotal, FamilyTotal, Running, Continued)
"""Kinds about several rows that sampling keeps."""
_NOT_OF_A_ROW = (*FAMILY_KINDS, Combination)
Key = tuple[str, ...]


@dataclass(frozen=True)
class RowRules:
    """Rules about a table's rows, and the rows that their keys lead to, that sampling keeps.

    Attributes:
        table: its name.
        rules: them.
        families: rules of ``FAMILY_KINDS``, and columns that keys to parents fix, kept over all rows.
        lookups: place of a rule in ``rules`` -> what fixes its column -> the value, as text, None for null.
    """

    table: str
    rules: tuple[Rule, ...] = ()
    lookups: Mapping[int, Mapping[Key, str | None]] = field(default_factory=dict)
    families: tuple[Rule, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the json form."""
        rules, families = (
            [{key: value for key, value in one.to_dict().items() if key != "support"} for one in each]
            for each in (self.rules, self.families)
        )
        pairs = [[number, [[list(key), value] for key, value in one.items()]] for number, one in self.lookups.items()]
        return {"rules": rules, "lookups": pairs, "families": families}

    @staticmethod
    def from_dict(table: str, raw: Mapping[str, Any], where: str) -> RowRules:
        """Read the form that ``to_dict`` returns.

        Raises:
            DataError: anything that is no rule of this table's rows.
        """
        rules, families = (
            tuple(rule_from_dict(one, f"{where}: rule {number}") for number, one in enumerate(raw[key], 1))
            for key in ("rules", "families")
        )
        lookups = {number: {tuple(key): value for key, value in pairs} for number, pairs in raw["lookups"]}
        return RowRules(table, rules, lookups, families)

    @property
    def through(self) -> list[Operand]:
        """Columns of parents that the rules read."""
        return sorted({each for one in self.rules for each in one.operands if not each.is_own})

    def problems(
        self, operands: Iterable[Operand], relations: Iterable[str] = (), below: Iterable[str] = ()
    ) -> list[str]:
        """Return what is no rule of rows with these columns, relations to parents and relations of rows, in words."""
        operands, above, under = tuple(operands), set(relations), set(below)
        for one in self.families:
            if set(one.relations) - (under if isinstance(one, ParentTotal) else above):
                return [f"families: relations of {self.table!r} expected"]
        known, found = set(operands), []
        for number, one in enumerate(self.rules):
            if one.table != self.table or not is_of_a_row(one) or set(one.operands) - known:
                found.append(f"rule {number + 1}: one about columns of each row of {self.table!r} expected")
        for one in self.families:
            operands = [one.dependent] if isinstance(one, Fixed) else one.operands
            is_known = isinstance(one, (*FAMILY_KINDS, Fixed)) or is_from_above(one) or rule_above(one) is not None
            if one.table != self.table or not is_known or {Operand(each.column) for each in operands} - known:
                found.append(f"families: rules among the rows of {self.table!r} expected")
        for number, pairs in self.lookups.items():
            rule = self.rules[number] if 0 <= number < len(self.rules) else None
            wide = len(rule.determinant) if isinstance(rule, Fixed) else 1
            if not isinstance(rule, Fixed | Calendar) or any(len(key) != wide for key in pairs):
                found.append(f"lookups: {number}: values that fix the column of such a rule expected")
        return found

    def in_words(self) -> list[str]:
        """Return what the file says of real data, rule by rule."""
        pairs = {number: f": {len(one):,} combinations of values are listed" for number, one in self.lookups.items()}
        return [f"rule: {one.statement()}{pairs.get(number, '')}" for number, one in enumerate(self.rules)] + [
            f"rule: {one.statement()}" for one in self.families
        ]

    def save(self, folder: Path) -> None:
        """Write ``<table>.rules.json``."""
        write_json(folder / f"{self.table}.rules.json", self.to_dict())

    @staticmethod
    def load(folder: Path, table: str) -> RowRules:
        """Read what ``save`` wrote; no rules where it wrote nothing."""
        path = folder / f"{table}.rules.json"
        return RowRules.from_dict(table, read_json(path), str(path)) if path.exists() else RowRules(table)


def is_of_a_row(rule: Rule) -> bool:
    """Return whether a row keeps or breaks a rule by itself and its parents, whatever other rows hold."""
    is_habit = isinstance(rule, Fixed) and (rule.strength < 1 or rule.by_key)
    return not is_habit and not isinstance(rule, _NOT_OF_A_ROW)


def fixing_keys(rule: Rule, schema: Schema) -> tuple[str, ...]:
    """Return the relations to parents that together fix a rule's column: rows of the same parents hold one value.

    None of them needlessly: a plane has one carrier, a route one distance. Empty for any other rule.
    """
    is_by_key = isinstance(rule, Fixed) and rule.by_key and rule.strength == 1 and rule.dependent.is_own
    if not isinstance(rule, Fixed) or not is_by_key or not all(one.is_own for one in rule.determinant):
        return ()
    given = {one.column for one in rule.determinant}
    keys = [one for one in schema.relations_of_child(rule.table) if set(one.child_columns) <= given]
    whole = [one.name for one in keys if set(one.child_columns) == given][:1]
    chosen = whole or [one.name for one in keys]
    covered = {column for one in keys if one.name in chosen for column in one.child_columns}
    return tuple(chosen) if covered == given else ()


def is_from_above(rule: Rule) -> bool:
    """Return whether a column of a row follows from one column of the row that a key leads to: more, or just so."""
    if isinstance(rule, Same):
        return rule.left.column == rule.right.column and rule.left.is_own != rule.right.is_own
    is_sum = isinstance(rule, Total) and rule.result is not None and rule.result.is_own and len(rule.terms) == 1
    return is_sum and isinstance(rule, Total) and not rule.terms[0].operand.is_own


def rule_above(rule: Rule) -> Operand | None:
    """Return the row's own column of a rule that it never falls from, or to, the row that a key leads to, else None."""
    own = [one for one in rule.operands if one.is_own]
    same = {one.column for one in rule.operands}
    return own[0] if isinstance(rule, Order) and len(rule.operands) == 2 and len(own) == len(same) == 1 else None


def learn_row_rules(
    table: str,
    rules: Iterable[Rule],
    training: RuleTables,
    entities: np.ndarray,
    least: int,
    *,
    attributes: Iterable[str],
    public: Iterable[str],
    before: Iterable[str] = (),
    itself: Iterable[str] = (),
) -> RowRules:
    """Return the rules of a table that sampling keeps.

    Args:
        table: its name.
        rules: of the database.
        training: training rows.
        entities: (training rows,) the entity of each.
        least: entities that must hold a combination of values before it is written down.
        attributes: columns that are made by a model; a rule about keys alone is the structure's.
        public: columns whose values may be written down.
        before: ways of keys to rows above that are made before the table.
        itself: relations of the table to itself.
    """
    made, shown = {Operand(name) for name in attributes}, {Operand(name) for name in public}
    earlier = {None, *before}
    own = [one for one in rules if one.table == table and not one.support.broken and is_of_a_row(one)]
    own = [one for one in own if made & set(one.operands) and {each.through for each in one.operands} <= earlier]
    kept = [one.supported(Support()) for one in own]
    lookups = {
        number: _pairs(one, training, entities, least)
        for number, one in enumerate(kept)
        if isinstance(one, Fixed | Calendar) and set(one.operands) <= shown
    }
    families = tuple(
        one.supported(Support())
        for one in rules
        if one.table == table and not one.support.broken and _is_of_a_family(one, training, made, set(itself))
    )
    return RowRules(table, tuple(kept), {number: pairs for number, pairs in lookups.items() if pairs}, families)


def _is_of_a_family(rule: Rule, training: RuleTables, made: Container[Operand], itself: set[str]) -> bool:
    if isinstance(rule, Fixed):
        return bool(fixing_keys(rule, training.schema)) and rule.dependent in made
    if isinstance(rule, Unique):
        return any(one in made for one in rule.columns) and all(one.is_own for one in rule.columns)
    if is_from_above(rule):
        above = {str(one.through) for one in rule.operands if not one.is_own}
        return all(one in made for one in rule.operands if one.is_own) and above <= itself
    if (own := rule_above(rule)) is not None:
        return own in made and {str(one.through) for one in rule.operands if not one.is_own} <= itself
    return isinstance(rule, FAMILY_KINDS) and rule.operands[0] in made


def determinants(rule: Fixed | Calendar, rows: RuleTables) -> list[pa.Array]:
    """Return what fixes a rule's column in each row, as text: (rows,) each, null where nothing does."""
    if isinstance(rule, Calendar):
        part = part_of(rows.numbers(rule.table, rule.time), rule.part)
        return [pa.array(part, mask=part < 0).cast(pa.string())]
    return [rows.texts(rule.table, one) for one in rule.determinant]


def _pairs(rule: Fixed | Calendar, training: RuleTables, entities: np.ndarray, least: int) -> dict[Key, str | None]:
    """Return what at least ``least`` entities hold."""
    given = determinants(rule, training)
    group = tuple_codes([column_codes(one, null_code=False) for one in given])
    has = np.flatnonzero(group >= 0)
    if not len(has):
        return {}
    _, first, number, counts = np.unique(group[has], return_index=True, return_inverse=True, return_counts=True)
    held = np.flatnonzero(are_held(number, entities[has], counts, least))
    held = held[np.argsort(-counts[held], kind="stable")][:MOST_PAIRS]
    rows = pa.array(has[first[held]])
    dependent = rule.dependent if isinstance(rule, Fixed) else rule.column
    values = training.texts(rule.table, dependent).take(rows).to_pylist()
    keys: Sequence[Key] = list(zip(*(one.take(rows).to_pylist() for one in given), strict=True))
    found = dict(zip(keys, values, strict=True))
    return continued(rule.part, found) if isinstance(rule, Calendar) else found

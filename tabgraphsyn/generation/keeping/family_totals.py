"""Parents whose column says what their rows add up to: it is computed once the rows are there.

The rows keep what was drawn for them, so their distribution is the model's; the parent's column then has that of sums.
Scaling rows to a drawn total would change both the rows and all that follows from them (price times quantity).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from tabgraphsyn.data.prepared import Prepared
from tabgraphsyn.data.rules.family_kinds import ParentTotal, aggregate
from tabgraphsyn.data.rules.operand import Operand
from tabgraphsyn.generation.keeping.rule_rows import RuleRows


@dataclass
class HeldTables:
    """Tables that wait for their rows.

    Attributes:
        prepared: schema and rules.
        waiting: table -> its rows without totals.
        values: table -> column -> (rows,) of tables that totals are made of.
    """

    prepared: Prepared
    waiting: dict[str, pa.Table] = field(default_factory=dict)
    values: dict[str, dict[str, pa.Array]] = field(default_factory=dict)

    def rules(self, table: str) -> list[ParentTotal]:
        """Return the totals of a table that need the values of its rows; their number is known before."""
        return [one for one in self.prepared.row_rules(table).families if isinstance(one, ParentTotal) and one.of]

    def asked(self, tables: Iterable[str]) -> dict[str, set[str]]:
        """Return the columns, by table, that totals of all tables are made of."""
        found: dict[str, set[str]] = {}
        for table in tables:
            for one in self.rules(table):
                child = self.prepared.schema.relation(one.relation).child_table
                found.setdefault(child, set()).add(str(one.of))
        return found

    def finished(
        self,
        table: str,
        pointers: Mapping[str, np.ndarray],
        ruled: Callable[[str, pa.Table, frozenset[str]], pa.Table],
    ) -> pa.Table:
        """Return a table that waited, its totals computed and what follows from them computed again.

        Args:
            table: whose rows all are made.
            pointers: relation name -> (rows,) number of the parent, negative for none.
            ruled: keeps the rules about single rows and leaves some columns as they are.
        """
        rows, schema = self.waiting.pop(table), self.prepared.schema
        own, done = RuleRows(schema.table(table), rows), set()
        for rule in self.rules(table):
            child = schema.relation(rule.relation).child_table
            values = pa.table({str(rule.of): self.values[child][str(rule.of)]})
            numbers = RuleRows(schema.table(child), values).numbers(Operand(str(rule.of)))
            found = aggregate(rule.how, numbers, pointers[rule.relation], rows.num_rows)
            old = own.numbers(rule.column)
            own.put_numbers(rule.column.column, found, np.isfinite(found) & np.isfinite(old) & (found != old))
            done.add(rule.column.column)
        made = ruled(table, own.table, frozenset(done))
        for name in self.values.get(table, {}):
            self.values[table][name] = made.column(name).combine_chunks()
        return made

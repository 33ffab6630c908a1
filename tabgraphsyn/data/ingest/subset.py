"""A part of a database: some rows of one table, their descendants, and every row those refer to."""

from __future__ import annotations

from tabgraphsyn.data.ingest.table_queries import TableQueries
from tabgraphsyn.data.options import RowLimit
from tabgraphsyn.data.schema import Relation, Schema
from tabgraphsyn.errors import DataError, listing, nearest


def check_limit(schema: Schema, limit: RowLimit) -> None:
    """Raise when the limited table does not exist."""
    if limit.table not in schema.table_names:
        raise DataError(
            f"dataset.limit.table: no table {limit.table!r}; there are {listing(schema.table_names)}."
            f"{nearest(limit.table, schema.table_names)}"
        )


def keep_part(schema: Schema, limit: RowLimit, queries: TableQueries) -> list[str]:
    """Mark the rows to keep in temporary tables ``keep_<view>(row)``; return the tables that are cut.

    Rows of the limited table are taken at equal distances, so that the part is drawn from all of it. Downwards a row
    is kept when all its keys into kept tables are kept or null; of the rows whose keys are all null an equal share is
    kept. Upwards every row that a kept one refers to is kept. Tables beside them keep the rows whose parents are all
    kept. A table without any connection keeps all its rows.
    """
    total = queries.rows(limit.table)
    if limit.rows >= total:
        return []
    part = _Part(schema, queries, limit.rows / total)
    part.take_evenly(limit.table, limit.rows, total)
    part.descend(limit.table)
    part.ascend()
    while part.take_beside():
        part.ascend()
    return part.done


class _Part:
    def __init__(self, schema: Schema, queries: TableQueries, share: float) -> None:
        self.schema, self.queries, self.share = schema, queries, share
        self.done: list[str] = []

    def keep_name(self, table: str) -> str:
        return f"keep_{self.queries.view(table)}"

    def create(self, table: str, select: str) -> None:
        self.queries.execute(f"CREATE OR REPLACE TEMP TABLE {self.keep_name(table)} AS {select}")
        self.done.append(table)

    def take_evenly(self, table: str, rows: int, total: int) -> None:
        view = self.queries.view(table)
        # Row r is taken where floor(r * rows / total) steps up: exactly ``rows`` of them, evenly spread.
        self.create(table, f"SELECT row FROM {view} WHERE (row + 1) * {rows} // {total} > row * {rows} // {total}")

    def descend(self, start: str) -> None:
        """Visit the descendants parents first, as far as the keys allow it."""
        reached = self._descendants(start)
        while reached - set(self.done):
            waiting = reached - set(self.done)
            ready = [
                table
                for table in self.schema.table_names
                if table in waiting and not self._parents_in(table, waiting - {table})
            ]
            # In a cycle nobody is ready: whoever has a kept parent goes first.
            cyclic = [
                table
                for table in self.schema.table_names
                if table in waiting and self._parents_in(table, set(self.done))
            ]
            self.take_children((ready or cyclic)[0], with_null=True)

    def _descendants(self, start: str) -> set[str]:
        reached, grown = {start}, True
        while grown:
            below = {relation.child_table for relation in self.schema.relations if relation.parent_table in reached}
            grown = not below <= reached
            reached |= below
        return reached

    def _parents_in(self, table: str, tables: set[str]) -> list[Relation]:
        return [
            relation
            for relation in self.schema.relations_of_child(table)
            if relation.parent_table in tables and not relation.is_self_reference
        ]

    def take_children(self, table: str, *, with_null: bool) -> None:
        view = self.queries.view(table)
        relations = self._parents_in(table, set(self.done))
        kept = " AND ".join(f"({self._null(relation)} OR {self._kept(relation)})" for relation in relations)
        anything = " OR ".join(f"NOT {self._null(relation)}" for relation in relations)
        select = f"SELECT row FROM {view} c WHERE ({anything}) AND {kept}"
        if with_null:
            nothing = " AND ".join(self._null(relation) for relation in relations)
            select += (
                f" UNION ALL SELECT row FROM (SELECT row, row_number() OVER (ORDER BY row) AS n FROM {view} c "
                f"WHERE {nothing}) WHERE floor(n * {self.share!r}) > floor((n - 1) * {self.share!r})"
            )
        self.create(table, select)

    def take_beside(self) -> bool:
        """Cut one table that is not reached yet but has a cut parent; False when there is none."""
        for table in self.schema.table_names:
            if table not in self.done and self._parents_in(table, set(self.done)):
                self.take_children(table, with_null=True)
                return True
        return False

    def ascend(self) -> None:
        """Add the rows that kept rows refer to, until no kept key points to a row left out."""
        grown = True
        while grown:
            grown = False
            for relation in self.schema.relations:
                if relation.child_table in self.done:
                    grown = self._add_parents(relation) or grown

    def _add_parents(self, relation: Relation) -> bool:
        parent, child = relation.parent_table, relation.child_table
        if parent not in self.done:
            self.create(parent, f"SELECT row FROM {self.queries.view(parent)} WHERE false")
        keep = self.keep_name(parent)
        before = self._count(keep)
        self.queries.execute(
            f"INSERT INTO {keep} SELECT p.row FROM {self.queries.view(parent)} p WHERE EXISTS (SELECT 1 FROM "
            f"{self.queries.view(child)} c SEMI JOIN {self.keep_name(child)} k ON c.row = k.row "
            f"WHERE {self._match(relation)}) AND p.row NOT IN (SELECT row FROM {keep})"
        )
        return self._count(keep) > before

    def _count(self, keep: str) -> int:
        return self.queries.execute(f"SELECT count(*) FROM {keep}").fetchall()[0][0]

    def _null(self, relation: Relation) -> str:
        names = [self.queries.column_name(relation.child_table, column) for column in relation.child_columns]
        return "(" + " OR ".join(f"c.{name} IS NULL" for name in names) + ")"

    def _match(self, relation: Relation) -> str:
        return " AND ".join(
            f"p.{self.queries.column_name(relation.parent_table, key)} = "
            f"c.{self.queries.column_name(relation.child_table, column)}"
            for column, key in zip(relation.child_columns, relation.parent_columns, strict=True)
        )

    def _kept(self, relation: Relation) -> str:
        parent = relation.parent_table
        return (
            f"EXISTS (SELECT 1 FROM {self.queries.view(parent)} p SEMI JOIN {self.keep_name(parent)} k "
            f"ON p.row = k.row WHERE {self._match(relation)})"
        )

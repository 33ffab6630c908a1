"""The domain: columns, tables, relations, and the database they form.

No row is read here except on request; a ``Table`` is parquet on disk or an arrow table in memory.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeVar, get_args
from urllib.parse import quote

import pyarrow as pa
import pyarrow.parquet as pq
from msgspec import Meta

from tabgraphsyn.data.files import read_json
from tabgraphsyn.data.formats import AnyFormat
from tabgraphsyn.data.plain import Plain
from tabgraphsyn.data.untrusted import Name, Text
from tabgraphsyn.errors import DataError, listing, nearest

SemanticType = Literal["numerical", "categorical", "boolean", "datetime", "id", "text"]
Rows = TypeVar("Rows", pa.Table, pa.RecordBatch)
Representation = Literal["Int64", "Float"]
SEMANTIC_TYPES: tuple[str, ...] = get_args(SemanticType)
_WIDE = re.compile(r"%[-_0^#]*\d")


@dataclass(frozen=True)
class Column(Plain):
    """One column of a table.

    Attributes:
        name: its name in the file.
        sdtype: what its values mean (SDV's word for it).
        computer_representation: ``Int64`` or ``Float`` for numerical columns, else None.
        datetime_format: strftime format that the values are written in, for datetime columns.
        regex_format: pattern from which new ids are made, for id columns.
        pii: True where values name a person; such text is never reproduced.
        format: how values are written, None where arrow's own spelling is the file's.
        missing: what most cells without a value hold in the file: ``NA``, nothing.
    """

    leaves_out_defaults = True
    name: Name
    sdtype: SemanticType
    computer_representation: Representation | None = None
    datetime_format: Annotated[str, Meta(max_length=200)] | None = None
    regex_format: Text | None = None
    pii: bool = False
    format: AnyFormat | None = None
    missing: Annotated[str, Meta(max_length=40)] = ""

    def together(self) -> Iterator[tuple[bool, str]]:
        """Yield what must hold: no width in a format of times, which would make a file of any size."""
        yield not (self.datetime_format and _WIDE.search(self.datetime_format)), "a datetime_format without widths"


@dataclass(frozen=True)
class TableSchema:
    """A table's columns in file order and its keys.

    Attributes:
        name: its name.
        columns: in file order.
        primary_key: empty when it has none.
        alternate_keys: other columns that hold each value once, and will in synthetic tables.
        reference: True where its owner decided that real rows of it may leave the project (a public lookup table),
            False where they decided against it, None where nobody decided.
    """

    name: str
    columns: tuple[Column, ...]
    primary_key: tuple[str, ...] = ()
    alternate_keys: tuple[str, ...] = ()
    reference: bool | None = None

    @cached_property
    def by_name(self) -> dict[str, Column]:
        """Columns by their name."""
        return {column.name: column for column in self.columns}

    def column(self, name: str) -> Column:
        """Return one column.

        Raises:
            DataError: the table has no column of that name.
        """
        if name not in self.by_name:
            raise DataError(
                f"{self.name}.{name}: no such column; the table has {listing(self.by_name)}."
                f"{nearest(name, self.by_name)}"
            )
        return self.by_name[name]


@dataclass(frozen=True)
class Relation(Plain):
    """A foreign key: ``child_columns`` of the child refer to ``parent_columns`` of the parent."""

    child_table: Name
    child_columns: tuple[Name, ...]
    parent_table: Name
    parent_columns: tuple[Name, ...]

    @property
    def name(self) -> str:
        """A name that is unique in a schema and safe as a file name; other characters are quoted as in a URL.

        >>> Relation("flights", ("origin",), "airports", ("faa",)).name
        'flights.origin--airports'
        >>> Relation("a", ("x/y",), "b", ("id",)).name
        'a.x%2Fy--b'
        """
        columns = "+".join(quote(column, safe=" ") for column in self.child_columns)
        return f"{self.child_table}.{columns}--{self.parent_table}"

    @property
    def is_self_reference(self) -> bool:
        """True where a table refers to itself."""
        return self.child_table == self.parent_table


THEN = " > "
"""Between the names of relations that are followed one after another."""
KEYS_MAX, WAYS_MAX = 3, 40


@dataclass(frozen=True)
class Schema:
    """Tables and the foreign keys between them.

    Attributes:
        tables: in the order of the metadata or the files.
        relations: the foreign keys that hold.
        dropped: foreign keys that the data set declares and that are not kept; metrics count them.
    """

    tables: tuple[TableSchema, ...]
    relations: tuple[Relation, ...] = ()
    dropped: tuple[Relation, ...] = ()

    @cached_property
    def table_names(self) -> tuple[str, ...]:
        """Names of the tables, in schema order."""
        return tuple(table.name for table in self.tables)

    def table(self, name: str) -> TableSchema:
        """Return one table's schema.

        Raises:
            DataError: no table of that name.
        """
        for table in self.tables:
            if table.name == name:
                return table
        raise DataError(
            f"{name}: no such table; the schema has {listing(self.table_names)}.{nearest(name, self.table_names)}"
        )

    def relation(self, name: str) -> Relation:
        """Return a relation by its name.

        Raises:
            KeyError: there is none.
        """
        for one in self.relations:
            if one.name == name:
                return one
        raise KeyError(f"no relation {name!r}; found {[one.name for one in self.relations]}")

    def way(self, through: str) -> tuple[Relation, ...]:
        """Return the relations that lead from a row to one above it, by their names joined by ``THEN``.

        Raises:
            KeyError: there is no such relation.
        """
        names = [through] if any(one.name == through for one in self.relations) else through.split(THEN)
        return tuple(self.relation(name) for name in names)

    def ways_of(self, table: str) -> tuple[str, ...]:
        """Return the ways of keys that lead up from a table, the shorter ones first.

        Of several keys at most ``KEYS_MAX``, through no table twice.
        """
        ways: list[tuple[Relation, ...]] = [(one,) for one in self.relations_of_child(table)]
        found, last = list(ways), [way for way in ways if not way[0].is_self_reference]
        for _ in range(KEYS_MAX - 1):
            last = [
                (*way, one)
                for way in last
                for one in self.relations_of_child(way[-1].parent_table)
                if one.parent_table not in {table, *(each.parent_table for each in way)}
            ]
            found += last
        return tuple(THEN.join(one.name for one in way) for way in found[: max(WAYS_MAX, len(ways))])

    def relations_of_child(self, table: str) -> tuple[Relation, ...]:
        """Foreign keys that ``table`` holds."""
        return tuple(relation for relation in self.relations if relation.child_table == table)

    def relations_of_parent(self, table: str) -> tuple[Relation, ...]:
        """Foreign keys that refer to ``table``."""
        return tuple(relation for relation in self.relations if relation.parent_table == table)

    def key_columns(self, table: str) -> tuple[str, ...]:
        """Columns of ``table`` in a key: its primary one, a foreign one, or what others refer to; in file order.

        Foreign keys may refer to any column that holds each value once.
        """
        keys = set(self.table(table).primary_key)
        for relation in self.relations_of_parent(table):
            keys.update(relation.parent_columns)
        for relation in self.relations_of_child(table):
            keys.update(relation.child_columns)
        return tuple(column.name for column in self.table(table).columns if column.name in keys)

    def attribute_columns(self, table: str) -> tuple[str, ...]:
        """Columns of ``table`` that are no part of a key, in file order: what the models generate."""
        keys = set(self.key_columns(table))
        return tuple(column.name for column in self.table(table).columns if column.name not in keys)

    def with_reference(self, chosen: Mapping[str, bool]) -> Schema:
        """Return the schema with what its owner decided about keeping the rows of some tables.

        Raises:
            DataError: a table that is not there.
        """
        for name in chosen:
            self.table(name)
        tables = tuple(replace(one, reference=chosen.get(one.name, one.reference)) for one in self.tables)
        return replace(self, tables=tables)

    def to_dict(self) -> dict[str, Any]:
        """Return the internal json form (``schema.json``)."""
        return {
            "tables": [
                {
                    "name": table.name,
                    "primary_key": list(table.primary_key),
                    **({"alternate_keys": list(table.alternate_keys)} if table.alternate_keys else {}),
                    **({} if table.reference is None else {"reference": table.reference}),
                    "columns": [column.to_dict() for column in table.columns],
                }
                for table in self.tables
            ],
            "relations": [relation.to_dict() for relation in self.relations],
            **({"dropped": [relation.to_dict() for relation in self.dropped]} if self.dropped else {}),
        }

    @staticmethod
    def from_dict(raw: Mapping[str, Any]) -> Schema:
        """Read the form that ``to_dict`` writes."""
        tables = tuple(
            TableSchema(
                name=table["name"],
                primary_key=tuple(table["primary_key"]),
                alternate_keys=tuple(table.get("alternate_keys", ())),
                columns=tuple(Column.from_dict(column) for column in table["columns"]),
                reference=table.get("reference"),
            )
            for table in raw["tables"]
        )
        relations = tuple(Relation.from_dict(relation) for relation in raw["relations"])
        return Schema(tables, relations, tuple(Relation.from_dict(relation) for relation in raw.get("dropped", ())))


PARQUET: Final = "parquet"
SHOWN = "synthetic"
READ_BY_STAGES = "tables"
"""Where a sample stage puts the parquet files that are not among ``sampling.formats``: later stages read them."""


@dataclass(frozen=True)
class Table:
    """Rows of one table: a parquet file that is read by column or in batches, or arrow in memory.

    Columns come in their stored types, whatever types the file has.

    Attributes:
        schema: the table's columns.
        source: where the rows are.
        as_numbers: numbers and times that are stored as text, because words stand among them, come as numbers and
            times, null for words: what metrics compare.
    """

    schema: TableSchema
    source: pa.Table | Path = field(repr=False)
    as_numbers: bool = False

    @property
    def num_rows(self) -> int:
        """Number of rows, without reading them."""
        return self.source.num_rows if isinstance(self.source, pa.Table) else self._footer.num_rows

    @cached_property
    def _footer(self) -> pq.FileMetaData:
        """What the file says of itself, read once: of a wide table that takes as long as a column of it."""
        return pq.read_metadata(self.source)

    @cached_property
    def types(self) -> Mapping[str, pa.DataType]:
        """The arrow type of each column in its source."""
        schema = self.source.schema if isinstance(self.source, pa.Table) else self._footer.schema.to_arrow_schema()
        return {one.name: one.type for one in schema}

    def read(self, columns: list[str] | None = None) -> pa.Table:
        """Return the rows, all columns or some, in memory."""
        if isinstance(self.source, Path):
            return self._stored(pq.read_table(self.source, columns=columns))
        return self._stored(self.source if columns is None else self.source.select(columns))

    def column(self, name: str) -> pa.ChunkedArray:
        """Return one column; on disk only that column is read; (rows,)."""
        return self.read([name]).column(0)

    def batches(self, columns: list[str] | None = None, batch_rows: int = 65_536) -> Iterator[pa.RecordBatch]:
        """Yield the rows in order, at most ``batch_rows`` at a time."""
        if isinstance(self.source, Path):
            with pq.ParquetFile(self.source, metadata=self._footer) as file:
                for batch in file.iter_batches(batch_size=batch_rows, columns=columns):
                    yield self._stored(batch)
        else:
            yield from self.read(columns).to_batches(max_chunksize=batch_rows)

    def _stored(self, rows: Rows) -> Rows:
        for place, name in enumerate(rows.schema.names):
            column = self.schema.by_name.get(name)
            if column is None or column.format is None:
                continue
            values, format = rows.column(place), column.format
            is_read = values.type == format.stored or (format.holds_numbers_as_text and _is_plain_number(values.type))
            changed = values if is_read else mapped(values, format.stored_of)
            means_number = format.holds_numbers_as_text and column.sdtype in ("numerical", "datetime")
            if self.as_numbers and means_number and changed.type == format.stored:
                changed = mapped(changed, format.numbers)
            if changed is not values:
                rows = rows.set_column(place, pa.field(name, changed.type), changed)
        return rows


def _is_plain_number(type_: pa.DataType) -> bool:
    return type_ in (pa.int64(), pa.float64(), pa.timestamp("us"))


def mapped(values: pa.ChunkedArray | pa.Array, change: Callable[[pa.Array], pa.Array]) -> pa.ChunkedArray | pa.Array:
    """Return ``change`` of an array, chunk by chunk where it has chunks; both are (rows,)."""
    if isinstance(values, pa.Array):
        return change(values)
    if not values.num_chunks:
        return pa.chunked_array([change(pa.array([], values.type))])
    return pa.chunked_array([change(chunk) for chunk in values.chunks])


@dataclass(frozen=True)
class Database:
    """A schema with the rows of its tables."""

    schema: Schema
    tables: Mapping[str, Table]

    def __getitem__(self, name: str) -> Table:
        return self.tables[name]

    @staticmethod
    def ingested(folder: Path) -> Database:
        """Return the database that the ingest stage wrote to ``folder``: ``schema.json`` and ``tables/``."""
        return Database.open(Schema.from_dict(read_json(folder / "schema.json")), folder / "tables")

    @staticmethod
    def sampled(schema: Schema, artifacts: Path) -> Database:
        """Return the database that a sample stage made: what it shows, or what it wrote beside it for stages."""
        apart = artifacts / READ_BY_STAGES
        return Database.open(schema, apart if apart.is_dir() else artifacts / SHOWN)

    @staticmethod
    def open(schema: Schema, folder: Path) -> Database:
        """Return the database whose tables are ``folder/<table>.parquet``, without reading rows."""
        return Database(schema, {table.name: Table(table, folder / f"{table.name}.parquet") for table in schema.tables})

    def as_numbers(self) -> Database:
        """Return the database as metrics read it, see ``Table.as_numbers``."""
        return Database(self.schema, {name: replace(table, as_numbers=True) for name, table in self.tables.items()})

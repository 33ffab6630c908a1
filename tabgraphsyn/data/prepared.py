"""What the prepare stage made of a database, in a folder: read and written here and nowhere else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import ClassVar, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tabgraphsyn.data.arrays import save_array
from tabgraphsyn.data.codec import TableCodec
from tabgraphsyn.data.dependencies import Dependency
from tabgraphsyn.data.files import read_json, write_json, written_aside
from tabgraphsyn.data.known.children import Composition, load_compositions, save_compositions
from tabgraphsyn.data.known.coarse import CoarseMarginals
from tabgraphsyn.data.known.columns import Known
from tabgraphsyn.data.known.panel import Panel
from tabgraphsyn.data.known.timeline import Timeline
from tabgraphsyn.data.known.traits import Trait, joined, traits_layout
from tabgraphsyn.data.layout import EncodedTable, TableLayout
from tabgraphsyn.data.order import Plan
from tabgraphsyn.data.plain import Plain
from tabgraphsyn.data.rules.kept import RowRules
from tabgraphsyn.data.rules.operand import Operand
from tabgraphsyn.data.rules.row_kinds import Same
from tabgraphsyn.data.rules.rule import Rule
from tabgraphsyn.data.rules.store import load_rules, save_rules
from tabgraphsyn.data.schema import Schema

ENCODED_KINDS = ("numerical", "categorical")
_Listed = TypeVar("_Listed", bound=Plain)


class Prepared:
    """The artifacts of a prepare stage, or the part of them that a bundle ships (no encoded rows, pointers, holdout).

    What a ``keep_`` method writes is held, too: who writes does not read its own files back.

    Args:
        folder: holds them.
    """

    SCHEMA: ClassVar[str] = "schema.json"
    PLAN: ClassVar[str] = "plan.json"
    DEPENDENCIES: ClassVar[str] = "dependencies.json"
    RULES: ClassVar[str] = "rules.json"
    CODEC: ClassVar[str] = "codec"
    KNOWN: ClassVar[str] = "known"
    REFERENCE: ClassVar[str] = "reference"
    ENCODED: ClassVar[str] = "encoded"
    HOLDOUT: ClassVar[str] = "holdout"
    POINTERS: ClassVar[str] = "pointers"
    PERSONS: ClassVar[str] = "persons"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._pointers: dict[str, np.ndarray] = {}
        self._codecs: dict[str, TableCodec] = {}
        self._known: dict[str, Known] = {}

    # What all tables have in common.

    @cached_property
    def schema(self) -> Schema:
        """Tables and relations."""
        return Schema.from_dict(read_json(self.folder / self.SCHEMA))

    def keep_schema(self, schema: Schema) -> None:
        """Write the tables and relations."""
        write_json(self.folder / self.SCHEMA, schema.to_dict())
        self.__dict__["schema"] = schema

    @cached_property
    def plan(self) -> Plan:
        """Order of tables, drivers, lookup tables and numbers of rows."""
        return Plan.from_dict(read_json(self.folder / self.PLAN))

    def keep_plan(self, plan: Plan) -> None:
        """Write the plan."""
        write_json(self.folder / self.PLAN, plan.to_dict())
        self.__dict__["plan"] = plan

    @cached_property
    def dependencies(self) -> list[Dependency]:
        """Functional dependencies of the training rows."""
        return [Dependency.from_dict(one) for one in read_json(self.folder / self.DEPENDENCIES)]

    def keep_dependencies(self, dependencies: list[Dependency]) -> None:
        """Write the functional dependencies."""
        write_json(self.folder / self.DEPENDENCIES, [dependency.to_dict() for dependency in dependencies])
        self.__dict__["dependencies"] = dependencies

    @cached_property
    def rules(self) -> list[Rule]:
        """What holds in every training row, and what the data set declares."""
        return load_rules(self.folder / self.RULES)

    def keep_rules(self, rules: list[Rule]) -> None:
        """Write the rules."""
        save_rules(self.folder / self.RULES, rules)
        self.__dict__["rules"] = rules

    # Which rows are held out, and which row the training rows' keys point to.

    def holdout(self, table: str) -> np.ndarray:
        """Return which real rows are held out, (rows,) bool."""
        return np.asarray(np.load(self.folder / self.HOLDOUT / f"{table}.npy", allow_pickle=False))

    def is_training(self) -> dict[str, np.ndarray]:
        """Return table -> which real rows may be trained on, (rows,) bool."""
        return {table: ~self.holdout(table) for table in self.schema.table_names}

    def keep_holdout(self, held: Mapping[str, np.ndarray]) -> None:
        """Write which rows are held out, table -> (rows,) bool."""
        for table, mask in held.items():
            save_array(self.folder / self.HOLDOUT / f"{table}.npy", mask)

    def pointer(self, relation: str) -> np.ndarray:
        """Return the training row of the parent for each training row of the child, (child rows,) int64.

        Negative where there is none: see ``data.pointers``.
        """
        if relation not in self._pointers:
            path = self.folder / self.POINTERS / f"{relation}.npy"
            self._pointers[relation] = np.asarray(np.load(path, allow_pickle=False))
        return self._pointers[relation]

    def pointers(self, relations: Iterable[str] | None = None) -> dict[str, np.ndarray]:
        """Return relation -> ``pointer``, of all relations or of the named ones; each is (child rows,) int64."""
        wanted = (relation.name for relation in self.schema.relations) if relations is None else relations
        return {name: self.pointer(name) for name in wanted}

    def keep_pointer(self, relation: str, pointer: np.ndarray) -> None:
        """Write one relation's pointers, (child rows,) int64."""
        save_array(self.folder / self.POINTERS / f"{relation}.npy", pointer)
        self._pointers[relation] = pointer

    def persons(self) -> dict[str, np.ndarray]:
        """Return table -> (training rows,) int64, the first row of the same person, where a column tells persons."""
        files = sorted((self.folder / self.PERSONS).glob("*.npy"))
        return {path.stem: np.asarray(np.load(path, allow_pickle=False)) for path in files}

    def keep_persons(self, first: Mapping[str, np.ndarray], is_training: Mapping[str, np.ndarray]) -> None:
        """Write the first row of each row's person, table -> (rows,) int64; masks are (rows,) bool."""
        for table, rows in first.items():
            kept = is_training[table]
            save_array(self.folder / self.PERSONS / f"{table}.npy", (np.cumsum(kept) - 1)[rows[kept]])

    # One table.

    def codec(self, table: str) -> TableCodec:
        """Return a table's codec."""
        if table not in self._codecs:
            self._codecs[table] = TableCodec.from_dict(read_json(self.folder / self.CODEC / f"{table}.json"))
        return self._codecs[table]

    def keep_codec(self, table: str, codec: TableCodec) -> None:
        """Write a table's codec."""
        write_json(self.folder / self.CODEC / f"{table}.json", codec.to_dict())
        self._codecs[table] = codec

    def layout(self, table: str) -> TableLayout:
        """Return how a table looks to a model."""
        return TableLayout.from_dict(read_json(self.folder / self.CODEC / f"{table}.json")["layout"])

    def encoded(self, table: str, *, is_mapped: bool = False) -> EncodedTable:
        """Return the encoded training rows.

        Args:
            table: the table.
            is_mapped: True to read rows from disk as they are asked for (copy on write).
        """
        paths = (self.encoded_file(table, kind) for kind in ENCODED_KINDS)
        return EncodedTable(*(np.load(path, mmap_mode="c" if is_mapped else None) for path in paths))

    def encoded_file(self, table: str, kind: str) -> Path:
        """Return where the array of one of ``ENCODED_KINDS`` lies."""
        return self.folder / self.ENCODED / table / f"{kind}.npy"

    def reference(self, table: str) -> pa.Table | None:
        """Return the attributes that sampling may keep of a lookup table, None for any other table; one row each."""
        path = self.folder / self.REFERENCE / f"{table}.parquet"
        return pq.read_table(path) if path.exists() else None

    def keep_reference(self, table: str, rows: pa.Table) -> None:
        """Write the attributes that sampling may keep of a lookup table, one row each."""
        with written_aside(self.folder / self.REFERENCE / f"{table}.parquet") as aside:
            pq.write_table(rows, aside)

    def marginals(self, table: str) -> CoarseMarginals | None:
        """Return what a table too small to learn is drawn from, None for any other table."""
        path = self._known_file(table, "coarse")
        return CoarseMarginals.from_dict(read_json(path)) if path.exists() else None

    def keep_marginals(self, table: str, marginals: CoarseMarginals) -> None:
        """Write what a table too small to learn is drawn from."""
        write_json(self._known_file(table, "coarse"), marginals.to_dict())

    # What keys say of a table's rows before they are generated.

    def known(self, table: str) -> Known:
        """Return what keys into lookup tables say of a table's rows."""
        if table not in self._known:
            self._known[table] = Known.load(self.folder / self.KNOWN, table)
        return self._known[table]

    def keep_known(self, known: Known) -> None:
        """Write what keys into lookup tables say of a table's rows."""
        known.save(self.folder / self.KNOWN)
        self._known[known.table] = known

    def compositions(self, table: str) -> list[Composition]:
        """Return which lookup rows the children of a table's rows refer to."""
        return load_compositions(self.folder / self.KNOWN, table)

    def keep_compositions(self, table: str, compositions: Sequence[Composition]) -> None:
        """Write them, where there are any."""
        if compositions:
            save_compositions(self.folder / self.KNOWN, table, list(compositions))

    def panels(self, table: str) -> list[Panel]:
        """Return the columns of times that rows of one parent never share."""
        return self._listed(table, "panels", Panel)

    def keep_panels(self, table: str, panels: Sequence[Panel]) -> None:
        """Write them, where there are any."""
        self._keep_listed(table, "panels", panels)

    def timeline(self, table: str) -> Timeline | None:
        """Return the moments at which a table's rows stand, None where time says nothing of who takes part in them."""
        return next(iter(self._listed(table, "timeline", Timeline)), None)

    def keep_timeline(self, table: str, timeline: Timeline, moment: np.ndarray) -> None:
        """Write it with the moments of the training rows, (rows,) int64."""
        self._keep_listed(table, "timeline", [timeline])
        save_array(self.encoded_file(table, "moments"), moment)

    def moments(self, table: str) -> np.ndarray:
        """Return the moment of each training row of a table with a timeline, (rows,) int64."""
        return np.asarray(np.load(self.encoded_file(table, "moments"), allow_pickle=False))

    # What rows' children are like, as hidden fields of the rows: see ``data.known.traits``.

    def traits(self, table: str) -> list[Trait]:
        """Return what the children of a table's rows are like, along each key that says something."""
        return self._listed(table, "traits", Trait)

    def keep_traits(self, table: str, traits: Sequence[Trait], rows: EncodedTable) -> None:
        """Write them with the hidden fields of the training rows, where there are any."""
        self._keep_listed(table, "traits", traits)
        if traits:
            for kind in ENCODED_KINDS:
                save_array(self.encoded_file(table, f"traits.{kind}"), getattr(rows, kind))

    def wide_layout(self, table: str) -> TableLayout:
        """Return how a table looks to a model that makes its hidden fields too: after those of the columns."""
        own, hidden = self.layout(table), traits_layout(self.traits(table))
        return TableLayout(own.numerical + hidden.numerical, own.categorical + hidden.categorical)

    def wide_encoded(self, table: str) -> EncodedTable:
        """Return the encoded training rows with their hidden fields."""
        own = self.encoded(table, is_mapped=True)
        if not self.traits(table):
            return own
        hidden = EncodedTable(*(np.load(self.encoded_file(table, f"traits.{kind}")) for kind in ENCODED_KINDS))
        return joined([own, hidden], own.rows)

    def _known_file(self, table: str, what: str) -> Path:
        return self.folder / self.KNOWN / f"{table}.{what}.json"

    def _listed(self, table: str, what: str, kind: type[_Listed]) -> list[_Listed]:
        path = self._known_file(table, what)
        return [kind.from_dict(one) for one in read_json(path)] if path.exists() else []

    def _keep_listed(self, table: str, what: str, listed: Sequence[Plain]) -> None:
        if listed:
            write_json(self._known_file(table, what), [one.to_dict() for one in listed])

    def row_rules(self, table: str) -> RowRules:
        """Return the rules about single rows that sampling keeps."""
        return RowRules.load(self.folder / self.KNOWN, table)

    def parents_columns(self, table: str) -> dict[str, Operand]:
        """Return the columns that a rule says are a parent's, of the same meaning there: column -> the parent's."""
        found: dict[str, Operand] = {}
        attributes = self.schema.attribute_columns(table)
        for one in self.row_rules(table).rules:
            if isinstance(one, Same) and one.left.is_own and one.right.through and one.left.column in attributes:
                above = self.schema.table(self.schema.way(one.right.through)[-1].parent_table).column(one.right.column)
                if above.sdtype == self.schema.table(table).column(one.left.column).sdtype:
                    found.setdefault(one.left.column, one.right)
        return found

    def keep_row_rules(self, rules: RowRules) -> None:
        """Write them, where there are any."""
        if rules.rules or rules.families:
            rules.save(self.folder / self.KNOWN)

    def lookup(self, known: Known) -> dict[str, np.ndarray]:
        """Return the lookup row of each training row, by relation to a lookup table."""
        return self.pointers(known.relations)

    # What a bundle ships.

    def shipped(self) -> list[Path]:
        """Return the files that sampling needs, relative to the folder: no encoded rows, no pointers, no holdout."""
        folders = (self.CODEC, self.REFERENCE, self.KNOWN)
        below = (path for name in folders for path in sorted((self.folder / name).glob("*")))
        return [Path(self.SCHEMA), Path(self.PLAN), Path(self.DEPENDENCIES)] + [
            path.relative_to(self.folder) for path in below
        ]

"""What the frame of sampling asks of wishes: keys with given rows in them, demands by table, and a last check."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import pyarrow as pa

from tabgraphsyn.data.files import read_json
from tabgraphsyn.data.schema import Schema
from tabgraphsyn.data.seeding import derive_seed, numpy_generator
from tabgraphsyn.errors import ConfigError, DataError
from tabgraphsyn.generation.bundles.bundle import Bundle
from tabgraphsyn.generation.fixing.demands import Cells, Demands, whole
from tabgraphsyn.generation.fixing.placing import placed
from tabgraphsyn.generation.fixing.wishes import Wishes
from tabgraphsyn.generation.keys import Keys, KeySpec, root_columns
from tabgraphsyn.generation.sampling_config import SamplingConfig
from tabgraphsyn.generation.structure.base import KeyPlan, Skeleton, StructureModel


class KeyValues(Protocol):
    """Values of key columns, table by table."""

    def table(self, table: str) -> Mapping[str, pa.Array]:
        """Return column -> (rows,)."""


@dataclass
class Fixing:
    """A sample in which nothing is fixed; what follows overrides parts of it.

    Attributes:
        bundle: the models.
        config: size and form.
        seed: of everything that is drawn.
        say: what the user should know is said here.
        demands: table -> what its rows must be, once the keys are grown.
    """

    bundle: Bundle
    config: SamplingConfig
    seed: int
    say: Callable[[str], None] = lambda _: None

    def __post_init__(self) -> None:
        self.demands: Mapping[str, Demands] = {}

    def grown(self, structure: StructureModel) -> Skeleton:
        """Return the keys of the sample."""
        seed = derive_seed(self.seed, "sample", "structure")
        return structure.grow(scale=self.config.scale, rows=self.config.rows, seed=seed)

    def keys(self, schema: Schema, spec: KeySpec, skeleton: Skeleton) -> KeyValues:
        """Return the values of the keys."""
        return Keys(schema, spec, skeleton, numpy_generator(self.seed, "sample", "keys"))

    def imposed(self, table: str, batches: Iterator[pa.Table]) -> Iterator[pa.Table]:
        """Yield a table's rows, (rows,) in all, as they are written."""
        del table
        yield from batches


@dataclass
class WishesFixed(Fixing):
    """A sample with given rows, conditions and balanced columns."""

    wishes: Wishes = field(default_factory=Wishes)

    def grown(self, structure: StructureModel) -> Skeleton:
        """See ``Fixing``: given rows stand in the keys.

        Raises:
            ConfigError: more rows are given than asked for. DataError: keys that cannot be.
        """
        plan = KeyPlan.from_dict(read_json(self.bundle.folder / "structure.json")["state"]["plan"])
        seed = derive_seed(self.seed, "sample", "structure")
        skeleton = structure.grow(scale=self.config.scale, rows=self._sizes(plan), seed=seed)
        rng = numpy_generator(self.seed, "sample", "given")
        found = placed(self.bundle.prepared.schema, plan, skeleton, self.bundle.tables, self.wishes.given, rng)
        self._rows = found.rows
        self.demands = {
            table: one for table in self.bundle.tables if not (one := self._demands(table, found.skeleton)).is_empty
        }
        return found.skeleton

    def _sizes(self, plan: KeyPlan) -> dict[str, int]:
        sizes = dict(self.config.rows)
        for table, given in self.wishes.given.items():
            count = given.rows.num_rows
            if table in sizes and sizes[table] is not None and sizes[table] < count:
                raise ConfigError(
                    f"--given: {table}: {count} rows are given, --rows asks for {sizes[table]}. Raise it."
                )
            usual = round(plan.real_rows[table] * self.config.scale)
            if (
                table not in sizes
                and plan.creating_link(table) is None
                and table not in plan.reference
                and usual < count
            ):
                sizes[table] = count
        return sizes

    def _demands(self, table: str, skeleton: Skeleton) -> Demands:
        rows, cells = skeleton.rows[table], {}
        codec, given = self.bundle.prepared.codec(table), self.wishes.given.get(table)
        if given is not None:
            for name in given.rows.column_names:
                if name in codec.columns and given.rows.column(name).null_count < given.rows.num_rows:
                    cells[name] = _spread(given.rows.column(name), self._rows[table], rows)
        conditions = self.wishes.conditions.get(table, ())
        for one in conditions:
            if one.single is not None:
                cells[one.column] = _or(cells.get(one.column), Cells.everywhere(one.single, rows))
        open_ = tuple(one for one in conditions if one.single is None)
        column, levels = self.wishes.balance.get(table, ("", None))
        return Demands(rows, cells, open_, column, levels)

    def keys(self, schema: Schema, spec: KeySpec, skeleton: Skeleton) -> KeyValues:
        """See ``Fixing``: given keys stand."""
        values = {}
        for table, given in self.wishes.given.items():
            for name in root_columns(schema, table):
                if name in given.rows.column_names:
                    column = given.rows.column(name)
                    has = np.flatnonzero(column.is_valid().to_numpy())
                    if len(has):
                        kept = column.take(pa.array(has)).combine_chunks()
                        values[table, name] = (self._rows[table][has], whole(kept))
        return Keys(schema, spec, skeleton, numpy_generator(self.seed, "sample", "keys"), values)

    def imposed(self, table: str, batches: Iterator[pa.Table]) -> Iterator[pa.Table]:
        """See ``Fixing``: (rows,) of a table with its cells in their places.

        Raises:
            DataError: rows that do not meet a condition after rules were kept.
        """
        demands, first, back = self.demands.get(table), 0, 0
        if demands is None:
            yield from batches
            return
        for batch in batches:
            here = slice(first, first + batch.num_rows)
            before = batch
            for name, cells in demands.cells.items():
                place = batch.column_names.index(name)
                column = whole(batch.column(name))
                batch = batch.set_column(place, batch.field(place), cells.put(column, here))
            back += 0 if batch.equals(before) else int((~demands.met(before, first)).sum())
            unmet = ~demands.met(batch, first)
            if unmet.any():
                asked = ", ".join(one.text for one in demands.conditions)
                raise DataError(
                    f"--where: {table}: {int(unmet.sum())} of {batch.num_rows} rows do not meet {asked}: rules of the "
                    "data set ask for other values there. Ask for a wider range, or sample with keep_rules=false."
                )
            first += batch.num_rows
            yield batch
        if back:
            self.say(f"--given: {table}: {back} rows have fixed values that rules of the data set would have changed.")


def fixing_of(bundle: Bundle, config: SamplingConfig, seed: int, wishes: Wishes, say: Callable[[str], None]) -> Fixing:
    """Return what the frame asks, for wishes that may be empty."""
    if wishes.is_empty:
        return Fixing(bundle, config, seed, say)
    return WishesFixed(bundle, config, seed, say, wishes)


def _spread(values: pa.ChunkedArray, rows: np.ndarray, count: int) -> Cells:
    """Return cells of (count,) rows from the values of some of them, null where nothing is fixed."""
    column = whole(values)
    place = np.full(count, -1, dtype=np.int64)
    place[rows] = np.arange(len(rows))
    spread = column.take(pa.array(place, mask=place < 0))
    return Cells(spread.is_valid().to_numpy(zero_copy_only=False), spread)


def _or(given: Cells | None, everywhere: Cells) -> Cells:
    return everywhere if given is None else given.over(everywhere)

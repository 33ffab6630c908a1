"""What the frame of sampling asks of wishes: keys with given rows in them, demands by table, and a last check."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
import pyarrow as pa

from tabgraphsyn.data.files import read_json
from tabgraphsyn.data.schema import Schema
from tabgraphsyn.data.seeding import derive_seed, numpy_generator
from tabgraphsyn.errors import ConfigError, DataError
from tabgraphsyn.generation.bundles.bundle import Bundle
from tabgraphsyn.generation.fixing.demands import Cells, Demands, whole
from tabgraphsyn.generation.fixing.following import DRAWN_MAX, DRAWN_MIN, Drawn, aligned
from tabgraphsyn.generation.fixing.placing import placed
from tabgraphsyn.generation.fixing.regrow import Keys as GrownKeys
from tabgraphsyn.generation.fixing.wishes import GivenRows, Wishes
from tabgraphsyn.generation.keys import Keys, KeySpec, root_columns
from tabgraphsyn.generation.sampling_config import SamplingConfig
from tabgraphsyn.generation.structure.base import KeyPlan, Link, Skeleton, StructureModel
from tabgraphsyn.generation.structure.entities import systematic


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
        draw: makes the rows of one table, (rows,), in a sample of some size and seed in which nothing is fixed.
        demands: table -> what its rows must be, once the keys are grown.
    """

    bundle: Bundle
    config: SamplingConfig
    seed: int
    say: Callable[[str], None] = lambda _: None
    draw: Callable[[str, SamplingConfig, int], pa.Table] | None = None

    def __post_init__(self) -> None:
        self.demands: Mapping[str, Demands] = {}

    @property
    def given_rows(self) -> Mapping[str, np.ndarray]:
        """Which rows of each table are given, (n,) int64 each, once the keys are grown."""
        return {}

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

    def __post_init__(self) -> None:
        super().__post_init__()
        self._levels: dict[str, Cells] = {}
        self._rows: Mapping[str, np.ndarray] = {}

    @property
    def given_rows(self) -> Mapping[str, np.ndarray]:
        """See ``Fixing``: (n,) int64 each."""
        return self._rows

    def grown(self, structure: StructureModel) -> Skeleton:
        """See ``Fixing``: given rows stand in the keys.

        Raises:
            ConfigError: more rows are given than asked for. DataError: keys that cannot be.
        """
        plan = KeyPlan.from_dict(read_json(self.bundle.folder / "structure.json")["state"]["plan"])
        seed = derive_seed(self.seed, "sample", "structure")
        sizes = self._sizes(plan)
        skeleton = structure.grow(scale=self.config.scale, rows=sizes, seed=seed)
        rng, given = numpy_generator(self.seed, "sample", "given"), dict(self.wishes.given)
        for table in self.bundle.tables if self.draw is not None else ():
            skeleton = self._with_followers(structure, plan, table, skeleton, sizes, given)
        found = placed(self.bundle.prepared.schema, plan, skeleton, self.bundle.tables, given, rng)
        self._rows = found.rows
        self.demands = {
            table: one for table in self.bundle.tables if not (one := self._demands(table, found.skeleton)).is_empty
        }
        return found.skeleton

    def _with_followers(
        self,
        structure: StructureModel,
        plan: KeyPlan,
        table: str,
        skeleton: Skeleton,
        sizes: Mapping[str, int],
        given: dict[str, GivenRows],
    ) -> Skeleton:
        """Return keys in which rows of which something is fixed have as many children as such rows have.

        Of given rows the numbers are only noted, in ``given``: they are placed among the others later.
        """
        links = [one for one in plan.links_of_parent(table) if plan.creating_link(one.child) == one]
        links = [one for one in links if one.child != table]
        conditions, own = self.wishes.conditions.get(table, ()), given.get(table)
        column, levels = self.wishes.balance.get(table, ("", None))
        codec, rows = self.bundle.prepared.codec(table), skeleton.rows[table]
        values = [] if own is None else [one for one in own.rows.column_names if one in codec.columns]
        # Levels are dealt to rows here; given rows would be moved among them.
        is_balanced = levels is not None and not given
        if not links or not rows or not (conditions or is_balanced or values):
            return skeleton
        rng = numpy_generator(self.seed, "sample", "followers", table)
        drawn = self._drawn(structure, table, links, rows, sizes)
        if own is not None and values:
            likely = drawn.like(own.rows.select(values), rng)
            given[table] = replace(own, likely={one.name: likely[:, at] for at, one in enumerate(links)})
        if not conditions and not is_balanced:
            return skeleton
        met = drawn.meeting(conditions)
        if met is None:
            asked = ", ".join(one.text for one in conditions)
            self.say(f"--where: {table}: {asked}: too few rows are so to tell how many children such rows have.")
            return skeleton
        if is_balanced:
            dealt = Demands(rows, {}, (), column, levels).balanced(rng)
            self._levels[table] = dealt.cells[column]
            wanted = met.like(pa.table({column: dealt.cells[column].values}), rng)
        else:
            wanted = met.counts[systematic(met.rows.num_rows, rows, rng)]
        return self._resized(plan, skeleton, links, wanted, rng, table)

    def _drawn(
        self, structure: StructureModel, table: str, links: Sequence[Link], rows: int, sizes: Mapping[str, int]
    ) -> Drawn:
        """Return rows of a table in a sample of some thousand of them in which nothing is fixed."""
        factor = min(max(rows, DRAWN_MIN), DRAWN_MAX) / rows
        more = {name: round(count * factor) for name, count in sizes.items() if count is not None}
        config = replace(self.config, scale=self.config.scale * factor, rows=more)
        seed = derive_seed(self.seed, "sample", "drawn", table)
        grown = structure.grow(scale=config.scale, rows=more, seed=derive_seed(seed, "sample", "structure"))
        counts = [np.bincount(grown.pointers[one.name].clip(-1) + 1, minlength=grown.rows[table] + 1) for one in links]
        made = self.draw(table, config, seed) if self.draw is not None else pa.table({})
        return Drawn(made, np.stack(counts, axis=1)[1:])

    def _resized(
        self,
        plan: KeyPlan,
        skeleton: Skeleton,
        links: Sequence[Link],
        wanted: np.ndarray,
        rng: np.random.Generator,
        table: str,
    ) -> Skeleton:
        keys = GrownKeys(plan, skeleton, rng)
        have = np.stack([keys.counts(one) for one in links], axis=1)
        wanted = wanted if table in self._levels else aligned(have, wanted)
        for place, link in enumerate(links):
            keys.resize(link, wanted[:, place])
        wrong = keys.settle({})
        if wrong:
            self.say(f"--where, --balance: {table}: numbers of children are those of all rows: {wrong[0]} otherwise.")
        return skeleton if wrong else keys.skeleton

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
        if table in self._levels:
            cells |= {self.wishes.balance[table][0]: self._levels[table]}
        open_ = tuple(one for one in conditions if one.single is None)
        column, levels = ("", None) if table in self._levels else self.wishes.balance.get(table, ("", None))
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


def fixing_of(
    bundle: Bundle,
    config: SamplingConfig,
    seed: int,
    wishes: Wishes,
    say: Callable[[str], None],
    draw: Callable[[str, SamplingConfig, int], pa.Table] | None = None,
) -> Fixing:
    """Return what the frame asks, for wishes that may be empty; ``draw`` returns (rows,), see ``Fixing``."""
    if wishes.is_empty:
        return Fixing(bundle, config, seed, say)
    return WishesFixed(bundle, config, seed, say, draw, wishes)


def _spread(values: pa.ChunkedArray, rows: np.ndarray, count: int) -> Cells:
    """Return cells of (count,) rows from the values of some of them, null where nothing is fixed."""
    column = whole(values)
    place = np.full(count, -1, dtype=np.int64)
    place[rows] = np.arange(len(rows))
    spread = column.take(pa.array(place, mask=place < 0))
    return Cells(spread.is_valid().to_numpy(zero_copy_only=False), spread)


def _or(given: Cells | None, everywhere: Cells) -> Cells:
    return everywhere if given is None else given.over(everywhere)

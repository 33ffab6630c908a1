"""From an opened bundle to files: keys first, then table by table, parents first. Reads the bundle and nothing else."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from shutil import rmtree

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tabgraphsyn.data.codec.bands import band_columns
from tabgraphsyn.data.files import vanishing_folder
from tabgraphsyn.data.given import GIVEN_FILE, write_given
from tabgraphsyn.data.rules.continued_kind import Continued
from tabgraphsyn.data.rules.kept import fixing_keys
from tabgraphsyn.data.rules.value_kinds import Fixed, Unique
from tabgraphsyn.data.seeding import numpy_generator
from tabgraphsyn.errors import ConfigError, DataError, StageError
from tabgraphsyn.generation.bundles.bundle import Bundle
from tabgraphsyn.generation.filing import Filing
from tabgraphsyn.generation.fixing.demands import Demands, asked_columns, kept_by_pattern, with_cells
from tabgraphsyn.generation.fixing.filling import TablesFilled
from tabgraphsyn.generation.fixing.frame import Fixing, KeyValues, fixing_of
from tabgraphsyn.generation.fixing.rejection import redrawn
from tabgraphsyn.generation.fixing.wishes import Wishes
from tabgraphsyn.generation.keeping.family_continued import climbing
from tabgraphsyn.generation.keeping.family_ends import ends, keep_ends, read_through, spaced
from tabgraphsyn.generation.keeping.family_keeping import from_numbers, keep_families
from tabgraphsyn.generation.keeping.family_totals import HeldTables
from tabgraphsyn.generation.keeping.known_totals import ToldTotals, added_up, agreed
from tabgraphsyn.generation.keeping.rule_keeping import RuleKeeper, computed, listed_columns
from tabgraphsyn.generation.keeping.rule_parents import BesideParents, fixed_columns
from tabgraphsyn.generation.keys import Keys
from tabgraphsyn.generation.new_keys import looked_up
from tabgraphsyn.generation.parents import Parents
from tabgraphsyn.generation.row_maker import Making, RowMaker
from tabgraphsyn.generation.sampling_config import SamplingConfig
from tabgraphsyn.generation.structure.base import Skeleton
from tabgraphsyn.generation.writer import write_table
from tabgraphsyn.generators.base import named
from tabgraphsyn.stages.structure import load_structure


@dataclass(frozen=True)
class TableReport:
    """What became of one table."""

    table: str
    rows: int
    latents_s: float
    writing_s: float


@dataclass
class Generation:
    """One synthetic database in the making.

    Attributes:
        bundle: the models.
        config: size and form.
        seed: seed of everything that is drawn.
        device: ``cpu`` or ``cuda``.
        threads: pieces of a table that are denoised side by side on a CPU; they change no result.
        allow_targets: packages besides tabgraphsyn whose components may be built.
        log: where progress goes.
        wishes: what a user fixed in the sample.
        filled: in place of wishes: tables whose nulls are filled.
        say: where a user is told what became of wishes.
        until: the last table that is made; empty for all.
    """

    bundle: Bundle
    config: SamplingConfig
    seed: int
    device: str = "cpu"
    threads: int = 1
    allow_targets: tuple[str, ...] = ()
    log: logging.Logger = field(default_factory=lambda: logging.getLogger("tabgraphsyn"))
    wishes: Wishes = field(default_factory=Wishes)
    filled: Mapping[str, pa.Table] | None = None
    say: Callable[[str], None] = lambda _: None
    until: str = ""

    def run(self, folder: Path, report: Callable[[TableReport], None] = lambda _: None) -> dict[str, int]:
        """Write every table into ``folder``; return the number of rows of each.

        The files appear together at the end. ``report`` is called after each table and may raise to stop.
        """
        schema = self.bundle.prepared.schema
        structure, spec = load_structure(self.bundle.folder, allow_targets=self.allow_targets)
        start = time.monotonic()
        fixing = self._fixing()
        skeleton = fixing.grown(structure)
        self.log.info("sample: keys of %d rows in %.1f s", sum(skeleton.rows.values()), time.monotonic() - start)
        keys = fixing.keys(schema, spec, skeleton)
        held = HeldTables(self.bundle.prepared)
        below = held.asked(self.bundle.tables) if self.config.keep_rules else None
        making = Making(
            bundle=self.bundle,
            config=self.config,
            seed=self.seed,
            skeleton=skeleton,
            parents=Parents.of(self.bundle, skeleton, below),
            device=self.device,
            threads=self.threads,
            allow_targets=self.allow_targets,
            log=self.log,
            demands=fixing.demands,
            say=self.say,
        )
        maker: RowMaker = named(self.bundle.generator.rows)(making)
        filing = None
        if isinstance(keys, Keys) and self.filled is None and not fixing.given_rows and not self.until:
            filing = Filing(self.bundle.prepared, skeleton, keys, self.config.batch_rows)
        with files_together(folder) as aside:
            for table in self.bundle.tables:
                start = time.monotonic()
                kept = self._kept(table, skeleton, fixing.demands.get(table))
                made = maker.rows(table) if kept is None else maker.kept(table, kept)
                between = time.monotonic()
                demands = fixing.demands.get(table)
                batches = self.rows(table, made, keys, skeleton, kept)
                batches = fixing.imposed(table, self._ruled(table, batches, kept, making.parents, demands))
                if self.config.keep_rules and kept is None:
                    batches = maker.settled(table, batches)
                batches = making.parents.remembered(table, _with_finite(table, batches))
                if self.config.keep_rules and kept is None and (held.rules(table) or held.following(table)):
                    whole = pa.concat_tables(batches)
                    held.waiting[table] = whole if filing is None else filing.numbered(table, whole)
                    rows = whole.num_rows
                elif filing is not None and filing.sorts(table) and kept is None:
                    whole = filing.numbered(table, pa.concat_tables(batches))
                    rows = self._write(table, filing.filed(table, whole), aside)
                else:
                    rows = self._write(table, batches, aside)
                done = TableReport(table, rows, between - start, time.monotonic() - between)
                self.log.info("sample: %s, %d rows in %.1f s", table, rows, done.latents_s + done.writing_s)
                report(done)
                if table == self.until:
                    break
            self._write_held(held, fixing, making.parents, aside, filing)
            write_given(aside, fixing.given_rows)
        return dict(skeleton.rows)

    def _write_held(
        self, held: HeldTables, fixing: Fixing, parents: Parents, folder: Path, filing: Filing | None
    ) -> None:
        """Write the tables that waited for the rows that their columns add up, then those that waited for these."""
        held.values = parents.values

        def ruled(table: str, whole: pa.Table, stay: frozenset[str]) -> pa.Table:
            return pa.concat_tables(self._ruled(table, iter([whole]), None, parents, fixing.demands.get(table), stay))

        late = [table for table in held.waiting if not held.rules(table)]
        for table in [*reversed([one for one in held.waiting if one not in late]), *late]:
            step = held.followed if table in late else held.finished
            whole = step(table, parents.skeleton.pointers, ruled)
            batches = _with_finite(table, fixing.imposed(table, iter([whole])))
            if filing is not None and filing.sorts(table):
                batches = filing.filed(table, pa.concat_tables(batches))
            self._write(table, batches, folder)

    def _write(self, table: str, batches: Iterator[pa.Table], folder: Path) -> int:
        described = self.bundle.prepared.schema.table(table)
        return write_table(described, batches, folder, self.config.formats, csv_formulas=self.config.csv_formulas)

    def _fixing(self) -> Fixing:
        maker: type[RowMaker] = named(self.bundle.generator.rows)
        if self.filled is not None:
            fixing: Fixing = TablesFilled(self.bundle, self.config, self.seed, self.say, tables=self.filled)
        else:
            fixing = fixing_of(self.bundle, self.config, self.seed, self.wishes, self.say, self._drawn)
        reason = maker.unable(self.bundle.manifest["generator"])
        if type(fixing) is not Fixing and reason:
            raise ConfigError(
                "--given, --where, --balance, --impute: the generator of this bundle, "
                f"{self.bundle.generator.__name__}, cannot fix anything: {reason}, or filter its samples."
            )
        return fixing

    def _drawn(self, table: str, config: SamplingConfig, seed: int) -> pa.Table:
        """Return the rows of a table in a sample in which nothing is fixed, (rows,); rules are not kept in it."""
        config = replace(config, formats=["parquet"], keep_rules=False)
        plain = replace(self, config=config, seed=seed, wishes=Wishes(), say=lambda _: None, until=table)
        with vanishing_folder() as folder:
            plain.run(folder)
            return pq.read_table(folder / f"{table}.parquet", memory_map=False)

    def _kept(self, table: str, skeleton: Skeleton, demands: Demands | None = None) -> pa.Table | None:
        """Return rows made without a model: published ones, or those of a table too small to learn; else None."""
        marginals = self.bundle.prepared.marginals(table)
        if marginals is not None:
            rng = numpy_generator(self.seed, "sample", table, "marginals")
            codec, rows = self.bundle.prepared.codec(table), skeleton.rows[table]
            if demands is not None:
                drawn = redrawn(
                    table,
                    codec,
                    replace(demands, cells={}),  # columns are drawn apart: cells say nothing of others
                    lambda _: codec.decode(*marginals.draw(rows, rng), rng),
                    lambda _: None,
                    rng,
                    lambda _: None,
                )
                return with_cells(drawn, demands)
            made = codec.decode(*marginals.draw(rows, rng), rng)
            return made if made.num_columns else None
        if self.filled is not None:
            return None
        if self.config.reference_tables != "keep" or table not in skeleton.templates:
            return None
        reference = self.bundle.prepared.reference(table)
        return None if reference is None else reference.take(pa.array(skeleton.templates[table]))

    def rows(
        self, table: str, made: Iterator[pa.Table], keys: KeyValues, skeleton: Skeleton, kept: pa.Table | None
    ) -> Iterator[pa.Table]:
        """Yield a table's rows in batches, keys and attributes: as many as the skeleton has."""
        values, count = keys.table(table), skeleton.rows[table]
        if self.bundle.prepared.codec(table).columns:
            batches = _with_keys(table, made, values, kept, count)
        else:
            batches = _keys_alone(values, count, self.config.batch_rows)
        if self.config.reference_tables == "keep":
            batches = self._looked_up(table, batches, skeleton)
        yield from batches

    def _ruled(
        self,
        table: str,
        batches: Iterator[pa.Table],
        kept: pa.Table | None,
        parents: Parents,
        demands: Demands | None = None,
        stay: frozenset[str] = frozenset(),
    ) -> Iterator[pa.Table]:
        """Yield rows that keep the rules about single rows; published rows, and columns that stay, are as they are."""
        prepared = self.bundle.prepared
        rules = prepared.row_rules(table)
        is_published = kept is not None and prepared.marginals(table) is None
        if self.config.keep_rules and not is_published and demands is None and not stay:
            batches = self._between_ends(table, batches, parents)
        skeleton = parents.skeleton
        totals = ToldTotals(prepared)
        sums = totals.told(table, parents.values, skeleton.pointers, skeleton.rows) if not stay else []
        agreeing = totals.beside(table) if not stay else []
        climbs = climbing(prepared, table) if not stay else []
        among = [*rules.families, *climbs]
        if not self.config.keep_rules or not (rules.rules or among or sums or agreeing) or is_published:
            yield from batches
            return
        protected = {*fixed_columns(prepared, table), *asked_columns(demands), *stay}
        beside = BesideParents(prepared.schema, rules, parents.read)
        codec = prepared.codec(table)
        bands = band_columns(codec.rules)  # a band is its number's before anything else
        protected |= bands.keys()
        tied = (*codec.derived.items(), *((number, column) for column, number in bands.items()))
        rng = numpy_generator(self.seed, "sample", table, "rules")
        listed = listed_columns(codec)
        keeper = RuleKeeper(beside.schema, beside.rules, frozenset(protected) | beside.names, tied, rng, listed)
        made = keeper.kept(beside.added(batches))
        if demands is not None and demands.cells:

            def keeper_of(columns: frozenset[str]) -> RuleKeeper:
                stay = frozenset(protected) | beside.names | columns
                return RuleKeeper(beside.schema, beside.rules, stay, tied, rng, listed)

            made, broken = kept_by_pattern(pa.concat_tables(beside.added(batches)), demands, keeper_of)
            if broken:
                self.say(f"{table}: {broken} rows break a rule of the data set as they were given.")
        if (among or sums or agreeing) and not stay:
            # What is a parent's stays so, whichever rows it would tell apart.
            pointers, left = parents.skeleton.pointers, frozenset({*protected, *beside.names, *parents.copied[table]})
            keys = [*prepared.schema.relations_of_parent(table), *prepared.schema.relations_of_child(table)]
            whole = pa.concat_tables(made)
            # Values that keys into lookup tables say agree already; those of routes that nobody flew do not yet.
            asked = asked_columns(demands) | stay
            fixed = [one for one in rules.families if isinstance(one, Fixed) and one.follows[0] not in asked]
            fixing = {one.follows[0]: fixing_keys(one, prepared.schema) for one in fixed}
            whole = keep_families(
                beside.schema,
                whole,
                among,
                {one.name: pointers[one.name] for one in prepared.schema.relations_of_child(table)},
                left,
                rng,
                moves_rows=len(keys) == 1 and not climbs and (demands is None or not demands.cells),
                fixing=fixing,
                of_rows=beside.rules.rules,
                children={one.name: pointers[one.name] for one in prepared.schema.relations_of_parent(table)},
                avoided=frozenset(name for _, name in computed(beside.rules.rules, left, listed)),
                anchored=frozenset(one.column for rule in rules.rules if rule.relations for one in rule.operands)
                | {str(one.of) for one in ends(prepared, table)},
            )
            for total, wanted in sums:
                if str(total.of) not in left | asked:
                    whole = added_up(beside.schema, whole, total, pointers[total.relation], wanted, beside.rules.rules)
                    left |= {str(total.of)}
            for pair in agreeing:
                if not {str(one.of) for one in pair} & asked and str(pair[1].of) not in left:
                    whole = agreed(beside.schema, whole, pair, pointers[pair[1].relation], beside.rules.rules)
                    left |= {str(one.of) for one in pair}
            # What follows from a column that moved moves with it.
            left |= {one.operands[0].column for one in among if not isinstance(one, Unique)} | fixing.keys()
            left |= {one.column for rule in rules.families if isinstance(rule, Unique) for one in rule.operands}
            left |= {one.of.column for one in rules.families if isinstance(one, Continued)}
            left = left - (from_numbers(rules.families, beside.rules.rules) - protected)
            keeper = RuleKeeper(beside.schema, beside.rules, left, tied, rng, listed)
            step = self.config.batch_rows
            made = keeper.kept(whole.slice(first, step) for first in range(0, max(whole.num_rows, 1), step))
        yield from beside.removed(made)
        if keeper.broken:
            self.log.warning("sample: %s: %d rows break a rule that could not be kept in them", table, keeper.broken)

    def _between_ends(self, table: str, batches: Iterator[pa.Table], parents: Parents) -> Iterator[pa.Table]:
        """Yield rows whose times begin, or end, with a time of their parent where a rule says so."""
        rules = ends(self.bundle.prepared, table)
        if not rules:
            yield from batches
            return
        above = {read_through(one): parents.read(read_through(one)) for one in rules}
        schema, pointers = self.bundle.prepared.schema.table(table), parents.skeleton.pointers
        apart = spaced(self.bundle.prepared, table)
        whole, step = (
            keep_ends(schema, pa.concat_tables(batches), rules, above, pointers, apart),
            self.config.batch_rows,
        )
        for first in range(0, max(whole.num_rows, 1), step):
            yield whole.slice(first, step)

    def _looked_up(self, table: str, batches: Iterator[pa.Table], skeleton: Skeleton) -> Iterator[pa.Table]:
        """Yield rows whose columns that follow from keys into lookup tables are looked up."""
        known = self.bundle.prepared.known(table)
        lookup = looked_up(known, self.bundle.prepared.schema, skeleton)
        first = 0
        for rows in batches:
            yield known.filled(rows, {name: part[first : first + len(rows)] for name, part in lookup.items()})
            first += len(rows)


def _with_keys(
    table: str, made: Iterator[pa.Table], keys: Mapping[str, pa.Array], kept: pa.Table | None, rows: int
) -> Iterator[pa.Table]:
    """Yield batches of attributes with the columns that are kept in place of made ones, and with those of keys."""
    first = 0
    for batch in made:
        columns = {name: batch.column(name) for name in batch.column_names}
        if kept is not None:
            columns |= {name: kept.column(name).slice(first, len(batch)) for name in kept.column_names}
        columns |= {name: column.slice(first, len(batch)) for name, column in keys.items()}
        yield pa.table(columns)
        first += len(batch)
    if first != rows:
        raise StageError(f"{table}: {rows} rows expected of the generator, found {first}.")


def _keys_alone(keys: Mapping[str, pa.Array], rows: int, step: int) -> Iterator[pa.Table]:
    """Yield the batches of a table that has nothing but keys: without a column, a batch has no length."""
    for first in range(0, max(rows, 1), step):
        yield pa.table({name: column.slice(first, step) for name, column in keys.items()})


def _with_finite(table: str, batches: Iterator[pa.Table]) -> Iterator[pa.Table]:
    """Yield batches as they are; numbers that are not finite never reach a file."""
    for batch in batches:
        for name in batch.column_names:
            values = batch.column(name)
            if pa.types.is_floating(values.type) and pc.all(pc.is_finite(values.drop_null())).as_py() is False:
                raise DataError(f"{table}.{name}: finite numbers expected, found others. Do not use this bundle.")
        yield batch


@contextmanager
def files_together(folder: Path) -> Iterator[Path]:
    """Yield a folder inside ``folder``; move its files to ``folder`` when the block ends well, else drop them."""
    is_new = not folder.exists()
    aside = folder / f".{uuid.uuid4().hex[:8]}.part"
    aside.mkdir(parents=True)
    try:
        yield aside
        # What another sample in this folder was given is none of this one's.
        (folder / GIVEN_FILE).unlink(missing_ok=True)
        for path in sorted(aside.iterdir()):
            path.replace(folder / path.name)
    finally:
        rmtree(aside, ignore_errors=True)
        if is_new:
            with suppress(OSError):  # rows are in it
                folder.rmdir()

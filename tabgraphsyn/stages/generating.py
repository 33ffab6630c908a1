"""From an opened bundle to files: keys first, then table by table, parents first. Reads the bundle and nothing else."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from shutil import rmtree

import pyarrow as pa
import pyarrow.compute as pc

from tabgraphsyn.data.rules.kept import fixing_key
from tabgraphsyn.data.rules.value_kinds import Fixed
from tabgraphsyn.data.seeding import derive_seed, numpy_generator
from tabgraphsyn.errors import DataError, StageError
from tabgraphsyn.generation.bundle import Bundle
from tabgraphsyn.generation.consistency import enforce, enforceable
from tabgraphsyn.generation.family_keeping import keep_families
from tabgraphsyn.generation.keys import Keys
from tabgraphsyn.generation.new_keys import looked_up
from tabgraphsyn.generation.parents import Parents
from tabgraphsyn.generation.row_maker import Making, RowMaker
from tabgraphsyn.generation.rule_keeping import RuleKeeper
from tabgraphsyn.generation.rule_parents import BesideParents
from tabgraphsyn.generation.sampling_config import SamplingConfig
from tabgraphsyn.generation.spacing import spaced
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
    """

    bundle: Bundle
    config: SamplingConfig
    seed: int
    device: str = "cpu"
    threads: int = 1
    allow_targets: tuple[str, ...] = ()
    log: logging.Logger = field(default_factory=lambda: logging.getLogger("tabgraphsyn"))

    def run(self, folder: Path, report: Callable[[TableReport], None] = lambda _: None) -> dict[str, int]:
        """Write every table into ``folder``; return the number of rows of each.

        The files appear together at the end. ``report`` is called after each table and may raise to stop.
        """
        schema = self.bundle.prepared.schema
        structure, spec = load_structure(self.bundle.folder, allow_targets=self.allow_targets)
        start = time.monotonic()
        skeleton = structure.grow(
            scale=self.config.scale, rows=self.config.rows, seed=derive_seed(self.seed, "sample", "structure")
        )
        self.log.info("sample: keys of %d rows in %.1f s", sum(skeleton.rows.values()), time.monotonic() - start)
        keys = Keys(schema, spec, skeleton, numpy_generator(self.seed, "sample", "keys"))
        making = Making(
            bundle=self.bundle,
            config=self.config,
            seed=self.seed,
            skeleton=skeleton,
            parents=Parents.of(self.bundle, skeleton),
            device=self.device,
            threads=self.threads,
            allow_targets=self.allow_targets,
            log=self.log,
        )
        maker: RowMaker = named(self.bundle.generator.rows)(making)
        with _files_together(folder) as aside:
            for table in self.bundle.tables:
                start = time.monotonic()
                kept = self._kept(table, skeleton)
                made = maker.rows(table) if kept is None else maker.kept(table, kept)
                between = time.monotonic()
                batches = self._ruled(table, self.rows(table, made, keys, skeleton, kept), kept, making.parents)
                batches = making.parents.remembered(table, _with_finite(table, batches))
                rows = write_table(
                    schema.table(table),
                    batches,
                    aside,
                    self.config.formats,
                    csv_formulas=self.config.csv_formulas,
                )
                done = TableReport(table, rows, between - start, time.monotonic() - between)
                self.log.info("sample: %s, %d rows in %.1f s", table, rows, done.latents_s + done.writing_s)
                report(done)
        return dict(skeleton.rows)

    def _kept(self, table: str, skeleton: Skeleton) -> pa.Table | None:
        """Return rows made without a model: published ones, or those of a table too small to learn; else None."""
        marginals = self.bundle.prepared.marginals(table)
        if marginals is not None:
            rng = numpy_generator(self.seed, "sample", table, "marginals")
            codec, rows = self.bundle.prepared.codec(table), skeleton.rows[table]
            made = codec.decode(*marginals.draw(rows, rng), rng)
            return made if made.num_columns else None
        if self.config.reference_tables != "keep" or table not in skeleton.templates:
            return None
        reference = self.bundle.prepared.reference(table)
        return None if reference is None else reference.take(pa.array(skeleton.templates[table]))

    def rows(
        self, table: str, made: Iterator[pa.Table], keys: Keys, skeleton: Skeleton, kept: pa.Table | None
    ) -> Iterator[pa.Table]:
        """Yield a table's rows in batches, keys and attributes, dependencies enforced: as many as the skeleton has."""
        values, count = keys.table(table), skeleton.rows[table]
        if self.bundle.prepared.codec(table).columns:
            batches = _with_keys(table, made, values, kept, count)
        else:
            batches = _keys_alone(values, count, self.config.batch_rows)
        if self.config.reference_tables == "keep":
            batches = self._looked_up(table, batches, skeleton)
        wanted = []
        if self.config.enforce_dependencies:
            strength = self.config.dependency_min_strength
            wanted = enforceable(self.bundle.prepared.schema, self.bundle.prepared.dependencies, table, strength)
        panels = [] if kept is not None else self.bundle.prepared.panels(table)
        if not wanted and not panels:
            yield from batches
            return
        codec, whole = self.bundle.prepared.codec(table), pa.concat_tables(batches)
        for panel in panels:
            rng = numpy_generator(self.seed, "sample", table, "panel", panel.column)
            whole = spaced(whole, panel, skeleton.pointers[panel.relation], codec, rng)
        if wanted:
            whole = enforce(whole, wanted, codec, numpy_generator(self.seed, "sample", table, "consistency"))
        for first in range(0, max(whole.num_rows, 1), self.config.batch_rows):
            yield whole.slice(first, self.config.batch_rows)

    def _ruled(
        self, table: str, batches: Iterator[pa.Table], kept: pa.Table | None, parents: Parents
    ) -> Iterator[pa.Table]:
        """Yield rows that keep the rules about single rows; published rows are as they are."""
        prepared = self.bundle.prepared
        rules = prepared.row_rules(table)
        is_published = kept is not None and prepared.marginals(table) is None
        if not self.config.keep_rules or not (rules.rules or rules.families) or is_published:
            yield from batches
            return
        protected = {*prepared.schema.key_columns(table), *(one.column for one in prepared.known(table).columns)}
        protected |= {one.column for one in prepared.inherited(table)}
        protected |= {one.column for one in prepared.panels(table)}
        if self.config.enforce_dependencies:
            strength = self.config.dependency_min_strength
            found = enforceable(prepared.schema, prepared.dependencies, table, strength)
            protected |= {one.dependent for one in found}
        beside = BesideParents(prepared.schema, rules, parents.read)
        tied = tuple(prepared.codec(table).derived.items())
        rng = numpy_generator(self.seed, "sample", table, "rules")
        keeper = RuleKeeper(beside.schema, beside.rules, frozenset(protected) | beside.names, tied, rng)
        made = keeper.kept(beside.added(batches))
        if rules.families:
            pointers, stay = parents.skeleton.pointers, frozenset(protected) | beside.names
            ends = [*prepared.schema.relations_of_parent(table), *prepared.schema.relations_of_child(table)]
            whole = pa.concat_tables(made)
            keys = {
                one.follows[0]: fixing_key(one, prepared.schema) for one in rules.families if isinstance(one, Fixed)
            }
            whole = keep_families(
                beside.schema,
                whole,
                rules.families,
                pointers,
                stay,
                moves_rows=len(ends) == 1,
                fixing={name: key.name for name, key in keys.items() if key is not None},
            )
            # What follows from a column that moved moves with it.
            stay |= {one.operands[0].column for one in rules.families} | keys.keys()
            keeper = RuleKeeper(beside.schema, beside.rules, stay, tied, rng)
            step = self.config.batch_rows
            made = keeper.kept(whole.slice(first, step) for first in range(0, max(whole.num_rows, 1), step))
        yield from beside.removed(made)
        if keeper.broken:
            self.log.warning("sample: %s: %d rows break a rule that could not be kept in them", table, keeper.broken)

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
def _files_together(folder: Path) -> Iterator[Path]:
    """Yield a folder inside ``folder``; move its files to ``folder`` when the block ends well, else drop them."""
    aside = folder / f".{uuid.uuid4().hex[:8]}.part"
    aside.mkdir(parents=True)
    try:
        yield aside
        for path in sorted(aside.iterdir()):
            path.replace(folder / path.name)
    finally:
        rmtree(aside, ignore_errors=True)

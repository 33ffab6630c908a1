"""Rows of an absorbing model: unmasked under their keys, their ancestors' clean rows and the siblings before them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import torch

from tabgraphsyn.data.codes import as_text
from tabgraphsyn.data.known.panel import microseconds
from tabgraphsyn.data.known.traits import published
from tabgraphsyn.data.rules.family_kinds import ends_of, steps
from tabgraphsyn.data.rules.kept import RowRules
from tabgraphsyn.data.rules.operand import Operand
from tabgraphsyn.data.rules.running_kind import Running
from tabgraphsyn.data.seeding import derive_seed, numpy_generator
from tabgraphsyn.errors import DataError
from tabgraphsyn.generation.carried import Carried
from tabgraphsyn.generation.continuing import Continuing, Ending
from tabgraphsyn.generation.fields import Fields
from tabgraphsyn.generation.fixing.demands import Cells, Demands, asked_columns
from tabgraphsyn.generation.fixing.units import Conditioned, standing
from tabgraphsyn.generation.heeding.families import UnmaskedFamilies
from tabgraphsyn.generation.heeding.heed import UnmaskedRules
from tabgraphsyn.generation.keeping.family_totals import word_ends
from tabgraphsyn.generation.keeping.rule_parents import BesideParents, fixed_columns
from tabgraphsyn.generation.new_keys import NewKeys, looked_up
from tabgraphsyn.generation.parents import Fixed
from tabgraphsyn.generation.row_maker import RowMaker
from tabgraphsyn.generation.time_column import TimeColumn, on_days
from tabgraphsyn.generation.unmasking import unmasked_rows, whole_families
from tabgraphsyn.generators.absorbing import Absorbing
from tabgraphsyn.models.absorbing.columns.units import Units
from tabgraphsyn.models.absorbing.network import AbsorbingNetwork
from tabgraphsyn.models.batch import EncodedBatch, EncodedTensors
from tabgraphsyn.stages.absorbing import conditions, load_network
from tabgraphsyn.stages.around_rows import Database, ancestor, driver_pointer, surroundings, ways_up
from tabgraphsyn.stages.around_times import new_times, series
from tabgraphsyn.stages.autoencoder import load_autoencoder
from tabgraphsyn.stages.build import build
from tabgraphsyn.stages.new_conditions import NewConditions


class AbsorbingRows(RowMaker):
    """Keeps the encoded rows of every table made so far: later ones are conditioned on them."""

    meets_demands = True
    holds_cells = True

    @classmethod
    def unable(cls, settings: Mapping[str, Any]) -> str:
        """See ``RowMaker``."""
        if settings.get("order") != "file":
            return ""
        return "it knows its columns in the order of the file alone. Train with generator.order=random"

    @cached_property
    def _settings(self) -> Absorbing:
        found: Absorbing = build(self.making.settings, Absorbing, allow_targets=self.making.allow_targets)
        return found

    @cached_property
    def _encoded(self) -> dict[str, EncodedTensors]:
        return {}

    @cached_property
    def _graph(self) -> NewConditions | None:
        return NewConditions(self.making) if "gnn" in self.making.bundle.manifest["components"] else None

    def rows(self, table: str) -> Iterator[pa.Table]:
        """See ``RowMaker``: tables of batch_rows rows, with the codec's columns."""
        fixed = dict(self.making.parents.fixed(table))
        self._encoded[table], stood = self._new(table)
        # Also the periods that no level of the codec stands for.
        fixed |= self._times(table)
        fixed |= {name: (cells.has, cells.values) for name, cells in _over(stood, fixed).items()}
        return self._decoded(table, fixed)

    def settled(self, table: str, batches: Iterator[pa.Table]) -> Iterator[pa.Table]:
        """See ``RowMaker``: later tables are told the (rows,) that keep the rules, not those that were drawn."""
        rules, first = self.making.prepared.row_rules(table), 0
        is_changed = self._is_read(table) and bool(rules.rules or rules.families)
        parts: list[EncodedTensors] = []
        for batch in batches:
            if is_changed:
                parts.append(self._again(table, batch, first))
                first += batch.num_rows
            yield batch
        if parts:
            numerical, categorical = (
                torch.cat([getattr(one, k) for one in parts]) for k in ("numerical", "categorical")
            )
            self._encoded[table] = EncodedTensors(numerical, categorical)

    def _is_read(self, table: str) -> bool:
        """Return whether rows of later tables are told of a table's; those of other tables are held no longer."""
        prepared = self.making.prepared
        later = prepared.plan.order[prepared.plan.order.index(table) + 1 :]
        told = (ancestor(prepared, way) for one in later for way in ways_up(prepared, one))
        return self._graph is not None or table in told

    def _again(self, table: str, batch: pa.Table, first: int) -> EncodedTensors:
        """Return rows as they are encoded after rules changed them, as they were drawn where a value has no level."""
        drawn, rows = self._encoded[table], slice(first, first + batch.num_rows)
        try:
            made = EncodedTensors.from_encoded(self.making.prepared.codec(table).encode(batch))
            made = made.beside(self._hidden_of(table, drawn, rows))
        except DataError:  # a rule computed a value that no training row holds
            return EncodedTensors(drawn.numerical[rows], drawn.categorical[rows])
        # A number that no rule moved stays the very number that was drawn.
        inside = (drawn.numerical[rows] >= made.numerical[..., :1]) & (drawn.numerical[rows] <= made.numerical[..., 1:])
        numerical = torch.where(inside, drawn.numerical[rows], made.numerical)
        return EncodedTensors(numerical, made.categorical.to(drawn.categorical.dtype))

    def kept(self, table: str, rows: pa.Table) -> Iterator[pa.Table]:
        """See ``RowMaker``: as many rows as ``rows`` has, in tables of batch_rows."""
        codec, seed = self.making.prepared.codec(table), self.making.seed
        absent = [name for name in codec.columns if name not in rows.column_names]
        made = codec.decode(*codec.first_levels(rows.num_rows), numpy_generator(seed, "sample", table, "absent"))
        whole = pa.table({name: (made if name in absent else rows)[name] for name in codec.columns})
        self._encoded[table] = EncodedTensors.from_encoded(codec.encode(whole)).beside(self._hidden(table))
        return self._decoded(table, {})

    def _hidden(self, table: str) -> EncodedTensors:
        """Return the hidden fields of rows that are made without a model: those of the published rows that they are."""
        traits = self.making.prepared.traits(table)
        rows = self.making.skeleton.rows[table]
        templates = self.making.skeleton.templates.get(table, np.zeros(rows, np.int64))
        return EncodedTensors.from_encoded(published(traits, templates))

    def _new(self, table: str) -> tuple[EncodedTensors, dict[str, Cells]]:
        """Return a table's new rows, encoded, and the cells that a user fixed in them."""
        making, prepared = self.making, self.making.prepared
        rows = making.skeleton.rows[table]
        network = load_network(making.bundle.folder / "absorbing", prepared, table, self._settings, table)
        if network is None or rows == 0:
            numerical, categorical = prepared.codec(table).first_levels(rows)
            blank = _certain(EncodedBatch(torch.from_numpy(numerical), torch.from_numpy(categorical)))
            return blank, dict(making.demands[table].cells) if table in making.demands else {}
        return self._drawn(table, network)

    def _vectors(self, table: str) -> torch.Tensor:
        """Return the graph network's vectors of a table's rows, (rows, width); of width 0 without one."""
        if self._graph is None:
            return torch.zeros(self.making.skeleton.rows[table], 0)
        for earlier in self._encoded.keys() - self._graph.latents.keys():
            self._graph.latents[earlier] = self._latents(earlier, self._encoded[earlier])
        return self._graph.of(table)

    @torch.no_grad()
    def _latents(self, table: str, rows: EncodedTensors) -> torch.Tensor:
        """Return rows as the graph network reads them, (rows, latent_dim)."""
        folder = self.making.bundle.folder / "autoencoder"
        own = self._own(table, rows).middle()
        return load_autoencoder(folder, table, allow_targets=self.making.allow_targets).encode(own)

    def _hidden_of(self, table: str, made: EncodedTensors, rows: slice) -> EncodedTensors:
        layout = self.making.prepared.codec(table).layout
        here = EncodedTensors(made.numerical[rows], made.categorical[rows])
        return here.fields(slice(len(layout.numerical), None), slice(len(layout.categorical), None))

    def _own(self, table: str, rows: EncodedTensors) -> EncodedTensors:
        """Return rows without their hidden fields."""
        layout = self.making.prepared.codec(table).layout
        return rows.fields(slice(len(layout.numerical)), slice(len(layout.categorical)))

    def _drawn(self, table: str, network: AbsorbingNetwork) -> tuple[EncodedTensors, dict[str, Cells]]:
        """Return new rows and the cells that a user fixed."""
        making, skeleton, prepared = self.making, self.making.skeleton, self.making.prepared
        rows, pointer = skeleton.rows[table], skeleton.pointers.__getitem__
        keys = NewKeys(prepared.schema, skeleton, skeleton.pointers)
        told = conditions(prepared, keys, table, self._vectors(table))
        around = surroundings(prepared, table, rows, told, Database(pointer, self._encoded.__getitem__, self._moment))
        if around.width != network.told:
            raise DataError(
                f"absorbing/{table}.json: facts: {around.width} expected, as the keys of the bundle say, found "
                f"{network.told}. Copy the whole bundle again."
            )
        demands = making.demands.get(table, Demands(rows))
        demands = demands.balanced(numpy_generator(making.seed, "sample", table, "balance"))
        codec, units = prepared.codec(table), network.units
        asked = Conditioned(codec, units, demands, making.seed) if demands.conditions else None
        pace = None if network.pace is None else network.pace.pace
        column = None if pace is None else TimeColumn(codec, pace)
        periods = None if column is None else self._periods(table, column)
        most = None if pace is None else pace.periods
        carried = None if table in making.demands else self._carried(table, units)
        continuing = None if table in making.demands else self._continuing(table, units)
        made = unmasked_rows(
            network,
            around,
            whole_families(driver_pointer(prepared, table, pointer), rows, most, periods),
            derive_seed(making.seed, "sample", table),
            window=self._settings.window,
            device=making.device,
            threads=making.threads,
            precision=making.config.precision,
            heed=self._heed(table, Fields(codec, units), demands, asked, carried, continuing),
            given=self._standing(table, units, demands),
            wanted=asked,
            column=column,
            periods=periods,
            carried=carried,
            continuing=continuing,
        )
        if not torch.isfinite(made.numerical).all():
            raise DataError(
                f"{table}: its network gives numbers that are not finite. Lower the learning rate and train it again; "
                "do not use a bundle that somebody else made."
            )
        cells = dict(demands.cells)
        if asked is not None:
            cells |= {name: cells[name].over(own) if name in cells else own for name, own in asked.cells().items()}
            if asked.borrowed:
                making.say(
                    f"--where: {table}: {asked.borrowed:,} of {rows:,} rows have the values of another row that meets "
                    f"the conditions: {asked.accepted / max(asked.drawn, 1):.2%} of the draws do."
                )
        return _certain(made), cells

    def _moment(self, table: str) -> np.ndarray:
        """Return the time that keys say of each row of a table with a timeline, (rows,) int64 microseconds."""
        return new_times(self.making.prepared, self.making.skeleton, table, self.making.seed)

    def _standing(self, table: str, units: Units, demands: Demands) -> tuple[EncodedBatch, torch.Tensor] | None:
        """Return what stands in a table's rows before they are drawn: what a user fixed, and days that keys say."""
        timeline, codec = self.making.prepared.timeline(table), self.making.prepared.codec(table)
        stands = standing(codec, units, demands)
        if timeline is None or not timeline.is_shared or timeline.column in asked_columns(demands):
            return stands
        return on_days(codec, units, timeline.column, self._moment(table), stands)

    def _carried(self, table: str, units: Units) -> Carried | None:
        """Return a column that carries on along the key by which rows are siblings; None where there is none."""
        prepared = self.making.prepared
        if not self.making.config.keep_rules:
            return None
        found = [
            Carried.of(one, prepared.codec(table), units)
            for one in prepared.row_rules(table).families
            if isinstance(one, Running) and one.relation == prepared.plan.driver[table]
        ]
        return next((one for one in found if one is not None), None)

    def _continuing(self, table: str, units: Units) -> Continuing | None:
        """Return columns that go on from the sibling before; None where there are none."""
        prepared = self.making.prepared
        rules = prepared.row_rules(table) if self.making.config.keep_rules else RowRules(table)
        driver, codec = prepared.plan.driver[table], prepared.codec(table)
        endings = [] if driver is None or not self.making.config.keep_rules else self._endings(table, driver)
        return Continuing.of(rules.families, driver, codec, units, endings, rules.rules)

    def _endings(self, table: str, driver: str) -> list[Ending]:
        """Return the columns that the first or last rows of families along a key have from their parents."""
        parents, parent = self.making.parents, self.making.prepared.schema.relation(driver).parent_table
        found = []
        for one in word_ends(self.making.prepared, parent):
            if one.relation == driver and one.column.column in parents.values.get(parent, {}):
                pointer = self.making.skeleton.pointers[driver]
                is_end = np.zeros(len(pointer), dtype=bool)
                row = ends_of(one.how, pointer, self.making.skeleton.rows[parent])
                is_end[row[row >= 0]] = True
                values = as_text(parents.read(Operand(one.column.column, driver)))
                found.append(Ending(str(one.of), values, is_end))
        return found

    def _heed(
        self,
        table: str,
        fields: Fields,
        demands: Demands,
        asked: Conditioned | None,
        carried: Carried | None,
        continuing: Continuing | None,
    ) -> UnmaskedRules | None:
        """Return what rows heed while they are made; None where there is nothing, or where one order is all known."""
        making, prepared = self.making, self.making.prepared
        if self.unable(making.settings):
            return None
        rules = prepared.row_rules(table) if making.config.keep_rules else RowRules(table)
        lookup = looked_up(prepared.known(table), prepared.schema, making.skeleton)
        known = {one.column: one.of(lookup) for one in prepared.known(table).columns}
        relations = prepared.schema.relations_of_child(table)
        nowhere = {one.child_columns[0]: making.skeleton.pointers[one.name] < 0 for one in relations}
        single = {one.child_columns[0] for one in relations if len(one.child_columns) == 1}
        keys = {name: nowhere[name] for name in sorted(single)}
        beside = BesideParents(prepared.schema, rules, making.parents.read, known, keys)
        protected = fixed_columns(prepared, table) | asked_columns(demands)
        protected |= set() if carried is None else {carried.rule.column.column}
        protected |= set() if continuing is None else continuing.columns
        masks = None if asked is None else asked.masks
        heed = UnmaskedRules(fields, beside, protected, masks, self._siblings(table, fields, rules, continuing))
        return None if heed.is_empty else heed

    def _siblings(
        self, table: str, fields: Fields, rules: RowRules, continuing: Continuing | None
    ) -> UnmaskedFamilies | None:
        """Return the rules among siblings that are made one after another; None where pieces of a family are not."""
        prepared, driver = self.making.prepared, self.making.prepared.plan.driver[table]
        family = driver_pointer(prepared, table, self.making.skeleton.pointers.__getitem__)
        if driver is None or family is None or series(prepared, table) is not None:
            return None
        if continuing is None:
            return UnmaskedFamilies(fields, prepared.schema, rules.families, driver, family)
        later, earlier = steps(family, np.arange(len(family)), np.ones(len(family), dtype=bool))
        before = np.full(len(family), -1)
        before[later] = earlier
        barred = continuing.avoided(before), continuing.dead_ends()
        return UnmaskedFamilies(fields, prepared.schema, rules.families, driver, family, *barred)

    def _times(self, table: str) -> Fixed:
        """Return the column of times at which new rows stand by their keys; empty where keys do not say."""
        place, panel = self.making.skeleton.places.get(table), series(self.making.prepared, table)
        if place is None or panel is None:
            return {}
        values = pa.array(panel.start + place * panel.step, pa.int64()).cast(pa.timestamp("us"))
        return {panel.column: (np.ones(len(place), dtype=bool), values)}

    def _periods(self, table: str, column: TimeColumn) -> np.ndarray | None:
        """Return the period that each new row stands in by its keys, (rows,) int64; None where they do not say."""
        for _, values in self._times(table).values():
            found = np.rint((microseconds(values) - column.pace.start_us) / column.pace.unit_us).astype(np.int64)
            return np.clip(found, 0, column.pace.periods - 1)
        return None

    def _decoded(self, table: str, fixed: Fixed) -> Iterator[pa.Table]:
        making, drawn = self.making, self._encoded[table] if self._is_read(table) else self._encoded.pop(table)
        encoded = self._own(table, drawn)
        codec, step = making.prepared.codec(table), making.config.batch_rows
        rng = numpy_generator(making.seed, "sample", table, "decode")
        for first in range(0, max(encoded.rows, 1), step):
            here = slice(first, min(first + step, encoded.rows))
            given = {name: (has[here], values[here]) for name, (has, values) in fixed.items()}
            part = encoded.middle(here)
            yield codec.decode(part.numerical.numpy(), part.categorical.numpy(), rng, first_row=first, fixed=given)


def _over(cells: Mapping[str, Cells], fixed: Fixed) -> dict[str, Cells]:
    """Return what a user fixed over what rows have from their parents."""
    below = {name: Cells(*fixed[name]) for name in cells if name in fixed}
    return {name: own.over(below.get(name)) for name, own in cells.items()}


def _certain(rows: EncodedBatch) -> EncodedTensors:
    """Return rows as intervals of no width."""
    return EncodedTensors(rows.numerical.unsqueeze(-1).expand(-1, -1, 2), rows.categorical)

"""Rows of an absorbing model: unmasked under their keys, their ancestors' clean rows and the siblings before them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

import pyarrow as pa
import torch

from tabgraphsyn.data.seeding import derive_seed, numpy_generator
from tabgraphsyn.errors import DataError
from tabgraphsyn.generation.new_keys import NewKeys
from tabgraphsyn.generation.parents import Fixed
from tabgraphsyn.generation.row_maker import RowMaker, first_levels
from tabgraphsyn.generation.unmasking import unmasked_rows, whole_families
from tabgraphsyn.generators.absorbing import Absorbing
from tabgraphsyn.models.batch import EncodedBatch, EncodedTensors
from tabgraphsyn.stages.absorbing import conditions, load_network
from tabgraphsyn.stages.around_rows import Database, driver_pointer, surroundings
from tabgraphsyn.stages.build import build


class AbsorbingRows(RowMaker):
    """Keeps the encoded rows of every table made so far: later ones are conditioned on them."""

    @cached_property
    def _settings(self) -> Absorbing:
        found: Absorbing = build(self.making.settings, Absorbing, allow_targets=self.making.allow_targets)
        return found

    @cached_property
    def _encoded(self) -> dict[str, EncodedTensors]:
        return {}

    def rows(self, table: str) -> Iterator[pa.Table]:
        """See ``RowMaker``: tables of batch_rows rows, with the codec's columns."""
        self._encoded[table] = self._new(table)
        return self._decoded(table, self.making.parents.fixed(table))

    def kept(self, table: str, rows: pa.Table) -> Iterator[pa.Table]:
        """See ``RowMaker``: as many rows as ``rows`` has, in tables of batch_rows."""
        codec, seed = self.making.prepared.codec(table), self.making.seed
        absent = [name for name in codec.columns if name not in rows.column_names]
        made = codec.decode(*first_levels(codec, rows.num_rows), numpy_generator(seed, "sample", table, "absent"))
        whole = pa.table({name: (made if name in absent else rows)[name] for name in codec.columns})
        self._encoded[table] = EncodedTensors.from_encoded(codec.encode(whole))
        return self._decoded(table, {})

    def _new(self, table: str) -> EncodedTensors:
        """Return a table's new rows, encoded."""
        making, skeleton, prepared = self.making, self.making.skeleton, self.making.prepared
        rows = skeleton.rows[table]
        network = load_network(making.bundle.folder / "absorbing", prepared, table, self._settings, table)
        if network is None or rows == 0:
            numerical, categorical = first_levels(prepared.codec(table), rows)
            return _certain(EncodedBatch(torch.from_numpy(numerical), torch.from_numpy(categorical)))
        pointer = skeleton.pointers.__getitem__
        keys = NewKeys(prepared.schema, skeleton, skeleton.pointers, making.parents)
        told = conditions(prepared, keys, table, rows)
        around = surroundings(prepared, table, rows, told, Database(pointer, self._encoded.__getitem__))
        if around.width != network.told:
            raise DataError(
                f"absorbing/{table}.json: facts: {around.width} expected, as the keys of the bundle say, found "
                f"{network.told}. Copy the whole bundle again."
            )
        made = unmasked_rows(
            network,
            around,
            whole_families(driver_pointer(prepared, table, pointer), rows),
            derive_seed(making.seed, "sample", table),
            window=self._settings.window,
            device=making.device,
            threads=making.threads,
            precision=making.config.precision,
        )
        if not torch.isfinite(made.numerical).all():
            raise DataError(
                f"{table}: its network gives numbers that are not finite. Lower the learning rate and train it again; "
                "do not use a bundle that somebody else made."
            )
        return _certain(made)

    def _decoded(self, table: str, fixed: Fixed) -> Iterator[pa.Table]:
        making, encoded = self.making, self._encoded[table].middle()
        codec, step = making.prepared.codec(table), making.config.batch_rows
        rng = numpy_generator(making.seed, "sample", table, "decode")
        for first in range(0, max(encoded.rows, 1), step):
            here = slice(first, min(first + step, encoded.rows))
            given = {name: (has[here], values[here]) for name, (has, values) in fixed.items()}
            numerical, categorical = encoded.numerical[here].numpy(), encoded.categorical[here].numpy()
            yield codec.decode(numerical, categorical, rng, first_row=first, fixed=given)


def _certain(rows: EncodedBatch) -> EncodedTensors:
    """Return rows as intervals of no width."""
    return EncodedTensors(rows.numerical.unsqueeze(-1).expand(-1, -1, 2), rows.categorical)

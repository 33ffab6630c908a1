"""Rows of a latent diffusion: noise to latents, family by family, and latents to columns."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from tabgraphsyn.data.known.rows import known_rows
from tabgraphsyn.data.seeding import derive_seed, numpy_generator
from tabgraphsyn.diffusion.sampler.base import Sampler
from tabgraphsyn.errors import DataError
from tabgraphsyn.generation.fixing.demands import Demands
from tabgraphsyn.generation.fixing.rejection import redrawn
from tabgraphsyn.generation.new_keys import NewKeys
from tabgraphsyn.generation.parents import Fixed
from tabgraphsyn.generation.row_maker import Making, RowMaker
from tabgraphsyn.generation.rows import generate_latents
from tabgraphsyn.models.autoencoder.base import Autoencoder
from tabgraphsyn.models.batch import EncodedTensors
from tabgraphsyn.models.row_conditions import RowConditions
from tabgraphsyn.stages.autoencoder import load_autoencoder
from tabgraphsyn.stages.build import build
from tabgraphsyn.stages.diffusion import load_table_model, table_families
from tabgraphsyn.stages.new_conditions import NewConditions


class LatentRows(RowMaker):
    """Keeps the latents of every table made so far: the graph network conditions later tables on them."""

    meets_demands = True

    def __init__(self, making: Making) -> None:
        """Load the graph network and lay the keys out for it."""
        super().__init__(making)
        self._graph = NewConditions(making)
        self._latents = self._graph.latents

    def rows(self, table: str) -> Iterator[pa.Table]:
        """See ``RowMaker``: tables of batch_rows rows, with the codec's columns."""
        autoencoder = self._autoencoder(table)
        fixed = self.making.parents.fixed(table)
        if table in self.making.demands:
            return self._asked(table, autoencoder, fixed, self.making.demands[table])
        self._latents[table] = self._new_latents(table, autoencoder)
        return self._decoded(table, autoencoder, fixed)

    def _asked(self, table: str, autoencoder: Autoencoder, fixed: Fixed, demands: Demands) -> Iterator[pa.Table]:
        """Yield rows that meet demands, each from the first draw that does; siblings may come from other draws."""
        latents: Tensor | None = None

        def draw(number: int) -> pa.Table:
            self._latents[table] = self._new_latents(table, autoencoder, number)
            return pa.concat_tables(self._decoded(table, autoencoder, fixed, number))

        def kept(good: np.ndarray) -> None:
            nonlocal latents
            new, taken = self._latents[table], torch.from_numpy(good).unsqueeze(1)
            latents = new if latents is None else torch.where(taken, new, latents)

        making = self.making
        rng = numpy_generator(making.seed, "sample", table, "balance")
        rows = redrawn(table, making.prepared.codec(table), demands, draw, kept, rng, making.say)
        assert latents is not None
        self._latents[table] = latents
        for first in range(0, max(rows.num_rows, 1), making.config.batch_rows):
            yield rows.slice(first, making.config.batch_rows)

    def kept(self, table: str, rows: pa.Table) -> Iterator[pa.Table]:
        """See ``RowMaker``: as many rows as ``rows`` has, in tables of batch_rows."""
        autoencoder = self._autoencoder(table)
        self._latents[table] = self._kept_latents(table, autoencoder, rows)
        return self._decoded(table, autoencoder, {})

    def _autoencoder(self, table: str) -> Autoencoder:
        folder = self.making.bundle.folder / "autoencoder"
        return load_autoencoder(folder, table, allow_targets=self.making.allow_targets)

    @torch.no_grad()
    def _kept_latents(self, table: str, autoencoder: Autoencoder, kept: pa.Table) -> Tensor:
        """Return the latents of kept rows; columns that are made anew (ids, text) count as present."""
        codec, seed = self.making.prepared.codec(table), self.making.seed
        absent = [name for name in codec.columns if name not in kept.column_names]
        made = codec.decode(*codec.first_levels(kept.num_rows), numpy_generator(seed, "sample", table, "absent"))
        rows = pa.table({name: (made if name in absent else kept)[name] for name in codec.columns})
        batch = EncodedTensors.from_encoded(codec.encode(rows)).middle()
        return autoencoder.cpu().encode(batch)

    def _new_latents(self, table: str, autoencoder: Autoencoder, again: int = 0) -> Tensor:
        """Return the latents of a table's new rows, (rows, latent_dim); others for each ``again``."""
        making, skeleton = self.making, self.making.skeleton
        rows = skeleton.rows[table]
        model = load_table_model(making.bundle.folder / "diffusion", table, autoencoder, making.allow_targets)
        if model is None or rows == 0:
            return torch.zeros(rows, autoencoder.latent_dim)
        model = replace(model, precision=making.config.precision)
        prepared = making.prepared
        families = table_families(prepared, table, rows, skeleton.pointers.__getitem__, model.diffusion)
        sampler: Sampler = build(making.bundle.manifest["sampler"], Sampler, allow_targets=making.allow_targets)
        facts, levels = known_rows(prepared, NewKeys(prepared.schema, skeleton, self._graph.seen), table, rows)
        made = generate_latents(
            model=model,
            sampler=sampler,
            condition=RowConditions.of(self._graph.of(table), facts, levels),
            siblings=families,
            seed=derive_seed(making.seed, "sample", table, *_which(again)),
            batch_rows=making.config.batch_rows,
            device=making.device,
            threads=making.threads,
        )
        _check_finite(table, made)
        return made

    @torch.no_grad()
    def _decoded(self, table: str, autoencoder: Autoencoder, fixed: Fixed, again: int = 0) -> Iterator[pa.Table]:
        making, latents = self.making, self._latents[table]
        codec = making.prepared.codec(table)
        # Decoding is little work beside denoising and stays on the CPU, whose draws are the same on every machine.
        autoencoder = autoencoder.cpu()
        rng = numpy_generator(making.seed, "sample", table, "decode", *_which(again))
        categories = derive_seed(making.seed, "sample", table, "categories", *_which(again))
        generator = torch.Generator().manual_seed(categories)
        for first in range(0, max(len(latents), 1), making.config.batch_rows):
            part = latents[first : first + making.config.batch_rows]
            numerical, categorical = _encoded(autoencoder, part, generator)
            _check_finite(table, torch.from_numpy(numerical))
            here = slice(first, first + len(part))
            given = {name: (has[here], values[here]) for name, (has, values) in fixed.items()}
            yield codec.decode(numerical, categorical, rng, first_row=first, fixed=given)


def _which(again: int) -> tuple[int, ...]:
    """Return what tells the seed of a later draw from that of the first."""
    return (again,) if again else ()


def _check_finite(table: str, numbers: Tensor) -> None:
    if not torch.isfinite(numbers).all():
        raise DataError(
            f"{table}: its networks give numbers that are not finite. Lower the learning rate and train them again; do "
            "not use a bundle that somebody else made."
        )


def _encoded(autoencoder: Autoencoder, latents: Tensor, generator: torch.Generator) -> tuple[np.ndarray, np.ndarray]:
    layout = autoencoder.layout
    if layout.is_empty:
        rows = len(latents)
        return np.zeros((rows, 0), dtype=np.float32), np.zeros((rows, 0), dtype=np.int64)
    batch = autoencoder.decode(latents, generator)
    return batch.numerical.numpy(), batch.categorical.numpy()

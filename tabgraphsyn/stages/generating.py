"""From an opened bundle to files: keys first, then table by table, parents first. Reads the bundle and nothing else."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from shutil import rmtree

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from torch import Tensor

from tabgraphsyn.data.codec import TableCodec
from tabgraphsyn.data.known.rows import known_rows
from tabgraphsyn.data.seeding import derive_seed, numpy_generator
from tabgraphsyn.diffusion.sampler.base import Sampler
from tabgraphsyn.errors import DataError
from tabgraphsyn.generation.bundle import Bundle
from tabgraphsyn.generation.consistency import enforce, enforceable
from tabgraphsyn.generation.keys import Keys
from tabgraphsyn.generation.new_keys import NewKeys, looked_up
from tabgraphsyn.generation.parents import Fixed, Parents
from tabgraphsyn.generation.rows import generate_latents
from tabgraphsyn.generation.sampling_config import SamplingConfig
from tabgraphsyn.generation.spacing import spaced
from tabgraphsyn.generation.structure.base import Skeleton
from tabgraphsyn.generation.writer import write_table
from tabgraphsyn.models.autoencoder.base import Autoencoder
from tabgraphsyn.models.batch import EncodedTensors
from tabgraphsyn.models.row_conditions import RowConditions
from tabgraphsyn.stages.autoencoder import load_autoencoder
from tabgraphsyn.stages.build import build
from tabgraphsyn.stages.conditioning import DatabaseConditions, load_conditions, refines
from tabgraphsyn.stages.diffusion import load_table_model, table_families
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
        source = load_conditions(self.bundle.folder, self.device, allow_targets=self.allow_targets)
        seen = source.features.as_in_training(skeleton.pointers, numpy_generator(self.seed, "sample", "censored"))
        conditions = source.open(skeleton.rows, seen)
        latents: dict[str, Tensor] = {}
        parents = Parents.of(self.bundle, skeleton)
        with _files_together(folder) as aside:
            for table in self.bundle.tables:
                start = time.monotonic()
                autoencoder = self._autoencoder(table)
                kept = self._kept(table, skeleton)
                if kept is None:
                    latents[table] = self.latents(table, autoencoder, conditions, skeleton, seen, latents, parents)
                else:
                    latents[table] = self._kept_latents(table, autoencoder, kept)
                between = time.monotonic()
                fixed = {} if kept is not None or not conditions.encoder.condition_dim else parents.fixed(table)
                batches = self.rows(table, autoencoder, latents[table], keys, skeleton, kept, fixed)
                batches = parents.remembered(table, _with_finite(table, batches))
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

    @torch.no_grad()
    def _kept_latents(self, table: str, autoencoder: Autoencoder, kept: pa.Table) -> Tensor:
        """Return the latents of kept rows; columns that are made anew (ids, text) count as present."""
        codec = self.bundle.prepared.codec(table)
        absent = [name for name in codec.columns if name not in kept.column_names]
        made = codec.decode(*_first_levels(codec, kept.num_rows), numpy_generator(self.seed, "sample", table, "absent"))
        rows = pa.table({name: (made if name in absent else kept)[name] for name in codec.columns})
        batch = EncodedTensors.from_encoded(codec.encode(rows)).middle()
        return autoencoder.cpu().encode(batch)

    def _autoencoder(self, table: str) -> Autoencoder:
        return load_autoencoder(self.bundle.folder / "autoencoder", table, allow_targets=self.allow_targets)

    def latents(
        self,
        table: str,
        autoencoder: Autoencoder,
        conditions: DatabaseConditions,
        skeleton: Skeleton,
        seen: Mapping[str, np.ndarray],
        latents: dict[str, Tensor],
        parents: Parents,
    ) -> Tensor:
        """Return the latents of a table's new rows, (rows, latent_dim); ``latents`` are those of the tables before."""
        rows = skeleton.rows[table]
        model = load_table_model(self.bundle.folder / "diffusion", table, autoencoder, self.allow_targets)
        if model is None or rows == 0:
            return torch.zeros(rows, autoencoder.latent_dim)
        model = replace(model, precision=self.config.precision)
        prepared = self.bundle.prepared
        families = table_families(prepared, table, rows, skeleton.pointers.__getitem__, model.diffusion)
        sampler: Sampler = build(self.bundle.manifest["sampler"], Sampler, allow_targets=self.allow_targets)
        facts, levels = known_rows(prepared, NewKeys(prepared.schema, skeleton, seen, parents), table, rows)
        made: dict[str, Tensor] = {}
        passes = 1 + (self.config.refinements if refines(conditions.encoder, table) else 0)
        for _ in range(passes):
            # The same noise every time: a later pass corrects rows, it does not make others.
            made[table] = generate_latents(
                model=model,
                sampler=sampler,
                condition=RowConditions.of(conditions.condition(table, {**latents, **made}), facts, levels),
                siblings=families,
                seed=derive_seed(self.seed, "sample", table),
                batch_rows=self.config.batch_rows,
                device=self.device,
                threads=self.threads,
            )
            _check_finite(table, made[table])
        return made[table]

    def rows(
        self,
        table: str,
        autoencoder: Autoencoder,
        latents: Tensor,
        keys: Keys,
        skeleton: Skeleton,
        kept: pa.Table | None,
        fixed: Fixed,
    ) -> Iterator[pa.Table]:
        """Yield a table's rows in batches, keys and attributes, dependencies enforced.

        Shape:
            latents are (rows, latent_dim).
        """
        batches = self._decoded(table, autoencoder, latents, keys, kept, fixed)
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

    def _looked_up(self, table: str, batches: Iterator[pa.Table], skeleton: Skeleton) -> Iterator[pa.Table]:
        """Yield rows whose columns that follow from keys into lookup tables are looked up."""
        known = self.bundle.prepared.known(table)
        lookup = looked_up(known, self.bundle.prepared.schema, skeleton)
        first = 0
        for rows in batches:
            yield known.filled(rows, {name: part[first : first + len(rows)] for name, part in lookup.items()})
            first += len(rows)

    @torch.no_grad()
    def _decoded(
        self,
        table: str,
        autoencoder: Autoencoder,
        latents: Tensor,
        keys: Keys,
        kept: pa.Table | None,
        fixed: Fixed,
    ) -> Iterator[pa.Table]:
        codec = self.bundle.prepared.codec(table)
        values = keys.table(table)
        # Decoding is little work beside denoising and stays on the CPU, whose draws are the same on every machine.
        autoencoder = autoencoder.cpu()
        rng = numpy_generator(self.seed, "sample", table, "decode")
        generator = torch.Generator().manual_seed(derive_seed(self.seed, "sample", table, "categories"))
        for first in range(0, max(len(latents), 1), self.config.batch_rows):
            part = latents[first : first + self.config.batch_rows]
            numerical, categorical = _encoded(autoencoder, part, generator)
            _check_finite(table, torch.from_numpy(numerical))
            here = slice(first, first + len(part))
            given = {name: (has[here], values[here]) for name, (has, values) in fixed.items()}
            attributes = codec.decode(numerical, categorical, rng, first_row=first, fixed=given)
            columns = {name: attributes.column(name) for name in attributes.column_names}
            if kept is not None:
                columns |= {name: kept.column(name).slice(first, len(part)) for name in kept.column_names}
            columns |= {name: column.slice(first, len(part)) for name, column in values.items()}
            yield pa.table(columns)


def _check_finite(table: str, numbers: Tensor) -> None:
    if not torch.isfinite(numbers).all():
        raise DataError(
            f"{table}: its networks give numbers that are not finite. Lower the learning rate and train them again; do "
            "not use a bundle that somebody else made."
        )


def _with_finite(table: str, batches: Iterator[pa.Table]) -> Iterator[pa.Table]:
    """Yield batches as they are; numbers that are not finite never reach a file."""
    for batch in batches:
        for name in batch.column_names:
            values = batch.column(name)
            if pa.types.is_floating(values.type) and pc.all(pc.is_finite(values.drop_null())).as_py() is False:
                raise DataError(f"{table}.{name}: finite numbers expected, found others. Do not use this bundle.")
        yield batch


def _first_levels(codec: TableCodec, rows: int) -> tuple[np.ndarray, np.ndarray]:
    layout = codec.layout
    return np.zeros((rows, len(layout.numerical)), np.float32), np.zeros((rows, len(layout.categorical)), np.int64)


def _encoded(autoencoder: Autoencoder, latents: Tensor, generator: torch.Generator) -> tuple[np.ndarray, np.ndarray]:
    layout = autoencoder.layout
    if layout.is_empty:
        rows = len(latents)
        return np.zeros((rows, 0), dtype=np.float32), np.zeros((rows, 0), dtype=np.int64)
    batch = autoencoder.decode(latents, generator)
    return batch.numerical.numpy(), batch.categorical.numpy()


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

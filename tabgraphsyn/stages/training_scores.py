"""Scores of a denoiser while it trains: a small sample of its table, made and judged as a finished one is.

What a sample is held against are training rows, read back from their encoding: the stage sees no other rows, and the
holdout that privacy is judged by stays untouched until the evaluation. In its place stand the rows that this training
itself keeps for validation. So ``copies`` and ``dcr_share`` here are a warning while there is time, no verdict: the
autoencoder and the graph network have seen the validation rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import torch

from tabgraphsyn.data.codec import TableCodec
from tabgraphsyn.data.prepared import Prepared
from tabgraphsyn.data.schema import Database, Schema, Table, TableSchema
from tabgraphsyn.data.seeding import derive_seed, numpy_generator
from tabgraphsyn.diffusion.sampler.multistep import Multistep
from tabgraphsyn.evaluation.metric.c2st import C2ST
from tabgraphsyn.evaluation.metric.column_shapes import ColumnShapes
from tabgraphsyn.evaluation.metric.copies import row_codes
from tabgraphsyn.evaluation.metric.dcr import DCR
from tabgraphsyn.evaluation.metric.pair_trends import PairTrends
from tabgraphsyn.evaluation.score import Result, Score
from tabgraphsyn.evaluation.sides.data import EvaluationData
from tabgraphsyn.evaluation.statistics.feature import scored_columns
from tabgraphsyn.generation.rows import TableModel, generate_latents
from tabgraphsyn.models.batch import EncodedBatch
from tabgraphsyn.models.families import Families
from tabgraphsyn.models.row_conditions import RowConditions
from tabgraphsyn.training.denoising import DenoisingTask

# Records that a sample is held against: enough for shapes and copies, little beside a training.
REAL_ROWS = 20_000
# Fewer held-back rows than this say nothing about copies.
LEAST_UNSEEN = 10
# Every sample is solved alike, whatever sampler the sweep point takes later: curves can be compared.
SAMPLER = Multistep(steps=14)


@dataclass(frozen=True)
class TrainingScores:
    """Samples of one table under training conditions, always of the same windows and from the same noise.

    Attributes:
        task: what is trained.
        codec: the table's codec.
        table: its columns that metrics look at.
        rows: rows of a sample, about.
        seed: seed of windows, noise and judges.
    """

    task: DenoisingTask
    codec: TableCodec
    table: TableSchema
    rows: int
    seed: int

    @staticmethod
    def read(prepared: Prepared, table: str, task: DenoisingTask, rows: int, seed: int) -> TrainingScores:
        """Return the scorer of one table."""
        columns = tuple(scored_columns(prepared.schema, table))
        return TrainingScores(task, prepared.codec(table), TableSchema(table, columns), rows, seed)

    @torch.no_grad()
    def scores(self, step: int) -> dict[str, float]:
        """Return the scores of the weights as they are now; without a column to score, none.

        Keys: ``shapes``, ``pair_trends``, ``c2st`` where defined; ``copies`` (share of sampled rows that equal a
        training row), ``copies_unseen`` (the same share of validation rows) and ``dcr_share`` (0.5: no nearer to
        training rows than to validation rows).
        """
        del step  # Another draw in every step would put the noise of the draw on the curve.
        return self._judged(self._sample(), is_sample=True) if self.table.columns else {}

    @cached_property
    def available(self) -> frozenset[str]:
        """Names of the scores that this table can have: a table of one column has no pair trends."""
        return frozenset(self._judged(self._real, is_sample=False)) if self.table.columns else frozenset()

    def _judged(self, sample: pa.Table, *, is_sample: bool) -> dict[str, float]:
        name, schema = self.table.name, Schema((self.table,), ())
        data = EvaluationData(
            real=Database(schema, {name: Table(self.table, self._real)}),
            synthetic=Database(schema, {name: Table(self.table, sample)}),
            is_holdout={name: self._is_unseen},
            wanted=("synthetic",),
            seed=self.seed,
        )
        judge = C2ST(folds=3, rounds=30, cap_rows=max(self.rows, 1))
        found = {
            "shapes": _value(ColumnShapes().compute(data), "database"),
            "pair_trends": _value(PairTrends().compute(data), "database"),
            "c2st": _value(judge.compute(data), name),
        }
        if is_sample:
            found |= self._copying(data)
        return {key: value for key, value in found.items() if value is not None}

    def _copying(self, data: EvaluationData) -> Mapping[str, float | None]:
        comparison, name = data.comparisons[0], self.table.name
        real, made = row_codes(comparison.reference.features(name), comparison.candidate.features(name))
        trained = np.unique(real[~self._is_unseen])
        found: dict[str, float | None] = {"copies": float(np.isin(made, trained).mean())}
        if self._is_unseen.sum() >= LEAST_UNSEEN:
            found["copies_unseen"] = float(np.isin(real[self._is_unseen], trained).mean())
            found["dcr_share"] = _value(DCR(cap_queries=500, cap_records=5_000).compute(data), name)
        return found

    @cached_property
    def _shown(self) -> tuple[np.ndarray, np.ndarray]:
        """Row numbers that samples are held against, and which of them no step sees."""
        families = self.task.families
        unseen = np.zeros(families.rows, bool)
        unseen[families.batch(self.task.validation_windows)[0].numpy()] = True
        rows = np.arange(families.rows)
        if len(rows) > REAL_ROWS:
            rows = np.sort(numpy_generator(self.seed, "real rows").choice(rows, REAL_ROWS, replace=False))
        return rows, unseen[rows]

    @property
    def _is_unseen(self) -> np.ndarray:
        return self._shown[1]

    @cached_property
    def _real(self) -> pa.Table:
        return self._decoded(self.task.encoded.middle(torch.from_numpy(self._shown[0])), "real")

    @cached_property
    def _conditions(self) -> tuple[RowConditions, Families]:
        """Conditions and families of whole windows, about ``rows`` rows."""
        families = self.task.families
        shuffled = numpy_generator(self.seed, "windows").permutation(families.windows)
        count = int(np.searchsorted(np.cumsum(families.window_rows[shuffled]), self.rows)) + 1
        chosen = np.sort(shuffled[:count])
        rows, siblings = families.batch(chosen)
        lengths = families.window_rows[chosen]
        own = Families(
            order=np.arange(len(rows)),
            rank=siblings.rank.numpy(),
            size=siblings.size.numpy(),
            window_start=np.cumsum(lengths) - lengths,
            window_rows=lengths,
            exchange=families.exchange,
        )
        every = self.task.condition
        return RowConditions(every.graph[rows], every.level[rows], every.numbers[rows], every.levels), own

    def _sample(self) -> pa.Table:
        condition, families = self._conditions
        task = self.task
        latents = generate_latents(
            model=TableModel(task.autoencoder, task.denoiser, task.diffusion),
            sampler=SAMPLER,
            condition=condition,
            siblings=families,
            seed=derive_seed(self.seed, "noise"),
            device=task.device,
        )
        generator = torch.Generator().manual_seed(derive_seed(self.seed, "categories"))
        return self._decoded(task.autoencoder.decode(latents.to(task.device), generator), "sample")

    def _decoded(self, batch: EncodedBatch, use: str) -> pa.Table:
        rows = self.codec.decode(
            batch.numerical.cpu().numpy(), batch.categorical.cpu().numpy(), numpy_generator(self.seed, "decode", use)
        )
        return rows.select([column.name for column in self.table.columns])


def _value(results: Sequence[Result], where: str) -> float | None:
    """Return the value of one score, None where the metric says that there is none."""
    return next((result.value for result in results if isinstance(result, Score) and result.where == where), None)

"""The task of the gnn stage: under each table's mask, know the distribution of its latents."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from tabgraphsyn.data.seeding import numpy_generator
from tabgraphsyn.models.gnn.base import ConditionEncoder, GraphBatch
from tabgraphsyn.models.gnn.sampling import NeighbourSampler, SampledGraph, to_batch
from tabgraphsyn.models.gnn.whole import DatabaseGraph
from tabgraphsyn.training.config import GraphLoopConfig
from tabgraphsyn.training.graph_parts import Shares, scaled_heads, surroundings
from tabgraphsyn.training.parts import Part, PartedTask

VALIDATION_ROWS_MIN = 5
VALIDATION_ROWS_MAX = 4096


@dataclass
class ConditionTask(PartedTask):
    """One target table a step, drawn by the square root of its number of rows.

    The target of a step is a function of the seed and the step alone; so is a sampled batch.

    Attributes:
        network: the encoder.
        graph: the training rows of the whole database.
        config: loop settings.
        seed: seed of targets, validation rows and samples.
    """

    network: ConditionEncoder
    graph: DatabaseGraph
    config: GraphLoopConfig
    seed: int
    targets: tuple[str, ...] = field(init=False)
    share: np.ndarray = field(init=False)
    training_rows: dict[str, np.ndarray] = field(init=False)
    validation_rows: dict[str, np.ndarray] = field(init=False)

    def __post_init__(self) -> None:
        schema, rows = self.network.graph_schema, self.graph.rows
        self.targets = tuple(table for table in schema.tables if schema.latent_dims[table] and rows[table])
        weight = np.sqrt([rows[table] for table in self.targets])
        self.share = weight / weight.sum()
        self.training_rows, self.validation_rows = {}, {}
        for table in self.targets:
            shuffled = numpy_generator(self.seed, "validation", table).permutation(rows[table])
            held = int(rows[table] * self.config.validation_share)
            held = held if held >= VALIDATION_ROWS_MIN else 0
            self.validation_rows[table] = np.sort(shuffled[:held][:VALIDATION_ROWS_MAX])
            self.training_rows[table] = np.sort(shuffled[held:])
        self._sampler = NeighbourSampler(self.graph.adjacency, rows, self.network.layers, self.config.fanout)
        self._unbounded = NeighbourSampler(self.graph.adjacency, rows, self.network.layers, None)

    @property
    def is_full_batch(self) -> bool:
        """True where every step sees the whole graph."""
        return sum(self.graph.rows.values()) <= self.config.full_batch_rows

    def target_at(self, step: int) -> str:
        """Return the target table of a step."""
        return self.targets[numpy_generator(self.seed, "target", step).choice(len(self.targets), p=self.share)]

    def rows_in_step(self, step: int) -> int:
        """Return the number of rows that a step asks for."""
        rows = len(self.training_rows[self.target_at(step)])
        return rows if self.is_full_batch else min(rows, self.config.batch_rows)

    def loss(self, step: int, generator: torch.Generator) -> dict[str, Tensor]:
        """Return the losses of one target, each scalar."""
        target = self.target_at(step)
        return self.network.loss(self._training_batch(target, step), target, generator)

    def part_loss(self, step: int, generator: torch.Generator, part: Part) -> dict[str, Tensor]:
        """Return the share of a part of the rows asked for, from the surroundings that it depends on."""
        target = self.target_at(step)
        asked, sampled = self._sample(target, step)
        rows = part.rows(len(asked))
        if rows.start == rows.stop:
            return {}
        if sampled is None:
            sampled = self._unbounded.sample(target, asked[rows], np.random.default_rng(0))
        else:
            sampled = surroundings(sampled, target, rows, self.network.layers)
        graph, count = self.graph, rows.stop - rows.start
        batch = to_batch(sampled, graph.adjacency, graph.structure, graph.latents, count, graph.device)
        with scaled_heads(self.network, Shares.of(self.network, graph.adjacency, target, asked, count)):
            return self.network.loss(batch, target, generator)

    def _sample(self, target: str, step: int) -> tuple[np.ndarray, SampledGraph | None]:
        """Return the rows that a step asks for and, unless it sees the whole graph, what was drawn around them."""
        rows = self.training_rows[target]
        if self.is_full_batch:
            return rows, None
        draw = numpy_generator(self.seed, "rows", step)
        # Shuffling all rows anew in every step would cost more than the step; a draw without repeats does not.
        chosen = draw.choice(rows, size=min(len(rows), self.config.batch_rows), replace=False, shuffle=False)
        return chosen, self._sampler.sample(target, chosen, draw)

    def _training_batch(self, target: str, step: int) -> GraphBatch:
        asked, sampled = self._sample(target, step)
        graph = self.graph
        if sampled is None:
            return graph.whole(torch.from_numpy(asked))
        return to_batch(sampled, graph.adjacency, graph.structure, graph.latents, len(asked), graph.device)

    def validation_loss(self) -> float | None:
        """Return the loss on rows that no step asks for, over all targets by their share; None without such rows."""
        losses, weights = [], []
        for target, weight in zip(self.targets, self.share, strict=True):
            rows = self.validation_rows[target]
            if not len(rows):
                continue
            if self.is_full_batch:
                batch = self.graph.whole(torch.from_numpy(rows))
            else:
                batch = self.graph.sampled(self._sampler, target, rows, numpy_generator(self.seed, "validation"))
            losses.append(float(self.network.loss(batch, target, torch.Generator())["loss"].detach()))
            weights.append(weight)
        return float(np.average(losses, weights=weights)) if losses else None

"""Everything a metric may look at, read once and shared."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from tabgraphsyn.data.rules.rule import Rule
from tabgraphsyn.data.schema import Database, Relation, Schema
from tabgraphsyn.data.seeding import derive_seed, numpy_generator
from tabgraphsyn.errors import DataError, listing
from tabgraphsyn.evaluation.score import ComparisonName
from tabgraphsyn.evaluation.sides.entities import entity_numbers, split_relations
from tabgraphsyn.evaluation.sides.side import (
    Comparison,
    FeatureDatabase,
    Side,
    feature_databases,
    with_copied_rows,
    with_independent_columns,
)
from tabgraphsyn.evaluation.sides.view import View
from tabgraphsyn.evaluation.statistics.distance import Nearest, nearest_to_both

Item = TypeVar("Item")
Value = TypeVar("Value")
ALL_COMPARISONS: tuple[ComparisonName, ...] = ("synthetic", "real_real", "independent", "copy")


@dataclass(frozen=True)
class EvaluationData:
    """The real database, which of its rows nothing trained on, and the synthetic one.

    Attributes:
        real: all real rows.
        synthetic: the generated rows, under the real schema.
        is_holdout: per table (real rows,) bool: True where the row was held out from training.
        plan: ``plan.json`` of the prepare stage, or an empty mapping for someone else's data.
        rules: what holds in every training row, or is declared: ``rules.json`` of the prepare stage.
        wanted: comparisons to make.
        seed: seed of every draw.
        threads: CPU threads to use.
        trained_without_holdout: False where the split was only drawn for the real-against-real line and says
            nothing about what a generator saw; privacy metrics then have no holdout.
        bundle: the bundle that the synthetic rows were drawn from, None for someone else's.
        given: per table the synthetic rows that a user gave, (n,) int64: nobody made them, and they are not scored.
    """

    real: Database
    synthetic: Database
    is_holdout: Mapping[str, np.ndarray]
    plan: Mapping[str, Any] = field(default_factory=dict)
    rules: Sequence[Rule] = ()
    wanted: tuple[ComparisonName, ...] = ("synthetic", "real_real")
    seed: int = 0
    threads: int = 1
    trained_without_holdout: bool = True
    bundle: Path | None = None
    given: Mapping[str, np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "real", self.real.as_numbers())
        object.__setattr__(self, "synthetic", self.synthetic.as_numbers())
        unknown = [name for name in self.wanted if name not in ALL_COMPARISONS]
        if unknown:
            raise DataError(
                f"evaluation.comparisons: one of {listing(ALL_COMPARISONS)} each, found {listing(unknown)}."
            )
        for name in self.schema.table_names:
            rows, mask = self.real[name].num_rows, self.is_holdout[name]
            if mask.shape != (rows,):
                raise DataError(f"holdout of {name}: one flag for each of {rows} real rows, found {mask.shape}.")

    @property
    def schema(self) -> Schema:
        """The schema of the real database."""
        return self.real.schema

    @cached_property
    def _sides(self) -> tuple[FeatureDatabase, FeatureDatabase]:
        return feature_databases(self.real, self.synthetic)

    @cached_property
    def comparisons(self) -> tuple[Comparison, ...]:
        """The comparisons asked for, in the order asked."""
        return tuple(self._comparison(name) for name in self.wanted)

    def _comparison(self, name: ComparisonName) -> Comparison:
        real, synthetic = self._sides
        if name == "synthetic":
            return Comparison(name, Side(real), Side(synthetic, self._made_rows))
        if name == "real_real":
            return Comparison(name, Side(real, self.training_rows), Side(real, self.holdout_rows))
        generator = self.generator("baseline", name)
        if name == "independent":
            made = with_independent_columns(self.real, generator)
        else:
            made = with_copied_rows(self.real, self.is_holdout, generator)
        reference, candidate = feature_databases(self.real, made)
        return Comparison(name, Side(reference), Side(candidate))

    @property
    def _made_rows(self) -> Mapping[str, np.ndarray] | None:
        """Per table the synthetic rows that a generator made, (n,) int64; None for all."""
        rows = {name: np.arange(self.synthetic[name].num_rows) for name in self.schema.table_names}
        made = {name: np.setdiff1d(one, self.given.get(name, one[:0])) for name, one in rows.items()}
        return made if self.given else None

    @cached_property
    def training_rows(self) -> dict[str, np.ndarray]:
        """Per table the real rows that models were trained on, (rows,) int64."""
        return {name: np.flatnonzero(~mask) for name, mask in self.is_holdout.items()}

    @cached_property
    def holdout_rows(self) -> dict[str, np.ndarray]:
        """Per table the real rows that nothing was trained on, (rows,) int64."""
        return {name: np.flatnonzero(mask) for name, mask in self.is_holdout.items()}

    @property
    def reference_tables(self) -> frozenset[str]:
        """Tables that training and holdout share (airlines, airports)."""
        return frozenset(self.plan.get("reference_tables", ()))

    @property
    def published(self) -> Mapping[str, str]:
        """Tables whose real rows are kept on purpose -> who says so."""
        published: Mapping[str, str] = self.plan.get("published", {})
        return published

    def nearest(self, comparison: Comparison, view: View, cap_queries: int, cap_records: int) -> Nearest:
        """Return how far the candidate's rows of a view are from training and from holdout rows (computed once)."""
        key = (comparison.name, *view.key, cap_queries, cap_records)
        if key not in self._nearest:
            self._nearest[key] = nearest_to_both(
                reference=view.reference,
                candidate=view.candidate,
                training_rows=self.training_rows[view.table],
                holdout_rows=self.holdout_rows[view.table],
                candidate_is_holdout=comparison.name == "real_real",
                cap_queries=cap_queries,
                cap_records=cap_records,
                generator=self.generator("nearest", comparison.name, view.kind, view.where),
                threads=self.threads,
            )
        return self._nearest[key]

    def once(self, key: tuple, make: Callable[[], Value]) -> Value:
        """Return what ``make`` returned the first time for ``key``: baselines that every comparison is held against."""
        if key not in self._made:
            self._made[key] = make()
        return self._made[key]

    @cached_property
    def _made(self) -> dict[tuple, Any]:
        return {}

    @cached_property
    def split_relations(self) -> list[Relation]:
        """Foreign keys along which the split never cuts: what hangs together by them is an entity."""
        return split_relations(self._sides[0], self.is_holdout, self.reference_tables)

    def entities(self, side: Side, table: str) -> np.ndarray:
        """Return (rows,) int64: the entity of each row of ``table`` on this side."""
        known = self._entities.get(id(side.whole))
        if known is None:  # kept with its database, whose id could otherwise become another one's
            known = self._entities[id(side.whole)] = (side.whole, entity_numbers(side.whole, self.split_relations))
        return known[1][table][side.row_numbers(table)]

    def real_entities(self, table: str) -> np.ndarray:
        """Return (rows,) int64: the entity of each real row of ``table``."""
        return self.entities(Side(self._sides[0]), table)

    @cached_property
    def _entities(self) -> dict[int, tuple[FeatureDatabase, dict[str, np.ndarray]]]:
        return {}

    @cached_property
    def holdout_comparison(self) -> Comparison:
        """Training rows against holdout rows: what unseen real rows reach."""
        return self._comparison("real_real")

    @cached_property
    def _nearest(self) -> dict[tuple, Nearest]:
        return {}

    def generator(self, *parts: str | int) -> np.random.Generator:
        """Return a random generator for one use, independent of the order in which metrics run."""
        return numpy_generator(self.seed, "evaluate", *parts)

    def seed_of(self, *parts: str | int) -> int:
        """Return a 31-bit seed for one use, as XGBoost and scikit-learn take it."""
        return derive_seed(self.seed, "evaluate", *parts) & 0x7FFFFFFF

    def map(self, function: Callable[[Item], Value], items: Iterable[Item]) -> list[Value]:
        """Return ``function`` of each item, in order, on the threads of this stage."""
        if self.threads == 1:
            return [function(item) for item in items]
        with ThreadPoolExecutor(self.threads) as pool:
            return list(pool.map(function, items))

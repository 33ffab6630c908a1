"""The entity-level holdout: whole entities with their descendants, split off before anything is fitted."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tabgraphsyn.config.checked import refuse_wrong
from tabgraphsyn.data.pointers import CENSORED
from tabgraphsyn.data.schema import Relation
from tabgraphsyn.data.seeding import numpy_generator
from tabgraphsyn.ranges import ShareBelowOne


@dataclass(frozen=True, kw_only=True)
class HoldoutConfig:
    """How much is held out.

    Attributes:
        fraction: share of the entities, in ``[0, 1)``; 0 keeps every row for training.
        seed: which entities; independent of the seed of a run, so that every seed shares one split.
    """

    fraction: ShareBelowOne = 0.1
    seed: int = 0

    def __post_init__(self) -> None:
        refuse_wrong(self, "holdout")


def holdout_masks(
    order: Sequence[str],
    rows: Mapping[str, int],
    driver: Mapping[str, Relation | None],
    reference_tables: Collection[str],
    pointers: Mapping[str, np.ndarray],
    config: HoldoutConfig,
    crowded: Mapping[str, np.ndarray] | None = None,
    persons: Mapping[str, np.ndarray] | None = None,
) -> dict[str, np.ndarray]:
    """Return per table which rows are held out.

    An entity is a row without a driver parent, or whose driver parent lies in a reference table. The drawn entities
    take their descendants along the drivers with them. Rows of reference tables are never held out, and neither are
    crowded ones: without a row that a tenth of another table hangs on, the rest is another database. Rows of one person
    stay together.

    Shape:
        pointers: by relation name, (child rows,) int64 over all real rows.
        crowded: by table (rows,) bool.
        persons: by table (rows,) int64, the first row of the same person.
        each value: (rows,) bool over all real rows.
    """
    masks: dict[str, np.ndarray] = {}
    for table in order:
        if table in reference_tables:
            masks[table] = np.zeros(rows[table], dtype=bool)
            continue
        relation = driver[table]
        held = np.zeros(rows[table], dtype=bool)
        is_entity = np.ones(rows[table], dtype=bool)
        if relation is not None and relation.parent_table not in reference_tables:
            parent_row = pointers[relation.name]
            is_entity = parent_row < 0
            held[~is_entity] = masks[relation.parent_table][parent_row[~is_entity]]
        may_be_drawn = is_entity if crowded is None or table not in crowded else is_entity & ~crowded[table]
        first = None if persons is None else persons.get(table)
        if first is not None:
            may_be_drawn = may_be_drawn & (first == np.arange(rows[table]))
        held[_drawn(np.flatnonzero(may_be_drawn), config, table)] = True
        masks[table] = held if first is None else np.where(is_entity, held[first], held)
    return masks


def _drawn(entities: np.ndarray, config: HoldoutConfig, table: str) -> np.ndarray:
    count = round(config.fraction * len(entities))
    return numpy_generator(config.seed, "holdout", table).permutation(entities)[:count]


def training_pointers(parent_row: np.ndarray, child_held: np.ndarray, parent_held: np.ndarray) -> np.ndarray:
    """Return the pointers of the training children, renumbered to training parents.

    A pointer to a held-out parent becomes ``-2`` (censored): neither null nor an edge.

    Shape:
        parent_row: (child rows,) int64 over all real rows. child_held: (child rows,) bool.
        parent_held: (parent rows,) bool. Returns (training children,) int64.

    >>> training_pointers(np.array([0, 1, 2, -1]), np.array([False] * 4), np.array([True, False, False]))
    array([-2,  0,  1, -1])
    """
    kept = parent_row[~child_held]
    new_row = np.where(parent_held, CENSORED, np.cumsum(~parent_held) - 1).astype(np.int64)
    return np.where(kept >= 0, new_row[np.maximum(kept, 0)], kept) if len(new_row) else kept

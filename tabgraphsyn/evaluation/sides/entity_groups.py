"""Which rows of a comparison fall into which group of whole entities."""

from __future__ import annotations

import numpy as np

from tabgraphsyn.evaluation.sides.data import EvaluationData
from tabgraphsyn.evaluation.sides.side import Comparison, Side
from tabgraphsyn.evaluation.statistics.spread import GroupPair, Groups, entity_draws


def entity_groups(data: EvaluationData, comparison: Comparison, table: str) -> GroupPair:
    """Return the rows of ``table`` on both sides in groups of whole entities, for the spread of a score."""
    reference, candidate = (
        side_groups(data, side, table, side.row_numbers(table)) for side in (comparison.reference, comparison.candidate)
    )
    return reference, candidate


def side_groups(data: EvaluationData, side: Side, table: str, rows: np.ndarray) -> Groups:
    """Return some rows of ``table``, by their numbers in the whole database, in groups of whole entities.

    Shape:
        ``rows`` are (rows,) int64.
    """
    return grouped(data, data.entities(Side(side.whole), table)[rows])


def grouped(data: EvaluationData, entities: np.ndarray) -> Groups:
    """Return rows in groups of whole entities; the groups are those of every other metric.

    Shape:
        entities: (rows,) int64, the entity of each row, as ``data.entities`` numbers them.
    """
    return Groups.of(entity_draws(entities, data.seed_of("entity groups")))

"""Sibling trends: whether the next row of a parent follows the one before it as in the real data."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tabgraphsyn.data.schema import Relation
from tabgraphsyn.data.sibling_order import order_column
from tabgraphsyn.evaluation.base import ComparisonMetric
from tabgraphsyn.evaluation.score import Result
from tabgraphsyn.evaluation.sides.data import EvaluationData
from tabgraphsyn.evaluation.sides.entity_groups import side_groups
from tabgraphsyn.evaluation.sides.side import Comparison, Side, select
from tabgraphsyn.evaluation.statistics.gaps import contingency_influences
from tabgraphsyn.evaluation.statistics.joint import Aligned, contingency
from tabgraphsyn.evaluation.statistics.pairs import PreparedColumn, prepared
from tabgraphsyn.evaluation.statistics.spread import Influences, mean_influences
from tabgraphsyn.ranges import Count

WORST_SHOWN = 12
PAIRS_LEAST = 100
"""Pairs of real siblings of a relation, at least."""


class SiblingTrends(ComparisonMetric):
    """Overlap of (value, next value of the same parent), column by column, along every key.

    Args:
        bins: number of equal-width bins of a number or a time.
    """

    name = "sibling_trends"
    title = "Sibling trends"
    measures = (
        "Whether the next row of the same parent follows the one before it as in the real data: 1 - total variation of "
        "(value, next value), per column and foreign key. Siblings stand in the order of the file where any column of "
        "the real ones climbs or falls in it, else of the first time that is never missing."
    )
    range = "0 to 1"
    direction = "higher"
    reading = "Near what unseen real rows reach (real against real): .03 below is a sequence that has lost its thread."
    source = "Contingency similarity (SDMetrics 0.32) of a column with itself, one sibling later."

    def __init__(self, *, bins: Count = 10) -> None:
        self.bins = bins

    def compare(self, data: EvaluationData, comparison: Comparison) -> Sequence[Result]:
        """Return a score per foreign key whose parents have siblings, and the mean over all of their columns."""
        results: list[Result] = []
        found: list[tuple[str, float, Influences | None]] = []
        for relation in comparison.schema.relations:
            if not relation.is_self_reference:
                result, scored = self._relation(data, comparison, relation)
                results += result
                found += scored
        if not found:
            return [*results, self.unscored("database", "no parent with several rows to follow", comparison.name)]
        mean, influences = _mean(found)
        score = self.score("database", "database", mean, comparison.name, parts=len(found))
        return [self.with_error(score, influences), *results]

    def _relation(
        self, data: EvaluationData, comparison: Comparison, relation: Relation
    ) -> tuple[list[Result], list[tuple[str, float, Influences | None]]]:
        table, sides = relation.child_table, (comparison.reference, comparison.candidate)
        column = _order(comparison.reference, relation)
        pairs = [_pairs(side, relation, column) for side in sides]
        if len(pairs[0][0]) < PAIRS_LEAST:
            reason = f"{len(pairs[0][0])} pairs of real siblings; at least {PAIRS_LEAST} are needed"
            return [self.unscored(relation.name, reason, comparison.name)], []
        if comparison.is_baseline and not len(pairs[1][0]):
            return [self.unscored(relation.name, "the real part has no siblings", comparison.name)], []
        reference, candidate = (
            side_groups(data, side, table, rows) for side, (rows, _) in zip(sides, pairs, strict=True)
        )
        before, after = (self._prepared(sides, table, [rows[end] for rows in pairs]) for end in (0, 1))
        scored: list[tuple[str, float, Influences | None]] = []
        for first, second in zip(before, after, strict=True):
            name = f"{table}.{first.name}"
            if not len(pairs[1][0]):
                scored.append((name, 0.0, None))
                continue
            coded = Aligned(first.coded[0], second.coded[0]), Aligned(first.coded[1], second.coded[1])
            joint = contingency(*coded)
            scored.append((name, joint.similarity, contingency_influences(joint, coded, (reference, candidate))))
        if not scored:
            return [self.unscored(relation.name, "the rows have no columns besides keys", comparison.name)], []
        worst = [{"where": name, "value": value} for value, name in sorted((v, n) for n, v, _ in scored)[:WORST_SHOWN]]
        mean, influences = _mean(scored)
        order = "file" if column is None else column
        score = self.score(
            "relation", relation.name, mean, comparison.name, parts=len(scored), order=order, worst=worst
        )
        return [self.with_error(score, influences)], scored

    def _prepared(self, sides: Sequence[Side], table: str, rows: Sequence[np.ndarray]) -> list[PreparedColumn]:
        real, other = (select(side.whole, table, chosen) for side, chosen in zip(sides, rows, strict=True))
        return prepared(list(zip(real, other, strict=True)), self.bins, False)


def _order(real: Side, relation: Relation) -> str | None:
    """Return the column of times that orders siblings, None for the order of the file: as the real side says."""
    table, rows = relation.child_table, real.row_numbers(relation.child_table)
    keys: dict[str, np.ndarray | None] = {
        feature.name: feature.as_number[rows] for feature in real.whole.features[table].values()
    }
    times = [one.name for one in real.whole.schema.table(table).columns if one.sdtype == "datetime"]
    return order_column(keys, real.whole.pointers[relation.name][rows], [name for name in times if name in keys])


def _mean(found: Sequence[tuple[str, float, Influences | None]]) -> tuple[float, Influences | None]:
    return sum(value for _, value, _ in found) / len(found), mean_influences([one for _, _, one in found])


def _pairs(side: Side, relation: Relation, column: str | None) -> tuple[np.ndarray, np.ndarray]:
    """Return rows and the next row of the same parent, by their numbers in the whole database, (pairs,) int64 each."""
    rows = side.row_numbers(relation.child_table)
    parent = side.whole.pointers[relation.name][rows]
    rows, parent = rows[parent >= 0], parent[parent >= 0]
    features = side.whole.features[relation.child_table]
    time = rows if column is None else features[column].values[rows]
    order = np.lexsort((rows, time, parent))
    is_pair = parent[order][1:] == parent[order][:-1]
    return rows[order][:-1][is_pair], rows[order][1:][is_pair]

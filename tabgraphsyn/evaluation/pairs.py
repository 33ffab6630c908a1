"""How alike two columns hang together on both sides: one number per pair of columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tabgraphsyn.evaluation.feature import Feature
from tabgraphsyn.evaluation.gaps import contingency_moves, correlation_moves
from tabgraphsyn.evaluation.spread import GroupPair, Moves
from tabgraphsyn.evaluation.statistics import binned, contingency, pearson


@dataclass(frozen=True)
class PairTrend:
    """The similarity of one pair of columns.

    Attributes:
        value: 0 to 1, or None where the real columns have no trend to compare with.
        kind: ``correlation`` or ``contingency``.
        real: Pearson's r of the real columns, None for contingency.
        other: Pearson's r of the other side, None where undefined.
        reason: why there is no value, or why it is a failure; empty otherwise.
        moves: by how much each group of entities moves the value.
    """

    value: float | None
    kind: str
    real: float | None = None
    other: float | None = None
    reason: str = ""
    moves: Moves | None = None


FeaturePair = tuple[Feature, Feature]


@dataclass(frozen=True)
class PreparedColumn:
    """One column on both sides, as read and in bins."""

    plain: FeaturePair
    coded: FeaturePair

    @property
    def name(self) -> str:
        """Name of the column."""
        return self.plain[0].name

    @property
    def is_number(self) -> bool:
        """True for numbers and datetimes."""
        return self.plain[0].kind == "numerical"


def prepared(columns: Sequence[FeaturePair], bins: int, own_edges: bool) -> list[PreparedColumn]:
    """Return the columns with their bins, computed once for all pairs they are in."""
    return [PreparedColumn(pair, binned(*pair, bins=bins, own_edges=own_edges)) for pair in columns]


def pair_trend(left: PreparedColumn, right: PreparedColumn, groups: GroupPair | None = None) -> PairTrend:
    """Return the similarity of one pair: 1 - |r - r'| / 2 for two numbers, else contingency similarity.

    ``groups``, of the rows of both sides, adds the moves.
    """
    if len(left.plain[0].values) == 0:
        return PairTrend(None, "contingency", reason="the real side has no rows")
    if len(left.plain[1].values) == 0:
        return PairTrend(0.0, "contingency", reason="no rows to compare with")
    if not (left.is_number and right.is_number):
        real, other = (left.coded[0], right.coded[0]), (left.coded[1], right.coded[1])
        found = contingency(real, other)
        return PairTrend(found.similarity, "contingency", moves=contingency_moves(found, groups) if groups else None)
    real_r, other_r = (pearson(left.plain[side].values, right.plain[side].values) for side in (0, 1))
    if real_r is None:
        return PairTrend(
            None, "correlation", reason="constant or missing in the real data: no correlation to reproduce"
        )
    if other_r is None:
        return PairTrend(0.0, "correlation", real_r, None, "constant or missing where the real columns vary")
    numbers = [(left.plain[side].values, right.plain[side].values) for side in (0, 1)]
    moves = correlation_moves(numbers[0], numbers[1], real_r - other_r, groups) if groups else None
    return PairTrend(1.0 - abs(real_r - other_r) / 2, "correlation", real_r, other_r, moves=moves)

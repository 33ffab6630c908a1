"""How alike two columns hang together on both sides: one number per pair of columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tabgraphsyn.evaluation.statistics.gaps import contingency_influences, correlation_influences
from tabgraphsyn.evaluation.statistics.joint import Aligned, Selected, contingency, pearson
from tabgraphsyn.evaluation.statistics.spread import GroupPair, Influences
from tabgraphsyn.evaluation.statistics.statistics import bin_edges, in_bins, opened


@dataclass(frozen=True)
class PairTrend:
    """The similarity of one pair of columns.

    Attributes:
        value: 0 to 1, or None where the real columns have no trend to compare with.
        kind: ``correlation`` or ``contingency``.
        real: Pearson's r of the real columns, None for contingency.
        other: Pearson's r of the other side, None where undefined.
        reason: why there is no value, or why it is a failure; empty otherwise.
        influences: by how much each group of entities moves the value.
    """

    value: float | None
    kind: str
    real: float | None = None
    other: float | None = None
    reason: str = ""
    influences: Influences | None = None


SelectedPair = tuple[Selected, Selected]


@dataclass(frozen=True)
class PreparedColumn:
    """One column on both sides, as read and in bins."""

    plain: SelectedPair
    coded: SelectedPair

    @property
    def name(self) -> str:
        """Name of the column."""
        return self.plain[0].column.name

    @property
    def is_number(self) -> bool:
        """True for numbers and datetimes."""
        return self.plain[0].column.kind == "numerical"


def prepared(columns: Sequence[SelectedPair], bins: int, own_edges: bool) -> list[PreparedColumn]:
    """Return the columns with their bins, computed once for all pairs they are in."""
    return [PreparedColumn(pair, _coded(pair, bins, own_edges)) for pair in columns]


def _coded(pair: SelectedPair, bins: int, own_edges: bool) -> SelectedPair:
    """Return the column in bins, whose edges only the rows decide that are selected."""
    real, other = pair
    if real.column.kind == "categorical":
        return pair
    edges = bin_edges(real.occurring, bins)
    both = (edges, bin_edges(other.occurring, bins)) if own_edges else (opened(edges), opened(edges))
    return real.recoded(in_bins(real.column, both[0])), other.recoded(in_bins(other.column, both[1]))


def pair_trend(left: PreparedColumn, right: PreparedColumn, groups: GroupPair | None = None) -> PairTrend:
    """Return the similarity of one pair: 1 - |r - r'| / 2 for two numbers, else contingency similarity.

    ``groups``, of the rows of both sides, adds the influences.
    """
    if len(left.plain[0]) == 0:
        return PairTrend(None, "contingency", reason="the real side has no rows")
    if len(left.plain[1]) == 0:
        return PairTrend(0.0, "contingency", reason="no rows to compare with")
    if not (left.is_number and right.is_number):
        coded = _aligned(left.coded, right.coded)
        found = contingency(*coded)
        influences = contingency_influences(found, coded, groups) if groups else None
        return PairTrend(found.similarity, "contingency", influences=influences)
    numbers = _aligned(left.plain, right.plain)
    real_r, other_r = (pearson(side) for side in numbers)
    if real_r is None:
        return PairTrend(
            None, "correlation", reason="constant or missing in the real data: no correlation to reproduce"
        )
    if other_r is None:
        return PairTrend(0.0, "correlation", real_r, None, "constant or missing where the real columns vary")
    influences = correlation_influences(numbers, real_r - other_r, groups) if groups else None
    return PairTrend(1.0 - abs(real_r - other_r) / 2, "correlation", real_r, other_r, influences=influences)


def _aligned(left: SelectedPair, right: SelectedPair) -> tuple[Aligned, Aligned]:
    return Aligned(left[0], right[0]), Aligned(left[1], right[1])

"""How much a report shows."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from tabgraphsyn.ranges import Count, CountOrNone, Pair

_FEWEST_CURVE_POINTS = 50
_FEWEST_PAIR_COLUMNS = 4


@dataclass(frozen=True, kw_only=True)
class ReportOptions:
    """Limits that keep a report small; each one that cuts something off is said in the report.

    Attributes:
        umap: False leaves the maps of rows out (they cost about 40 s once and 6 s a table).
        umap_tables: tables that get a map, largest first.
        umap_rows: rows of each side in a map.
        rows_per_table: rows of each side that column pictures are counted over.
        pair_rows: rows of each side that pair associations are computed over.
        pair_columns: columns of a heat map.
        panels_per_table: column pictures of one table; the worst scored come first when there are more.
        panels: column pictures of the whole page; a table has at least two.
        page_pair_cells: cells of all heat maps of one side; many tables get fewer columns each.
        bins: bars of a histogram.
        categories: categories named in a picture; the rest is one bar.
        rare_below: a real category held by fewer rows than this is not named.
        worst_columns: length of the list of worst columns.
        example_rows: synthetic rows shown per table.
        curve_points: points of one training curve.
        page_curve_points: points of one curve of every training stage together; many stages get fewer each.
        score_rows: rows of the tables of k-hop trends and of rules; the worst are shown.
    """

    umap: bool = True
    umap_tables: CountOrNone = 8
    umap_rows: Count = 1_500
    rows_per_table: Count = 200_000
    pair_rows: Count = 20_000
    pair_columns: CountOrNone = 30
    panels_per_table: CountOrNone = 120
    panels: CountOrNone = 800
    page_pair_cells: CountOrNone = 40_000
    bins: Count = 36
    categories: Count = 20
    rare_below: CountOrNone = 5
    worst_columns: CountOrNone = 12
    example_rows: CountOrNone = 5
    curve_points: Pair = 400
    page_curve_points: CountOrNone = 30_000
    score_rows: CountOrNone = 500

    def shared(self, *, tables: int, trained: int) -> ReportOptions:
        """Return the limits of a page of so many tables and training stages.

        >>> ReportOptions().shared(tables=5, trained=9) == ReportOptions()
        True
        >>> many = ReportOptions().shared(tables=100, trained=201)
        >>> many.pair_columns, many.curve_points
        (20, 149)
        """
        columns = math.isqrt(self.page_pair_cells // max(tables, 1))
        points = self.page_curve_points // max(trained, 1)
        return replace(
            self,
            pair_columns=min(self.pair_columns, max(_FEWEST_PAIR_COLUMNS, columns)),
            curve_points=min(self.curve_points, max(_FEWEST_CURVE_POINTS, points)),
        )

"""DCR of joined rows: whether families are nearer to training families than to held-out ones."""

from __future__ import annotations

from tabgraphsyn.evaluation.metric.dcr import DCR
from tabgraphsyn.evaluation.privacy import JoinedRows
from tabgraphsyn.ranges import Count


class DCRJoined(JoinedRows, DCR):
    """DCR share on parents with aggregates of their children, and on children with their parent's columns.

    Args:
        cap_queries: rows looked up at most.
        cap_records: real rows searched at most; training and holdout are thinned alike.
    """

    name = "dcr_joined"
    title = "DCR share of families"
    measures = (
        "How often the closest real family (a parent with count, means and distinct values of its children; or a child "
        "with its parent's columns) was trained on rather than held out, each set weighted by its size."
    )
    finding = (
        "joined rows lie closer to training ones than to unseen ones (DCR share {value:.2f}; .50 is even), as if "
        "{excess:.0%} of them were made from one"
    )
    source = "Own: distance to closest record on SyntheRela's aggregated rows and on rows joined with their parent."

    def __init__(self, *, cap_queries: Count = 2_000, cap_records: Count = 20_000) -> None:
        super().__init__(cap_queries=cap_queries, cap_records=cap_records)

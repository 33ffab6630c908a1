"""Membership inference on joined rows: whether families give away who was in the training data."""

from __future__ import annotations

from tabgraphsyn.evaluation.metric.membership import Membership
from tabgraphsyn.evaluation.privacy import JoinedRows
from tabgraphsyn.ranges import Count


class MembershipJoined(JoinedRows, Membership):
    """Distance attack on parents with aggregates of their children, and on children with their parent's columns.

    Args:
        cap_queries: real rows of each kind at most.
        cap_records: synthetic rows searched at most.
    """

    name = "membership_joined"
    title = "Membership inference (families)"
    measures = (
        "AUC of telling training families from held-out ones by their distance to the nearest released family: a "
        "parent with count, means and distinct values of its children, or a child with its parent's columns."
    )
    finding = "distances of joined rows give away who was trained on (AUC {value:.2f}; .50 is guessing)"
    source = "Own: the distance attack of Chen et al. 2020 on SyntheRela's aggregated rows and on joined rows."

    def __init__(self, *, cap_queries: Count = 2_000, cap_records: Count = 20_000) -> None:
        super().__init__(cap_queries=cap_queries, cap_records=cap_records)

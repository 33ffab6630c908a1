"""Exact copies of joined rows: whether whole families, or children with their parents, are copied."""

from __future__ import annotations

from tabgraphsyn.evaluation.metric.copies import Copies
from tabgraphsyn.evaluation.privacy import JoinedRows


class CopiesJoined(JoinedRows, Copies):
    """Share of joined rows that equal a joined training row in every column."""

    name = "copies_joined"
    title = "Copied families"
    measures = (
        "Share of parents that equal a training parent in their columns and in count, means and distinct values of "
        "their children (by table), and of children that equal a training child together with its parent's columns "
        "(by key). Only keys along which the split never cuts."
    )
    reading = (
        "As exact copies: compare with `unseen` and `chance`. Rows that are common on their own are rare together, so "
        "that a copied family shows here where its rows do not."
    )
    finding = "{value:.1%} of joined rows (with children or parent) equal a training one; {usual:.1%} are due by chance"
    source = "Own: identical match share on SyntheRela's aggregated rows and on rows joined with their parent."

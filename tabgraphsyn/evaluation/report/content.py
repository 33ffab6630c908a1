"""Everything a page shows, gathered once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from markupsafe import Markup

from tabgraphsyn.evaluation.report.column_panels import ColumnPanel
from tabgraphsyn.evaluation.report.copying import Copying
from tabgraphsyn.evaluation.report.curves import TrainingView
from tabgraphsyn.evaluation.report.figures import Figure
from tabgraphsyn.evaluation.report.options import ReportOptions
from tabgraphsyn.evaluation.report.provenance import Provenance
from tabgraphsyn.evaluation.report.relations import RelationView
from tabgraphsyn.evaluation.report.scoreboard import Matrix, ScoreRow
from tabgraphsyn.evaluation.report.scores import MetricText
from tabgraphsyn.evaluation.report.tables import Examples, HopRow, RuleRow, Worst
from tabgraphsyn.evaluation.report.verdict import Tile
from tabgraphsyn.evaluation.score import Unscored


@dataclass(frozen=True)
class ScoredPanel:
    """A picture of a column with its score and, beside it, what real data scores."""

    panel: ColumnPanel
    score: str
    baseline: str


@dataclass(frozen=True)
class TableColumns:
    """The column pictures of one table."""

    table: str
    panels: tuple[ScoredPanel, ...]
    left_out: int
    is_sampled: bool


@dataclass(frozen=True)
class WorstColumn:
    """One of the columns that score lowest, and why."""

    where: str
    score: str
    baseline: str
    reason: str


@dataclass(frozen=True)
class PairTable:
    """Which heat maps belong to one table."""

    table: str
    figures: Mapping[str, str]
    columns: int
    left_out: int
    rows: int
    largest_gap: str


@dataclass(frozen=True)
class TableRows:
    """How many rows a table has on each side."""

    name: str
    real: int
    held_out: int | None
    synthetic: int
    columns: int


@dataclass(frozen=True)
class Content:
    """What the template prints, section by section."""

    title: str
    subtitle: str
    verdict: Markup
    tiles: list[Tile]
    copying: Copying
    comparisons: list[str]
    privacy: Matrix
    privacy_by_relation: Matrix
    scores: list[ScoreRow]
    by_table: Matrix
    by_relation: Matrix
    metrics: list[MetricText]
    unscored: list[tuple[str, Unscored]]
    worst: list[WorstColumn]
    schema: Markup
    relations: list[RelationView]
    tables: list[TableRows]
    columns: list[TableColumns]
    pairs: list[PairTable]
    hops: Worst[HopRow]
    rules: Worst[RuleRow]
    maps: list[tuple[str, str, int, int]]
    no_maps: list[tuple[str, str]]
    training: list[tuple[TrainingView, str]]
    examples: list[Examples]
    provenance: Provenance
    options: ReportOptions
    not_modelled: list[tuple[str, str]]
    figures: Mapping[str, Figure]

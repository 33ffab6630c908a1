"""The summary of a campaign -> one HTML file that needs nothing else and weighs little: its figures are plain SVG."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from tabgraphsyn.data.schema import Schema
from tabgraphsyn.evaluation.campaign.axes import Panel
from tabgraphsyn.evaluation.campaign.drawing import privacy_panel, score_panel
from tabgraphsyn.evaluation.campaign.summary import (
    CampaignSummary,
    DatasetSummary,
    Difference,
    ModelSummary,
    ScoreColumn,
)
from tabgraphsyn.evaluation.campaign.wording import (
    GATE_WORDS,
    better,
    column_name,
    estimate_text,
    gain_text,
    interval_text,
    p_text,
    shown_differences,
    verdict,
)
from tabgraphsyn.evaluation.report.document import environment, policy, script, static
from tabgraphsyn.evaluation.report.schema_picture import DrawnKey, drawn_schema
from tabgraphsyn.evaluation.report.scores import COMPARISONS
from tabgraphsyn.evaluation.report.wording import NONE, duration
from tabgraphsyn.evaluation.report.wording import score as score_text

PACKAGE = "tabgraphsyn.evaluation.campaign"


@dataclass(frozen=True)
class Cell:
    """One value of a table: its text, what stands small beside it, the number it sorts by, and whether it is best."""

    text: str
    beside: str
    number: float | None
    is_best: bool = False

    @property
    def is_range(self) -> bool:
        """True where what stands beside is two ends, which take a line of their own."""
        return " to " in self.beside


@dataclass(frozen=True)
class DatasetPage:
    """What the template shows of one data set."""

    data: DatasetSummary
    headlines: tuple[ScoreColumn, ...]
    rest: tuple[ScoreColumn, ...]
    panels: tuple[tuple[ScoreColumn, Panel], ...]
    privacy: Panel | None
    differences: tuple[Difference, ...]
    schema: Markup
    settings: tuple[str, ...]

    def cell(self, model: ModelSummary, column: ScoreColumn) -> Cell:
        """Return a model's mean and interval."""
        found = model.estimates.get(column.key)
        if found is None:
            return Cell(NONE, "", None)
        is_best = self.data.best.get(column.key) == model.name
        return Cell(score_text(found.mean), interval_text(found), found.mean, is_best)

    def baseline(self, comparison: str, column: ScoreColumn) -> Cell:
        """Return what another comparison scores, and its interval within the run."""
        found = self.data.baselines.get(column.key, {}).get(comparison)
        if found is None:
            return Cell(NONE, "", None)
        beside = "" if found.low is None else f"{score_text(found.low)} to {score_text(found.high)}"
        return Cell(score_text(found.value), beside, found.value)

    def comparisons(self) -> list[tuple[str, str]]:
        """Return the baselines that some score has, name and words."""
        present = {name for found in self.data.baselines.values() for name in found}
        return [(name, words) for name, words in COMPARISONS.items() if name in present]

    def point_cell(self, model: ModelSummary, seed: str, column: ScoreColumn) -> Cell:
        """Return the score of one sweep point and its interval within the run."""
        found = model.estimates.get(column.key)
        if found is None:
            return Cell(NONE, "", None)
        run = found.runs.get(seed)
        beside = f"{score_text(run[0])} to {score_text(run[1])}" if run else ""
        return Cell(score_text(found.values[seed]), beside, found.values[seed])


def render(summary: CampaignSummary) -> str:
    """Return the page. Everything that comes from data is escaped by the template engine."""
    scripts = [script(static("page.js") + static("campaign.js", PACKAGE))]
    made = environment(PACKAGE)
    made.filters |= {"score": score_text, "p": p_text, "gain": gain_text, "hours": _hours}
    return made.get_template("campaign.html.j2").render(
        summary=summary,
        verdict=verdict(summary),
        pages=[_dataset(data) for data in summary.datasets],
        columns={column.key: column for data in summary.datasets for column in data.scores},
        gate_words=GATE_WORDS,
        column_name=column_name,
        better=better,
        estimate_text=estimate_text,
        style=Markup(static("report.css") + static("campaign.css", PACKAGE)),
        scripts=scripts,
        policy=policy(scripts),
    )


def headlines(data: DatasetSummary) -> tuple[ScoreColumn, ...]:
    """Return the scores that are shown first."""
    return tuple(column for column in data.scores if column.is_headline)


def privacy_axes(data: DatasetSummary) -> tuple[ScoreColumn, ScoreColumn] | None:
    """Return fidelity and privacy of the second figure: the worst table's C2ST and DCR share, where both are there."""
    found = {column.metric: column for column in headlines(data)}
    fidelity = found.get("c2st_agg") or found.get("c2st") or found.get("column_shapes")
    privacy = next((column for column in data.scores if column.is_privacy and column.is_headline), None)
    return (fidelity, privacy) if fidelity and privacy else None


def _dataset(data: DatasetSummary) -> DatasetPage:
    first = headlines(data)
    axes = privacy_axes(data)
    return DatasetPage(
        data=data,
        headlines=first,
        rest=tuple(column for column in data.scores if column not in first),
        panels=tuple((column, score_panel(data, column)) for column in first),
        privacy=privacy_panel(data, *axes) if axes else None,
        differences=tuple(shown_differences(data)),
        schema=_schema(data),
        settings=tuple(dict.fromkeys(key for model in data.models for key in model.settings)),
    )


def _schema(data: DatasetSummary) -> Markup:
    if data.schema is None:
        return Markup("")
    schema = Schema.from_dict(dict(data.schema))
    rows = {name: (data.rows[name]["real"], data.rows[name]["synthetic"]) for name in schema.table_names}
    return drawn_schema(schema, rows, list(_keys(schema, data)))


def _keys(schema: Schema, data: DatasetSummary) -> Iterator[DrawnKey]:
    for relation in schema.relations:
        yield DrawnKey(relation, *data.children.get(relation.name, (None, None)))


def _hours(value: float | None) -> str:
    return NONE if value is None else "none" if value == 0 else duration(3600 * value)


def figure_panels(data: DatasetSummary, keys: Sequence[str] | None = None) -> list[tuple[str, Panel]]:
    """Return title and panel of each score, the headlines by default, for a figure outside a page."""
    chosen = headlines(data) if keys is None else [column for column in data.scores if column.key in keys]
    return [(f"{column_name(column)} ({better(column)})", score_panel(data, column)) for column in chosen]

"""What the documents of a crate are made from, read from the crate itself: the same crate gives the same documents."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

from msgspec import Meta, Struct, field

from tabgraphsyn.config.whole import parsed_whole
from tabgraphsyn.data.untrusted import Count, Name, Number, plain_bytes, read_form
from tabgraphsyn.exports.record import BUNDLE, CONFIG, METRICS, TABLES, CrateForm, StageForm, place

_Short = Annotated[str, Meta(max_length=10_000)]


class ScoreForm(Struct):
    """What is read of one score."""

    metric: _Short
    level: _Short
    where: _Short
    value: Number
    direction: _Short
    comparison: _Short
    detail: dict[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What tells a score from the others of a point."""
        return self.metric, self.level, self.where, self.comparison

    @property
    def interval(self) -> tuple[float, float] | None:
        """The stated 95 % interval, or None where none is stated."""
        found = self.detail.get("interval")
        if not isinstance(found, list) or len(found) != 2 or not all(isinstance(each, int | float) for each in found):
            return None
        return float(found[0]), float(found[1])


class MetricTextForm(Struct):
    """What is read of a metric's own words."""

    name: _Short
    title: _Short
    measures: _Short = ""
    reading: _Short = ""
    privacy: bool = False


class MetricsForm(Struct):
    """What is read of ``metrics.json``."""

    gate: dict[str, Any]
    metrics: list[MetricTextForm]
    scores: list[ScoreForm]
    rows: dict[Name, dict[str, Count]]
    published: dict[Name, _Short] = field(default_factory=dict)
    unscored: list[dict[str, Any]] = field(default_factory=list)


class ColumnForm(Struct):
    """What is read of a column."""

    name: Name
    sdtype: _Short


class TableForm(Struct):
    """What is read of a table."""

    name: Name
    primary_key: list[Name]
    columns: list[ColumnForm]


class RelationForm(Struct):
    """What is read of a relation."""

    child_table: Name
    child_columns: list[Name]
    parent_table: Name
    parent_columns: list[Name]


class SchemaForm(Struct):
    """What is read of ``bundle/schema.json``; the bundle's own form is stricter, and loads the codecs."""

    tables: list[TableForm]
    relations: list[RelationForm]


class PlanForm(Struct):
    """What is read of ``bundle/plan.json``."""

    published: dict[Name, _Short] = field(default_factory=dict)


@dataclass(frozen=True)
class Contents:
    """A crate, read.

    Attributes:
        record: ``crate.json``.
        config: the point's config.
        metrics: ``metrics.json``.
        schema: tables and relations.
        published: tables whose real rows are in it on purpose -> who says so.
        requirements: names and versions of the packages that made it.
    """

    record: CrateForm
    config: Mapping[str, Any]
    metrics: MetricsForm
    schema: SchemaForm
    published: Mapping[str, str]
    requirements: Mapping[str, str]

    @property
    def title(self) -> str:
        """Name of the result."""
        return f"Synthetic {self.record.dataset}"

    def stage(self, kind: str) -> StageForm | None:
        """Return the first stage of a kind, or None."""
        return next((stage for stage in self.record.stages.values() if stage.stage == kind), None)

    def table_files(self) -> Iterator[tuple[str, str]]:
        """Yield table and path of each synthetic file, one a table, csv before parquet."""
        for table in self.schema.tables:
            paths = (f"{TABLES}/{table.name}.{ending}" for ending in ("csv", "parquet"))
            path = next((path for path in paths if path in self.record.files), None)
            if path is not None:
                yield table.name, path

    def headline(self, comparison: str = "synthetic") -> list[ScoreForm]:
        """Return the scores of the whole database."""
        return [score for score in self.metrics.scores if score.level == "database" and score.comparison == comparison]

    @property
    def started(self) -> float:
        """When the first stage began, in seconds since 1970."""
        return min(stage.made.started for stage in self.record.stages.values())

    @property
    def ended(self) -> float:
        """When the last stage ended, in seconds since 1970."""
        return max(stage.made.started + stage.made.elapsed_s for stage in self.record.stages.values())

    @property
    def code(self) -> Mapping[str, Any]:
        """Version of the code of the last stage."""
        return list(self.record.stages.values())[-1].made.code


def read_contents(folder: Path, record: CrateForm) -> Contents:
    """Return what a crate's documents are made from.

    Raises:
        ConfigError, DataError: a file that is missing, or not of its form.
    """
    raw = plain_bytes(place(folder, CONFIG), 4 << 20)
    plan = read_form(place(folder, f"{BUNDLE}/plan.json"), PlanForm)
    return Contents(
        record=record,
        config=parsed_whole(raw, str(folder / CONFIG)),
        metrics=read_form(place(folder, METRICS), MetricsForm),
        schema=read_form(place(folder, f"{BUNDLE}/schema.json"), SchemaForm),
        published=plan.published,
        requirements={
            name: str(version) for stage in record.stages.values() for name, version in stage.made.libraries.items()
        },
    )


def moment(seconds: float) -> str:
    """Return a time as RFC 3339 in UTC.

    >>> moment(0.0)
    '1970-01-01T00:00:00+00:00'
    """
    return datetime.fromtimestamp(round(min(max(seconds, 0.0), 4e10)), UTC).isoformat()


def leaves(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """Yield dotted key and plain value of everything in a nested config.

    >>> list(leaves({"a": {"b": 1, "c": [2, 3]}}))
    [('a.b', 1), ('a.c', [2, 3])]
    """
    if isinstance(value, Mapping) and value:
        for name, each in value.items():
            yield from leaves(each, f"{key}.{name}" if key else str(name))
    else:
        yield key, value

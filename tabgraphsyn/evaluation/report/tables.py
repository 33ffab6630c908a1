"""Tables of a report that stand on scores of relations, paths and dependencies, and the example rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import pyarrow as pa

from tabgraphsyn.data.schema import Table
from tabgraphsyn.evaluation.report.scores import ScoreBook
from tabgraphsyn.evaluation.report.sources import present_columns
from tabgraphsyn.evaluation.report.wording import NONE, path_text
from tabgraphsyn.evaluation.report.wording import score as score_text
from tabgraphsyn.evaluation.score import Score

_LONGEST_VALUE = 60

Row = TypeVar("Row")


@dataclass(frozen=True)
class HopRow:
    """One path of foreign keys, or the mean over all paths of one length."""

    hops: str
    path: str
    values: tuple[str, ...]
    worst: str
    is_mean: bool


@dataclass(frozen=True)
class DependencyRow:
    """One functional dependency of the real data and how often each comparison keeps it.

    Attributes:
        real: share of real rows that keep it, by the same count.
        is_kept: True where the codec keeps it by construction.
    """

    where: str
    real: str
    values: tuple[str, ...]
    is_kept: bool


@dataclass(frozen=True)
class Examples:
    """The first synthetic rows of one table."""

    table: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Worst(Generic[Row]):
    """The worst rows of a table, and how many there are beyond them."""

    rows: tuple[Row, ...]
    left_out: int


def hop_rows(book: ScoreBook, limit: int) -> Worst[HopRow]:
    """Return the worst k-hop scores, shortest paths first, each length's mean, always there, before its paths."""
    found = [s for s in book.select(metric="khop_trends") if "k" in s.detail]
    shown = sorted(found, key=lambda s: (s.level != "database", s.value))[:limit]
    shown.sort(key=lambda s: (s.detail["k"], s.level != "database", s.value))
    return Worst(tuple(_hop_row(book, each) for each in shown), len(found) - len(shown))


def _hop_row(book: ScoreBook, found: Score) -> HopRow:
    worst = next(iter(found.detail.get("worst", ())), None)
    is_mean = found.level == "database"
    return HopRow(
        hops=str(found.detail["k"]),
        path="all paths" if is_mean else path_text(found.where),
        values=_values(book, found),
        worst=f"{worst['where']} ({score_text(worst['value'])})" if worst else "",
        is_mean=is_mean,
    )


def dependency_rows(book: ScoreBook, limit: int) -> Worst[DependencyRow]:
    """Return the functional dependencies that were found and scored, the worst kept first."""
    found = sorted((s for s in book.select(metric="dependencies") if s.level != "database"), key=lambda s: s.value)
    rows = tuple(
        DependencyRow(
            each.where, score_text(each.detail.get("real")), _values(book, each), bool(each.detail.get("kept"))
        )
        for each in found[:limit]
    )
    return Worst(rows, len(found) - len(rows))


def _values(book: ScoreBook, found: Score) -> tuple[str, ...]:
    beside = [found if name == "synthetic" else book.beside(found, name) for name in book.comparisons]
    return tuple(score_text(each.value) if each else NONE for each in beside)


def examples(table: Table, rows: int) -> Examples:
    """Return the first rows of a synthetic table; long values are cut."""
    names = [column.name for column in table.schema.columns if column.name in present_columns(table)]
    batch = next(iter(table.batches(names, batch_rows=rows)), pa.RecordBatch.from_pylist([]))
    lines = tuple(tuple(_text(row[name]) for name in names) for row in batch.to_pylist())
    return Examples(table.schema.name, tuple(names), lines[:rows])


def _text(value: Any) -> str:
    if value is None:
        return NONE
    text = f"{value:.6g}" if isinstance(value, float) else str(value).removesuffix(" 00:00:00")
    return text if len(text) <= _LONGEST_VALUE else f"{text[: _LONGEST_VALUE - 1]}…"

"""Tables of a report that stand on scores of relations, paths and rules, and the example rows."""

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
class RuleRow:
    """One rule of the data and how many rows break it.

    Attributes:
        table: whose rows it is about.
        rule: the rule in words.
        kind: its kind, in words.
        broken: synthetic rows that break it, of those that it is about.
        share: the same as a share.
        real: held-out real rows that break it, of those that it is about.
        source: found, declared or from the metadata.
        standing: why it does not count, empty where it does.
        is_broken: True where any row breaks it.
    """

    table: str
    rule: str
    kind: str
    broken: str
    share: str
    real: str
    source: str
    standing: str
    is_broken: bool


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


def rule_rows(book: ScoreBook, limit: int) -> Worst[RuleRow]:
    """Return the rules of the data, the most broken first, those that do not count last."""
    scored = [one for one in book.select(metric="rules") if one.level != "database"]
    found = sorted(scored, key=lambda one: (not one.detail.get("counts"), one.value))
    rows = tuple(_rule_row(each) for each in found[:limit])
    return Worst(rows, len(found) - len(rows))


def _rule_row(found: Score) -> RuleRow:
    detail = found.detail
    table, _, rule = found.where.partition(": ")
    broken, real = int(detail.get("broken", 0)), int(detail.get("real_broken", 0))
    standing = ""
    if not detail.get("counts"):
        standing = "real rows break it too" if real or detail.get("training_broken") else "a strong habit, no rule"
    return RuleRow(
        table=table,
        rule=rule,
        kind=str(detail.get("kind", "")).replace("_", " "),
        broken=f"{broken:,} of {int(detail.get('rows', 0)):,}",
        share=f"{1 - found.value:.1%}",
        real=f"{real:,} of {int(detail.get('real_rows', 0)):,}" if detail.get("real_rows") else NONE,
        source=str(detail.get("source", "found")),
        standing=standing,
        is_broken=broken > 0,
    )


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

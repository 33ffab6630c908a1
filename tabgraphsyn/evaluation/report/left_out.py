"""What a verdict does not cover, and what speaks against it: it must say no more than was measured."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from tabgraphsyn.data.schema import Relation
from tabgraphsyn.evaluation.report.copying import Copying
from tabgraphsyn.evaluation.report.scores import ScoreBook
from tabgraphsyn.evaluation.report.wording import percent
from tabgraphsyn.evaluation.score import Score

BROKEN_SHARE = 0.01
"""A rule that more than this share of the rows breaks speaks against every praise."""
FEWEST_ROWS = 3
SHOWN = 3
MADE_ANEW = ("identifier", "personal", "text")
"""Kinds of codecs whose values are made, not modelled."""


@dataclass(frozen=True)
class LeftOut:
    """What the paragraph must name.

    Attributes:
        broken: rules that over 1 % of the rows break: what they say, and the share, worst first.
        made_anew: columns whose values are made, not modelled: ids, names of persons, text.
        merged: rows that held a category of a few, which is in no output.
        tiny: tables of one or two rows.
        coarse: tables drawn column by column.
        skipped: tables that were not judged.
        published: tables whose real values are given out under new keys, each with who says so.
        broken_keys: validity of foreign keys where it is below 1.
        dropped: foreign keys that the data declare and that could not be kept.
    """

    broken: Sequence[tuple[str, float]] = ()
    made_anew: Sequence[str] = ()
    merged: int = 0
    tiny: Sequence[str] = ()
    coarse: Sequence[str] = ()
    skipped: Sequence[str] = ()
    published: Sequence[str] = ()
    broken_keys: float | None = None
    dropped: Sequence[str] = ()

    @property
    def forbids_praise(self) -> bool:
        """True where "cannot be told from real ones" would say more than was measured."""
        against = (self.broken, self.made_anew, self.tiny, self.coarse, self.dropped)
        return any(against) or self.broken_keys is not None

    def about_copying(self, *, names_unjudged: bool) -> Iterator[Markup]:
        """Yield which tables were not judged, and which are published: what is no part of a pass.

        Args:
            names_unjudged: False where no table was judged, which has been said then.
        """
        for tables, words in (
            (
                self.skipped if names_unjudged else (),
                'Whether rows were copied was <span class="warn">not judged</span> in {}.',
            ),
            (self.published, 'Real values are <span class="warn">published by choice</span>, under new keys: {}.'),
        ):
            if tables:
                yield Markup(words).format(_names(tables))

    def sentences(self) -> Iterator[Markup]:
        """Yield what was left out and what speaks against the rows, in plain words."""
        if self.broken:
            rule, share = self.broken[0]
            more = f"; {len(self.broken) - 1} more rules break in over 1 %" if len(self.broken) > 1 else ""
            yield Markup('<span class="bad">A rule of the real data breaks in {} of the rows</span>: {}{}.').format(
                percent(share), rule, more
            )
        if self.dropped:
            count = "A declared key is" if len(self.dropped) == 1 else f"{len(self.dropped)} declared keys are"
            yield Markup('<span class="bad">{} not kept</span>: {}.').format(count, _names(self.dropped))
        if self.made_anew:
            yield Markup("Not judged, because made anew: {} ({}).").format(
                _columns(len(self.made_anew)), _names(self.made_anew)
            )
        for tables, words in (
            (self.tiny, "Two rows or fewer are all that {} has"),
            (self.coarse, "Too small to learn, so drawn column by column: {}"),
        ):
            if tables:
                yield Markup(words + ".").format(_names(tables))
        if self.merged:
            yield Markup("{} of the real data held a category of too few entities to be drawn.").format(
                "One row" if self.merged == 1 else f"{self.merged:,} rows"
            )


def _names(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def _columns(count: int) -> str:
    return "one column" if count == 1 else f"{count} columns"


@dataclass(frozen=True)
class Codecs:
    """What the codecs of a sweep point say of values that are not modelled.

    Attributes:
        made_anew: ``table.column`` of columns whose values are made.
        merged: rows that held a category of a few.
    """

    made_anew: tuple[str, ...] = ()
    merged: int = 0

    @staticmethod
    def of(raws: Mapping[str, Any]) -> Codecs:
        """Return what the json forms of codecs say, table -> form."""
        made, merged = [], 0
        for table, raw in raws.items():
            for one in raw["columns"]:
                codec = one["codec"]
                if codec["kind"] in MADE_ANEW:
                    made.append(f"{table}.{one['name']}")
                merged += int(codec.get("merged_rows", 0))
        return Codecs(tuple(made), merged)


def left_out(
    book: ScoreBook,
    found: Copying,
    metrics: Mapping[str, Any],
    codecs: Codecs | None = None,
    dropped: Sequence[Relation] = (),
) -> LeftOut:
    """Return what the paragraph must name; ``dropped``: see ``Schema.dropped``."""
    codecs = codecs or Codecs()
    keys = book.at("keys", "database", "database")
    rows: Mapping[str, Mapping[str, int]] = metrics.get("rows", {})
    published = tuple(found.published)
    reasons = tuple(f"{name} ({why})" if why else name for name, why in found.published.items())
    return LeftOut(
        broken=sorted(_broken(book), key=lambda pair: -pair[1]),
        made_anew=tuple(one for one in codecs.made_anew if one.split(".", 1)[0] not in published),
        merged=codecs.merged,
        tiny=tuple(name for name, one in rows.items() if one.get("real", FEWEST_ROWS) < FEWEST_ROWS),
        coarse=tuple(metrics.get("coarse", ())),
        skipped=tuple(found.skipped),
        published=reasons,
        dropped=[
            f"{one.child_table}.{'+'.join(one.child_columns)} to {one.parent_table}.{'+'.join(one.parent_columns)}"
            for one in dropped
        ],
        broken_keys=keys.value if keys is not None and keys.value < 1 else None,
    )


def _broken(book: ScoreBook) -> Iterator[tuple[str, float]]:
    """Yield the rules that over 1 % of the rows break, whichever way the metric counts."""
    for score in book.select(metric="rules"):
        if score.level == "database" or not score.detail.get("counts", True):
            continue
        share = _share_broken(score)
        if share > BROKEN_SHARE:
            yield score.where, share


def _share_broken(score: Score) -> float:
    return 1 - score.value if score.direction == "higher" else score.value

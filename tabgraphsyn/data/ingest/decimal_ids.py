"""Ids that are written as decimals: the inventory numbers 1945.82 and 1945.860 are two works, and no amounts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import pyarrow as pa
import pyarrow.compute as pc

from tabgraphsyn.data.formats import Format, NumberFormat
from tabgraphsyn.data.ingest.column_view import ColumnView
from tabgraphsyn.data.ingest.convert import Target
from tabgraphsyn.data.ingest.evidence import trimmed
from tabgraphsyn.data.ingest.infer_keys import tokens

LEAST_ROWS = 10
_ID_WORDS = frozenset({"id", "key", "no", "nr", "num", "number", "nummer", "code", "ref", "reference", "inventory",
                       "accession", "signature"})  # fmt: skip


def decimal_ids(views: Iterable[ColumnView], targets: Mapping[tuple[str, str], Target]) -> Iterator[ColumnView]:
    """Yield columns of decimals that are ids, and columns whose values all stand in one of them.

    A column is one by its name, if no value stands twice and none is missing, and each is written with as many decimals
    or with zeros that a number would lose.

    Args:
        views: columns that nobody declared.
        targets: what each was decided to become, by table and column.
    """
    waiting = [view for view in views if _may_be(view, targets[view.raw.name, view.name].format)]
    ids: dict[str, pa.Array] = {}
    for view in filter(_is_named, waiting):
        texts = _all_different(view)
        if texts is not None and _loses(texts, targets[view.raw.name, view.name].format):
            ids[view.where] = texts
    for view in waiting:
        if view.where in ids or (ids and _stands_in(view, ids.values())):
            yield view


def _may_be(view: ColumnView, format: Format | None) -> bool:
    is_bare = isinstance(format, NumberFormat) and not (format.prefix or format.suffix or format.exponent)
    return is_bare and view.scan.as_written and not format.whole and format.most > 0  # type: ignore[union-attr]


def _is_named(view: ColumnView) -> bool:
    words = tokens(view.name)
    return bool(words) and words[-1] in _ID_WORDS


def _all_different(view: ColumnView) -> pa.Array | None:
    """Return all texts of a column, (rows,), None where one is missing or stands twice."""
    texts = pa.chunked_array([trimmed(one.column(0)) for one in view.raw.batches([view.name])], pa.string())
    if texts.null_count or len(texts) < LEAST_ROWS or pc.count_distinct(texts).as_py() < len(texts):
        return None
    return texts.combine_chunks()


def _loses(texts: pa.Array, format: Format | None) -> bool:
    """Return whether zeros at the end of a text (rows,) mean something: each text has as many decimals, or some."""
    assert isinstance(format, NumberFormat)
    return format.least == format.most or not format.write(format.read(texts)).equals(texts)


def _stands_in(view: ColumnView, ids: Iterable[pa.Array]) -> bool:
    for known in ids:
        parts = [trimmed(one.column(0)).drop_null() for one in view.raw.batches([view.name])]
        if any(map(len, parts)) and all(pc.all(pc.is_in(one, value_set=known), min_count=0).as_py() for one in parts):
            return True
    return False

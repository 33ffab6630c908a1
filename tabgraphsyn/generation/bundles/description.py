"""What a bundle holds of the real data, in words."""

from __future__ import annotations

from collections.abc import Iterator

from tabgraphsyn.data.codec.listed import in_words
from tabgraphsyn.data.files import read_json
from tabgraphsyn.data.prepared import Prepared
from tabgraphsyn.generation.bundles.bundle import Bundle

_INTRODUCTION = (
    "This bundle was made from real data. It holds weights that were trained on it, and what follows.",
    "Keys: how many rows hang on each row, and which rows hang together; all key values are made anew.",
)


def described(bundle: Bundle) -> Iterator[str]:
    """Yield lines that say, table by table and column by column, what a bundle holds of the real data."""
    prepared, plan = bundle.prepared, bundle.prepared.plan
    yield from _INTRODUCTION
    for table in bundle.tables:
        yield ""
        yield f"{table}: made from {plan.training_rows[table]:,} of {plan.real_rows[table]:,} rows"
        published = prepared.reference(table)
        if published is not None:
            why = plan.published.get(table, "a lookup table of an older version")
            yield f"  REAL ROWS: {published.num_rows:,} rows with {', '.join(published.column_names)} ({why})"
        elif table in plan.published:
            yield f"  published ({plan.published[table]}), but none of its columns may be kept: ids, text or personal"
        if prepared.marginals(table) is not None:
            yield "  too small to learn from: shares of the values of each column by itself"
        for known in prepared.known(table).columns:
            yield f"  {known.column}: its value for each of {len(known.values):,} combinations of published rows"
        yield from (f"  {words}" for words in prepared.row_rules(table).in_words())
        yield from _columns(prepared, table)


def _columns(prepared: Prepared, table: str) -> Iterator[str]:
    raw = read_json(prepared.folder / prepared.CODEC / f"{table}.json")
    for one in raw["columns"]:
        yield f"  {one['name']}: {in_words(one['codec'])}"
    if not raw["columns"]:
        yield "  no columns besides keys"

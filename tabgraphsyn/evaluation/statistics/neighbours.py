"""The k nearest records of each row, without those of its own entity where that is asked for."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from tabgraphsyn.evaluation.statistics.distance import CHUNK_BYTES, MixedRows, distances
from tabgraphsyn.evaluation.statistics.own import Ordered, OwnRanks


def k_nearest(
    queries: MixedRows,
    records: MixedRows,
    k: int,
    *,
    threads: int = 1,
    query_entities: np.ndarray | None = None,
    record_entities: np.ndarray | None = None,
    own: OwnRanks | None = None,
) -> np.ndarray:
    """Return (queries, k) float32 distances, nearest first; infinite where there are fewer records.

    Args:
        queries: rows to look from.
        records: rows to look at.
        k: how many.
        threads: CPU threads.
        query_entities: (queries,) int64; with ``record_entities``, records of a row's own entity are left out.
        record_entities: (records,) int64.
        own: to measure in the ranks of others: ranks by the same entities, queries being rows of ``own.seen``; None as
            they are.
    """
    found = np.full((len(queries), k), np.inf, np.float32)
    if len(records) == 0:
        return found
    size = max(1, CHUNK_BYTES // (4 * len(records)))
    ordered, lone = (None, records) if own is None else (Ordered.of(records), own.lone(records))

    def look(part: np.ndarray) -> None:
        taken = queries.take(part)
        if own is None or ordered is None or query_entities is None:
            away = distances(taken, records)
        elif own.rows_of[query_entities[part[0]]] == 1:
            away = distances(MixedRows(taken.numbers + own.half, taken.codes), lone, own.half)
        else:
            away = distances(taken, ordered.seen_by(own, int(query_entities[part[0]])))
        if query_entities is not None and record_entities is not None:
            away[query_entities[part][:, None] == record_entities[None, :]] = np.inf
        kept = min(k, len(records))
        if kept < len(records):
            away = np.partition(away, kept - 1, axis=1)
        found[part, :kept] = np.sort(away[:, :kept], axis=1)

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(look, _parts(len(queries), size, query_entities, own)))
    return found


def _parts(rows: int, size: int, entities: np.ndarray | None, own: OwnRanks | None) -> Iterator[np.ndarray]:
    """Yield rows to look up together, (taken,) int64: entities of several rows each by itself."""
    alone = np.arange(rows)
    if own is not None and entities is not None:
        order = np.argsort(entities, kind="stable")
        is_several = own.rows_of[entities[order]] > 1
        alone, several = order[~is_several], order[is_several]
        begins = np.flatnonzero(np.diff(entities[several])) + 1
        for family in np.split(several, begins) if len(several) else ():
            yield from (family[start : start + size] for start in range(0, len(family), size))
    yield from (alone[start : start + size] for start in range(0, len(alone), size))

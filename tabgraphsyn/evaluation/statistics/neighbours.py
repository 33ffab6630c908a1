"""The k nearest records of each row, without those of its own entity where that is asked for."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from tabgraphsyn.evaluation.statistics.distance import CHUNK_BYTES, MixedRows, distances


def k_nearest(
    queries: MixedRows,
    records: MixedRows,
    k: int,
    *,
    threads: int = 1,
    query_entities: np.ndarray | None = None,
    record_entities: np.ndarray | None = None,
    own: np.ndarray | None = None,
) -> np.ndarray:
    """Return (queries, k) float32 distances, nearest first; infinite where there are fewer records.

    Args:
        queries: rows to look from.
        records: rows to look at.
        k: how many.
        threads: CPU threads.
        query_entities: (queries,) int64; with ``record_entities``, records of a row's own entity are left out.
        record_entities: (records,) int64.
        own: (n_num,) what is taken off a difference of numbers, None for nothing.
    """
    found = np.full((len(queries), k), np.inf, np.float32)
    if len(records) == 0:
        return found
    size = max(1, CHUNK_BYTES // (4 * len(records)))

    def look(start: int) -> None:
        part = np.arange(start, min(start + size, len(queries)))
        away = distances(queries.take(part), records, own)
        if query_entities is not None and record_entities is not None:
            away[query_entities[part][:, None] == record_entities[None, :]] = np.inf
        kept = min(k, len(records))
        if kept < len(records):
            away = np.partition(away, kept - 1, axis=1)
        found[part, :kept] = np.sort(away[:, :kept], axis=1)

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(look, range(0, len(queries), size)))
    return found

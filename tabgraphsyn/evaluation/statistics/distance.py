"""Distances between rows of mixed type, and who is nearest to whom.

Gower's distance: the mean over columns of the difference. Numbers are put on the scale of their rank among the real
values (0 to 1), so that no unit and no outlier rules; categories differ by 0 or 1; missing against present is 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from tabgraphsyn.evaluation.statistics.feature import Feature

# Distances are sums of float32 differences; two records count as equally near within this.
TIE = 1e-5
CHUNK_BYTES = 4 << 20


@dataclass(frozen=True)
class MixedRows:
    """Rows made ready for distances.

    Shape:
        numbers: (rows, n_num) float32 in 0 .. 1, -1 (far from all) never used: missing is a category of its own.
        codes: (rows, n_cat) int32.
    """

    numbers: np.ndarray
    codes: np.ndarray

    def __len__(self) -> int:
        return len(self.numbers)

    def take(self, rows: np.ndarray) -> MixedRows:
        """Return some rows, (taken,) int64."""
        return MixedRows(self.numbers[rows], self.codes[rows])

    @property
    def columns(self) -> int:
        """Number of columns a distance is the mean over."""
        return self.numbers.shape[1] + self.codes.shape[1]


@dataclass(frozen=True)
class Nearest:
    """Per candidate row, the nearest training and holdout records.

    Shape:
        to_training, second_training, to_holdout: (queries,) float32 distance; infinite where there is no record.
        ties_training, ties_holdout: (queries,) int64 records at the smaller of both distances.
        nearest_row: (queries,) int64 row of the real table that is nearest, ties drawn.
        query_rows: (queries,) int64 rows of the candidate that were looked up.

    Attributes:
        training_records: number of training records searched.
        holdout_records: number of holdout records searched.
        queries_of: rows the queries were drawn from.
    """

    to_training: np.ndarray
    second_training: np.ndarray
    to_holdout: np.ndarray
    ties_training: np.ndarray
    ties_holdout: np.ndarray
    nearest_row: np.ndarray
    query_rows: np.ndarray
    training_records: int
    holdout_records: int
    queries_of: int


def mixed_rows(reference: Sequence[Feature], other: Sequence[Feature]) -> tuple[MixedRows, MixedRows]:
    """Return both sets of rows on one scale, that of ``reference``."""
    return scaled_rows(reference, reference), scaled_rows(reference, other)


def scaled_rows(reference: Sequence[Feature], other: Sequence[Feature]) -> MixedRows:
    """Return the rows of ``other`` on the scale of ``reference``."""
    numbers = [
        _ranks(candidate.values, np.sort(real.values[~real.missing]))
        for real, candidate in zip(reference, other, strict=True)
        if real.kind != "categorical"
    ]
    codes = [candidate.values for real, candidate in zip(reference, other, strict=True) if real.kind == "categorical"]
    rows = len(other[0].values) if other else 0
    return MixedRows(_columns(numbers, rows, np.float32), _columns(codes, rows, np.int32))


def _ranks(values: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Return mid-ranks in 0 .. 1, with NaN for missing.

    Between two neighbouring values of ``known`` a value stands by its distance to both, so that one moved by a trifle
    stays near, however many rows share the value that it was. Outside the range of ``known`` values go on by their
    distance in ranges, at most 1 further.
    """
    if len(known) == 0:
        return np.where(np.isnan(values), np.nan, 0.0)
    distinct, ranks = mid_ranks(known)
    width = known[-1] - known[0]
    beyond = np.where(values < known[0], values - known[0], np.maximum(values - known[-1], 0.0))
    found = np.interp(values, distinct, ranks) + np.clip(beyond / width if width > 0 else np.sign(beyond), -1.0, 1.0)
    return np.where(np.isnan(values), np.nan, found)


def mid_ranks(known: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the distinct ones of ascending values and their mid-ranks in 0 .. 1, (distinct,) each.

    >>> mid_ranks(np.array([3.0, 3.0, 5.0, 9.0]))
    (array([3., 5., 9.]), array([0.25 , 0.625, 0.875]))
    """
    distinct, count = np.unique(known, return_counts=True)
    return distinct, (np.cumsum(count) - count / 2) / max(len(known), 1)


def _columns(columns: list[np.ndarray], rows: int, kind: type) -> np.ndarray:
    return np.ascontiguousarray(np.stack(columns, 1), dtype=kind) if columns else np.zeros((rows, 0), kind)


def distances(queries: MixedRows, records: MixedRows, own: np.ndarray | None = None) -> np.ndarray:
    """Return (queries, records) float32, the mean difference over the columns.

    Args:
        queries: rows to look from.
        records: rows to look at.
        own: (n_num,) what is taken off a difference of numbers, None for nothing.
    """
    total = np.zeros((len(queries), len(records)), np.float32)
    step = np.empty_like(total)
    for column in range(queries.numbers.shape[1]):
        left, right = queries.numbers[:, column], records.numbers[:, column]
        np.subtract(left[:, None], right[None, :], out=step)
        np.abs(step, out=step)
        if own is not None:
            np.maximum(step - own[column], 0.0, out=step)
        np.minimum(step, 1.0, out=step)
        absent_left, absent_right = np.isnan(left), np.isnan(right)
        if absent_left.any() or absent_right.any():
            step[absent_left] = 1.0
            step[:, absent_right] = 1.0
            step[np.ix_(absent_left, absent_right)] = 0.0
        total += step
    for column in range(queries.codes.shape[1]):
        total += queries.codes[:, column, None] != records.codes[None, :, column]
    return total / max(queries.columns, 1)


@dataclass(frozen=True)
class Found:
    """Per query the two smallest distances to records.

    Shape:
        first, second: (queries,) float32 distance; infinite where there are too few records.
        count: (queries,) int64 records at the smallest distance.
        at: (queries,) int64 one of those records, drawn; -1 where there is none or none was asked for.
    """

    first: np.ndarray
    second: np.ndarray
    count: np.ndarray
    at: np.ndarray


def search(
    queries: MixedRows,
    records: MixedRows,
    threads: int = 1,
    seed: int | None = None,
) -> Found:
    """Return the nearest records; with a ``seed`` also which one is nearest, ties drawn alike on any threads."""
    rows = len(queries)
    made = Found(
        first=np.full(rows, np.inf, np.float32),
        second=np.full(rows, np.inf, np.float32),
        count=np.zeros(rows, np.int64),
        at=np.full(rows, -1),
    )
    if len(records) == 0:
        return made
    size = max(1, CHUNK_BYTES // (4 * len(records)))

    def look(start: int) -> None:
        part = slice(start, min(start + size, rows))
        found = distances(queries.take(np.arange(part.start, part.stop)), records)
        if found.shape[1] > 1:
            found_two = np.partition(found, 1, axis=1)[:, :2]
            made.first[part], made.second[part] = found_two[:, 0], found_two[:, 1]
        else:
            made.first[part] = found[:, 0]
        is_nearest = found <= made.first[part, None] + TIE
        made.count[part] = is_nearest.sum(1)
        if seed is not None:
            made.at[part] = _drawn(is_nearest, made.count[part], np.random.default_rng([seed, start]))

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(look, range(0, rows, size)))
    return made


def _drawn(is_nearest: np.ndarray, count: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Return (rows,) int64: the column of one True per row, any of them with equal chance."""
    at = is_nearest.argmax(1)
    tied = np.flatnonzero(count > 1)
    if len(tied):
        wanted = generator.integers(0, count[tied])
        # The columns of all Trues stand row after row; each row's own begin where those of the rows above end.
        columns = np.nonzero(is_nearest[tied])[1]
        at[tied] = columns[np.cumsum(count[tied]) - count[tied] + wanted]
    return at


def two_nearest(queries: MixedRows, records: MixedRows, threads: int = 1) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return per query the smallest and second smallest distance to ``records``, and how many are at the smallest.

    Shape: three arrays (queries,). Distances are infinite where there are too few records.
    """
    found = search(queries, records, threads)
    return found.first, found.second, found.count


def sampled(rows: np.ndarray, cap: int, generator: np.random.Generator) -> np.ndarray:
    """Return at most ``cap`` of ``rows``, drawn without replacement, in order; (taken,) int64."""
    return rows if len(rows) <= cap else np.sort(generator.choice(rows, cap, replace=False))


def nearest_to_both(
    *,
    reference: Sequence[Feature],
    candidate: Sequence[Feature],
    training_rows: np.ndarray,
    holdout_rows: np.ndarray,
    candidate_is_holdout: bool,
    cap_queries: int,
    cap_records: int,
    generator: np.random.Generator,
    threads: int,
) -> Nearest:
    """Return the distances of candidate rows to training and to holdout records, (queries,) each.

    When records are capped, training and holdout are thinned by the same factor, so that their proportion stays. For
    the holdout itself as candidate only the distances to training are meaningful; those to the holdout are infinite.
    """
    # Held-out rows must not stand among those that their ranks count: no made row does.
    scale = [one.take(training_rows) for one in reference] if candidate_is_holdout else reference
    real, other = scaled_rows(scale, reference), scaled_rows(scale, candidate)
    share = min(1.0, cap_records / max(len(training_rows) + len(holdout_rows), 1))
    training = sampled(training_rows, max(1, round(share * len(training_rows))), generator)
    holdout = sampled(holdout_rows, max(1, round(share * len(holdout_rows))), generator)
    if candidate_is_holdout:
        holdout = holdout[:0]
    chosen = sampled(np.arange(len(other)), cap_queries, generator)
    queries = other.take(chosen)
    seed = int(generator.integers(2**31))
    to_training = search(queries, real.take(training), threads, seed)
    to_holdout = search(queries, real.take(holdout), threads, seed + 1)
    ties_training = np.where(to_training.first <= to_holdout.first + TIE, to_training.count, 0)
    ties_holdout = np.where(to_holdout.first <= to_training.first + TIE, to_holdout.count, 0)
    is_training = generator.random(len(chosen)) * (ties_training + ties_holdout) < ties_training
    # A thinned or empty side is never drawn from where it has no record.
    held = holdout[to_holdout.at] if len(holdout) else to_training.at
    return Nearest(
        to_training=to_training.first,
        second_training=to_training.second,
        to_holdout=to_holdout.first,
        ties_training=ties_training,
        ties_holdout=ties_holdout,
        nearest_row=np.where(is_training, training[to_training.at], held),
        query_rows=chosen,
        training_records=len(training),
        holdout_records=len(holdout),
        queries_of=len(other),
    )

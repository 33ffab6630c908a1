"""Finding sums: linear relations between numbers and times of a row, with plain factors.

Columns that add up lie in a plane. The planes are the directions in which the standardised columns do not vary (the
null space of their correlations); elimination gives each its fewest columns, and only plain factors are kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np

from tabgraphsyn.data.rules.operand import Operand, Term
from tabgraphsyn.data.rules.row_kinds import Total
from tabgraphsyn.data.rules.search import BY_CHANCE_MIN, Search

ROWS_MIN = 50
ROWS_PER_COLUMN = 3
TERMS_MAX = 60
PATTERNS_MAX = 24
_LARGEST, _FINEST = 1e150, 1e-12
#: Variance of a standardised combination that counts as none: exact sums, and sums of rounded parts.
_EXACT, _ROUNDED = 1e-11, 1e-6
UNITS = (1.0, 60.0, 3_600.0, 86_400.0, 604_800.0, 1e-6)
"""Seconds of the units that numbers beside times count; spans of time count in microseconds."""
_DIGITS_MAX, GROUP_MAX = 8, 12
"""Digits of a rate, and columns on one line that are held against each other."""
_DENOMINATORS = (1, 2, 3, 4, 5, 8, 10, 12, 100)


def find_sums(search: Search) -> Iterator[Total]:
    """Yield candidates for sums between own columns of a row."""
    columns = search.numeric(search.attributes)
    times = {one for one in columns if search.sample.is_time(search.table, one)}
    gaps = [one for one, values in columns.items() if np.isnan(values).any() and one not in times]
    if gaps:
        filled = {one: np.nan_to_num(values) for one, values in columns.items() if one not in times}
        for total in _relations(search.table, filled, set(), zeros=True):
            if total.result is not None and total.result not in gaps and set(total.operands) & set(gaps):
                yield total
    seen: set[frozenset[Operand]] = set()
    for names, rows in _patterns(columns):
        for total in _relations(search.table, {one: columns[one][rows] for one in names}, times, zeros=False):
            if frozenset(total.operands) not in seen:
                seen.add(frozenset(total.operands))
                yield total


def exact_groups(flags: Mapping[Operand, np.ndarray]) -> list[list[Operand]]:
    """Return groups of flags of which exactly one is set in each row."""
    columns = {one: values.astype(np.float64) for one, values in flags.items()}
    totals = _relations("", columns, set(), zeros=False)
    return [
        list(total.operands)
        for total in totals
        if total.result is None and total.constant == 1 and all(term.factor == 1 for term in total.terms)
    ]


def _patterns(columns: Mapping[Operand, np.ndarray]) -> Iterator[tuple[list[Operand], np.ndarray]]:
    """Yield groups of columns with the rows in which all of them are filled, one per pattern of missing values."""
    filled = {one: ~np.isnan(values) for one, values in columns.items()}
    patterns: dict[bytes, np.ndarray] = {}
    for mask in filled.values():
        patterns.setdefault(mask.tobytes(), mask)
    for mask in sorted(patterns.values(), key=lambda one: -int(one.sum()))[:PATTERNS_MAX]:
        yield [one for one, other in filled.items() if other[mask].all()], mask


def _relations(
    table: str, columns: Mapping[Operand, np.ndarray], times: set[Operand], *, zeros: bool
) -> Iterator[Total]:
    names = [one for one, values in columns.items() if len(values) >= ROWS_MIN and _can_be_scaled(values)]
    if len(names) < 2 or len(columns[names[0]]) < ROWS_PER_COLUMN * len(names):
        return
    data = np.stack([columns[one] for one in names], axis=1)
    middle, spread = data.mean(axis=0), data.std(axis=0)
    standard = (data - middle) / spread
    sizes, directions = np.linalg.eigh(standard.T @ standard / len(data))
    done: set[frozenset[int]] = set()
    for limit in (_EXACT, _ROUNDED):
        flat = directions[:, sizes <= limit].T
        if not len(flat):
            continue
        pairs: list[set[int]] = []
        for row in _sparse(flat):
            used = np.flatnonzero(np.abs(row) > 1e-3)
            if not 2 <= len(used) <= TERMS_MAX or frozenset(used.tolist()) in done:
                continue
            own = [names[i] for i in used]
            if len(own) == 2 and not times & set(own):
                pairs.append(set(used.tolist()))
                continue
            found = _total(table, own, row[used] / spread[used], data[:, used], times, zeros)
            if found is not None:
                done.add(frozenset(used.tolist()))
                yield found
        for total, each in _rates(table, names, data, joined(pairs), zeros):
            done.add(each)
            yield total


def joined(sets: Iterable[set[int]]) -> list[set[int]]:
    """Return sets joined where they share something.

    >>> joined([{1, 2}, {3, 4}, {2, 5}])
    [{3, 4}, {1, 2, 5}]
    """
    found: list[set[int]] = []
    for one in sets:
        touching = [each for each in found if each & one]
        found = [each for each in found if not each & one] + [set().union(one, *touching)]
    return found


def _rates(
    table: str, names: Sequence[Operand], data: np.ndarray, groups: Iterable[set[int]], zeros: bool
) -> Iterator[tuple[Total, frozenset[int]]]:
    """Yield relations of two columns that join the columns of each group, those with the plainest factors.

    A net price, its tax and their sum each follow from each other one, but only the rate of the net is a plain number.

    Shape:
        data is (rows, columns).
    """
    for group in groups:
        found = []
        for pair in combinations(sorted(group)[:GROUP_MAX], 2):
            total = _pair(table, [names[i] for i in pair], data[:, pair], zeros)
            if total is not None:
                found.append((len(f"{abs(total.terms[0].factor):.12g}".strip("0.")), pair, total))
        tied: list[set[int]] = []
        for _, pair, total in sorted(found, key=lambda one: one[0]):
            if not any(set(pair) <= each for each in tied):
                tied = joined([*tied, set(pair)])
                yield total, frozenset(pair)


def _pair(table: str, names: Sequence[Operand], data: np.ndarray, zeros: bool) -> Total | None:
    """Return what ties two numbers, whose rows lie on one line: plain factors, else a rate; data is (rows, 2)."""
    spread, middle = data.std(axis=0), data - data.mean(axis=0)
    sign = np.sign(middle[:, 0] @ middle[:, 1])
    found = _total(table, names, np.array([1.0, -sign]) / spread, data, set(), zeros)
    return found if found is not None else _rate(table, names, data, zeros)


def _can_be_scaled(values: np.ndarray) -> bool:
    """Return True where a column varies, and its squares stay within floats (1e308 does not)."""
    largest = float(np.abs(values).max())
    if not values.min() < values.max() or not largest < _LARGEST:
        return False
    # Numbers that differ in their last digits only have no direction that arithmetic could tell from noise.
    return float(values.std()) > largest * _FINEST


def _sparse(flat: np.ndarray) -> np.ndarray:
    """Return a basis of the same space with few entries a row: elimination, then what two rows share is removed."""
    pivots: list[int] = []
    basis = flat.copy()
    for row in range(len(basis)):
        weights = np.abs(basis[row:]).copy()
        weights[:, pivots] = 0
        at, column = np.unravel_index(int(weights.argmax()), weights.shape)
        other = row + int(at)
        basis[[row, other]] = basis[[other, row]]
        basis[row] /= basis[row, column]
        pivots.append(int(column))
        others = np.arange(len(basis)) != row
        basis[others] -= np.outer(basis[others, column], basis[row])
    basis[np.abs(basis) < 1e-5] = 0
    for _ in range(3):
        for one in range(len(basis)):
            for other in range(len(basis)):
                if one != other:
                    basis[one] = _shorter(basis[one], basis[other])
    return basis


def _shorter(row: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return ``row`` less a multiple of ``other`` where that leaves fewer entries."""
    shared = np.flatnonzero((np.abs(row) > 1e-5) & (np.abs(other) > 1e-5))
    best = row
    for column in shared:
        less = row - other * (row[column] / other[column])
        less[np.abs(less) < 1e-5] = 0
        if 2 <= np.count_nonzero(less) < np.count_nonzero(best):
            best = less
    return best


def _total(
    table: str, names: Sequence[Operand], factors: np.ndarray, data: np.ndarray, times: set[Operand], zeros: bool
) -> Total | None:
    """Return the sum that some factors make, None where they are not plain ones."""
    factors = factors / np.abs(factors).min()
    has_time = bool(times & set(names))
    if has_time:
        own = np.array([one in times for one in names])
        factors = factors / np.abs(factors[own]).max()
        plain = np.array([_nearest_unit(value) for value in factors])
        if abs(plain[own].sum()) > 1e-9:  # a sum of two dates has no meaning
            return None
    else:
        if len(names) > 2 and np.abs(np.abs(factors) - np.abs(factors[0])).max() > 1e-3 and len(names) > 8:
            return None
        plain = np.array([_plain(value) for value in factors])
    if np.isnan(plain).any() or (np.abs(factors - plain) > 2e-3 * np.abs(plain)).any():
        return None
    at = _result_of(plain, [one in times for one in names])
    whole = data @ plain
    constant = float(np.median(whole))
    off = float(np.abs(whole - constant).max())
    if at is None:
        unit = 10.0 ** -decimals_of(data)
        constant = round(constant / unit) * unit + 0.0
        off = float(np.abs(whole - constant).max())
        terms = tuple(Term(one, float(value)) for one, value in zip(names, plain, strict=True))
        return _tight(Total(table=table, terms=terms, constant=float(f"{constant:.12g}"), is_time=has_time), off, data)
    plain = plain / plain[at]
    terms = tuple(
        Term(one, float(f"{-value:.12g}")) for i, (one, value) in enumerate(zip(names, plain, strict=True)) if i != at
    )
    whole = data @ plain
    decimals = decimals_of(data[:, at])
    constant = round(float(np.median(whole)), max(decimals, 6)) + 0.0
    off = float(np.abs(whole - constant).max())
    if abs(constant) <= 0.51 * 10.0**-decimals and off > 1e-9 * max(1.0, float(np.abs(data[:, at]).max())):
        constant, off = 0.0, float(np.abs(whole).max())
    total = Total(table=table, terms=terms, result=names[at], constant=constant, nulls_are_zero=zeros, is_time=has_time)
    return _tight(total, off, data[:, [at]])


def _result_of(plain: np.ndarray, is_time: Sequence[bool]) -> int | None:
    """Return the place of the column that the others add up to, None where all count alike: a fixed total."""
    if any(is_time):
        return next(i for i in range(len(plain) - 1, -1, -1) if is_time[i])
    positive, negative = np.flatnonzero(plain > 0), np.flatnonzero(plain < 0)
    if not len(positive) or not len(negative):
        return None
    rarer = positive if len(positive) < len(negative) else negative
    if len(plain) == 2:
        return int(np.abs(plain).argmin()) if abs(plain[0]) != abs(plain[1]) else 1
    return int(rarer[-1]) if len(rarer) == 1 else int(rarer[np.abs(plain[rarer]).argmin()])


def _tight(total: Total, off: float, data: np.ndarray) -> Total | None:
    """Return the sum with its tolerance, None where it is looser than rounding explains."""
    unit, size = 10.0 ** -decimals_of(data), max(1.0, float(np.abs(data).max()))
    if off <= max(1e-9 * size, 1e-3 * unit):
        allowed = max(1e-9 * size, 1e-2 * unit)
    elif off <= 0.5001 * unit and unit < 0.02 * float(data.std(axis=0).min()):
        allowed = 0.5001 * unit
    else:
        return None
    return replace(total, tolerance=float(f"{allowed:.6g}"))


def decimals_of(values: np.ndarray) -> int:
    """Return how many decimals numbers are written with, at most 9; values are (rows,), NaN for none.

    >>> decimals_of(np.array([1.5, np.nan, 2.25]))
    2
    """
    some = values[~np.isnan(values)][:2_000]
    for decimals in range(9):
        if np.abs(some - np.round(some, decimals)).max(initial=0) <= 1e-7 * 10.0**-decimals * max(
            1.0, np.abs(some).max(initial=0) * 1e-6
        ):
            return decimals
    return 9


def _plain(value: float) -> float:
    """Return the nearest ratio of small numbers, NaN where none is near."""
    for below in _DENOMINATORS:
        whole = round(value * below)
        if whole and abs(whole) <= 1_000 and abs(value * below - whole) <= 1e-3 * max(abs(whole), 1) * 0.5:
            return whole / below
    return float("nan")


def _rate(table: str, names: Sequence[Operand], data: np.ndarray, zeros: bool) -> Total | None:
    """Return one of two columns as the other at a rate, rounded or not, of as few digits as do: a tax of 12.5 %.

    Shape:
        data is (rows, 2).
    """
    middle = data - data.mean(axis=0)
    for digits in range(1, _DIGITS_MAX + 1):
        for own, other in ((1, 0), (0, 1)):
            slope = (middle[:, 0] @ middle[:, 1]) / (middle[:, other] @ middle[:, other])
            factor = float(f"{slope:.{digits}g}")
            rest = data[:, own] - factor * data[:, other]
            constant = round(float(np.median(rest)), decimals_of(data[:, own])) + 0.0
            terms = (Term(names[other], factor),)
            total = Total(table=table, terms=terms, result=names[own], constant=constant, nulls_are_zero=zeros)
            found = _tight(total, float(np.abs(rest - constant).max()), data[:, [own]])
            if found is not None:
                return found
    return None


def _nearest_unit(value: float) -> float:
    """Return a unit of time in seconds where the factor is one, NaN elsewhere."""
    for unit in UNITS:
        if abs(abs(value) - unit) <= 1e-3 * unit:
            return float(np.sign(value) * unit)
    return float("nan")


def is_worthwhile(total: Total, columns: Mapping[Operand, np.ndarray]) -> bool:
    """Return whether a sum of two columns says more than that one fixes the other: the result has several values.

    Shape:
        columns are (rows,).
    """
    if len(total.operands) > 2:
        return True
    values = columns[total.operands[0]]
    return len(np.unique(values[~np.isnan(values)])) >= 5 and len(values) >= BY_CHANCE_MIN

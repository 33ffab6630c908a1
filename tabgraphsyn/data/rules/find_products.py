"""Finding longer products: one factor or two with a share that is taken off or put on, and three factors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np

from tabgraphsyn.data.rules.find_pairs import LEVELS_MIN, fitted, levels_of, plain_numbers
from tabgraphsyn.data.rules.find_sums import decimals_of
from tabgraphsyn.data.rules.operand import Operand
from tabgraphsyn.data.rules.row_kinds import Product, Same, Total
from tabgraphsyn.data.rules.rule import Rule
from tabgraphsyn.data.rules.search import BY_CHANCE_MIN, Search

THREE_MAX = 20
"""Numbers of a table of which threes are tried."""


def find_longer_products(search: Search, told: Iterable[Rule]) -> Iterator[Product]:
    """Yield candidates for own numbers that no sum or product tells yet: with a share, then of three factors.

    A share (a discount, a tax) lies between 0 and 1, or between 0 and 100.
    """
    told = list(told)
    done = {one.result for one in told if isinstance(one, Product | Total)}
    same = {one.right for one in told if isinstance(one, Same)}
    numbers = plain_numbers(search, [*search.attributes, *search.inherited], same)
    results = [one for one, each in numbers.items() if one.is_own and one not in done and levels_of(each) >= LEVELS_MIN]
    if not results:
        return
    few = {one: values[search.glance] for one, values in numbers.items()}
    wanted = np.stack([few[one] for one in results])
    units = np.array([10.0 ** -decimals_of(numbers[one]) for one in results])
    for rule in _candidates(search.table, results, few, wanted, units):
        unit = units[results.index(rule.result)]
        found = fitted(rule, float(unit), numbers)
        if found is not None:
            yield found


def _candidates(
    table: str, results: Sequence[Operand], few: Mapping[Operand, np.ndarray], wanted: np.ndarray, units: np.ndarray
) -> Iterator[Product]:
    """Yield products that hold in a few rows.

    Shape:
        few: (rows,) each; wanted: (results, rows); units: (results,).
    """
    shares = [(one, whole) for one, values in few.items() if (whole := _whole(values)) is not None]
    least = min(BY_CHANCE_MIN, wanted.shape[1])
    loose = (0.5001 * units + 1e-12 * np.nanmax(np.abs(wanted), axis=1))[:, None]
    for size in (1, 2) if shares else ():
        for factors in combinations(few, size):
            product = np.prod([few[one] for one in factors], axis=0)
            # With any share the result lies between nothing and twice the product.
            within = ~(np.abs(wanted - product) > np.abs(product) + loose).any(axis=1)
            within &= [any(one.is_own for one in factors) and result not in factors for result in results]
            if not within.any():
                continue
            for share, whole in shares:
                for sign in (-1.0, 1.0):
                    value = product * (1 + sign * few[share] / whole)
                    for at in np.flatnonzero(within & _fits(wanted, value, loose, least)).tolist():
                        if share not in (result := results[at], *factors):
                            rule = Product(table=table, result=result, factors=factors, share=share, whole=whole)
                            yield replace(rule, adds=sign > 0)
    for factors in combinations(few, 3) if len(few) <= THREE_MAX else ():
        product = np.prod([few[one] for one in factors], axis=0)
        for at in np.flatnonzero(_fits(wanted, product, loose, least)).tolist():
            if results[at] not in factors and any(one.is_own for one in factors):
                yield Product(table=table, result=results[at], factors=factors)


def _fits(wanted: np.ndarray, value: np.ndarray, loose: np.ndarray, least: int) -> np.ndarray:
    """Return (results,) bool: which results a value is, in at least so many rows.

    Shape:
        wanted: (results, rows); value: (rows,); loose: (results, 1).
    """
    off = np.abs(wanted - value)
    return ~(off > loose).any(axis=1) & ((~np.isnan(off)).sum(axis=1) >= least)


def _whole(values: np.ndarray) -> float | None:
    """Return of which whole numbers could be shares, 1 or 100, None for neither; values are (rows,)."""
    if np.isnan(values).all():
        return None
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    if low < 0 or high > 100:
        return None
    return 1.0 if high <= 1 else 100.0

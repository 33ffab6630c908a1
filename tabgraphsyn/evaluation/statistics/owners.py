"""Categories that name rather than describe: a customer's number where no table holds the customers, an order's."""

from __future__ import annotations

import numpy as np

from tabgraphsyn.data.codes import tuple_codes
from tabgraphsyn.evaluation.statistics.feature import Feature

HOLDERS = 5
"""Entities that must hold a value before it is one of a population, as generators take it, and no name."""


def shared_share(feature: Feature, entities: np.ndarray, holders: int = HOLDERS) -> float:
    """Return the share of the rows with a value whose value rows of so many entities have; 1 where none has one.

    Args:
        feature: a category.
        entities: (rows,) int64.
        holders: entities, the row's own among them.

    >>> category = Feature("c", "categorical", np.array([0, 0, 1, 1, 2, -1]), 3)
    >>> shared_share(category, np.array([7, 7, 7, 8, 8, 9]), holders=2)
    0.4
    """
    there = ~feature.missing
    codes, owners = feature.values[there], entities[there]
    if len(codes) == 0:
        return 1.0
    return float((held_by(codes.astype(np.int64), owners)[codes] >= holders).mean())


def held_by(codes: np.ndarray, entities: np.ndarray) -> np.ndarray:
    """Return (levels,) int64: how many entities hold each value; both arguments are (rows,) int64, codes from 0.

    >>> held_by(np.array([0, 0, 1, 1, 1]), np.array([7, 7, 7, 8, 9])).tolist()
    [1, 3]
    """
    _, first = np.unique(tuple_codes([codes, entities], is_missing=False), return_index=True)
    return np.bincount(codes[first], minlength=int(codes.max(initial=-1)) + 1)


def presence(feature: Feature) -> Feature:
    """Return whether there is a value, as a category of one level."""
    return Feature(f"{feature.name} (there)", "categorical", np.where(feature.missing, -1, 0).astype(np.int32), 1)

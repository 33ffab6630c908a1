"""Categories that say whose a row is: a customer's number where no table holds the customers."""

from __future__ import annotations

import numpy as np

from tabgraphsyn.evaluation.statistics.feature import Feature


def shared_share(feature: Feature, entities: np.ndarray) -> float:
    """Return the share of the rows with a value whose value a row of another entity has, too; 1 where none has one.

    Args:
        feature: a category.
        entities: (rows,) int64.

    >>> category = Feature("c", "categorical", np.array([0, 0, 1, 1, 2, -1]), 3)
    >>> shared_share(category, np.array([7, 7, 7, 8, 8, 9]))
    0.4
    """
    there = ~feature.missing
    codes, owners = feature.values[there], entities[there]
    if len(codes) == 0:
        return 1.0
    lowest = np.full(int(codes.max()) + 1, owners.max())
    highest = np.full(len(lowest), owners.min())
    np.minimum.at(lowest, codes, owners)
    np.maximum.at(highest, codes, owners)
    return float((lowest < highest)[codes].mean())


def presence(feature: Feature) -> Feature:
    """Return whether there is a value, as a category of one level."""
    return Feature(f"{feature.name} (there)", "categorical", np.where(feature.missing, -1, 0).astype(np.int32), 1)

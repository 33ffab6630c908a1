"""Normalised numbers on the scale of their values: what two delays share is a difference, not a quantile."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

from tabgraphsyn.data.codec import TableCodec
from tabgraphsyn.data.codec.numerical import NumericalCodec
from tabgraphsyn.data.layout import EncodedTable

POINTS = 129
REACH = 4.2
"""The scale is linear between ``POINTS`` points from ``-REACH`` to ``REACH``, and its slope is never 0."""
LEAST_SLOPE = 1e-3


def scales(codec: TableCodec, table: EncodedTable) -> np.ndarray:
    """Return each number's value, standardised over the training rows, at the points: (n_num, POINTS) float32.

    Args:
        codec: knows the value of a normalised number.
        table: training rows.
    """
    known = {name: one for column in codec.columns.values() for name, one in _values(column)}
    points = np.linspace(-REACH, REACH, POINTS)
    found = np.empty((len(codec.layout.numerical), POINTS), dtype=np.float32)
    for number, field in enumerate(codec.layout.numerical):
        middle = np.asarray(table.numerical[:, number], dtype=np.float64).mean(axis=1)
        if field.gate is not None:
            middle = middle[np.asarray(table.categorical[:, field.gate]) == 0]
        value = known.get(field.name)
        found[number] = _scale(points, middle, value) if value is not None and len(middle) > 1 else points
    return found


def _scale(points: np.ndarray, middle: np.ndarray, value: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    place = np.unique(middle)
    # Through the middles of ties: the scale climbs evenly where values are whole numbers.
    at_place = np.maximum.accumulate(value(place))
    rows = value(middle)
    deviation = float(rows.std()) or 1.0
    scaled = (np.interp(points, place, at_place) - rows.mean()) / deviation
    return scaled + LEAST_SLOPE * points


def _values(codec: Any) -> list[tuple[str, Callable[[np.ndarray], np.ndarray]]]:
    """Return field name -> map to values, of the numbers inside a column's codec."""
    if isinstance(codec, NumericalCodec):
        return [(codec.column, codec.normalisation.value)]
    if not is_dataclass(codec):
        return []
    return [pair for one in fields(codec) for pair in _values(getattr(codec, one.name))]

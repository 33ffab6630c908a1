"""Normalised numbers on the scale of their values: what two delays share is a difference, not a quantile.

Where a number shares more with the others as a logarithm (a product, a humidity), its scale is that of its logarithm.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

from tabgraphsyn.data.codec import TableCodec
from tabgraphsyn.data.codec.numerical import NumericalCodec
from tabgraphsyn.data.layout import EncodedTable
from tabgraphsyn.models.absorbing.numbers.companions import LEAST_ROWS, RIDGE, WHOLE_SHARE

POINTS = 129
REACH = 4.2
"""The scale is linear between ``POINTS`` points from ``-REACH`` to ``REACH``, and its slope is never 0."""
LEAST_SLOPE = 1e-3
LEAST_GAIN = 0.1
"""By how much the numbers of a row must share more (in nats), before one is taken as its logarithm."""
MEASURED = 20_000
"""Rows by which that is found out, at most."""


def scales(codec: TableCodec, table: EncodedTable) -> np.ndarray:
    """Return each number's value, standardised over the training rows, at the points: (n_num, POINTS) float32.

    Args:
        codec: knows the value of a normalised number.
        table: training rows; fields after those of the codec are on the scale they have.
    """
    known = values_of(codec)
    points = np.linspace(-REACH, REACH, POINTS)
    numbers = [
        np.asarray(table.numerical[:, n], dtype=np.float64).mean(axis=1) for n in range(len(codec.layout.numerical))
    ]
    there = [
        np.ones(table.rows, dtype=bool) if field.gate is None else np.asarray(table.categorical[:, field.gate]) == 0
        for field in codec.layout.numerical
    ]
    maps = [known.get(field.name) for field in codec.layout.numerical]
    maps = _logarithms(numbers, there, maps)
    found = np.empty((len(numbers), POINTS), dtype=np.float32)
    for number, (middle, has, value) in enumerate(zip(numbers, there, maps, strict=True)):
        found[number] = _scale(points, middle[has], value) if value is not None and has.sum() > 1 else points
    hidden = table.numerical.shape[1] - len(numbers)
    return np.concatenate([found, np.tile(points.astype(np.float32), (hidden, 1))])


Map = Callable[[np.ndarray], np.ndarray]


def _logarithms(numbers: list[np.ndarray], there: list[np.ndarray], maps: list[Map | None]) -> list[Map | None]:
    """Return the maps to values, of some numbers to their logarithms: one after another while numbers share more."""
    known = {n: one for n, one in enumerate(maps) if one is not None}
    if len(known) < 2:
        return maps
    whole = np.flatnonzero(np.all([there[n] for n in known], axis=0))
    if len(whole) < max(LEAST_ROWS, WHOLE_SHARE * len(there[0])):
        return maps
    rows = whole[:: -(-len(whole) // MEASURED)]
    values = {n: one(numbers[n][rows]) for n, one in known.items()}
    shared, chosen = _shared(values), set[int]()
    while True:
        tries = {n: {**values, n: np.log(own)} for n, own in values.items() if n not in chosen and own.min() > 0}
        gains = {n: _shared(tried) - shared for n, tried in tries.items()}
        best = max(gains, key=lambda n: gains[n], default=None)
        if best is None or gains[best] < LEAST_GAIN:
            return [_log(one) if one is not None and n in chosen else one for n, one in enumerate(maps)]
        values, shared = tries[best], shared + gains[best]
        chosen.add(best)


def _log(value: Map) -> Map:
    return lambda number: np.log(np.maximum(value(number), np.finfo(np.float64).tiny))


def _shared(values: Mapping[int, np.ndarray]) -> float:
    """Return what numbers share, in nats, as if all were jointly normal: minus half the log determinant.

    Shape:
        values: (rows,) each.
    """
    varied = [own for own in map(_sized, values.values()) if own.std() > 0]
    if len(varied) < 2:
        return 0.0
    return float(-0.5 * np.log(np.maximum(np.linalg.eigvalsh(np.corrcoef(varied)), RIDGE)).sum())


def _sized(values: np.ndarray) -> np.ndarray:
    """Return values of size 1 at most: squares of 1e300 have no place in a float, those of 1e-300 are 0."""
    finite = np.nan_to_num(values)  # between two numbers of 1e308 lies one that no float holds
    largest = float(np.abs(finite).max(initial=0.0))
    return finite / largest if largest > 0 else finite


def values_of(codec: TableCodec) -> dict[str, Map]:
    """Return field -> map from normalised numbers, (n,), to values, of the numbers that have one."""
    return {name: one for column in codec.columns.values() for name, one in _values(column)}


def _scale(points: np.ndarray, middle: np.ndarray, value: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    place, row = np.unique(middle, return_inverse=True)
    # Through the middles of ties: the scale climbs evenly where values are whole numbers.
    own = _sized(value(place))
    at_place, rows = np.maximum.accumulate(own), own[row]
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

"""Columns as metrics see them: numbers with NaN for missing, or codes with -1 for missing.

Real and synthetic values of a categorical column share one code book, so equal codes mean equal values; a category
that the real data does not have gets a code of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tabgraphsyn.data.schema import Column, Schema

FEATURE_TYPES: Mapping[str, Literal["numerical", "categorical"]] = {
    "numerical": "numerical",
    "datetime": "numerical",
    "categorical": "categorical",
    "boolean": "categorical",
}

# Squares and float32 copies of what metrics look at stay finite; numbers beyond count as this one.
LARGEST = 1e30


@dataclass(frozen=True)
class Feature:
    """One column.

    Attributes:
        name: its name.
        kind: ``numerical`` (datetimes count as numbers, in seconds) or ``categorical``.
        values: (rows,) float64 with NaN for missing, or int32 codes with -1 for missing.
        levels: number of codes over real and synthetic; 0 for numbers.
        note: what had to be done to read the values, empty when nothing.
    """

    name: str
    kind: Literal["numerical", "categorical"]
    values: np.ndarray
    levels: int = 0
    note: str = ""

    @cached_property
    def missing(self) -> np.ndarray:
        """Return (rows,) bool: where the value is missing."""
        return np.isnan(self.values) if self.kind == "numerical" else self.values < 0

    def take(self, rows: np.ndarray) -> Feature:
        """Return the feature of some rows, (taken,) int64."""
        return Feature(self.name, self.kind, self.values[rows], self.levels, self.note)

    @cached_property
    def as_number(self) -> np.ndarray:
        """Return (rows,) float64: codes as numbers, NaN where missing."""
        if self.kind == "numerical":
            return self.values
        return np.where(self.values < 0, np.nan, self.values.astype(np.float64))


Features = Mapping[str, Feature]


def scored_columns(schema: Schema, table: str) -> list[Column]:
    """Return the columns of ``table`` that metrics look at: no part of a key, and neither ids nor free text."""
    names = schema.attribute_columns(table)
    columns = (schema.table(table).column(name) for name in names)
    return [column for column in columns if column.sdtype in FEATURE_TYPES]


def feature_pair(
    column: Column, real: pa.ChunkedArray, synthetic: pa.ChunkedArray | None, synthetic_rows: int
) -> tuple[Feature, Feature]:
    """Return one column of the real and of the synthetic table, read alike; (rows,) each.

    A synthetic column that is absent, or whose values cannot be read as the real type, becomes all missing: every
    metric then scores it as the failure it is, and ``note`` says why.
    """
    note = ""
    if synthetic is None:
        synthetic, note = pa.chunked_array([pa.nulls(synthetic_rows, real.type)]), "absent from the synthetic table"
    if FEATURE_TYPES[column.sdtype] == "numerical":
        left, _ = _numbers(real)
        right, problem = _numbers(synthetic)
        return Feature(column.name, "numerical", left), Feature(column.name, "numerical", right, note=note or problem)
    left, right, levels = _codes(real, synthetic)
    return (
        Feature(column.name, "categorical", left, levels),
        Feature(column.name, "categorical", right, levels, note),
    )


def _numbers(values: pa.ChunkedArray) -> tuple[np.ndarray, str]:
    kind, note = values.type, ""
    scale = 1.0
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        values, scale = values.cast(pa.timestamp("us")).cast(pa.int64()), 1e-6
    elif not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)):
        try:
            values = values.cast(pa.float64())
        except pa.ArrowInvalid as error:
            note = f"{kind} where numbers are expected: {str(error)[:120]}"
            values = pa.chunked_array([pa.nulls(len(values), pa.float64())])
        except pa.ArrowNotImplementedError:
            note = f"{kind} where numbers are expected"
            values = pa.chunked_array([pa.nulls(len(values), pa.float64())])
    if pa.types.is_boolean(values.type):
        values = values.cast(pa.int8())
    numbers = values.cast(pa.float64(), safe=False).to_numpy() * scale
    infinite = np.isinf(numbers)
    if infinite.any():
        note = f"{int(infinite.sum())} infinite values read as missing"
        numbers = np.where(infinite, np.nan, numbers)
    beyond = np.abs(numbers) > LARGEST
    if beyond.any():
        note = f"{int(beyond.sum())} values beyond {LARGEST:g} read as {LARGEST:g}"
        numbers = np.clip(numbers, -LARGEST, LARGEST)
    return numbers, note


def _codes(real: pa.ChunkedArray, synthetic: pa.ChunkedArray) -> tuple[np.ndarray, np.ndarray, int]:
    real, synthetic = _common_type(_plain(real), _plain(synthetic))
    both = pa.chunked_array([*real.chunks, *synthetic.chunks], type=real.type).combine_chunks()
    encoded = pc.dictionary_encode(both)
    order = pc.sort_indices(encoded.dictionary).to_numpy() if len(encoded.dictionary) else np.zeros(0, np.int64)
    rank = np.empty(len(order) + 1, np.int32)
    rank[order] = np.arange(len(order), dtype=np.int32)
    rank[-1] = -1
    codes = rank[pc.fill_null(encoded.indices, -1).to_numpy(zero_copy_only=False)]
    return codes[: len(real)], codes[len(real) :], len(order)


def _plain(values: pa.ChunkedArray) -> pa.ChunkedArray:
    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    if pa.types.is_floating(values.type):
        values = pc.if_else(pc.is_nan(values), pa.scalar(None, values.type), values)
    if pa.types.is_null(values.type):
        values = values.cast(pa.string())
    return values


def _common_type(real: pa.ChunkedArray, synthetic: pa.ChunkedArray) -> tuple[pa.ChunkedArray, pa.ChunkedArray]:
    if real.type == synthetic.type:
        return real, synthetic
    numeric = [pa.types.is_integer(side.type) or pa.types.is_floating(side.type) for side in (real, synthetic)]
    if pa.types.is_boolean(real.type) and numeric[1]:
        return real, pc.not_equal(synthetic, 0)
    target = pa.float64() if all(numeric) else pa.string()
    return real.cast(target, safe=False), synthetic.cast(target, safe=False)

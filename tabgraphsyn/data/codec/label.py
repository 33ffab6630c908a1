"""Columns in which nearly every row has a value of its own: names of airports, titles."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tabgraphsyn.data.codec.column import Draw
from tabgraphsyn.data.codec.identifier import UnmodelledCodec
from tabgraphsyn.data.codec.levels import Levels

DISTINCT_SHARE = 0.9
ROWS_MIN = 10
_SHUFFLE_SEED = 0


@dataclass(frozen=True)
class LabelCodec(UnmodelledCodec):
    """Values dealt out one by one, in a shuffled order: no field, since a name says nothing about other rows.

    As a category it would be the row's number in disguise, and everything that sees it would learn rows by heart.

    Attributes:
        labels: the training values, as often as they occur.
    """

    kind = "label"
    labels: Levels

    @staticmethod
    def fits(rows: int, distinct: int) -> bool:
        """Return True for a column of ``rows`` values of which ``distinct`` differ that is nearly unique."""
        return rows >= ROWS_MIN and distinct >= DISTINCT_SHARE * rows

    @staticmethod
    def fit(column: str, distinct: pa.Array, counts: np.ndarray) -> LabelCodec:
        """Return the codec of a column from its distinct values (null among them) and how often each occurs."""
        is_value = pc.is_valid(distinct).to_numpy(zero_copy_only=False)
        repeated = np.repeat(np.flatnonzero(is_value), counts[is_value])
        shuffled = np.random.default_rng(_SHUFFLE_SEED).permutation(repeated)
        return LabelCodec(column, not is_value.all(), Levels.of(distinct.take(pa.array(shuffled, pa.int64()))))

    def decode(self, numerical: np.ndarray, categorical: np.ndarray, draw: Draw) -> pa.Array:
        """Return the column's values."""
        dealt = self.labels.take((draw.first_row + np.arange(len(categorical))) % len(self.labels))
        return pc.if_else(pa.array(~self._nulls(categorical)), dealt, pa.scalar(None, dealt.type))

    def to_dict(self) -> dict[str, Any]:
        """Return the json form."""
        labels = self.labels.to_dict()
        return {"kind": self.kind, "column": self.column, "has_missing": self.has_missing, "labels": labels}

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> LabelCodec:
        """Read the form that ``to_dict`` writes."""
        return cls(column=raw["column"], has_missing=raw["has_missing"], labels=Levels.from_dict(raw["labels"]))

"""The training values of one column, as codecs look at them when they are asked whether they suit it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tabgraphsyn.data.codec.config import CodecConfig
from tabgraphsyn.data.codec.training_rows import TrainingRows
from tabgraphsyn.data.counts import ValueCounts
from tabgraphsyn.data.schema import Column

NAMED_SHARE = 0.5
"""Share of the rows that hold a value which enough entities hold, at least, where a column becomes a category."""
SPACED_SHARE = 0.3
Nature = Literal["key", "code", "text", "phrase", "number", "category"]


@dataclass(frozen=True)
class TrainingSeries:
    """One column of some training rows; what is read of it is read when first asked for, and once.

    Attributes:
        rows: of the table.
        column: name, meaning and format.
        config: settings of all codecs.
    """

    rows: TrainingRows
    column: Column
    config: CodecConfig

    @property
    def name(self) -> str:
        """Column name."""
        return self.column.name

    @cached_property
    def _examples(self) -> tuple[pa.ChunkedArray, np.ndarray | None]:
        return self.rows.examples(self.name)

    @property
    def sample(self) -> pa.ChunkedArray:
        """At most a million values, evenly spaced, (rows,)."""
        return self._examples[0]

    @cached_property
    def sample_counts(self) -> ValueCounts:
        """The distinct values of the sample."""
        return ValueCounts.of(*self._examples)

    @cached_property
    def whole(self) -> pa.Array:
        """All values in one piece, (rows,)."""
        return self.rows.whole(self.name)

    @cached_property
    def counts(self) -> ValueCounts:
        """The distinct values of all rows."""
        return self.rows.counts(self.name)

    @cached_property
    def nature(self) -> Nature:
        """What a column that names nobody is: by what it means, and of categories by how many rows share a value.

        A column that holds each value once is made anew, as ids are. A category most of whose values few entities hold
        cannot be named: it is taken for codes, for phrases, or for the numbers that it consists of.
        """
        column = self.column
        is_alternate = self.name in self.rows.table.schema.alternate_keys
        if column.sdtype == "id" or (is_alternate and not column.pii):
            return "key"
        if column.sdtype == "text" or (column.pii and column.sdtype == "categorical"):
            return "text"
        if column.sdtype in ("numerical", "datetime"):
            return "number"
        kind = self.counts.distinct.type
        # Of a boolean both may be said: two values tell nothing of anybody.
        if self.is_named or pa.types.is_boolean(kind):
            return "category"
        if pa.types.is_floating(kind) or pa.types.is_temporal(kind):
            return "number"
        return "code" if pa.types.is_integer(kind) or not _is_spaced(self.counts.distinct) else "phrase"

    @cached_property
    def is_named(self) -> bool:
        """True where some values, and those of most rows, may be named."""
        least = self.config.min_entities
        return bool(self.counts.held_by(least).any()) and named_share(self.counts, least) >= NAMED_SHARE


def named_share(counts: ValueCounts, min_entities: int) -> float:
    """Return the share of the filled rows whose value enough entities hold."""
    total = counts.counts.sum()
    return float(counts.counts[counts.held_by(min_entities)].sum() / total) if total else 1.0


def _is_spaced(texts: pa.Array) -> bool:
    inside = pc.match_substring(pc.utf8_trim_whitespace(texts), " ")
    return float(pc.mean(pc.cast(inside, pa.float64())).as_py() or 0.0) >= SPACED_SHARE

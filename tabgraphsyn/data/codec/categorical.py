"""Columns of categories, and of constants."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tabgraphsyn.data.codec.column import ColumnCodec, Draw, EncodedColumn, empty_fields
from tabgraphsyn.data.codec.levels import Levels
from tabgraphsyn.data.codec.series import TrainingSeries
from tabgraphsyn.data.counts import ValueCounts
from tabgraphsyn.data.layout import CategoricalField
from tabgraphsyn.data.untrusted import Count, Name
from tabgraphsyn.errors import DataError, listing


@dataclass(frozen=True)
class CategoricalCodec(ColumnCodec):
    """One field; each value (and missing, where it occurs) is a level, rare values share the last one.

    A value that few entities hold stands nowhere here: a number or a time counts as the nearest one that has a level,
    any other value shares the last level, and decoding draws one of the others in its place.

    Attributes:
        column: column name, also the field's.
        levels: values with a level of their own.
        rare: values that share one level.
        rare_counts: how often each rare value occurs; decoding draws one by these.
        level_counts: how often each level occurs, where the last level is drawn from the others; else empty.
        merged_values: values that few entities hold.
        merged_rows: training rows that held one of them.
    """

    kind = "categorical"
    says = "a list of {levels} values that enough entities hold{merged}"
    column: Name
    levels: Levels
    rare: Levels
    rare_counts: tuple[Count, ...] = ()
    level_counts: tuple[Count, ...] = ()
    merged_values: Count = 0
    merged_rows: Count = 0

    def together(self) -> Iterator[tuple[bool, str]]:
        """Yield what must hold: levels, and counts to draw them by."""
        yield len(self.rare.values) == len(self.rare_counts), "one count for each rare value"
        yield len(self.level_counts) in (0, len(self.levels.values)), "one count for each level"
        filled = [n for n, one in zip(self.level_counts, self.levels.values, strict=False) if one is not None]
        yield not self.level_counts or sum(filled) > 0, "levels that are drawn from occur"
        yield not self.rare_counts or sum(self.rare_counts) > 0, "rare values occur"
        yield len(self.levels.values) + len(self.rare.values) > 0, "at least one level"

    @classmethod
    def proposal(cls, series: TrainingSeries) -> ColumnCodec | None:
        """Return the codec of a category; one value in all rows is a constant."""
        if series.nature != "category":
            return None
        distinct, _ = series.counts.with_null()
        if len(distinct) == 1 and series.is_named:
            return ConstantCodec(series.name, Levels.of(distinct))
        config = series.config
        if series.is_named:
            return cls.fit(series.name, series.counts, config.min_count, config.min_entities)
        return cls.fit(series.name, series.counts)

    @staticmethod
    def fit(column: str, values: ValueCounts, min_count: int = 1, min_entities: int = 1) -> CategoricalCodec:
        """Give every value that occurs ``min_count`` times a level, most frequent first; missing always has its own.

        Args:
            column: column name.
            values: the training values, of which at least one is held by ``min_entities`` entities.
            min_count: see ``CodecConfig``.
            min_entities: see ``CodecConfig``.
        """
        is_named = values.held_by(min_entities)
        merged, named = values.counts[~is_named], values.kept(is_named)
        distinct, counts = named.with_null()
        order = np.argsort(-counts, kind="stable")
        distinct, counts = distinct.take(pa.array(order)), counts[order]
        is_rare = (counts < min_count) & ~pc.is_null(distinct).to_numpy(zero_copy_only=False)
        if is_rare.sum() < 2 and is_rare.sum() < len(counts):
            is_rare[:] = False  # a pool of one hides nothing
        rare_mask = pa.array(is_rare)
        levels = Levels.of(distinct.filter(pc.invert(rare_mask)))
        is_pooled = len(merged) > 0 and not levels.is_ordered and not is_rare.any()
        return CategoricalCodec(
            column=column,
            levels=levels,
            rare=Levels.of(distinct.filter(rare_mask)),
            rare_counts=tuple(int(count) for count in counts[is_rare]),
            level_counts=tuple(int(count) for count in counts) if is_pooled else (),
            merged_values=len(merged),
            merged_rows=int(merged.sum()),
        )

    @property
    def has_pool(self) -> bool:
        """True where the last level stands for several values."""
        return bool(len(self.rare)) or bool(self.level_counts)

    @property
    def categorical_fields(self) -> tuple[CategoricalField, ...]:
        """Categories that this column takes."""
        return (CategoricalField(self.column, len(self.levels) + self.has_pool),)

    @cached_property
    def _pool_shares(self) -> np.ndarray:
        """Share of each level, then of each rare value, in what the last level is decoded to."""
        filled = self.levels.array.is_valid().to_numpy(zero_copy_only=False)
        of_levels = np.asarray(self.level_counts, dtype=np.float64) * filled if self.level_counts else 0 * filled
        weights = np.concatenate([of_levels, np.asarray(self.rare_counts, dtype=np.float64)])
        return weights / weights.sum()

    def knows(self, values: pa.Array, given: pa.Array | None = None) -> np.ndarray:
        """See ``ColumnCodec``: (rows,) bool."""
        if self.level_counts or (self.merged_rows and (self.levels.is_ordered or len(self.rare))):
            return np.ones(len(values), dtype=bool)
        return (self.levels.index(values) >= 0) | (self.rare.index(values) >= 0)

    def encode(self, values: pa.Array, given: pa.Array | None = None) -> EncodedColumn:
        """Return the level of each value.

        Raises:
            DataError: a value that the training rows do not hold.
        """
        level = self.levels.index(values)
        unknown = level < 0
        if unknown.any():
            others = values.filter(pa.array(unknown))
            if self.merged_rows and self.levels.is_ordered:
                level[unknown] = self.levels.nearest(others)
            elif self.level_counts or (self.merged_rows and len(self.rare)):
                level[unknown] = len(self.levels)
            else:
                is_rare = self.rare.index(others) >= 0
                if not is_rare.all():
                    new = pc.unique(others.filter(pa.array(~is_rare))).to_pylist()
                    raise DataError(
                        f"{self.column}: values that the training rows do not hold cannot be encoded, found "
                        f"{listing(new)}. Encode training rows only."
                    )
                level[unknown] = len(self.levels)
        return EncodedColumn.of(len(values), [], [level])

    def decode(self, numerical: np.ndarray, categorical: np.ndarray, draw: Draw) -> pa.Array:
        """Return the column's values, (rows,)."""
        level = categorical[:, 0].astype(np.int64)
        if not self.has_pool:
            return self.levels.take(level)
        from_pool = level == len(self.levels)
        shares = self._pool_shares
        level[from_pool] = draw.rng.choice(len(shares), size=int(from_pool.sum()), p=shares)
        return pa.concat_arrays([self.levels.array, self.rare.array]).take(pa.array(level))


@dataclass(frozen=True)
class ConstantCodec(ColumnCodec):
    """A column with one value in all rows (null counts as one); it takes no field."""

    kind = "constant"
    says = "one value, which every row holds"
    calculates = False
    column: Name
    value: Levels

    def together(self) -> Iterator[tuple[bool, str]]:
        """Yield what must hold: one value."""
        yield len(self.value.values) == 1, "one value"

    @classmethod
    def proposal(cls, series: TrainingSeries) -> ConstantCodec | None:
        """Return the codec of a column without any value."""
        sample = series.sample
        return cls(series.name, Levels.of(pa.nulls(1, sample.type))) if len(sample) == sample.null_count else None

    def encode(self, values: pa.Array, given: pa.Array | None = None) -> EncodedColumn:
        """Return the fields of ``values``, (rows, n_num, 2) and (rows, n_cat)."""
        return empty_fields(len(values))

    def decode(self, numerical: np.ndarray, categorical: np.ndarray, draw: Draw) -> pa.Array:
        """Return the column's values, (rows,)."""
        return self.value.take(np.zeros(len(categorical), dtype=np.int64))

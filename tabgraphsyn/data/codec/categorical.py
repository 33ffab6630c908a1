"""Columns of categories, of constants, and columns that follow from another one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tabgraphsyn.data.codec.column import ColumnCodec, Draw, EncodedColumn, empty_fields
from tabgraphsyn.data.codec.levels import Levels
from tabgraphsyn.data.layout import CategoricalField
from tabgraphsyn.errors import DataError, listing


@dataclass(frozen=True)
class CategoricalCodec(ColumnCodec):
    """One field; each value (and missing, where it occurs) is a level, rare values share the last one.

    Attributes:
        column: column name, also the field's.
        levels: values with a level of their own.
        rare: values that share one level.
        rare_counts: how often each rare value occurs; decoding draws one by these.
    """

    kind = "categorical"
    column: str
    levels: Levels
    rare: Levels
    rare_counts: tuple[int, ...] = ()

    @staticmethod
    def fit(column: str, distinct: pa.Array, counts: np.ndarray, min_count: int = 1) -> CategoricalCodec:
        """Give every value that occurs ``min_count`` times a level, most frequent first; missing always has its own."""
        order = np.argsort(-counts, kind="stable")
        distinct, counts = distinct.take(pa.array(order)), counts[order]
        is_rare = (counts < min_count) & ~pc.is_null(distinct).to_numpy(zero_copy_only=False)
        if is_rare.sum() < 2 and is_rare.sum() < len(counts):
            is_rare[:] = False  # a pool of one hides nothing
        rare_mask = pa.array(is_rare)
        return CategoricalCodec(
            column=column,
            levels=Levels.of(distinct.filter(pc.invert(rare_mask))),
            rare=Levels.of(distinct.filter(rare_mask)),
            rare_counts=tuple(int(count) for count in counts[is_rare]),
        )

    @property
    def categorical_fields(self) -> tuple[CategoricalField, ...]:
        """Categories that this column takes."""
        return (CategoricalField(self.column, len(self.levels) + bool(len(self.rare))),)

    @cached_property
    def _rare_shares(self) -> np.ndarray:
        counts = np.asarray(self.rare_counts, dtype=np.float64)
        return counts / counts.sum()

    def encode(self, values: pa.Array, given: pa.Array | None = None) -> EncodedColumn:
        """Return the level of each value.

        Raises:
            DataError: a value that the training rows do not hold.
        """
        level = self.levels.index(values)
        unknown = level < 0
        if unknown.any():
            is_rare = self.rare.index(values.filter(pa.array(unknown))) >= 0
            if not is_rare.all():
                new = pc.unique(values.filter(pa.array(unknown)).filter(pa.array(~is_rare))).to_pylist()
                raise DataError(
                    f"{self.column}: values that the training rows do not hold cannot be encoded, found "
                    f"{listing(new)}. Encode training rows only."
                )
            level[unknown] = len(self.levels)
        return EncodedColumn.of(len(values), [], [level])

    def decode(self, numerical: np.ndarray, categorical: np.ndarray, draw: Draw) -> pa.Array:
        """Return the column's values."""
        level = categorical[:, 0].astype(np.int64)
        if not len(self.rare):
            return self.levels.take(level)
        from_pool = level == len(self.levels)
        level[from_pool] += draw.rng.choice(len(self.rare), size=int(from_pool.sum()), p=self._rare_shares)
        return pa.concat_arrays([self.levels.array, self.rare.array]).take(pa.array(level))

    def to_dict(self) -> dict[str, Any]:
        """Return the json form."""
        return {
            "kind": self.kind,
            "column": self.column,
            "levels": self.levels.to_dict(),
            "rare": self.rare.to_dict(),
            "rare_counts": list(self.rare_counts),
        }

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> CategoricalCodec:
        """Read the form that ``to_dict`` writes."""
        return cls(
            column=raw["column"],
            levels=Levels.from_dict(raw["levels"]),
            rare=Levels.from_dict(raw["rare"]),
            rare_counts=tuple(raw["rare_counts"]),
        )


@dataclass(frozen=True)
class ConstantCodec(ColumnCodec):
    """A column with one value in all rows (null counts as one); it takes no field."""

    kind = "constant"
    column: str
    value: Levels

    def encode(self, values: pa.Array, given: pa.Array | None = None) -> EncodedColumn:
        """Return the fields of ``values``."""
        return empty_fields(len(values))

    def decode(self, numerical: np.ndarray, categorical: np.ndarray, draw: Draw) -> pa.Array:
        """Return the column's values."""
        return self.value.take(np.zeros(len(categorical), dtype=np.int64))

    def to_dict(self) -> dict[str, Any]:
        """Return the json form."""
        return {"kind": self.kind, "column": self.column, "value": self.value.to_dict()}

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> ConstantCodec:
        """Read the form that ``to_dict`` writes."""
        return cls(column=raw["column"], value=Levels.from_dict(raw["value"]))


@dataclass(frozen=True, kw_only=True)
class DerivedCodec(ColumnCodec):
    """A column whose value follows from another column of the row; it takes no field.

    Attributes:
        column: column name.
        given: the determinant column.
        determinant: its values (null may be one).
        dependent: the value of this column for each of them.
    """

    kind = "derived"
    column: str
    given: str
    determinant: Levels
    dependent: Levels

    @staticmethod
    def fit(column: str, given: str, determinant_values: pa.Array, dependent_values: pa.Array) -> DerivedCodec:
        """Read the mapping from rows in which it holds exactly."""
        determinant = Levels.of(pc.unique(determinant_values))
        row_of = np.empty(len(determinant), dtype=np.int64)
        row_of[determinant.index(determinant_values)] = np.arange(len(determinant_values))
        dependent = Levels.of(dependent_values.take(pa.array(row_of)))
        return DerivedCodec(column=column, given=given, determinant=determinant, dependent=dependent)

    def encode(self, values: pa.Array, given: pa.Array | None = None) -> EncodedColumn:
        """Return the fields of ``values``."""
        return empty_fields(len(values))

    def decode(self, numerical: np.ndarray, categorical: np.ndarray, draw: Draw) -> pa.Array:
        """Return the value that follows from ``draw.given``.

        Raises:
            DataError: a determinant value that the training rows do not hold.
        """
        assert draw.given is not None
        place = self.determinant.index(draw.given)
        if (place < 0).any():
            new = pc.unique(draw.given.filter(pa.array(place < 0))).to_pylist()
            raise DataError(f"{self.column}: it follows from {self.given}, which holds unknown values {listing(new)}.")
        return self.dependent.take(place)

    def to_dict(self) -> dict[str, Any]:
        """Return the json form."""
        return {
            "kind": self.kind,
            "column": self.column,
            "given": self.given,
            "determinant": self.determinant.to_dict(),
            "dependent": self.dependent.to_dict(),
        }

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> DerivedCodec:
        """Read the form that ``to_dict`` writes."""
        return cls(
            column=raw["column"],
            given=raw["given"],
            determinant=Levels.from_dict(raw["determinant"]),
            dependent=Levels.from_dict(raw["dependent"]),
        )

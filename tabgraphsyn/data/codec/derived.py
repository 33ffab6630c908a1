"""Columns whose value follows from another column of the row: a city's country."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tabgraphsyn.data.codec.categorical import CategoricalCodec
from tabgraphsyn.data.codec.column import ColumnCodec, Draw, EncodedColumn, Fitting, empty_fields
from tabgraphsyn.data.codec.levels import Levels
from tabgraphsyn.data.codec.numerical import NumericalCodec
from tabgraphsyn.data.dependencies import exact_within
from tabgraphsyn.data.untrusted import Name


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
    says = "a list of {levels} values, each with the value that it follows from"
    calculates = False
    column: Name
    given: Name
    determinant: Levels
    dependent: Levels

    def together(self) -> Iterator[tuple[bool, str]]:
        """Yield what must hold: pairs of values."""
        yield len(self.determinant.values) == len(self.dependent.values), "as many dependent as determinant values"

    @classmethod
    def beside(cls, fitting: Fitting) -> Mapping[str, ColumnCodec]:
        """Return the codecs of columns that follow exactly from a category."""
        if fitting.config.dependencies == "ignore":
            return {}
        codecs, rows = fitting.codecs, fitting.rows
        categories = [name for name, codec in codecs.items() if isinstance(codec, CategoricalCodec)]
        numbers = [name for name, codec in codecs.items() if isinstance(codec, NumericalCodec)]
        dependents = [name for name in codecs if name in categories or name in numbers]
        found = exact_within(rows.table, rows.is_training, categories, dependents)
        # A band is its number's before it is any category's, and it is known only when the number is.
        bands = {rule.column for rule in fitting.bands}
        kept = {name: given for name, given in found.items() if not {name, given} & bands}
        return {name: cls._following(name, given, fitting) for name, given in kept.items()}

    @classmethod
    def _following(cls, name: str, given: str, fitting: Fitting) -> DerivedCodec:
        """Return the codec of one column that follows from a category, of which all named values may stand here."""
        known = fitting.codecs[given]
        assert isinstance(known, CategoricalCodec)
        named = pa.concat_arrays([known.levels.array, known.rare.array])
        return cls.fit(name, given, fitting.rows.whole(given), fitting.rows.whole(name), named)

    @staticmethod
    def fit(
        column: str, given: str, determinant_values: pa.Array, dependent_values: pa.Array, named: pa.Array | None = None
    ) -> DerivedCodec:
        """Read the mapping from rows in which it holds exactly.

        Args:
            column: column name.
            given: the determinant column.
            determinant_values, dependent_values: (rows,) of both.
            named: the determinant values that may stand here; None for all.
        """
        if named is not None:
            kept = pc.is_in(determinant_values, value_set=named)
            determinant_values, dependent_values = determinant_values.filter(kept), dependent_values.filter(kept)
        determinant = Levels.of(pc.unique(determinant_values))
        row_of = np.empty(len(determinant), dtype=np.int64)
        row_of[determinant.index(determinant_values)] = np.arange(len(determinant_values))
        dependent = Levels.of(dependent_values.take(pa.array(row_of)))
        return DerivedCodec(column=column, given=given, determinant=determinant, dependent=dependent)

    def encode(self, values: pa.Array, given: pa.Array | None = None) -> EncodedColumn:
        """Return the fields of ``values``, (rows, n_num, 2) and (rows, n_cat)."""
        return empty_fields(len(values))

    def decode(self, numerical: np.ndarray, categorical: np.ndarray, draw: Draw) -> pa.Array:
        """Return the value that follows from ``draw.given``, any of them where that is a value from elsewhere."""
        assert draw.given is not None
        place = self.determinant.index(draw.given)
        unknown = place < 0
        place[unknown] = draw.rng.integers(0, len(self.dependent), size=int(unknown.sum()))
        return self.dependent.take(place)

"""How a table looks to a model: which numbers, which categories, and their arrays."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tabgraphsyn.data.plain import Plain
from tabgraphsyn.data.untrusted import Count, Name, Size


@dataclass(frozen=True)
class NumericalField:
    """One normalised number per row.

    Attributes:
        name: ``<column>`` or ``<column>:<part>``.
        gate: index of the categorical field that is 0 where this number is meaningful, or None.
    """

    name: Name
    gate: Count | None = None


@dataclass(frozen=True)
class CategoricalField:
    """One category per row, in ``0 .. levels - 1``."""

    name: Name
    levels: Size


@dataclass(frozen=True)
class TableLayout(Plain):
    """The fields of one encoded table, in array order. Both may be empty (a table made of keys only)."""

    numerical: tuple[NumericalField, ...]
    categorical: tuple[CategoricalField, ...]

    def together(self) -> Iterator[tuple[bool, str]]:
        """Yield what must hold: gates that exist."""
        gates = [field.gate for field in self.numerical if field.gate is not None]
        yield all(gate < len(self.categorical) for gate in gates), "gates are categorical fields"

    @property
    def is_empty(self) -> bool:
        """True for a table with nothing to model."""
        return not self.numerical and not self.categorical


@dataclass(frozen=True)
class EncodedTable:
    """Arrays of an encoded table.

    Shape:
        numerical: (rows, n_num, 2) float32, ``low`` and ``high`` of the interval a value is drawn from.
        categorical: (rows, n_cat) int32.
    """

    numerical: np.ndarray
    categorical: np.ndarray

    def __post_init__(self) -> None:
        if self.numerical.ndim != 3 or self.numerical.shape[2] != 2:
            raise ValueError(f"numerical: shape (rows, n_num, 2) expected, found {self.numerical.shape}")
        if self.categorical.ndim != 2 or self.categorical.shape[0] != self.numerical.shape[0]:
            raise ValueError(
                f"categorical: shape ({self.numerical.shape[0]}, n_cat) expected, found {self.categorical.shape}"
            )

    @property
    def rows(self) -> int:
        """Number of rows."""
        return self.numerical.shape[0]

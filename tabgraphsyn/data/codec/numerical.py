"""Columns of numbers: one normalised number, and a category for repeated and missing values."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tabgraphsyn.data.codec.categorical import CategoricalCodec, ConstantCodec
from tabgraphsyn.data.codec.column import ColumnCodec, Draw, EncodedColumn
from tabgraphsyn.data.codec.config import CodecConfig
from tabgraphsyn.data.codec.groups import knots
from tabgraphsyn.data.codec.levels import FLOATS, Levels
from tabgraphsyn.data.codec.normalisation import NORMALISATIONS, AnyNormalisation
from tabgraphsyn.data.codec.precision import Precision
from tabgraphsyn.data.codec.series import TrainingSeries
from tabgraphsyn.data.counts import ValueCounts, as_numpy
from tabgraphsyn.data.formats.arrow_types import ArrowType
from tabgraphsyn.data.layout import CategoricalField, NumericalField
from tabgraphsyn.data.untrusted import Name

MIN_ATOM_ROWS = 5
"""A value that fewer rows share is no atom, whatever its share: in a small table each row is a large share."""


NAMED_SHARE = 0.8
"""Share of the rows that hold a value which enough entities hold, at least, where numbers become a category."""
MAX_KNOTS = 400
SPIKE_RATIO = 3.0
"""How many times as often as its neighbours an atom occurs."""


@dataclass(frozen=True)
class NumericalCodec(ColumnCodec):
    """A number gated by a category: level 0 continuous, then the atoms, then missing.

    Fields: ``<column>`` (number), ``<column>:gate`` (where there are atoms, or missing values under
    ``missing: category``), ``<column>:missing`` (missing values under ``missing: factor``). Where the number has no
    meaning (an atom, missing) its interval is the neutral one, see ``column.NEUTRAL``. Decoded numbers keep the
    column's lattice and lie within the training values.

    Attributes:
        column: column name.
        type: arrow type of the column.
        atoms: repeated values that are levels of the gate.
        missing: ``none``, ``category`` or ``factor``.
        precision: bounds and lattice of the continuous values.
        normalisation: of the continuous values.
    """

    kind = "numerical"
    says = "ends of {knots} groups of numbers, bounds and precision{atoms}"
    column: Name
    type: ArrowType
    atoms: Levels
    missing: Literal["none", "category", "factor"]
    precision: Precision
    normalisation: AnyNormalisation

    def together(self) -> Iterator[tuple[bool, str]]:
        """Yield what must hold: bounds within the type."""
        low, high = self.precision.minimum, self.precision.maximum
        if self.type in FLOATS:
            most = FLOATS[self.type]
            yield max(abs(low), abs(high)) <= most, f"numbers of type {self.type} are at most {most:.3g}"
        else:
            yield self.type.lstrip("u").startswith("int"), "a type of numbers"
            limits = np.iinfo(self.type)
            # The ends are floats: the largest whole number of 64 bits is rounded up to one beyond.
            yield limits.min <= low and high <= float(limits.max), f"numbers of type {self.type}"

    @classmethod
    def proposal(cls, series: TrainingSeries) -> Part | None:
        """Return the codec that suits a column of numbers: constant, categorical or continuous."""
        return number_codec(series.name, series.counts, series.config) if series.nature == "number" else None

    @staticmethod
    def fit(column: str, values: ValueCounts, config: CodecConfig, grain: float | None = None) -> NumericalCodec:
        """Fit to training values of which some are no atoms (``is_discrete`` tells); for ``grain`` see ``knots``."""
        is_atom = atom_mask(values.counts, config.atom_share) & spikes(values.counts)
        is_atom &= values.held_by(config.min_entities)
        atoms = Levels.of(values.distinct.filter(pa.array(is_atom)))
        others = values.kept(~is_atom)
        if not len(others.counts):  # nothing but atoms: any of them stands for a number between them
            others = values.kept(np.arange(len(is_atom)) == 0)
        if config.outliers == "clip":
            others = _clipped(others, config.outlier_quantile)
        distinct = _floats(others.distinct)
        known = knots(others, distinct, config.min_entities, MAX_KNOTS, grain)
        return NumericalCodec(
            column=column,
            type=str(values.distinct.type),
            atoms=atoms,
            missing=config.missing if values.null_count else "none",
            precision=Precision.fit(distinct, others.counts, known),
            normalisation=NORMALISATIONS[config.normalisation].fit(known),
        )

    @property
    def _has_gate(self) -> bool:
        return bool(len(self.atoms)) or self.missing == "category"

    @property
    def _gate_levels(self) -> int:
        return 1 + len(self.atoms) + (self.missing == "category")

    @property
    def numerical_fields(self) -> tuple[NumericalField, ...]:
        """Numbers that this column takes."""
        return (NumericalField(self.column, 0 if self._has_gate or self.missing == "factor" else None),)

    @property
    def categorical_fields(self) -> tuple[CategoricalField, ...]:
        """Categories that this column takes."""
        gate = (CategoricalField(f"{self.column}:gate", self._gate_levels),) if self._has_gate else ()
        factor = (CategoricalField(f"{self.column}:missing", 2),) if self.missing == "factor" else ()
        return gate + factor

    def knows(self, values: pa.Array, given: pa.Array | None = None) -> np.ndarray:
        """See ``ColumnCodec``: (rows,) bool, no missing one where training rows had none."""
        filled = pc.is_valid(values).to_numpy(zero_copy_only=False)
        return filled if self.missing == "none" else np.ones(len(values), dtype=bool)

    def encode(self, values: pa.Array, given: pa.Array | None = None) -> EncodedColumn:
        """Return the fields of ``values``, (rows, n_num, 2) and (rows, n_cat)."""
        is_null = pc.is_null(values).to_numpy(zero_copy_only=False)
        gate = np.where(is_null, 0, self.atoms.index(values) + 1)
        is_number = (gate == 0) & ~is_null
        categories = []
        if self._has_gate:
            # Under `factor` a missing row keeps level 0: its neutral number stands for a value drawn at random.
            categories.append(np.where(is_null, self._gate_levels - 1, gate) if self.missing == "category" else gate)
        if self.missing == "factor":
            categories.append(is_null.astype(np.int64))
        interval = np.empty((len(values), 2))
        interval[:] = self.normalisation.neutral()
        numbers = values.filter(pa.array(is_number)).to_numpy(zero_copy_only=False).astype(np.float64)
        held = np.clip(numbers, self.precision.minimum, self.precision.maximum)
        interval[is_number] = self.normalisation.interval(*self.precision.cell(held))
        return EncodedColumn.of(len(values), [interval], categories)

    def decode(self, numerical: np.ndarray, categorical: np.ndarray, draw: Draw) -> pa.Array:
        """Return the column's values, (rows,)."""
        numbers = self.precision.snap(self.normalisation.value(numerical[:, 0].astype(np.float64)))
        arrow_type = pa.type_for_alias(self.type)
        whole = np.rint(numbers).astype(np.int64) if pa.types.is_integer(arrow_type) else numbers
        is_null = categorical[:, -1] == 1 if self.missing == "factor" else np.zeros(len(numbers), dtype=bool)
        if not self._has_gate:
            return pa.array(whole, arrow_type, mask=is_null)
        gate = categorical[:, 0]
        if self.missing == "category":
            is_null = gate == self._gate_levels - 1
        is_atom = (gate > 0) & ~is_null
        if is_atom.any():
            atoms = self.atoms.array.to_numpy(zero_copy_only=False)
            whole = np.where(is_atom, atoms[np.where(is_atom, gate - 1, 0)], whole)
        return pa.array(whole, arrow_type, mask=is_null)


Part = CategoricalCodec | ConstantCodec | NumericalCodec
"""What a number may become, by itself or within another codec."""


def atom_mask(counts: np.ndarray, atom_share: float) -> np.ndarray:
    """Return which distinct values are atoms: ``atom_share`` of the filled rows and at least five of them.

    Shape:
        (values,) bool.
    """
    return counts >= max(atom_share * counts.sum(), MIN_ATOM_ROWS)


def spikes(counts: np.ndarray) -> np.ndarray:
    """Return which of sorted distinct values occur far more often than the values beside them.

    Frequent values amid frequent ones (delays of -6, -5, -4 minutes) are the middle of a smooth distribution: as
    categories of their own they would hide their order, and what depends on it.

    >>> spikes(np.array([3, 5, 4, 90, 6]))
    array([False, False, False,  True, False])
    """
    padded = np.concatenate([[0], counts, [0]])
    return counts > SPIKE_RATIO * np.maximum(padded[:-2], padded[2:])


def is_discrete(values: ValueCounts, config: CodecConfig) -> bool:
    """Return whether distinct values are better a category altogether.

    At most ``max_discrete`` values, two rows each on average, or nothing left beside the atoms; and few of the rows
    hold a value that few entities hold, which no category could name.
    """
    counts, named = values.counts, values.held_by(config.min_entities)
    few = len(counts) <= config.max_discrete and counts.sum() >= 2 * len(counts)
    if counts[named].sum() < NAMED_SHARE * counts.sum():
        return False
    return bool(few or (atom_mask(counts, config.atom_share) & named).all())


def _floats(values: pa.Array) -> np.ndarray:
    plain = values.cast(pa.int64()) if pa.types.is_temporal(values.type) else values
    return as_numpy(plain).astype(np.float64)


def _clipped(values: ValueCounts, quantile: float) -> ValueCounts:
    ranks = np.cumsum(values.counts) / values.counts.sum()
    low = int(np.searchsorted(ranks, quantile))
    high = min(int(np.searchsorted(ranks, 1 - quantile)), len(ranks) - 1)
    place = np.clip(np.arange(len(ranks)), low, high) - low
    counts = np.bincount(place, weights=values.counts).astype(np.int64)
    of_rows = None if values.place is None else place[values.place]
    return ValueCounts(values.distinct[low : high + 1], counts, values.null_count, of_rows, values.entity)


def number_codec(column: str, values: ValueCounts, config: CodecConfig, grain: float | None = None) -> Part:
    """Return the codec that suits a column of numbers: constant, categorical or continuous.

    ``grain``: see ``groups.knots``.
    """
    distinct, _ = values.with_null()
    if not len(values.counts):
        return ConstantCodec(column, Levels.of(pa.nulls(1, distinct.type)))
    if len(distinct) == 1 and values.held_by(config.min_entities)[0]:
        return ConstantCodec(column, Levels.of(distinct))
    if is_discrete(values, config):
        return CategoricalCodec.fit(column, values, min_entities=config.min_entities)
    return NumericalCodec.fit(column, values, config, grain)

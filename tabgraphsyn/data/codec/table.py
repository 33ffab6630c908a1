"""The codec of a table: its attribute columns side by side, fitted one by one on training rows."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tabgraphsyn.data.codec.arithmetic import HourRule, Rule, rules_from_dict, rules_to_dict
from tabgraphsyn.data.codec.bands import BandRule, band, find_bands
from tabgraphsyn.data.codec.categorical import CategoricalCodec
from tabgraphsyn.data.codec.column import ColumnCodec, Draw, EncodedColumn, Fitting
from tabgraphsyn.data.codec.config import CodecConfig
from tabgraphsyn.data.codec.derived import DerivedCodec
from tabgraphsyn.data.codec.kinds import CODECS, KINDS
from tabgraphsyn.data.codec.mixed import MixedCodec
from tabgraphsyn.data.codec.numerical import NumericalCodec
from tabgraphsyn.data.codec.series import TrainingSeries
from tabgraphsyn.data.codec.training_rows import TrainingRows
from tabgraphsyn.data.counts import plain_zero
from tabgraphsyn.data.layout import EncodedTable, NumericalField, TableLayout
from tabgraphsyn.data.schema import Table
from tabgraphsyn.errors import DataError, listing


@dataclass(frozen=True)
class TableCodec:
    """Fitted codecs of a table's attribute columns, in schema order.

    Attributes:
        table: table name.
        columns: column name -> codec.
        rules: arithmetic between columns that is restored after decoding.
    """

    table: str
    columns: Mapping[str, ColumnCodec]
    rules: tuple[Rule, ...] = ()

    @staticmethod
    def fit(
        table: Table,
        is_training: np.ndarray,
        columns: Sequence[str],
        config: CodecConfig,
        entities: np.ndarray | None = None,
    ) -> TableCodec:
        """Fit on training rows only, one column in memory at a time.

        Args:
            table: all real rows.
            is_training: (rows,) bool.
            columns: attribute columns, in schema order.
            config: settings.
            entities: (training rows,) int64, the entity of each; None: every row is one.
        """
        rows = TrainingRows(table, is_training, entities)
        codecs = {name: _proposed(TrainingSeries(rows, table.schema.column(name), config)) for name in columns}
        fitting = Fitting(rows, config, codecs, _bands(rows, codecs) if config.dependencies == "keep" else ())
        for kind in KINDS:
            codecs |= kind.beside(fitting)
        return TableCodec(table.schema.name, codecs, (*fitting.rules, *fitting.bands))

    @cached_property
    def layout(self) -> TableLayout:
        """The fields of the encoded table, column after column."""
        numerical: list[NumericalField] = []
        categorical: list[Any] = []
        for codec in self.columns.values():
            shift = len(categorical)
            for field in codec.numerical_fields:
                numerical.append(NumericalField(field.name, None if field.gate is None else field.gate + shift))
            categorical.extend(codec.categorical_fields)
        return TableLayout(tuple(numerical), tuple(categorical))

    @property
    def derived(self) -> dict[str, str]:
        """Columns that follow from another one by construction: dependent -> determinant."""
        return {name: codec.given for name, codec in self.columns.items() if isinstance(codec, DerivedCodec)}

    @cached_property
    def decoding_order(self) -> tuple[str, ...]:
        """Column names, each after the column that it is given."""
        order: list[str] = []
        while len(order) < len(self.columns):
            ready = [n for n, c in self.columns.items() if n not in order and (c.given is None or c.given in order)]
            if not ready:
                raise DataError(f"{self.table}: codecs wait for each other: {listing(set(self.columns) - set(order))}.")
            order.extend(ready)
        return tuple(order)

    def encode(self, rows: pa.RecordBatch | pa.Table) -> EncodedTable:
        """Return the fields of training rows that hold at least the attribute columns; one row each."""
        parts = [codec.encode(own, given) for codec, own, given in self._read(rows)]
        return _side_by_side(parts, rows.num_rows)

    def encode_known(self, rows: pa.Table) -> tuple[EncodedTable, Mapping[str, np.ndarray]]:
        """Return the fields of foreign rows, 0 where training rows gave no level, and column -> where they did.

        Shape:
            rows are (rows,), and so are the columns of bool.
        """
        parts, known = [], {}
        for name, (codec, own, given) in zip(self.columns, self._read(rows), strict=True):
            known[name] = codec.knows(own, given)
            here = pa.array(known[name])
            part = codec.encode(own.filter(here), None if given is None else given.filter(here))
            parts.append(part if known[name].all() else _spread(part, known[name]))
        return _side_by_side(parts, rows.num_rows), known

    def _read(self, rows: pa.RecordBatch | pa.Table) -> Iterator[tuple[ColumnCodec, pa.Array, pa.Array | None]]:
        """Yield each codec, its values, and those that it goes by; (rows,) each."""
        values = {name: plain_zero(_whole(rows.column(name))) for name in self.columns}
        for name, codec in self.columns.items():
            yield codec, values[name], values[codec.given] if codec.given is not None else None

    def decode(
        self,
        numerical: np.ndarray,
        categorical: np.ndarray,
        rng: np.random.Generator,
        first_row: int = 0,
        fixed: Mapping[str, tuple[np.ndarray, pa.Array]] | None = None,
    ) -> pa.Table:
        """Return the attribute columns in schema order, with their original arrow types.

        Args:
            numerical: (rows, n_num) numbers in normalised space.
            categorical: (rows, n_cat) levels.
            rng: for what is drawn: rare categories, text, repeated ids.
            first_row: number of the first row in its table; made ids are unique as long as rows are numbered apart.
            fixed: column -> which rows have a value of it already, (rows,) bool, and these values (of all rows); what
                counts from the column or follows from it goes by them.
        """
        places, hours = self.places, self._clocks_of(fixed or {})
        decoded: dict[str, pa.Array] = {}
        for name in self.decoding_order:
            codec = self.columns[name]
            numbers, categories = places[name]
            given = decoded[codec.given] if codec.given is not None else None
            draw = Draw(rng, first_row, given)
            decoded[name] = codec.decode(numerical[:, numbers], categorical[:, categories], draw)
            if fixed is not None and name in fixed:
                is_fixed, values = fixed[name]
                decoded[name] = pc.if_else(
                    pa.array(is_fixed), values.cast(decoded[name].type, safe=False), decoded[name]
                )
            for hour in hours.get(name, ()):
                is_fixed, values = (fixed or {})[hour.column]
                decoded[name] = hour.imposed(decoded[name], values, is_fixed)
        for rule in self.rules:
            restored = rule.restored(decoded)
            if fixed is not None and rule.column in fixed:
                restored = pc.if_else(pa.array(fixed[rule.column][0]), decoded[rule.column], restored)
            decoded[rule.column] = restored
        return pa.table({name: decoded[name] for name in self.columns})

    def first_levels(self, rows: int) -> tuple[np.ndarray, np.ndarray]:
        """Return encoded rows that stand for nothing: zeros, (rows, numbers) float32 and (rows, categories) int64."""
        layout = self.layout
        return np.zeros((rows, len(layout.numerical)), np.float32), np.zeros((rows, len(layout.categorical)), np.int64)

    @cached_property
    def places(self) -> dict[str, tuple[slice, slice]]:
        """Where each column's fields stand: column -> places of its numbers and of its categories."""
        places, number, category = {}, 0, 0
        for name, codec in self.columns.items():
            after = number + len(codec.numerical_fields), category + len(codec.categorical_fields)
            places[name] = (slice(number, after[0]), slice(category, after[1]))
            number, category = after
        return places

    def _clocks_of(self, fixed: Collection[str]) -> dict[str, list[HourRule]]:
        """Return the clocks that go by the hour of a fixed time: clock -> its rules."""
        found: dict[str, list[HourRule]] = {}
        for rule in self.rules:
            if isinstance(rule, HourRule) and rule.column in fixed and rule.clock not in fixed:
                found.setdefault(rule.clock, []).append(rule)
        return found

    def to_dict(self) -> dict[str, Any]:
        """Return the json form (``codec/<table>.json``)."""
        columns = [{"name": name, "codec": codec.to_dict()} for name, codec in self.columns.items()]
        rules = rules_to_dict(self.rules)
        return {"table": self.table, "columns": columns, "rules": rules, "layout": self.layout.to_dict()}

    @staticmethod
    def from_dict(raw: Mapping[str, Any]) -> TableCodec:
        """Read the form that ``to_dict`` writes."""
        columns = {one["name"]: CODECS[one["codec"]["kind"]].from_dict(one["codec"]) for one in raw["columns"]}
        return TableCodec(raw["table"], columns, rules_from_dict(raw["rules"]))


def _proposed(series: TrainingSeries) -> ColumnCodec:
    """Return the codec of a column by itself, from the first kind that suits it."""
    found = (kind.proposal(series) for kind in KINDS)
    return next(codec for codec in found if codec is not None)


def _bands(rows: TrainingRows, codecs: Mapping[str, ColumnCodec]) -> tuple[BandRule, ...]:
    """Return which categories are the bands of which numbers."""
    categories = {
        name: codec.levels.values for name, codec in codecs.items()
        if isinstance(codec, CategoricalCodec) and codec.levels.type == "string"
    }  # fmt: skip
    categories = {name: values for name, values in categories.items() if any(band(str(one)) for one in values)}
    numbers = {
        name: codec.format if isinstance(codec, MixedCodec) else None for name, codec in codecs.items()
        if isinstance(codec, NumericalCodec | MixedCodec) and rows.table.schema.column(name).sdtype == "numerical"
    }  # fmt: skip
    if not categories or not numbers:
        return ()
    return tuple(find_bands(categories, numbers, rows.sampled([*categories, *numbers])))


def _whole(values: pa.ChunkedArray | pa.Array) -> pa.Array:
    return values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values


def _side_by_side(parts: Sequence[EncodedColumn], rows: int) -> EncodedTable:
    numerical = np.concatenate([np.empty((rows, 0, 2), np.float32), *(one.numerical for one in parts)], axis=1)
    categorical = np.concatenate([np.empty((rows, 0), np.int32), *(one.categorical for one in parts)], axis=1)
    return EncodedTable(numerical, categorical)


def _spread(part: EncodedColumn, here: np.ndarray) -> EncodedColumn:
    """Return the fields of some rows, (rows,) bool, in their places among all; zeros elsewhere."""
    numerical = np.zeros((len(here), *part.numerical.shape[1:]), part.numerical.dtype)
    categorical = np.zeros((len(here), *part.categorical.shape[1:]), part.categorical.dtype)
    numerical[here], categorical[here] = part.numerical, part.categorical
    return EncodedColumn(numerical, categorical)

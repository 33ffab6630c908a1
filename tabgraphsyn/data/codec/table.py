"""The codec of a table: its attribute columns side by side, fitted one by one on training rows."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tabgraphsyn.data.codec.arithmetic import HourRule, Rule, clocks, find_rules, rules_from_dict, rules_to_dict
from tabgraphsyn.data.codec.categorical import CategoricalCodec, ConstantCodec, DerivedCodec
from tabgraphsyn.data.codec.clock import ClockCodec, ClockLagCodec
from tabgraphsyn.data.codec.column import ColumnCodec, Draw
from tabgraphsyn.data.codec.config import CodecConfig
from tabgraphsyn.data.codec.datetime import DatetimeCodec, datetime_codec
from tabgraphsyn.data.codec.digits import DigitsCodec, is_told, is_wide
from tabgraphsyn.data.codec.formatted import formatted_codec
from tabgraphsyn.data.codec.identifier import IdentifierCodec, TextCodec
from tabgraphsyn.data.codec.label import LabelCodec
from tabgraphsyn.data.codec.levels import Levels
from tabgraphsyn.data.codec.mixed import MixedCodec
from tabgraphsyn.data.codec.numerical import NumericalCodec, number_codec
from tabgraphsyn.data.codec.wide import WideCodec
from tabgraphsyn.data.counts import ValueCounts, even_sample, plain_zero, training_batches, training_values
from tabgraphsyn.data.dependencies import exact_within
from tabgraphsyn.data.layout import EncodedTable, NumericalField, TableLayout
from tabgraphsyn.data.schema import Column, Table
from tabgraphsyn.errors import DataError, listing

EXAMPLE_ROWS = 1_000_000
RULE_ROWS = 200_000
CODECS: dict[str, type[ColumnCodec]] = {
    codec.kind: codec
    for codec in (
        CategoricalCodec,
        ClockCodec,
        ClockLagCodec,
        ConstantCodec,
        DatetimeCodec,
        DerivedCodec,
        DigitsCodec,
        IdentifierCodec,
        LabelCodec,
        MixedCodec,
        NumericalCodec,
        TextCodec,
        WideCodec,
    )
}


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
    def fit(table: Table, is_training: np.ndarray, columns: Sequence[str], config: CodecConfig) -> TableCodec:
        """Fit on training rows only, one column in memory at a time.

        Args:
            table: all real rows.
            is_training: (rows,) bool.
            columns: attribute columns, in schema order.
            config: settings.
        """
        codecs: dict[str, ColumnCodec | None] = {}
        for name in columns:
            codecs[name] = _fit_column(table, table.schema.column(name), is_training, config)
        derived = _derived(table, is_training, codecs) if config.dependencies == "keep" else {}
        for name, determinant in derived.items():
            pair = [training_values(table, column, is_training) for column in (determinant, name)]
            codecs[name] = DerivedCodec.fit(name, determinant, *(_whole(values) for values in pair))
        times = [name for name, codec in codecs.items() if codec is None]
        codecs |= _fit_times(table, is_training, times, config)
        rules = _rules(table, is_training, codecs) if config.dependencies == "keep" else ()
        for name in [name for name, codec in codecs.items() if codec is not None and is_wide(codec, config)]:
            others = _sampled(table, is_training, [other for other in columns if codecs[other] is not None])
            if is_told(name, others):
                codecs[name] = DigitsCodec(codecs[name])  # type: ignore[arg-type]
        codecs |= _fit_clocks(
            table, is_training, [n for n in clocks(rules) if isinstance(codecs[n], NumericalCodec)], config
        )
        return TableCodec(table.schema.name, {name: codecs[name] for name in columns}, rules)  # type: ignore[misc]

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
        """Return the fields of training rows that hold at least the attribute columns."""
        values = {name: plain_zero(_whole(rows.column(name))) for name in self.columns}
        parts = [
            codec.encode(values[name], values[codec.given] if codec.given is not None else None)
            for name, codec in self.columns.items()
        ]
        numerical = np.concatenate([np.empty((rows.num_rows, 0, 2), np.float32), *(p.numerical for p in parts)], axis=1)
        categorical = np.concatenate([np.empty((rows.num_rows, 0), np.int32), *(p.categorical for p in parts)], axis=1)
        return EncodedTable(numerical, categorical)

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
                decoded[name] = pc.if_else(pa.array(is_fixed), values.cast(decoded[name].type), decoded[name])
            for hour in hours.get(name, ()):
                is_fixed, values = (fixed or {})[hour.column]
                decoded[name] = hour.imposed(decoded[name], values, is_fixed)
        for rule in self.rules:
            restored = rule.restored(decoded)
            if fixed is not None and rule.column in fixed:
                restored = pc.if_else(pa.array(fixed[rule.column][0]), decoded[rule.column], restored)
            decoded[rule.column] = restored
        return pa.table({name: decoded[name] for name in self.columns})

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


def _fit_column(table: Table, column: Column, is_training: np.ndarray, config: CodecConfig) -> ColumnCodec | None:
    """Return the codec of one column, or None for times that may be encoded as a lag to another column."""
    if column.name in table.schema.alternate_keys and not column.pii:
        return _fit_unique(table, column, is_training, config)
    if column.sdtype in ("id", "text") or (column.pii and column.sdtype == "categorical"):
        return _fit_unmodelled(table, column, is_training, config)
    values = training_values(table, column.name, is_training)
    formatted = formatted_codec(column, _whole(values), config)
    if formatted is not None:
        return formatted
    counts = ValueCounts.of(values)
    if column.sdtype == "numerical":
        return number_codec(column.name, counts, config)
    if column.sdtype == "datetime":
        simple = number_codec(column.name, counts, config)
        return None if isinstance(simple, NumericalCodec) else simple
    distinct, occurrences = counts.with_null()
    if len(distinct) < 2:
        return ConstantCodec(column.name, Levels.of(distinct if len(distinct) else pa.nulls(1, distinct.type)))
    values = pc.is_valid(distinct).to_numpy(zero_copy_only=False)
    if LabelCodec.fits(int(occurrences[values].sum()), int(values.sum())):
        return LabelCodec.fit(column.name, distinct, occurrences)
    return CategoricalCodec.fit(column.name, distinct, occurrences, config.min_count)


def _fit_unique(table: Table, column: Column, is_training: np.ndarray, config: CodecConfig) -> ColumnCodec:
    """Return the codec of a column that holds each value once: made anew, as ids are."""
    return _fit_unmodelled(table, replace(column, sdtype="id"), is_training, config)


def _fit_unmodelled(table: Table, column: Column, is_training: np.ndarray, config: CodecConfig) -> ColumnCodec:
    keep = even_sample(is_training, EXAMPLE_ROWS)
    chunks = [batch.column(0) for batch in training_batches(table, [column.name], keep)]
    sample = pa.chunked_array(chunks, type=table.read([column.name]).schema.field(0).type if not chunks else None)
    has_missing = sample.null_count > 0
    if len(sample) == sample.null_count:
        return ConstantCodec(column.name, Levels.of(pa.nulls(1, sample.type)))
    if column.sdtype == "id":
        return IdentifierCodec.fit(column.name, sample, has_missing, column.regex_format)
    return TextCodec.fit(column.name, sample, has_missing, config, column.pii)


def _derived(table: Table, is_training: np.ndarray, codecs: Mapping[str, ColumnCodec | None]) -> dict[str, str]:
    determinants = [name for name, codec in codecs.items() if isinstance(codec, CategoricalCodec)]
    modelled = [name for name, codec in codecs.items() if codec is None or isinstance(codec, NumericalCodec)]
    dependents = [name for name in codecs if name in determinants or name in modelled]
    return exact_within(table, is_training, determinants, dependents)


def _rules(table: Table, is_training: np.ndarray, codecs: Mapping[str, ColumnCodec | None]) -> tuple[Rule, ...]:
    own = [name for name, codec in codecs.items() if not isinstance(codec, ConstantCodec | DerivedCodec)]
    names = [name for name in own if table.schema.column(name).sdtype in ("numerical", "datetime")]
    batches = list(training_batches(table, names, even_sample(is_training, RULE_ROWS))) if len(names) > 1 else []
    if not batches:
        return ()
    rows = pa.Table.from_batches(batches)
    return find_rules({name: _whole(rows.column(name)) for name in names})


def _sampled(table: Table, is_training: np.ndarray, names: Sequence[str]) -> dict[str, pa.Array]:
    batches = list(training_batches(table, list(names), even_sample(is_training, RULE_ROWS)))
    rows = pa.Table.from_batches(batches)
    return {name: _whole(rows.column(name)) for name in names}


def _fit_times(
    table: Table, is_training: np.ndarray, columns: list[str], config: CodecConfig
) -> dict[str, ColumnCodec]:
    """Fit columns of continuous times; the first complete one is the anchor of the others."""
    codecs: dict[str, ColumnCodec] = {}
    complete = [name for name in columns if not training_values(table, name, is_training).null_count]
    anchor = (complete[0], training_values(table, complete[0], is_training)) if complete else None
    for name in columns:
        values = training_values(table, name, is_training)
        codecs[name] = datetime_codec(name, values, config, anchor if anchor and anchor[0] != name else None)
    return codecs


def _fit_clocks(
    table: Table, is_training: np.ndarray, columns: list[str], config: CodecConfig
) -> dict[str, ColumnCodec]:
    """Fit columns of times of day; the first one is where the others count from, if that is tighter."""
    codecs: dict[str, ColumnCodec] = {}
    anchor = training_values(table, columns[0], is_training) if columns else None
    for name in columns:
        values = training_values(table, name, is_training)
        if name != columns[0] and ClockLagCodec.suits(values, anchor):
            codecs[name] = ClockLagCodec.fit(name, values, columns[0], anchor, config)
        else:
            codecs[name] = ClockCodec.fit(name, values)
    return codecs


def _whole(values: pa.ChunkedArray | pa.Array) -> pa.Array:
    return values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values

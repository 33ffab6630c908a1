"""Which codec suits a column: what it means, what it holds, and what of it may be named at all."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tabgraphsyn.data.codec.categorical import CategoricalCodec, ConstantCodec
from tabgraphsyn.data.codec.column import ColumnCodec
from tabgraphsyn.data.codec.config import CodecConfig
from tabgraphsyn.data.codec.datetime import EPOCH_GRAIN_US
from tabgraphsyn.data.codec.formatted import formatted_codec
from tabgraphsyn.data.codec.identifier import IdentifierCodec, TextCodec
from tabgraphsyn.data.codec.levels import Levels
from tabgraphsyn.data.codec.numerical import NumericalCodec, number_codec
from tabgraphsyn.data.codec.personal import PersonalCodec
from tabgraphsyn.data.codec.training_rows import TrainingRows
from tabgraphsyn.data.counts import ValueCounts
from tabgraphsyn.data.personal import PersonalKind, personal_kind
from tabgraphsyn.data.schema import Column

NAMED_SHARE = 0.5
"""Share of the rows that hold a value which enough entities hold, at least, where a column becomes a category."""
SPACED_SHARE = 0.3


def column_codec(rows: TrainingRows, column: Column, config: CodecConfig) -> ColumnCodec | None:
    """Return the codec of one column, or None for times that may be encoded as a lag to another column."""
    sample, entities = rows.examples(column.name)
    if len(sample) == sample.null_count:
        return ConstantCodec(column.name, Levels.of(pa.nulls(1, sample.type)))
    if config.personal == "make" and column.regex_format is None:
        kind = personal_kind(rows.table.schema.name, column.name, sample, column.pii)
        # What its owner calls personal is made anew in its kind also where many share a value: words would say nothing.
        is_made = kind is not None and (column.pii or not _is_shared(kind, sample, entities, config))
        if kind is not None and kind != "birth_date" and is_made:
            return PersonalCodec.fit(column.name, kind, sample)
    # A column that holds each value once is made anew, as ids are.
    if column.sdtype == "id" or (column.name in rows.table.schema.alternate_keys and not column.pii):
        return _within_type(
            IdentifierCodec.fit(column.name, sample, sample.null_count > 0, column.regex_format), column
        )
    if column.sdtype == "text" or (column.pii and column.sdtype == "categorical"):
        counted = ValueCounts.of(sample, entities)
        return TextCodec.fit(column.name, counted, config, column.pii)
    formatted = formatted_codec(column, rows.whole(column.name), config, rows.entities)
    if formatted is not None:
        return formatted
    counts = rows.counts(column.name)
    if column.sdtype == "numerical":
        return number_codec(column.name, counts, config)
    if column.sdtype == "datetime":
        simple = number_codec(column.name, counts, config, EPOCH_GRAIN_US)
        return None if isinstance(simple, NumericalCodec) else simple
    return _category(column, counts, sample, config)


def _within_type(codec: IdentifierCodec, column: Column) -> IdentifierCodec:
    """Return a codec of ids that stay within the whole numbers of the column's parquet type."""
    arrow = None if column.format is None else column.format.arrow
    if arrow is None or not pa.types.is_integer(arrow) or codec.pattern is not None:
        return codec
    room = np.iinfo(arrow.to_pandas_dtype())
    least = max(codec.minimum, int(room.min))
    return replace(codec, minimum=least, span=min(codec.span, int(room.max) - least + 1))


def _is_shared(kind: PersonalKind, sample: pa.ChunkedArray, entities: np.ndarray | None, config: CodecConfig) -> bool:
    """Return whether most rows of a postcode are shared by enough entities: then it is a place, like a city."""
    if kind != "postcode":
        return False
    counts = ValueCounts.of(sample, entities)
    return named_share(counts, config.min_entities) >= NAMED_SHARE


def named_share(counts: ValueCounts, min_entities: int) -> float:
    """Return the share of the filled rows whose value enough entities hold."""
    total = counts.counts.sum()
    return float(counts.counts[counts.held_by(min_entities)].sum() / total) if total else 1.0


def _category(column: Column, counts: ValueCounts, sample: pa.ChunkedArray, config: CodecConfig) -> ColumnCodec:
    distinct, _ = counts.with_null()
    is_named = bool(counts.held_by(config.min_entities).any())
    if len(distinct) == 1 and is_named:
        return ConstantCodec(column.name, Levels.of(distinct))
    if is_named and named_share(counts, config.min_entities) >= NAMED_SHARE:
        return CategoricalCodec.fit(column.name, counts, config.min_count, config.min_entities)
    kind = counts.distinct.type
    if pa.types.is_floating(kind) or pa.types.is_temporal(kind):
        return number_codec(column.name, counts, config)
    if pa.types.is_boolean(kind):  # both may be said: two values tell nothing of anybody
        return CategoricalCodec.fit(column.name, counts)
    if pa.types.is_integer(kind) or not _is_spaced(counts.distinct):
        return IdentifierCodec.fit(column.name, sample, sample.null_count > 0, column.regex_format)
    return TextCodec.fit(column.name, counts, config, column.pii)


def _is_spaced(texts: pa.Array) -> bool:
    inside = pc.match_substring(pc.utf8_trim_whitespace(texts), " ")
    return float(pc.mean(pc.cast(inside, pa.float64())).as_py() or 0.0) >= SPACED_SHARE

"""Which codec a column needs whose values are stored as text although they are numbers or times."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from tabgraphsyn.data.codec.column import ColumnCodec
from tabgraphsyn.data.codec.config import CodecConfig
from tabgraphsyn.data.codec.mixed import MixedCodec
from tabgraphsyn.data.codec.numerical import is_discrete
from tabgraphsyn.data.codec.wide import WideCodec, beyond_floats
from tabgraphsyn.data.counts import ValueCounts
from tabgraphsyn.data.formats import MixedFormat, WideFormat
from tabgraphsyn.data.schema import Column


def formatted_codec(
    column: Column, values: pa.Array, config: CodecConfig, entities: np.ndarray | None = None
) -> ColumnCodec | None:
    """Return the codec of numbers among words, of several formats, or beyond floats; None for any other column.

    Args:
        column: its meaning and format.
        values: its training values.
        config: settings.
        entities: (rows,) int64, the entity of each row; None: every row is one.
    """
    if column.sdtype not in ("numerical", "datetime") or len(values) == values.null_count:
        return None
    if isinstance(column.format, MixedFormat):
        return MixedCodec.fit(column.name, column.format, values, config, entities)
    if isinstance(column.format, WideFormat):
        return WideCodec.fit(column.name, values, column.format.scale, config, entities)
    if column.sdtype == "numerical" and beyond_floats(values):
        counts = ValueCounts.of(values, entities)
        if len(counts.counts) > 1 and not is_discrete(counts, config):
            return WideCodec.fit(column.name, values, 0, config, entities)
    return None

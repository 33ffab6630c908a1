"""Single columns of encoded rows: read as values, written as fields."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import torch

from tabgraphsyn.data.codec import TableCodec
from tabgraphsyn.data.codec.column import Draw
from tabgraphsyn.models.absorbing.columns.units import LEVEL, Unit, Units
from tabgraphsyn.models.batch import EncodedBatch


def units_of(codec: TableCodec, units: Units, column: str) -> frozenset[Unit]:
    """Return the units of a network that say a column."""
    numbers, categories = codec.places[column]
    return frozenset(
        unit
        for unit in units.all
        if (categories if unit.kind == LEVEL else numbers).start
        <= unit.field
        < (categories if unit.kind == LEVEL else numbers).stop
    )


def decoded(codec: TableCodec, rows: EncodedBatch, column: str) -> pa.Array:
    """Return the values of a column, (rows,), the same ones each time."""
    numbers, categories = codec.places[column]
    numerical, level = rows.numerical[:, numbers].cpu().numpy(), rows.categorical[:, categories].cpu().numpy()
    own = codec.columns[column]
    given = None if own.given is None else decoded(codec, rows, own.given)
    return own.decode(numerical, level, Draw(np.random.default_rng(0), given=given))


def written(codec: TableCodec, rows: EncodedBatch, column: str, values: pa.Array) -> EncodedBatch:
    """Return rows with other values of a column, (rows,), that its codec knows."""
    numbers, categories = codec.places[column]
    own = codec.columns[column]
    given = None if own.given is None else decoded(codec, rows, own.given)
    made = own.encode(values, given)
    numerical, categorical = rows.numerical.clone(), rows.categorical.clone()
    numerical[:, numbers] = torch.from_numpy(made.numerical.mean(axis=2)).to(numerical)
    categorical[:, categories] = torch.from_numpy(made.categorical.astype(np.int64)).to(categorical)
    return EncodedBatch(numerical, categorical)

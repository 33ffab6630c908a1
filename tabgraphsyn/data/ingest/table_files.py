"""Rewriting a table's parquet file in batches: rows left out, keys made missing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tabgraphsyn.data.files import written_aside
from tabgraphsyn.data.reading.table_reader import BATCH_ROWS


def rewrite(
    path: Path, *, keep: np.ndarray | None = None, nulls: Sequence[tuple[tuple[str, ...], np.ndarray]] = ()
) -> None:
    """Write ``path`` anew with some rows left out or some values made null, in the same order.

    Args:
        keep: (rows,) bool, or None for all.
        nulls: columns and the numbers of the rows in which they become null.
    """
    with pq.ParquetFile(path) as file, written_aside(path) as aside:
        masks = [(columns, _mask(rows, file.metadata.num_rows)) for columns, rows in nulls]
        with pq.ParquetWriter(aside, file.schema_arrow, compression="zstd") as writer:
            start = 0
            for batch in file.iter_batches(batch_size=BATCH_ROWS):
                end = start + batch.num_rows
                for columns, mask in masks:
                    batch = _with_nulls(batch, columns, pa.array(mask[start:end]))
                if keep is not None:
                    batch = batch.filter(pa.array(keep[start:end]))
                if batch.num_rows:
                    writer.write_batch(batch)
                start = end


def _mask(rows: np.ndarray, total: int) -> np.ndarray:
    mask = np.zeros(total, dtype=bool)
    mask[rows] = True
    return mask


def _with_nulls(batch: pa.RecordBatch, columns: tuple[str, ...], mask: pa.Array) -> pa.RecordBatch:
    for column in columns:
        position = batch.schema.get_field_index(column)
        array = batch.column(position)
        emptied = pc.if_else(mask, pa.scalar(None, array.type), array)
        batch = batch.set_column(position, batch.schema.field(position), emptied)
    return batch

"""Arrays written to ``.npy`` batch by batch, so that no table is ever held in memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np

from tabgraphsyn.data.files import written_aside
from tabgraphsyn.errors import DataError


class ArrayWriter:
    """Appends rows to an ``.npy`` file whose number of rows is known beforehand.

    Plain writes rather than a memory map: pages of a map count as memory of the process until it is closed.
    """

    def __init__(self, handle: IO[bytes], shape: tuple[int, ...], dtype: np.dtype) -> None:
        self._handle, self._shape, self._dtype, self._rows = handle, shape, dtype, 0
        header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(handle, header)

    def append(self, rows: np.ndarray) -> None:
        """Write the next rows, (rows, width)."""
        if rows.shape[1:] != self._shape[1:]:
            raise ValueError(f"rows of shape {self._shape[1:]} expected, found {rows.shape[1:]}")
        self._handle.write(np.ascontiguousarray(rows, dtype=self._dtype).tobytes())
        self._rows += len(rows)

    def finish(self, path: Path) -> None:
        """Check that every row was written.

        Raises:
            DataError: the table had another number of rows than its metadata says.
        """
        if self._rows != self._shape[0]:
            raise DataError(f"{path.name}: {self._shape[0]} rows expected, found {self._rows}. Ingest the data again.")


@contextmanager
def array_writer(path: Path, shape: tuple[int, ...], dtype: type[np.generic]) -> Iterator[ArrayWriter]:
    """Yield a writer of ``path``, which appears when the block ends well and all rows are written."""
    with written_aside(path) as aside:
        with aside.open("wb") as handle:
            writer = ArrayWriter(handle, shape, np.dtype(dtype))
            yield writer
        writer.finish(path)


def save_array(path: Path, array: np.ndarray) -> None:
    """Write a whole array to ``path``, aside then renamed; its shape and type are kept."""
    with written_aside(path) as aside, aside.open("wb") as handle:
        np.save(handle, array, allow_pickle=False)

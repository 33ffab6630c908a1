"""Tables in memory, of pandas, arrow or whoever speaks arrow's interface, to arrow tables and parquet files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tabgraphsyn.data.reading.names import column_name_problem, table_name_problem
from tabgraphsyn.errors import DataError, listing, raise_collected

if TYPE_CHECKING:
    import pyarrow as pa


def arrow_tables(frames: Mapping[str, Any]) -> dict[str, pa.Table]:
    """Return arrow tables by name.

    Args:
        frames: pandas data frames, arrow tables, or anything with ``__arrow_c_stream__`` (polars, duckdb, ...). A
            pandas index that has a name becomes a column; row numbers are left out.

    Raises:
        DataError: all that is no table, and columns that arrow has no type for, at once.
    """
    if not frames:
        raise DataError("tables: at least one expected, found none.")
    found: dict[str, pa.Table] = {}
    problems: list[str] = []
    for name, frame in frames.items():
        problem: str | None = f"{name!r}: a table's name is a text."
        if isinstance(name, str):
            problem = table_name_problem(name, "tables")
        if problem is None:
            try:
                found[name] = _arrow(name, frame)
            except DataError as error:
                problem = str(error)
        problems += [problem] if problem else []
    raise_collected(DataError, problems)
    return found


def _arrow(name: str, frame: Any) -> pa.Table:
    import pyarrow as pa

    if hasattr(frame, "to_parquet") and hasattr(frame, "columns"):
        table = _of_pandas(name, frame)
    elif isinstance(frame, pa.Table):
        table = frame
    elif isinstance(frame, pa.RecordBatch):
        table = pa.Table.from_batches([frame])
    elif hasattr(frame, "__arrow_c_stream__"):
        table = pa.table(frame)
    else:
        kind = type(frame).__name__
        raise DataError(f"{name}: a data frame of pandas or an arrow table expected, found {kind}.")
    return table.replace_schema_metadata(None)


def _of_pandas(name: str, frame: Any) -> pa.Table:
    """Return a pandas frame as arrow, a column at a time, so that what cannot be told is said by column."""
    import pyarrow as pa

    if any(level is not None for level in frame.index.names):
        try:
            frame = frame.reset_index()
        except ValueError as error:
            raise DataError(f"{name}: its index cannot become a column ({error}). Rename the index.") from error
    columns = list(frame.columns)
    odd = [column for column in columns if not isinstance(column, str) or column_name_problem(column, name)]
    if odd:
        raise DataError(f"{name}: names of columns are texts, found {listing(odd)}. Rename them.")
    twice = [column for column in dict.fromkeys(columns) if columns.count(column) > 1]
    if twice:
        raise DataError(f"{name}: {listing(twice)} name several columns. Rename them.")
    made, problems = {}, []
    for column in columns:
        try:
            made[column] = pa.Array.from_pandas(frame[column])
        except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
            what = str(error).splitlines()[0]
            problems.append(f"{name}.{column}: values of one type expected ({what}). Convert them: .astype(str)")
    raise_collected(DataError, problems)
    return pa.table(made)


def write_parquet(tables: Mapping[str, pa.Table], folder: Path) -> None:
    """Write a file a table: the same rows are the same bytes, whoever held them."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    problems = []
    for name, table in tables.items():
        try:
            pq.write_table(_plain(table), folder / f"{name}.parquet")
        except (pa.ArrowException, NotImplementedError) as error:
            problems.append(f"{name}: cannot be written as parquet ({str(error).splitlines()[0]}).")
    raise_collected(DataError, problems)


def _plain(table: pa.Table) -> pa.Table:
    """Return a table whose dictionaries (pandas' categories) are plain values and whose chunks are joined."""
    import pyarrow as pa

    for place, field in enumerate(table.schema):
        if pa.types.is_dictionary(field.type):
            values = table.column(place).cast(field.type.value_type)
            table = table.set_column(place, field.name, values)
    return table.combine_chunks()


def pandas_frame(table: pa.Table) -> Any:
    """Return a pandas frame; whole numbers and truth values with gaps stay what they are (``Int64``, ``boolean``).

    Args:
        table: (rows, columns), of any types that pandas has.
    """
    import pandas as pd
    import pyarrow as pa

    gapless = {pa.int64(): pd.Int64Dtype(), pa.int32(): pd.Int32Dtype(), pa.bool_(): pd.BooleanDtype()}
    columns = {}
    for name, column in zip(table.column_names, table.columns, strict=True):
        mapper = gapless.get if column.null_count else None
        columns[name] = column.to_pandas(types_mapper=mapper)
    return pd.DataFrame(columns)

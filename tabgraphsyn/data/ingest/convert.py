"""Second pass over a table: every column to the arrow type that its meaning asks for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tabgraphsyn.data import datetimes
from tabgraphsyn.data.formats import AnyFormat, Format
from tabgraphsyn.data.ingest.column_scan import TRUE_WORDS, ColumnScan
from tabgraphsyn.data.ingest.raw_table import RawTable
from tabgraphsyn.errors import DataError, listing, nearest


@dataclass(frozen=True)
class Target:
    """What one column becomes.

    Attributes:
        type: its arrow type in the ingested table.
        format: how its values are written, None where arrow's own spelling is the file's.
    """

    type: pa.DataType
    format: AnyFormat | None = None

    @staticmethod
    def of(format: AnyFormat) -> Target:
        """Return the target of a format."""
        return Target(format.stored, format)


def fraction_problem(where: str, scan: ColumnScan, target: Target) -> str | None:
    """Return what is wrong with infinite numbers in a column, or None."""
    if not scan.infinite or not pa.types.is_floating(target.type):
        return None
    return f"{where}: infinite values have no place in a model. Replace them by a missing value or a number."


def write_converted(raw: RawTable, targets: Mapping[str, Target], path: Path) -> None:
    """Write the table with every column in its target type, in batches.

    Raises:
        DataError: a value that cannot be converted after all.
    """
    schema = pa.schema([pa.field(name, target.type) for name, target in targets.items()])
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for batch in raw.batches(list(targets)):
            arrays = [_converted(batch.column(name), target, f"{raw.name}.{name}") for name, target in targets.items()]
            writer.write_batch(pa.RecordBatch.from_arrays(arrays, schema=schema))


def _converted(array: pa.Array, target: Target, where: str) -> pa.Array:
    try:
        return convert(array, target)
    except (pa.ArrowInvalid, ValueError) as error:
        raise DataError(f"{where}: cannot become {target.type}: {error}") from error


def convert(array: pa.Array, target: Target) -> pa.Array:
    """Return ``array`` in the target's type.

    >>> import pyarrow as pa
    >>> convert(pa.array(["3.0", None]), Target(pa.int64())).to_pylist()
    [3, None]
    """
    if target.format is not None and not pa.types.is_null(array.type):
        return _formatted(array, target.format)
    if array.type == target.type:
        return array
    if not pa.types.is_string(array.type):
        return array.cast(target.type)
    return _convert_text(array, target)


def _formatted(array: pa.Array, format: Format) -> pa.Array:
    if pa.types.is_string(array.type):
        return format.read(pc.utf8_trim_whitespace(array))
    return format.stored_of(array)


def _convert_text(array: pa.Array, target: Target) -> pa.Array:
    text = pc.utf8_trim_whitespace(array)
    if pa.types.is_boolean(target.type):
        true = pc.is_in(pc.utf8_lower(text), value_set=pa.array(TRUE_WORDS))
        return pc.if_else(pc.is_valid(text), true, pa.scalar(None, pa.bool_()))
    if pa.types.is_timestamp(target.type):
        return datetimes.parse(text, "%Y-%m-%d")
    if pa.types.is_integer(target.type):
        try:
            return text.cast(pa.int64())
        except pa.ArrowInvalid:
            return text.cast(pa.float64()).cast(pa.int64())
    numbers = text.cast(pa.float64())
    return pc.if_else(pc.is_nan(numbers), pa.scalar(None, pa.float64()), numbers)


def unify_key_types(
    keys: list[tuple[tuple[str, str], tuple[str, str]]], targets: Mapping[str, dict[str, Target]]
) -> list[str]:
    """Give both ends of each key one type, in place: text where one is text and the other a number.

    Args:
        keys: pairs of (table, column): child, parent.

    Returns:
        Problems: ends whose types cannot meet.
    """
    problems = []
    changed = True
    while changed:  # a column may be the parent's end of one key and the child's of another
        changed = False
        for child, parent in keys:
            ends = [targets[table][column].type for table, column in (child, parent)]
            if ends[0] == ends[1]:
                continue
            if pa.string() not in ends and set(ends) != {pa.int64(), pa.float64()}:
                text = f"{'.'.join(child)}: {ends[0]} cannot refer to {'.'.join(parent)}, which is {ends[1]}. " \
                    "Give both columns sdtype 'id'."  # fmt: skip
                problems += [text] if text not in problems else []
                continue
            for table, column in (child, parent):
                if targets[table][column].type != pa.string():
                    targets[table][column] = Target(pa.string())
                    changed = True
    return problems


def unknown_columns(table: str, declared: list[str], found: list[str]) -> list[str]:
    """Return a problem for each declared column that the file does not have."""
    return [
        f"{table}.{name}: the metadata names this column, the file has {listing(found)}.{nearest(name, found)} "
        f"Correct the name or remove it from the metadata."
        for name in declared
        if name not in found
    ]

"""Second pass over a table: every column to the arrow type that its meaning asks for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tabgraphsyn.data import datetimes
from tabgraphsyn.data.ingest.column_scan import TRUE_WORDS, ColumnScan
from tabgraphsyn.data.ingest.raw_table import RawTable
from tabgraphsyn.data.schema import Column
from tabgraphsyn.errors import DataError, listing, nearest

_NATURAL = {
    "boolean": pa.bool_(), "integer": pa.int64(), "datetime": datetimes.TIMESTAMP, "text": pa.string(),
    "empty": pa.string(),
}  # fmt: skip


@dataclass(frozen=True)
class Target:
    """What one column becomes.

    Attributes:
        type: its arrow type.
        format: datetime format, where text becomes timestamps.
        decimal_comma: numbers are written 1,5.
    """

    type: pa.DataType
    format: str | None = None
    decimal_comma: bool = False


def natural_target(scan: ColumnScan) -> Target:
    """Return the target that the values themselves ask for."""
    if scan.kind == "float":
        type_ = pa.int64() if scan.is_whole and not scan.infinite else pa.float64()
        return Target(type_, decimal_comma=scan.has_decimal_comma)
    return Target(_NATURAL[scan.kind], format=scan.datetime_format if scan.kind == "datetime" else None)


def target_of(table: str, column: Column, scan: ColumnScan) -> tuple[Target, str | None]:
    """Return the target that a column's declared meaning asks for, and what in the values speaks against it."""
    natural = natural_target(scan)
    if scan.kind == "empty":
        return replace(natural, type=_declared_type(column)), None
    where = f"{table}.{column.name}"
    if column.sdtype == "numerical":
        return _numerical(where, column, scan, natural)
    if column.sdtype == "boolean":
        fits = scan.kind == "boolean" or "words" in scan.alive
        return Target(
            pa.bool_()
        ), None if fits else f"{where}: boolean in the metadata, but its values are {scan.kind}."
    if column.sdtype == "datetime":
        return _datetime(where, column, scan)
    if column.sdtype == "categorical" and scan.kind in ("integer", "float", "boolean"):
        return natural, None
    if column.sdtype == "id" and natural.type == pa.int64():
        return natural, None
    return Target(pa.string()), None


def _declared_type(column: Column) -> pa.DataType:
    if column.sdtype == "numerical":
        return pa.int64() if column.computer_representation == "Int64" else pa.float64()
    return {"boolean": pa.bool_(), "datetime": datetimes.TIMESTAMP}.get(column.sdtype, pa.string())


def _numerical(where: str, column: Column, scan: ColumnScan, natural: Target) -> tuple[Target, str | None]:
    if not scan.is_number:
        examples = f" (first: {listing(scan.non_numbers)})" if scan.non_numbers else ""
        return natural, (
            f"{where}: numerical in the metadata, but some values are no numbers{examples}. Set sdtype to "
            f"'categorical', mend the values, or add what stands for a missing value to dataset.null_values."
        )
    type_ = pa.int64() if scan.is_whole and not scan.infinite else pa.float64()
    if column.computer_representation == "Float":
        type_ = pa.float64()
    elif column.computer_representation == "Int64" and type_ != pa.int64():
        return natural, (
            f"{where}: computer_representation 'Int64' means whole numbers, found "
            f"{listing(scan.fractional_examples) or 'infinity'}. Set it to 'Float'."
        )
    return Target(type_, decimal_comma=scan.has_decimal_comma), None


def _datetime(where: str, column: Column, scan: ColumnScan) -> tuple[Target, str | None]:
    target = Target(datetimes.TIMESTAMP, format=scan.datetime_format)
    if scan.typed == "datetime":
        return target, None
    formats = scan.live_formats or []
    if column.datetime_format is None:
        if formats:
            return target, None
        return target, f"{where}: datetime in the metadata, but its values are no dates in a known format. " \
            "Set datetime_format, or sdtype to 'categorical'."  # fmt: skip
    if column.datetime_format in formats:
        return replace(target, format=column.datetime_format), None
    hint = f" They look like {formats[0]!r}." if formats else ""
    return target, f"{where}: datetime_format {column.datetime_format!r} does not fit all values.{hint} Correct it."


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
    if array.type == target.type:
        return array
    if pa.types.is_null(array.type):
        return array.cast(target.type)
    if not pa.types.is_string(array.type):
        return array.cast(target.type)
    return _convert_text(array, target)


def _convert_text(array: pa.Array, target: Target) -> pa.Array:
    text = pc.utf8_trim_whitespace(array)
    if pa.types.is_boolean(target.type):
        true = pc.is_in(pc.utf8_lower(text), value_set=pa.array(TRUE_WORDS))
        return pc.if_else(pc.is_valid(text), true, pa.scalar(None, pa.bool_()))
    if pa.types.is_timestamp(target.type):
        return datetimes.parse(text, target.format or "%Y-%m-%d")
    if target.decimal_comma:
        text = pc.replace_substring(text, ",", ".")
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

"""A batch of made rows while rules are kept in it: read as rules read rows, written in each column's own type."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tabgraphsyn.data.formats import MixedFormat
from tabgraphsyn.data.rules.operand import Operand
from tabgraphsyn.data.rules.rule import Rule
from tabgraphsyn.data.rules.tables import RuleTables
from tabgraphsyn.data.schema import Database, Schema, Table, TableSchema

MOST_DECIMALS = 8
_PER_SECOND = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
_EXACT = 2.0**53


class RuleRows:
    """Rows whose columns are replaced one at a time.

    Args:
        schema: of the table.
        rows: of the table, keys included.
        together: column -> the columns that move with it, see ``keeping.moved_times``.
    """

    def __init__(
        self, schema: TableSchema, rows: pa.Table, together: Mapping[str, frozenset[str]] | None = None
    ) -> None:
        self._schema, self.table, self.together = schema, rows, together or {}

    @property
    def name(self) -> str:
        """Of the table."""
        return self._schema.name

    @property
    def count(self) -> int:
        """Number of rows."""
        return self.table.num_rows

    @property
    def attributes(self) -> list[str]:
        """Columns that are no key, id or text."""
        keys = set(self._schema.primary_key)
        return [one.name for one in self._schema.columns if one.name not in keys and one.sdtype not in ("id", "text")]

    @property
    def read(self) -> RuleTables:
        """The rows as they are now, as rules read them."""
        schema = Schema((self._schema,), ())
        return RuleTables(Database(schema, {self._schema.name: Table(self._schema, self.table)}), {})

    def broken(self, rule: Rule) -> np.ndarray:
        """Return (rows,) bool: which rows break a rule."""
        return rule.check(self.read).broken

    def numbers(self, operand: Operand) -> np.ndarray:
        """Return (rows,) float64 as rules read numbers, NaN where there is none."""
        return self.read.numbers(self._schema.name, operand)

    def is_time(self, column: str) -> bool:
        """Return whether a column holds times."""
        return self.read.is_time(self._schema.name, Operand(column))

    def filled(self, column: str) -> np.ndarray:
        """Return (rows,) bool: where there is a value."""
        return pc.is_valid(self.column(column)).to_numpy(zero_copy_only=False)

    def column(self, name: str) -> pa.Array:
        """Return (rows,) a column in one piece."""
        values = self.table.column(name).combine_chunks()
        return pa.concat_arrays(values.chunks) if isinstance(values, pa.ChunkedArray) else values

    def put(self, name: str, values: pa.Array, where: np.ndarray) -> None:
        """Replace the values of some rows; (rows,) both."""
        if where.any():
            old, place = self.column(name), self.table.column_names.index(name)
            new = pc.if_else(pa.array(where), values.cast(old.type, safe=False), old)
            self.table = self.table.set_column(place, self.table.field(place), new)

    def take(self, name: str, source: np.ndarray, where: np.ndarray) -> None:
        """Give rows the value that another row has: (rows,) number of that row."""
        self.put(name, self.column(name).take(pa.array(source)), where)

    def nulls(self, name: str, where: np.ndarray) -> None:
        """Remove the values of some rows; ``where`` is (rows,) bool."""
        self.put(name, pa.nulls(self.count, self.column(name).type), where)

    def put_numbers(self, name: str, numbers: np.ndarray, where: np.ndarray) -> None:
        """Write numbers as the column writes them: whole, with its decimals, as a time; what does not fit stays out.

        ``numbers`` and ``where`` are (rows,).
        """
        kind = self.column(name).type
        where = where & np.isfinite(numbers) & (np.abs(numbers) < _EXACT)
        numbers = np.where(where, numbers, 0.0)
        written = self._schema.column(name).format
        if isinstance(written, MixedFormat):
            self._put_written(name, numbers, written, where)
            return
        if pa.types.is_boolean(kind):
            self.put(name, pa.array(numbers != 0), where)
        elif pa.types.is_integer(kind):
            self._put_whole(name, np.rint(numbers).astype(np.int64), kind, where)
        elif pa.types.is_timestamp(kind):
            span = _PER_SECOND[kind.unit]
            where = where & (np.abs(numbers) < 2.0**62 / span)
            whole, rest = np.divmod(np.where(where, numbers, 0.0), 1.0)
            ticks = whole.astype(np.int64) * span + np.rint(rest * min(span, 1_000_000)).astype(np.int64) * (
                span // min(span, 1_000_000)
            )
            self.put(name, pa.array(ticks).cast(pa.timestamp(kind.unit)), where)
        elif pa.types.is_date(kind):
            days = pa.array(np.floor(numbers / 86_400).astype(np.int32)).cast(pa.date32())
            self.put(name, days, where & (np.abs(numbers) < 2.0**31 * 86_400))
        elif pa.types.is_floating(kind):
            decimals = self.decimals(name)
            self.put(name, pa.array(numbers if decimals is None else np.round(numbers, decimals)), where)

    def _put_written(self, name: str, numbers: np.ndarray, written: MixedFormat, where: np.ndarray) -> None:
        """Write numbers or times in the way that each row's own is written; words and nulls stay."""
        old = self.column(name)
        alone, form = written.split(old)
        where = where & (form >= 0)
        part = RuleRows(
            TableSchema(name, (replace(self._schema.column(name), format=None),), ()), pa.table({name: alone})
        )
        part.put_numbers(name, numbers, where)
        self.put(name, written.joined(part.column(name), form, old), where)

    def _put_whole(self, name: str, numbers: np.ndarray, kind: pa.DataType, where: np.ndarray) -> None:
        bits = kind.bit_width
        low, high = (
            (0, 2**bits - 1) if pa.types.is_unsigned_integer(kind) else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
        )
        self.put(name, pa.array(numbers), where & (numbers >= low) & (numbers <= min(high, 2**63 - 1)))

    def decimals(self, name: str) -> int | None:
        """Return with how many decimals a column's values are written, None where they have no end, or none is."""
        values = self.column(name).drop_null().cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
        for decimals in range(MOST_DECIMALS + 1 if len(values) else 0):
            if np.array_equal(np.round(values, decimals), values):
                return decimals
        return None

    def grain(self, name: str) -> float | None:
        """Return what all values of a column are multiples of: of times a day at most; None for numbers without end."""
        kind, numbers = self.column(name).type, self.numbers(Operand(name))
        numbers = numbers[np.isfinite(numbers)]
        if not len(numbers):
            return None
        is_time = self.is_time(name)
        if not is_time and not pa.types.is_integer(kind):
            decimals = self.decimals(name)
            return None if decimals is None else 10.0**-decimals
        if is_time and (np.mod(numbers, 1.0) != 0).any():
            return 1e-6
        largest = int(np.gcd.reduce(numbers.astype(np.int64)))
        return float(math.gcd(largest, 86_400) if is_time else largest or 1)

    def written_like(self, names: Sequence[str]) -> bool:
        """Return whether columns are written alike, so that one may hold the values of another."""
        kinds = {self.column(one).type for one in names}
        if len(kinds) > 1 or not names:
            return False
        kind = kinds.pop()
        if pa.types.is_floating(kind):
            return len({self.decimals(one) for one in names}) == 1
        if pa.types.is_timestamp(kind):
            return len({self._is_of_days(one) for one in names}) == 1
        return pa.types.is_integer(kind) or pa.types.is_date(kind)

    def _is_of_days(self, name: str) -> bool:
        seconds = self.numbers(Operand(name))
        return bool((np.mod(seconds[np.isfinite(seconds)], 86_400) == 0).all())

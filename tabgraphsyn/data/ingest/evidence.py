"""What the texts of one column look like, over all of its rows: shapes, families of shapes, few values."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from tabgraphsyn.data.formats.shapes import shapes_of
from tabgraphsyn.data.ingest.raw_table import RawTable

MOST_SHAPES = 3_000
MOST_VALUES = 500


@dataclass
class Evidence:
    """Counts over a column's texts, without the spaces around them.

    Attributes:
        rows: texts seen.
        shapes: texts by shape (see ``formats.shapes``); empty where there are too many to be a format.
        values: texts by value; empty where there are too many to be few.
        families: rows by shape with digits as 9 and letters as a, each once; empty where there are too many.
        zones: what stands where a zone may stand, at the end after a time.
        is_open: too many shapes.
        has_many_values: too many values.
    """

    rows: int = 0
    shapes: Counter[str] = field(default_factory=Counter)
    values: Counter[str] = field(default_factory=Counter)
    families: Counter[str] = field(default_factory=Counter)
    zones: Counter[str] = field(default_factory=Counter)
    is_open: bool = False
    has_many_values: bool = False

    @staticmethod
    def of(raw: RawTable, column: str) -> Evidence:
        """Read a column of text once and count."""
        found = Evidence()
        for batch in raw.batches([column]):
            found.update(trimmed(batch.column(0)))
        return found

    def update(self, text: pa.Array) -> None:
        """Take in some texts, (rows,)."""
        text = text.drop_null()
        self.rows += len(text)
        if not len(text):
            return
        if not self.has_many_values:
            _count(self.values, text)
            self.has_many_values = len(self.values) > MOST_VALUES
        if self.is_open:
            return
        shapes = shapes_of(text)
        _count(self.shapes, shapes)
        _count(self.families, families_of(text))
        ends = pc.struct_field(pc.extract_regex(text, ZONE), ["zone"])
        _count(self.zones, ends.drop_null())
        self.is_open = len(self.shapes) > MOST_SHAPES


ZONE = r"\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d+)?)? ?(?P<zone>Z|[+-]\d{2}:?\d{2})$"


def families_of(text: pa.Array) -> pa.Array:
    """Return texts with every run of digits as 9 and every run of letters as a; (rows,)."""
    letters = pc.replace_substring_regex(text, r"\pL+", "a")
    return pc.replace_substring_regex(letters, "[0-9]+", "9")


def trimmed(array: pa.Array) -> pa.Array:
    """Return texts without spaces around them; other types as text; (rows,)."""
    return pc.utf8_trim_whitespace(array if pa.types.is_string(array.type) else array.cast(pa.string()))


def _count(counter: Counter[str], values: pa.Array) -> None:
    for entry in pc.value_counts(values).to_pylist():
        counter[entry["values"]] += entry["counts"]

"""Bundle values: which real values of a few entities can be read from the bundle."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tabgraphsyn.data.codec.listed import DAY_US, listed_days, listed_times, listed_values
from tabgraphsyn.data.counts import ValueCounts, as_numpy
from tabgraphsyn.data.files import read_json
from tabgraphsyn.evaluation.base import Metric
from tabgraphsyn.evaluation.score import Level, Result, Score
from tabgraphsyn.evaluation.sides.data import EvaluationData
from tabgraphsyn.evaluation.statistics.spread import described, share_error
from tabgraphsyn.ranges import Count


class BundleValues(Metric):
    """Share of the distinct real values held by fewer than ``min_entities`` entities that stand in the bundle.

    Args:
        min_entities: as in ``codec.min_entities``.
    """

    name = "bundle_values"
    title = "Values in the bundle"
    measures = "Share of the real values held by few entities that stand, exactly, in the codecs of the bundle."
    range = "0 to 1"
    direction = "lower"
    reading = "0: the bundle lists no value of a few, and of times no day of a few. Published tables are left out."
    source = "Own; what a codec ships is read from its json, whatever wrote it."

    def __init__(self, *, min_entities: Count = 5) -> None:
        self.min_entities = min_entities

    def compute(self, data: EvaluationData) -> Sequence[Result]:
        """Return a score per table and that of the database."""
        if data.bundle is None:
            return [self.unscored("database", "no bundle is beside these tables")]
        found, rare, results = 0, 0, list[Result]()
        for table in data.schema.table_names:
            path = data.bundle / "codec" / f"{table}.json"
            if table in data.published:
                results.append(self.unscored(table, "published by choice"))
                continue
            if not path.is_file() or not data.schema.attribute_columns(table):
                results.append(self.unscored(table, "no columns besides keys"))
                continue
            worst, counts = self._table(data, table, path)
            listed, few = (sum(pair[place] for pair in counts.values()) for place in (0, 1))
            found, rare = found + listed, rare + few
            results.append(self._share("table", table, listed, few, worst=worst))
        return [self._share("database", "database", found, rare), *results]

    def _share(self, level: Level, where: str, listed: int, few: int, **detail: Any) -> Score:
        """Return a score; its interval is that of a share of so many values."""
        value = listed / few if few else 0.0
        spread = described(value, share_error(value, max(few, 1)), "rows")
        return self.score(level, where, value, values=few, listed=listed, **detail, **spread)

    def _table(self, data: EvaluationData, table: str, path: Path) -> tuple[str, dict[str, tuple[int, int]]]:
        """Return the column of which most is listed, and by column the values that are listed and all of a few."""
        codecs = {one["name"]: one["codec"] for one in read_json(path)["columns"]}
        entities = data.real_entities(table)
        counts = {}
        for column in data.schema.attribute_columns(table):
            if column not in codecs:
                continue
            counts[column] = self._column(data.real[table].column(column), entities, codecs[column])
        worst = max(counts, key=lambda name: counts[name][0], default="")
        return worst if worst and counts[worst][0] else "", counts

    def _column(self, column: pa.ChunkedArray, entities: np.ndarray | None, raw: Any) -> tuple[int, int]:
        """Return how many of the values of a few are listed, and how many there are."""
        values = ValueCounts.of(column, entities)
        few = values.distinct.filter(pa.array(~values.held_by(self.min_entities)))
        if not pa.types.is_temporal(column.type):
            return _listed(few, raw), len(few)
        days = ValueCounts.of(pa.array(_microseconds(column) // DAY_US), _filled(column, entities))
        rare_days = days.distinct.filter(pa.array(~days.held_by(self.min_entities))).to_numpy()
        own = _microseconds(few)
        told_days = np.intersect1d(rare_days, np.fromiter(listed_days(raw), dtype=np.int64))
        is_told = np.isin(own, np.fromiter(listed_times(raw), dtype=np.int64)) | np.isin(own // DAY_US, told_days)
        return int(is_told.sum()), len(few)


def _microseconds(values: pa.ChunkedArray | pa.Array) -> np.ndarray:
    return as_numpy(values.drop_null().cast(pa.timestamp("us")).cast(pa.int64()))


def _filled(values: pa.ChunkedArray, entities: np.ndarray | None) -> np.ndarray | None:
    return None if entities is None else entities[as_numpy(pc.is_valid(values)).astype(bool)]


def _listed(values: pa.Array, raw: Any) -> int:
    kind = values.type
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        numbers = [float(one) for one in listed_values(raw) if isinstance(one, int | float)]
        return int(np.isin(values.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False), numbers).sum())
    if pa.types.is_boolean(kind):
        return 0
    return len(set(values.to_pylist()) & {one for one in listed_values(raw) if isinstance(one, str)})

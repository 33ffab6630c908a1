"""Dependencies: whether columns that follow from others in the real data still do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from tabgraphsyn.data.dependencies import Dependency, score
from tabgraphsyn.data.schema import Database, Table
from tabgraphsyn.evaluation.base import ComparisonMetric, mean_score
from tabgraphsyn.evaluation.score import Result
from tabgraphsyn.evaluation.sides.data import EvaluationData
from tabgraphsyn.evaluation.sides.keys import column_names
from tabgraphsyn.evaluation.sides.side import Comparison
from tabgraphsyn.evaluation.statistics.spread import described, share_error


class Dependencies(ComparisonMetric):
    """Share of rows consistent with each functional dependency that `prepare` found in the training rows."""

    name = "dependencies"
    title = "Functional dependencies"
    measures = (
        "Share of rows that agree with the most frequent dependent value of their determinant (a plane has one "
        "carrier, a route one distance), for each dependency that holds for at least 98 % of the training rows."
    )
    range = "0 to 1"
    direction = "higher"
    reading = "Compare with `real` in the detail: what the real data reach by the same count. C2ST does not see it."
    source = "models.md section 11; strength of a functional dependency (g3 of Kivinen and Mannila 1995, complemented)."

    def compare(self, data: EvaluationData, comparison: Comparison) -> Sequence[Result]:
        """Return a score per dependency and their mean."""
        if not data.dependencies:
            return [self.unscored("database", "no dependency was found in the training rows", comparison.name)]
        found = [Dependency.from_dict(raw) for raw in data.dependencies]
        parts = data.map(lambda dependency: self._one(dependency, data.real, comparison), found)
        return [*mean_score(self, "database", "database", parts), *parts]

    def _one(self, dependency: Dependency, real: Database, comparison: Comparison) -> Result:
        table, columns = dependency.table, [*dependency.determinant, dependency.dependent]
        where = f"{table}.{' + '.join(dependency.determinant)} -> {dependency.dependent}"
        candidate = comparison.candidate
        absent = [name for name in columns if name not in column_names(candidate.whole.database[table])]
        if candidate.num_rows(table) == 0 or absent:
            reason = f"absent columns: {', '.join(absent)}" if absent else "no rows"
            if comparison.is_baseline:
                return self.unscored(where, reason, comparison.name)
            return self.score("pair", where, 0.0, comparison.name, reason=reason)
        rows = None if candidate.rows is None else candidate.rows[table]
        value = score(_part(candidate.whole.database, table, columns, rows), dependency)
        detail: dict[str, Any] = {
            "table": table,
            "determinant": list(dependency.determinant),
            "dependent": dependency.dependent,
        }
        detail |= {"real": score(real, dependency), "kept": dependency.kept}
        spread = described(value, share_error(value, candidate.num_rows(table)), "rows")
        return self.score("pair", where, value, comparison.name, **detail, **spread)


def _part(database: Database, table: str, columns: Sequence[str], rows: np.ndarray | None) -> Database:
    """Return a database of one table's columns, all rows or some."""
    if rows is None:
        return database
    chosen = database[table].read(list(dict.fromkeys(columns))).take(pa.array(rows))
    tables: Mapping[str, Table] = {table: Table(database[table].schema, chosen)}
    return Database(database.schema, tables)

"""Keys: whether every foreign key finds its parent, and every primary key is unique."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tabgraphsyn.data.schema import Relation
from tabgraphsyn.evaluation.base import ComparisonMetric, Result
from tabgraphsyn.evaluation.data import EvaluationData
from tabgraphsyn.evaluation.keys import NULL_KEY, repeated_keys
from tabgraphsyn.evaluation.side import Comparison


class Keys(ComparisonMetric):
    """Share of foreign keys that exist in the parent table, and of rows whose primary key is present and unique."""

    name = "keys"
    title = "Key validity"
    measures = "Share of non-null foreign keys that exist in the parent table; share of rows with a unique primary key."
    range = "0 to 1"
    direction = "higher"
    reading = "Anything below 1 is a broken database."
    source = "SDMetrics 0.32 ReferentialIntegrity and KeyUniqueness."

    def compare(self, data: EvaluationData, comparison: Comparison) -> Sequence[Result]:
        """Return a score per foreign key and per primary key, and the worst of them."""
        if comparison.name == "real_real":
            return []
        schema, whole = comparison.schema, comparison.candidate.whole
        results: list[Result] = []
        for table in schema.tables:
            if table.primary_key and whole.num_rows[table.name]:
                repeated, null = repeated_keys(whole.database, table.name)
                value = 1 - (repeated + null) / whole.num_rows[table.name]
                results.append(self.score("table", table.name, value, comparison.name, repeated=repeated, null=null))
        results += [self._relation(relation, comparison) for relation in schema.relations]
        values = [result.value for result in results if not hasattr(result, "reason")]  # type: ignore[union-attr]
        if not values:
            return [*results, self.unscored("database", "no keys", comparison.name)]
        return [self.score("database", "database", min(values), comparison.name, parts=len(values)), *results]

    def _relation(self, relation: Relation, comparison: Comparison) -> Result:
        rows = comparison.candidate.whole.pointers[relation.name]
        given = rows != NULL_KEY
        if not given.any():
            reason = "no foreign key is given in the compared table"
            return self.unscored(relation.name, reason, comparison.name)
        orphans = int((rows[given] < 0).sum())
        value = float(np.mean(rows[given] >= 0))
        return self.score("relation", relation.name, value, comparison.name, orphans=orphans)

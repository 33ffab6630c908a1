"""Keys: whether every foreign key finds its parent, and every primary key is unique."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tabgraphsyn.data.pointers import NULL
from tabgraphsyn.data.schema import Relation
from tabgraphsyn.evaluation.base import ComparisonMetric
from tabgraphsyn.evaluation.score import ComparisonName, Level, Result, Score
from tabgraphsyn.evaluation.sides.data import EvaluationData
from tabgraphsyn.evaluation.sides.keys import pointers, repeated_keys
from tabgraphsyn.evaluation.sides.side import Comparison
from tabgraphsyn.evaluation.statistics.evidence import share_of


class Keys(ComparisonMetric):
    """Share of foreign keys that exist in the parent table, and of rows whose primary key is present and unique.

    Every row is looked at, so a value is exact for the tables given. Its interval, like that of exact copies, says what
    other tables of as many entities by the same generator may show: a thousand faultless rows leave room for a few
    faults in the next thousand.
    """

    name = "keys"
    title = "Key validity"
    measures = "Share of non-null foreign keys that exist in the parent table; share of rows with a unique primary key."
    range = "0 to 1"
    direction = "higher"
    reading = (
        "Anything below 1 is a broken database. Every row is checked: the value is exact, and the interval says what "
        "another draw by the same generator may show."
    )
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
                entities = data.entities(comparison.candidate, table.name)
                faults = {"repeated": int(repeated.sum()), "null": int(null.sum())}
                results.append(
                    self._share("table", table.name, ~(repeated | null), entities, comparison.name, **faults)
                )
        results += [self._relation(relation, data, comparison) for relation in (*schema.relations, *schema.dropped)]
        scores = [result for result in results if isinstance(result, Score)]
        if not scores:
            return [*results, self.unscored("database", "no keys", comparison.name)]
        # Of equally bad parts (all faultless, as a rule) the largest, whose interval says most.
        worst = min(scores, key=lambda score: (score.value, -score.detail["rows"]))
        spread = {name: worst.detail[name] for name in ("sd", "interval", "spread")}
        detail = {"worst": worst.where, "parts": len(scores), **spread}
        return [self.score("database", "database", worst.value, comparison.name, **detail), *results]

    def _share(
        self,
        level: Level,
        where: str,
        valid: np.ndarray,
        entities: np.ndarray,
        comparison: ComparisonName,
        **faults: int,
    ) -> Score:
        """Return the share of valid rows, with the interval that so many entities allow."""
        share = share_of(valid, entities)
        return self.score(level, where, share.value, comparison, rows=len(valid), **faults, **share.described())

    def _relation(self, relation: Relation, data: EvaluationData, comparison: Comparison) -> Result:
        whole = comparison.candidate.whole
        # A key that was declared and not kept is one that the synthetic tables owe: it is counted all the same.
        is_dropped = relation in comparison.schema.dropped
        rows = pointers(whole.database, relation) if is_dropped else whole.pointers[relation.name]
        given = rows != NULL
        if not given.any():
            reason = "no foreign key is given in the compared table"
            return self.unscored(relation.name, reason, comparison.name)
        valid = rows[given] >= 0
        entities = data.entities(comparison.candidate, relation.child_table)[given]
        orphans = int((~valid).sum())
        return self._share("relation", relation.name, valid, entities, comparison.name, orphans=orphans)

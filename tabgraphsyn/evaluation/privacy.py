"""What the privacy metrics share: which tables can be judged at all."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from tabgraphsyn.evaluation.base import ComparisonMetric, Result
from tabgraphsyn.evaluation.data import EvaluationData
from tabgraphsyn.evaluation.side import Comparison


class PrivacyMetric(ComparisonMetric):
    """A metric that holds rows against what was trained on and what was held out, table by table."""

    is_privacy: ClassVar[bool] = True
    needs_holdout: ClassVar[bool] = True
    # Fewer held-out rows than this say next to nothing; such tables are named, not judged.
    least_holdout_rows: ClassVar[int] = 10

    def compare(self, data: EvaluationData, comparison: Comparison) -> Sequence[Result]:
        """Return a score per table that has columns, training rows and holdout rows."""
        results: list[Result] = []
        for table in comparison.schema.table_names:
            reason = self._cannot_judge(data, comparison, table)
            if reason:
                results.append(self.unscored(table, reason, comparison.name))
            else:
                results += self.table(data, comparison, table)
        return results

    def _cannot_judge(self, data: EvaluationData, comparison: Comparison, table: str) -> str:
        held_out = len(data.holdout_rows[table])
        if not comparison.reference.whole.features[table]:
            return "no columns besides keys"
        if table in data.reference_tables:
            return "a reference table: training, holdout and synthetic rows share it by design"
        if self.needs_holdout and not data.trained_without_holdout:
            return "no holdout is known: the generator may have seen every real row"
        if held_out < self.least_holdout_rows:
            return f"tiny: {held_out} rows held out; at least {self.least_holdout_rows} are needed"
        if len(data.training_rows[table]) == 0:
            return "no training rows"
        if comparison.candidate.num_rows(table) == 0:
            return "no rows to hold against the real ones"
        return ""

    @abstractmethod
    def table(self, data: EvaluationData, comparison: Comparison, table: str) -> Sequence[Result]:
        """Return the scores of one table."""

"""What the privacy metrics share: which rows can be judged at all, and rows joined with their relatives."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from tabgraphsyn.evaluation.base import ComparisonMetric
from tabgraphsyn.evaluation.gate import KEYS_ONLY
from tabgraphsyn.evaluation.score import Result, Score, Unscored
from tabgraphsyn.evaluation.sides.data import EvaluationData
from tabgraphsyn.evaluation.sides.side import Comparison
from tabgraphsyn.evaluation.sides.view import View, family_view, parent_view, table_view
from tabgraphsyn.evaluation.statistics.distance import sampled
from tabgraphsyn.evaluation.statistics.evidence import Evidence
from tabgraphsyn.evaluation.statistics.spread import described


class PrivacyMetric(ComparisonMetric):
    """A metric that holds rows against what was trained on and what was held out, table by table.

    A score may carry ``evidence`` in its detail (``evaluation/evidence.py``): the excess that the gate judges.
    """

    is_privacy: ClassVar[bool] = True
    needs_holdout: ClassVar[bool] = True
    # Fewer held-out rows than this say next to nothing; such tables are named, not judged.
    least_holdout_rows: ClassVar[int] = 10
    least_training_rows: ClassVar[int] = 10
    # What the gate says of a high score: filled with value, excess and usual (what unseen real rows or chance reach).
    finding: ClassVar[str] = ""
    # Attacks on real rows compare training rows with holdout rows: the holdout itself has nothing to be attacked with.
    scores_holdout: ClassVar[bool] = True

    def compare(self, data: EvaluationData, comparison: Comparison) -> Sequence[Result]:
        """Return a score per view that has columns, training rows and holdout rows."""
        if comparison.name == "real_real" and not self.scores_holdout:
            return []
        results: list[Result] = []
        for view in self.views(data, comparison):
            if isinstance(view, Unscored):
                results.append(view)
                continue
            reason = self._cannot_judge(data, comparison, view)
            if reason:
                results.append(self.unscored(view.where, reason, comparison.name))
            else:
                results += self.judge(data, comparison, view)
        return results

    def views(self, data: EvaluationData, comparison: Comparison) -> Iterator[View | Unscored]:
        """Yield what to look at: every table with its own columns."""
        for table in comparison.schema.table_names:
            yield table_view(comparison, table)

    def _cannot_judge(self, data: EvaluationData, comparison: Comparison, view: View) -> str:
        held_out = len(data.holdout_rows[view.table])
        if not view.has_columns:
            return KEYS_ONLY
        if view.table in data.published:
            return f"its real rows are kept on purpose ({data.published[view.table]})"
        if self.needs_holdout and not data.trained_without_holdout:
            return "no holdout is known: the generator may have seen every real row"
        if held_out < self.least_holdout_rows:
            return f"tiny: {held_out} rows held out; at least {self.least_holdout_rows} are needed"
        if len(data.training_rows[view.table]) < self.least_training_rows:
            return f"tiny: {len(data.training_rows[view.table])} training rows"
        if comparison.candidate.num_rows(view.table) == 0:
            return "no rows to hold against the real ones"
        if not view.reference:
            return "every column is absent or unreadable: there is nothing that could be a copy"
        return ""

    @abstractmethod
    def judge(self, data: EvaluationData, comparison: Comparison, view: View) -> Sequence[Result]:
        """Return the scores of one view."""

    def of_view(
        self, view: View, value: float, comparison: Comparison, evidence: Evidence | None = None, **detail: Any
    ) -> Score:
        """Return the score of a view; the gate judges its evidence."""
        if evidence is not None:
            usual = max((part.value for part in evidence.baselines), default=float(detail.get("holdout", 0.0)))
            detail["finding"] = self.finding.format(value=value, excess=evidence.excess, usual=usual)
            detail["evidence"] = evidence.to_dict()
            detail = _spread(value, evidence, detail) | detail
        return self.score(view.level, view.where, value, comparison.name, table=view.table, **detail)


def _spread(value: float, evidence: Evidence, detail: Mapping[str, Any]) -> dict[str, Any]:
    """Return the 95 % interval of a score in its own unit: Wilson's of a share, else by its ``sd``."""
    if evidence.share is not None and math.isfinite(evidence.share.rows):
        return evidence.share.described()
    return described(value, float(detail["sd"]), "entities", math.inf) if "sd" in detail else {}


class JoinedRows(PrivacyMetric):
    """Replaces the views of a privacy metric by rows joined with their relatives, along keys that follow the split."""

    def views(self, data: EvaluationData, comparison: Comparison) -> Iterator[View | Unscored]:
        """Yield parents with aggregates of their children, then children with their parent's columns."""
        schema = comparison.schema
        usable = data.split_relations
        if not schema.relations:
            yield self.unscored("database", "no foreign keys", comparison.name)
        for table in schema.table_names:
            below = [relation for relation in usable if relation.parent_table == table]
            if below:
                yield family_view(comparison, table, below)
        for relation in schema.relations:
            if relation in usable:
                yield parent_view(comparison, relation)
            else:
                yield self.unscored(relation.name, _why_not(data, relation.parent_table), comparison.name)


def _why_not(data: EvaluationData, parent: str) -> str:
    if parent in data.reference_tables:
        return f"{parent} is a table that every row shares: the rows alone are judged"
    return "training and holdout rows meet along this key, so that joined rows belong to neither"


def attacked_rows(
    data: EvaluationData, view: View, cap: int, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return real rows to attack, training rows first, with which of them were trained on, and their entities.

    Shape:
        (attacked,) each.
    """
    members = sampled(data.training_rows[view.table], cap, generator)
    others = sampled(data.holdout_rows[view.table], cap, generator)
    rows = np.concatenate([members, others])
    return rows, np.arange(len(rows)) < len(members), data.real_entities(view.table)[rows]

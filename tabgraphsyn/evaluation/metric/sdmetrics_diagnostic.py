"""SDMetrics' diagnostic report: whether the database is valid at all."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tabgraphsyn.evaluation.sdmetrics_reports import OVERALL, SDMetricsReport, Spreads, property_scores
from tabgraphsyn.evaluation.sides.data import EvaluationData
from tabgraphsyn.evaluation.sides.side import Comparison
from tabgraphsyn.evaluation.statistics.spread import described, share_error

# Columns and their types are there or not; no draw of rows would change that.
NOT_DRAWN = "Data Structure"
# Checks of the parents' rows; every other check of a key is one of the child's rows.
OF_PARENTS = "CardinalityBoundaryAdherence"


class SDMetricsDiagnostic(SDMetricsReport):
    """The diagnostic report: data validity, structure, relationship validity and their mean.

    Every part is a share of rows that pass. Its standard error is that of as many independent draws as the table has
    entities, a mean's is the mean of its parts' errors. Both are upper bounds: rows of one entity, and columns of one
    row, are taken to pass or fail together.
    """

    name = "sdmetrics_diagnostic"
    title = "SDMetrics diagnostic report"
    measures = "Values within the real bounds and categories, the same columns and types, unique keys, keys that exist."
    range = "0 to 1"
    direction = "higher"
    reading = "1 is expected; anything below is a fault to look into."
    source = "SDMetrics 0.32 DiagnosticReport."

    def report(self) -> Any:
        """Return SDMetrics' report for one or many tables."""
        from sdmetrics.reports.diagnostic_report import DiagnosticReport

        return DiagnosticReport()

    def spreads(self, report: Any, data: EvaluationData, comparison: Comparison) -> Spreads:
        """Return the spread of each property and of their mean."""
        values = property_scores(report)
        entities = {
            table: len(np.unique(data.entities(comparison.candidate, table))) for table in comparison.schema.table_names
        }
        errors = {name: 0.0 if name == NOT_DRAWN else _error(report.get_details(name), entities) for name in values}
        spreads = {
            name: described(values[name], error, "none" if name == NOT_DRAWN else "entities")
            for name, error in errors.items()
        }
        if errors:
            spreads[OVERALL] = described(report.get_score(), math.fsum(errors.values()) / len(errors), "entities")
        return spreads


def _error(details: Any, entities: dict[str, int]) -> float:
    """Return the mean of the standard errors of the parts of one property."""
    scored = details[details["Score"].notna()]
    tables = (
        scored["Table"]
        if "Table" in scored
        else scored["Parent Table"].where(scored["Metric"] == OF_PARENTS, scored["Child Table"])
    )
    errors = [share_error(share, entities[table]) for share, table in zip(scored["Score"], tables, strict=True)]
    return math.fsum(errors) / len(errors)

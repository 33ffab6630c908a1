"""SDMetrics' diagnostic report: whether the database is valid at all."""

from __future__ import annotations

from typing import Any

from tabgraphsyn.evaluation.sdmetrics_reports import SDMetricsReport


class SDMetricsDiagnostic(SDMetricsReport):
    """The diagnostic report: data validity, structure, relationship validity and their mean."""

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

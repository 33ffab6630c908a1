"""SDMetrics' quality report, as published tables quote it."""

from __future__ import annotations

from typing import Any

from tabgraphsyn.evaluation.sdmetrics_reports import SDMetricsReport


class SDMetricsQuality(SDMetricsReport):
    """The quality report: column shapes, pair trends, cardinality, intertable trends and their mean.

    Args:
        pair_threshold: pairs whose real correlation or association does not exceed it do not count. SDMetrics 0.32
            itself takes 0.5 and 0.3, which leaves no pair at all in some databases; 0 counts every pair.
    """

    name = "sdmetrics_quality"
    title = "SDMetrics quality report"
    measures = "The mean of SDMetrics' column shapes, pair trends, cardinality and intertable trends, and each of them."
    range = "0 to 1"
    direction = "higher"
    reading = (
        "For comparison with published tables of the same SDMetrics version only: 0.18 and 0.32 differ by up to "
        "23 points in pair trends. Independent columns reach 0.8 to 0.9."
    )
    source = "SDMetrics 0.32 QualityReport; pair threshold stated with the value."

    def __init__(self, *, pair_threshold: float = 0.0) -> None:
        self.pair_threshold = pair_threshold

    def report(self) -> Any:
        """Return SDMetrics' report for one or many tables."""
        from sdmetrics.reports.quality_report import QualityReport

        report = QualityReport()
        report.real_correlation_threshold = self.pair_threshold
        report.real_association_threshold = self.pair_threshold
        return report

    def stated(self) -> dict[str, Any]:
        """Return the version and the pair threshold."""
        return {**super().stated(), "pair_threshold": self.pair_threshold}

"""Everything about one sweep point -> one HTML page."""

from __future__ import annotations

from tabgraphsyn.data.files import write_text
from tabgraphsyn.evaluation.report.gather import gather
from tabgraphsyn.evaluation.report.options import ReportOptions
from tabgraphsyn.evaluation.report.page import render
from tabgraphsyn.evaluation.report.sources import read_sources
from tabgraphsyn.stages.build import build
from tabgraphsyn.stages.context import StageContext

LARGEST_MB = 15.0


def run(context: StageContext) -> None:
    """Write ``report.html``: self-contained, for a browser without a network.

    Raises:
        StageError: an input lacks a file that every report needs.
    """
    options = build(context.config["report"], ReportOptions, allow_targets=context.allow_targets)
    page = render(gather(read_sources(context.inputs), options))
    context.artifacts.mkdir(parents=True, exist_ok=True)
    write_text(context.artifacts / "report.html", page)
    size_mb = len(page.encode()) / 1e6
    context.log.info("report: %.1f MB", size_mb)
    if size_mb > LARGEST_MB:
        context.log.warning(
            "report.html: at most %g MB wanted, found %.1f. Lower report.panels or report.page_pair_cells.",
            LARGEST_MB,
            size_mb,
        )

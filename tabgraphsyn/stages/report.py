"""Everything about one sweep point -> one HTML page."""

from __future__ import annotations

from tabgraphsyn.data.files import write_text
from tabgraphsyn.evaluation.report.gather import gather
from tabgraphsyn.evaluation.report.page import render
from tabgraphsyn.evaluation.report.sources import read_sources
from tabgraphsyn.stages.build import build
from tabgraphsyn.stages.context import StageContext


def run(context: StageContext) -> None:
    """Write ``report.html``: self-contained, for a browser without a network.

    Raises:
        StageError: an input lacks a file that every report needs.
    """
    options = build(context.config["report"], allow_targets=context.allow_targets)
    page = render(gather(read_sources(context.inputs), options))
    context.artifacts.mkdir(parents=True, exist_ok=True)
    write_text(context.artifacts / "report.html", page)
    context.log.info("report: %.1f MB", len(page.encode()) / 1e6)

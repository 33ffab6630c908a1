"""The figures of a campaign for a paper: ``python scripts/make_figure.py outputs/campaigns/NAME --out scores.pdf``.

Reads the campaign's ``report.json`` (``tabgraphsyn report NAME`` writes it). ``--figure scores`` draws each score by
model with its 95 % interval over seeds, ``--figure privacy`` copying against fidelity. The ending of ``--out`` chooses
SVG, which needs nothing else, or PDF, which a headless Chromium prints with its fonts embedded.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tabgraphsyn.errors import ConfigError, StageError, TabGraphSynError, listing, nearest
from tabgraphsyn.evaluation.campaign.drawing import privacy_panel, standalone
from tabgraphsyn.evaluation.campaign.page import figure_panels, privacy_axes
from tabgraphsyn.evaluation.campaign.summary import CampaignSummary, DatasetSummary, read_summary

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_LEGEND = "line: real against real; dashed: independent columns; dotted: a copy; arrow: beyond the scale"
_PRINT_TIMEOUT_S = 120


def main(arguments: Sequence[str] | None = None) -> int:
    """Write one figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("campaign", type=Path, help="folder of the campaign, or its report.json")
    parser.add_argument("--out", type=Path, required=True, help="file to write, .svg or .pdf")
    parser.add_argument("--figure", choices=("scores", "privacy"), default="scores")
    parser.add_argument("--dataset", help="name of the data; needed where the campaign has several")
    parser.add_argument("--scores", help="metrics or keys, joined by commas; default: the headlines")
    parser.add_argument("--columns", type=int, default=2, help="panels side by side")
    parser.add_argument("--browser", help="Chromium that prints PDF; default: the first found on PATH")
    options = parser.parse_args(arguments)
    try:
        svg = drawn(read_summary(options.campaign), options)
        if options.out.suffix == ".pdf":
            print_pdf(svg, options.out, options.browser)
        elif options.out.suffix == ".svg":
            options.out.write_text(svg, encoding="utf-8")
        else:
            raise ConfigError(f"--out: a name that ends in .svg or .pdf expected, found {options.out.name!r}.")
    except TabGraphSynError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    print(options.out)
    return 0


def drawn(summary: CampaignSummary, options: argparse.Namespace) -> str:
    """Return the figure as an SVG document.

    Raises:
        ConfigError: no such data or score, or nothing to draw.
    """
    data = _data(summary, options.dataset)
    if options.figure == "privacy":
        axes = privacy_axes(data)
        if axes is None:
            raise ConfigError(
                f"{data.name}: the figure needs a privacy score and C2ST or column shapes, found not both."
            )
        names = [f"{number} {model.name}" for number, model in enumerate(data.models, 1)]
        return standalone([("Privacy against fidelity", privacy_panel(data, *axes))], 1, names)
    panels = figure_panels(data, _keys(data, options.scores))
    if not panels:
        raise ConfigError(f"{data.name}: none of the headline scores was computed; name some with --scores.")
    return standalone(panels, max(1, options.columns), [_LEGEND])


def _data(summary: CampaignSummary, name: str | None) -> DatasetSummary:
    known = {data.name: data for data in summary.datasets}
    if name is None and len(known) == 1:
        return summary.datasets[0]
    if name not in known:
        raise ConfigError(f"--dataset: one of {listing(known)} expected, found {name!r}.{nearest(str(name), known)}")
    return known[name]


def _keys(data: DatasetSummary, scores: str | None) -> list[str] | None:
    if scores is None:
        return None
    known = [column.key for column in data.scores]
    found: list[str] = []
    for name in scores.split(","):
        named = [c.key for c in data.scores if name == c.key or (name, "database") == (c.metric, c.level)]
        if not named:
            raise ConfigError(f"--scores: no score {name!r}.{nearest(name, known)} There are {listing(known)}.")
        found += named
    return found


def print_pdf(svg: str, out: Path, browser: str | None = None) -> None:
    """Write the figure as a PDF of exactly its size.

    Raises:
        ConfigError: no browser.
        StageError: it wrote nothing.
    """
    found = browser or next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if found is None:
        raise ConfigError(f"--out: PDF is printed by one of {listing(BROWSERS)}, found none. Write .svg instead.")
    size = re.search(r'width="([\d.]+)" height="([\d.]+)"', svg)
    width, height = size.groups() if size else ("760", "600")
    style = f"@page {{ size: {width}px {height}px; margin: 0 }} body {{ margin: 0 }} svg {{ display: block }}"
    with tempfile.TemporaryDirectory(prefix="tabgraphsyn-") as scratch:
        page = Path(scratch) / "figure.html"
        page.write_text(f"<!doctype html><meta charset=utf-8><style>{style}</style>{svg}", encoding="utf-8")
        printed = Path(scratch) / "figure.pdf"
        command = [
            found, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-pdf-header-footer",
            f"--user-data-dir={scratch}/profile", f"--print-to-pdf={printed}", page.as_uri(),
        ]  # fmt: skip
        result = subprocess.run(command, capture_output=True, text=True, timeout=_PRINT_TIMEOUT_S, check=False)
        if not printed.is_file():
            raise StageError(f"{found}: it printed no PDF (exit code {result.returncode}): {result.stderr[-300:]}")
        shutil.copyfile(printed, out)


if __name__ == "__main__":
    sys.exit(main())

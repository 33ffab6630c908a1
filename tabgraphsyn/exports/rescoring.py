"""``verify --rescore``: what a crate or point states, computed again as far as what is there allows."""

from __future__ import annotations

from pathlib import Path

import yaml

from tabgraphsyn.data.files import vanishing_folder
from tabgraphsyn.errors import TabGraphSynError
from tabgraphsyn.exports.again import sampled_again, scored_again
from tabgraphsyn.exports.contents import read_contents
from tabgraphsyn.exports.export import export
from tabgraphsyn.exports.findings import NOT_CHECKED, Finding
from tabgraphsyn.exports.point import Point
from tabgraphsyn.exports.record import read_crate


def rescored(folder: Path, data: str | None) -> list[Finding]:
    """Return what sampling from the bundle, and scoring the tables again, find of a crate."""
    try:
        contents = read_contents(folder, read_crate(folder))
    except TabGraphSynError as error:
        return [Finding("computing again", NOT_CHECKED, f"the crate cannot be read ({error})")]
    return [sampled_again(folder, contents), *scored_again(folder, contents, data)]


def rescored_point(point: Point, data: str | None) -> list[Finding]:
    """Return the same of a point, by way of the crate that it would be exported to; its data are where they were."""
    with vanishing_folder() as folder:
        export(point, folder / "crate")
        dataset = yaml.safe_load(point.config_text()).get("dataset") or {}
        return rescored(folder / "crate", data or dataset.get("path"))

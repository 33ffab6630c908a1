"""The report of a whole campaign: its points' scores and what running them took, as one page and one json."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tabgraphsyn.data.files import read_json, write_json, write_text
from tabgraphsyn.errors import TabGraphSynError, command_line
from tabgraphsyn.orchestration.campaign.campaigns import CAMPAIGN, Campaign
from tabgraphsyn.orchestration.campaign.studies import again_lines, read_summary
from tabgraphsyn.orchestration.reading.accounting import usage_of

PAGE = "report.html"
SUMMARY = "report.json"
#: Up to so many sweep points a launch makes the report itself; above, it takes long enough to be asked for.
CHEAP_POINTS = 100
_METRICS = "metrics.json"


def write_report(campaign: Campaign) -> Path:
    """Write ``report.html`` and ``report.json`` to the campaign's folder; return the path of the page.

    Raises:
        StageError: results that cannot be read.
    """
    # Imported here: a launch that only plans needs neither numpy nor templates.
    from tabgraphsyn.evaluation.campaign.compare import summarise
    from tabgraphsyn.evaluation.campaign.page import render
    from tabgraphsyn.evaluation.campaign.summary import Provenance, Study, Trial

    used, gpu, saved = _hours(campaign, list(campaign.points))
    commits, libraries = _code(campaign)
    summary = summarise(
        campaign.folder,
        {name: record.overrides for name, record in campaign.points.items()},
        hours=lambda names: _hours(campaign, names)[:2],
        provenance=Provenance(
            command=tuple(read_json(campaign.folder / CAMPAIGN).get("command", ())),
            commits=commits,
            versions=libraries,
            hours=used,
            gpu_hours=gpu,
            saved_hours=saved,
        ),
    )
    found = read_summary(campaign.output_dir, campaign.name)
    if found is not None:
        trials = tuple(
            Trial(each.number, each.state, tuple(each.values or ()), each.gate, _words(each.settings), each.why)
            for each in found.trials
        )
        again = tuple(again_lines(found))
        summary = replace(summary, study=Study(found.state, tuple(found.objectives), trials, found.winner, again))
    write_json(campaign.folder / SUMMARY, summary.to_dict())
    write_text(campaign.folder / PAGE, render(summary))
    return campaign.folder / PAGE


def _words(settings: Mapping[str, Any]) -> dict[str, str]:
    return {key: f"{value:.4g}" if isinstance(value, float) else str(value) for key, value in settings.items()}


def closing_line(campaign: Campaign, *, is_done: bool) -> str:
    """Return what a launch says at its end about the campaign's report, having made it where that is quick.

    Nothing for a single sweep point, whose own report says it all. A report that cannot be made is said, and no reason
    for the launch to have failed.
    """
    scored = [
        name
        for name, record in campaign.points.items()
        if any(_METRICS in names for names in record.publishes.values())
    ]
    if len(scored) < 2:
        return ""
    command = command_line("tabgraphsyn", "report", campaign.name, "--output-dir", campaign.output_dir)
    if not is_done or len(scored) > CHEAP_POINTS:
        return f"The campaign's report, once its points are done: {command}"
    try:
        return f"Campaign report: {write_report(campaign)}"
    except (TabGraphSynError, OSError) as error:
        return f"The campaign's report could not be made: {error} To try again: {command}"


def _hours(campaign: Campaign, names: Sequence[str]) -> tuple[float, float, float]:
    """Return hours, GPU-hours, and hours saved by sharing, of the stages of some points, each stage once."""
    found = usage_of([replace(campaign, points={name: campaign.points[name] for name in names})])
    return sum(each.used_h for each in found), sum(each.gpu_used_h for each in found), sum(e.saved_h for e in found)


def _code(campaign: Campaign) -> tuple[tuple[str, ...], dict[str, str]]:
    """Return the commits that ran the campaign's stages, and the versions of libraries, joined where stages differ."""
    commits: dict[str, None] = {}
    libraries: dict[str, dict[str, None]] = {}
    for stage_id in campaign.stage_ids():
        manifest = campaign.store.done(stage_id) or {}
        code = manifest.get("code", {})
        if code.get("commit"):
            commits[f"{code['commit']}{' with changes' if code.get('changes') else ''}"] = None
        for name, version in manifest.get("libraries", {}).items():
            libraries.setdefault(name, {})[str(version)] = None
    return tuple(commits), {name: ", ".join(found) for name, found in libraries.items()}

"""``tabgraphsyn logs``: a stage's log, from its first attempt to its last."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from tabgraphsyn.errors import ConfigError, listing, nearest
from tabgraphsyn.orchestration.campaign.campaigns import Campaign
from tabgraphsyn.orchestration.computing.attempt_log import attempt_bytes, attempt_lines, last_log_lines, log_path
from tabgraphsyn.orchestration.stored.lease import attempt_numbers
from tabgraphsyn.orchestration.stored.ledger import Submission, latest_elements
from tabgraphsyn.orchestration.stored.ledger import read as read_ledger
from tabgraphsyn.orchestration.stored.store import State
from tabgraphsyn.verbs.place import OUTPUTS, OutputDir, one_campaign

_LOOK_S = 0.5
_SHOWN = 5


def logs(
    stage: Annotated[
        str | None, typer.Argument(help="gnn, absorbing/flights or a signature; default: what failed or runs.")
    ] = None,
    campaign: Annotated[str | None, typer.Option("--campaign", "-c", help="The latest by default.")] = None,
    point: Annotated[str | None, typer.Option("--point", "-p", help="A sweep point; the first by default.")] = None,
    lines: Annotated[int, typer.Option("--lines", "-n", help="Last lines of each attempt.")] = 40,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as the log grows, across attempts.")] = False,
    output_dir: OutputDir = OUTPUTS,
    as_json: Annotated[bool, typer.Option("--json", help="Print json.")] = False,
) -> None:
    """Show the log of a stage across its attempts; without a stage, of those that failed or run."""
    found = one_campaign(output_dir, campaign)
    jobs = latest_elements(read_ledger(found.output_dir))
    chosen = _chosen(found, stage, point, jobs)
    if as_json:
        print(json.dumps([_described(found, label, chosen[label], jobs, lines) for label in chosen], indent=2))
        return
    if not chosen:
        print(f"{found.name}: nothing failed and nothing runs. Name a stage: {listing(_labels(found), 20)}.")
    most = len(chosen) if stage is not None else _SHOWN
    if len(chosen) > most:
        print(f"{len(chosen)} stages need a look; these are {most} of them, the others by name or --point")
    for label, stage_id in list(chosen.items())[:most]:
        folder = found.store.folder(stage_id)
        numbers = attempt_numbers(folder)
        if not numbers:
            print(f"{label}: no attempt was started")
        for number in numbers:
            print(f"== {label} attempt {number}: {log_path(folder, number)}")
            print("\n".join(attempt_lines(folder, number, lines)))
        job_log = _job_log(stage_id, jobs)
        if job_log is not None and last_log_lines(job_log, lines):
            print(f"== {label}, its job: {job_log}")
            print("\n".join(last_log_lines(job_log, lines)))
    if follow and chosen:
        label, stage_id = next(iter(chosen.items()))
        for line in _followed(found, stage_id):
            print(line, flush=True)


def _job_log(stage_id: str, jobs: Mapping[str, tuple[Submission, int]]) -> Path | None:
    """Return what the job of a stage printed outside of its attempts: what Slurm says, and why it was requeued."""
    if stage_id not in jobs:
        return None
    submission, index = jobs[stage_id]
    return submission.log(index)


def _described(
    campaign: Campaign, label: str, stage_id: str, jobs: Mapping[str, tuple[Submission, int]], lines: int
) -> dict[str, Any]:
    folder = campaign.store.folder(stage_id)
    job_log = _job_log(stage_id, jobs)
    return {
        "stage": label,
        "id": stage_id,
        "attempts": [
            {"number": number, "log": str(log_path(folder, number)), "lines": attempt_lines(folder, number, lines)}
            for number in attempt_numbers(folder)
        ],
        "job_log": str(job_log) if job_log is not None else None,
        "job_lines": last_log_lines(job_log, lines) if job_log is not None else [],
    }


def _labels(campaign: Campaign) -> list[str]:
    return list(dict.fromkeys(label for point in campaign.points.values() for label in point.stages))


def _needs_a_look(campaign: Campaign, stage_id: str, jobs: Mapping[str, tuple[Submission, int]]) -> bool:
    """Return True for a stage that failed or runs, and for one whose job died before its first attempt."""
    state = campaign.store.state(stage_id)
    if state in (State.FAILED, State.RUNNING):
        return True
    job_log = _job_log(stage_id, jobs) if state in (State.MISSING, State.RESUMABLE) else None
    return job_log is not None and bool(last_log_lines(job_log, 1))


def _labelled(stages: Mapping[str, str]) -> dict[str, str]:
    """Return label -> id; where points have stages of one label, the signature tells them apart."""
    labels = Counter(stages.values())
    return {
        label if labels[label] == 1 else f"{label} {stage_id.partition('/')[2][:8]}": stage_id
        for stage_id, label in stages.items()
    }


def _chosen(
    campaign: Campaign, stage: str | None, point: str | None, jobs: Mapping[str, tuple[Submission, int]]
) -> dict[str, str]:
    """Return label -> id of the stages that are meant."""
    if point is not None and point not in campaign.points:
        raise ConfigError(f"--point: there is no {point!r}.{nearest(point, campaign.points)}")
    points = [campaign.points[point]] if point is not None else list(campaign.points.values())
    if stage is None:
        pairs = {stage_id: label for each in points for label, stage_id in each.stages.items()}
        return _labelled(
            {stage_id: label for stage_id, label in pairs.items() if _needs_a_look(campaign, stage_id, jobs)}
        )
    for each in points:
        for label, stage_id in each.stages.items():
            if stage in (label, stage_id) or stage_id.split("/")[1].startswith(stage):
                return {label: stage_id}
    known = _labels(campaign)
    raise ConfigError(
        f"{stage}: no such stage in {campaign.name}.{nearest(stage, known)} There are {listing(known, 30)}."
    )


def _followed(campaign: Campaign, stage_id: str) -> Iterator[str]:
    """Yield lines as they come, moving on to the next attempt's log, until the stage is done or failed."""
    folder = campaign.store.folder(stage_id)
    number = (attempt_numbers(folder) or [1])[-1]
    position = len(attempt_bytes(folder, number))
    while True:
        state = campaign.store.state(stage_id)
        text = attempt_bytes(folder, number, position)
        position += len(text)
        yield from text.decode("utf-8", errors="replace").splitlines()
        later = [each for each in attempt_numbers(folder) if each > number]
        if later:
            number, position = later[0], 0
            yield f"== attempt {number}"
        elif state in (State.DONE, State.FAILED):
            return
        else:
            time.sleep(_LOOK_S)

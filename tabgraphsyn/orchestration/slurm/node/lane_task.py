"""What a task of a lane runs: the first element that is neither done nor given up (see ``lanes``)."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from tabgraphsyn.errors import EXIT_DONE, EXIT_INTERRUPTED, EXIT_STAGE
from tabgraphsyn.orchestration.slurm import script
from tabgraphsyn.orchestration.slurm.decisions import GAVE_UP, is_given_up, note
from tabgraphsyn.orchestration.slurm.listing import Element, ListedStage, read_elements
from tabgraphsyn.orchestration.slurm.scheduler import Scheduler
from tabgraphsyn.orchestration.stored.store import done_manifest

_ENDINGS = frozenset({EXIT_DONE, EXIT_INTERRUPTED})


def open_stage(element: Element, job: str) -> ListedStage | None:
    """Return the first stage of an element that is not done, or None if nothing is to be done with it.

    Nothing is, also, where the lane gave it up, or where what it reads is not there: a lane starts after the end of
    all that its elements read, so that will not come.
    """
    own = {stage.id for stage in element.stages}
    missing = [stage for stage in element.stages if done_manifest(element.folder(stage)) is None]
    if any(is_given_up(element.folder(stage), job) for stage in missing):
        return None
    inputs = {each for stage in missing for each in stage.spec["inputs"].values()} - own
    if any(done_manifest(element.store / each) is None for each in inputs):
        return None
    return missing[0] if missing else None


def lane_element(list_file: Path, job: str) -> Element | None:
    """Return the element that the next task runs, or None if the lane is at its end."""
    return next((each for each in read_elements(list_file) if open_stage(each, job) is not None), None)


def after_task(element: Element, code: int, list_file: Path, job: str) -> int:
    """Give an element up that failed; end the lane if nothing is left to do. Return the exit code."""
    stage = open_stage(element, job)
    if stage is not None and code not in _ENDINGS:
        note(element.folder(stage), GAVE_UP, why=f"exit code {code}")
    end_lane_if_over(list_file, job)
    return code


def end_lane_if_over(list_file: Path, job: str) -> None:
    """Take the spare tasks of a lane out of the queue when nothing is left to do."""
    if lane_element(list_file, job) is not None:
        return
    script.over_path(list_file).touch()
    scheduler = Scheduler()
    # Where a node has no scancel, the spare tasks see the file and end at once.
    if scheduler.has("scancel") and "SLURM_ARRAY_JOB_ID" in os.environ:
        scheduler.call("scancel", "--state=PENDING", job, check=False, timeout_s=20)


def nothing_to_run(list_file: Path, job: str) -> int:
    """End the lane; return 0 only if all its elements are done."""
    end_lane_if_over(list_file, job)
    elements = read_elements(list_file)
    missing = [
        stage.id for element in elements for stage in element.stages if done_manifest(element.folder(stage)) is None
    ]
    for stage_id in missing:
        print(f"{stage_id}: given up, or its inputs did not come", file=sys.stderr)
    return EXIT_STAGE if missing else EXIT_DONE

"""What a task of a job array runs: ``python -m tabgraphsyn.orchestration.slurm.node.element LIST``.

It runs the stages of its element one after the other and ends with 0 only if every one of them is done. With
``--ended CODE`` it is called by the batch script after a process that did not end well: that decides on a retry.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from tabgraphsyn.errors import DISK_FULL, EXIT_DONE, EXIT_INTERRUPTED, EXIT_STAGE, EXIT_USER, TabGraphSynError
from tabgraphsyn.orchestration.computing.ranks import NoTeam, Team
from tabgraphsyn.orchestration.slurm.bad_nodes import JUDGED, UNSTARTED
from tabgraphsyn.orchestration.slurm.decisions import array_job, restart
from tabgraphsyn.orchestration.slurm.element_id import ElementId
from tabgraphsyn.orchestration.slurm.listing import Element, read_element
from tabgraphsyn.orchestration.slurm.node.lane_task import after_task, end_lane_if_over, lane_element, nothing_to_run
from tabgraphsyn.orchestration.slurm.node.requeue import after_death, after_interruption
from tabgraphsyn.orchestration.slurm.node.team import follow_first, gathered, seat_of_task
from tabgraphsyn.orchestration.slurm.out_of_memory import ran_out_of_memory
from tabgraphsyn.orchestration.slurm.script import mark_done
from tabgraphsyn.orchestration.stored.lease import latest_attempt
from tabgraphsyn.orchestration.stored.sharing import settle_rights
from tabgraphsyn.orchestration.stored.store import done_manifest, write_spec

_SIGNALS = (signal.SIGTERM, signal.SIGUSR2, signal.SIGCONT)
_ENDINGS = frozenset({EXIT_USER, EXIT_STAGE, EXIT_INTERRUPTED})


def run_element(element: Element, team: Team | None = None) -> int:
    """Run what is not done yet and return the exit code."""
    from tabgraphsyn.orchestration.computing.worker import guarded_run

    settle_rights(element.store.parent)
    for stage in element.stages:
        folder = element.folder(stage)
        if done_manifest(folder) is not None:
            continue
        try:
            spec = write_spec(folder, stage.spec)
        except OSError as error:
            if error.errno not in DISK_FULL:
                raise
            # The shared disk's fault, not the node's: it must not be left out for it.
            print(f"disk: {error}. Free space, then tabgraphsyn repair.", file=sys.stderr)
            return EXIT_STAGE
        code = guarded_run(spec, capture=True, team=team or NoTeam())
        if code == EXIT_INTERRUPTED:
            return after_interruption(element.policy, folder)
        if code != EXIT_DONE:
            return code
        if done_manifest(folder) is None:
            return EXIT_STAGE
    mark_done()
    return EXIT_DONE


def run_lane_task(list_file: Path, job: str, team: Team | None = None) -> int:
    """Run the first element of a lane that is neither done nor given up; return the exit code."""
    element = lane_element(list_file, job)
    if element is None:
        return nothing_to_run(list_file, job)
    return after_task(element, run_element(element, team), list_file, job)


def end_lane_task(list_file: Path, job: str, code: int) -> int:
    """Return the exit code of a task of a lane after its process ended with ``code`` and without a word."""
    element = lane_element(list_file, job)
    if element is None or code in _ENDINGS:
        return code
    code = end_element(element, code)
    end_lane_if_over(list_file, job)
    return code


def end_element(element: Element, code: int) -> int:
    """Return the exit code of the job after its process ended with ``code`` and not every stage done for sure."""
    settle_rights(element.store.parent)
    missing = [stage for stage in element.stages if done_manifest(element.folder(stage)) is None]
    if not missing:
        return EXIT_DONE
    if code in _ENDINGS:
        return code
    if never_began(element.folder(missing[0]), code):
        raise NeverBegan
    return after_death(element.policy, element.folder(missing[0]), code)


class NeverBegan(Exception):
    """No attempt of this run began, and no signal ended it: the batch script finds out whether it is the node."""


def never_began(folder: Path, code: int) -> bool:
    """Return True if this run of the job made no attempt, and neither a signal nor want of memory ended it."""
    job = ElementId.current()
    if job is None or code - 128 in set(signal.Signals) or ran_out_of_memory(code):
        return False
    last = latest_attempt(folder)
    return last is None or (last.owner.job, last.owner.restart) != (job.job, restart())


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(
        prog="tabgraphsyn.orchestration.slurm.node.element", description="Run one element."
    )
    parser.add_argument("list", type=Path, help="list file of the array")
    parser.add_argument("--lane", action="store_true", help="the first element of the list that is not done")
    parser.add_argument("--ended", type=int, default=None, metavar="CODE", help="how the element's process ended")
    options = parser.parse_args(arguments)
    # A second signal must not end this process between the stage's last save and the call that requeues the job; nor
    # what it calls afterwards, which inherits that a signal is ignored, but no handler.
    for number in _SIGNALS:
        signal.signal(number, _ignore if options.ended is None else signal.SIG_IGN)
    try:
        if options.ended is None:
            return _run(options.list, options.lane)
        code = _end(options.list, options)
    except NeverBegan:
        print(UNSTARTED)
        return EXIT_STAGE
    except TabGraphSynError as error:
        print(error, file=sys.stderr)
        code = error.exit_code
    if options.ended is not None:
        print(JUDGED, code)
    return code


def _run(list_file: Path, is_lane: bool) -> int:
    """Run as one of the tasks that srun started: the first runs the stages, the others help to train them."""
    place = seat_of_task()
    if place.number:
        return follow_first(list_file, place)
    with gathered(list_file, place) as team:
        if is_lane:
            return run_lane_task(list_file, array_job() or "", team)
        return run_element(_element(list_file), team)


def _end(list_file: Path, options: argparse.Namespace) -> int:
    if options.lane:
        return end_lane_task(list_file, array_job() or "", options.ended)
    return end_element(_element(list_file), options.ended)


def _element(list_file: Path) -> Element:
    return read_element(list_file, int(os.environ.get("SLURM_ARRAY_TASK_ID") or 0))


def _ignore(number: int, _: object) -> None:
    with suppress(OSError):  # a log that cannot be written decides about no stage
        print(f"{signal.Signals(number).name} received", file=sys.stderr, flush=True)


if __name__ == "__main__":
    from tabgraphsyn.orchestration.slurm.node.element import main as _main

    sys.exit(_main())

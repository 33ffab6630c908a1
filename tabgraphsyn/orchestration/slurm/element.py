"""What a task of a job array runs: ``python -m tabgraphsyn.orchestration.slurm.element LIST``.

It runs the stages of its element one after the other and ends with 0 only if every one of them is done. With
``--ended CODE`` it is called by the batch script after a process that did not end well: that decides on a retry.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from tabgraphsyn.errors import EXIT_DONE, EXIT_INTERRUPTED, EXIT_STAGE, EXIT_USER, TabGraphSynError
from tabgraphsyn.orchestration.slurm.listing import Element, read_element
from tabgraphsyn.orchestration.slurm.requeue import after_death, after_interruption
from tabgraphsyn.orchestration.slurm.script import mark_done
from tabgraphsyn.orchestration.store import done_manifest, write_spec

_SIGNALS = (signal.SIGTERM, signal.SIGUSR2, signal.SIGCONT)


def run_element(element: Element) -> int:
    """Run what is not done yet and return the exit code."""
    from tabgraphsyn.orchestration.worker import guarded_run

    for stage in element.stages:
        folder = element.folder(stage)
        if done_manifest(folder) is not None:
            continue
        code = guarded_run(write_spec(folder, stage.spec), capture=True)
        if code == EXIT_INTERRUPTED:
            return after_interruption(element.policy, folder)
        if code != EXIT_DONE:
            return code
        if done_manifest(folder) is None:
            return EXIT_STAGE
    mark_done()
    return EXIT_DONE


def end_element(element: Element, code: int) -> int:
    """Return the exit code of the job after its process ended with ``code`` and not every stage done for sure."""
    missing = [stage for stage in element.stages if done_manifest(element.folder(stage)) is None]
    if not missing:
        return EXIT_DONE
    if code in (EXIT_USER, EXIT_STAGE, EXIT_INTERRUPTED):
        return code
    return after_death(element.policy, element.folder(missing[0]), code)


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(prog="tabgraphsyn.orchestration.slurm.element", description="Run one element.")
    parser.add_argument("list", type=Path, help="list file of the array")
    parser.add_argument("--ended", type=int, default=None, metavar="CODE", help="how the element's process ended")
    options = parser.parse_args(arguments)
    # A second signal must not end this process between the stage's last save and the call that requeues the job.
    for number in _SIGNALS:
        signal.signal(number, _ignore)
    try:
        element = read_element(options.list, int(os.environ.get("SLURM_ARRAY_TASK_ID") or 0))
        return run_element(element) if options.ended is None else end_element(element, options.ended)
    except TabGraphSynError as error:
        print(error, file=sys.stderr)
        return error.exit_code


def _ignore(number: int, _: object) -> None:
    print(f"{signal.Signals(number).name} received", file=sys.stderr, flush=True)


if __name__ == "__main__":
    from tabgraphsyn.orchestration.slurm.element import main as _main

    sys.exit(_main())

"""Run one stage: ``python -m tabgraphsyn.orchestration.computing.worker outputs/stages/<kind>/<signature>/spec.json``.

Exit codes: 0 the stage is done, 2 the user's data or config, 3 it failed, 75 it was asked to stop and can resume, 76 it
lost another of its ranks and can resume.
"""

from __future__ import annotations

import argparse
import importlib
import logging
import os
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from tabgraphsyn.data.files import write_json
from tabgraphsyn.errors import (
    EXIT_DONE,
    EXIT_INTERRUPTED,
    EXIT_STAGE,
    DataError,
    Interrupted,
    StageError,
    TabGraphSynError,
)
from tabgraphsyn.orchestration.campaign import showing
from tabgraphsyn.orchestration.campaign.studies import advance_after
from tabgraphsyn.orchestration.computing import compute
from tabgraphsyn.orchestration.computing.attempt_log import AttemptNotes, attempt_log
from tabgraphsyn.orchestration.computing.captured_output import leave_output
from tabgraphsyn.orchestration.computing.heartbeat import Heartbeat, StopFlag
from tabgraphsyn.orchestration.computing.local_ranks import LocalTeam
from tabgraphsyn.orchestration.computing.outcome import ending, manifest
from tabgraphsyn.orchestration.computing.ranks import NoTeam, RankWork, Team
from tabgraphsyn.orchestration.planning.spec import Spec, load_spec
from tabgraphsyn.orchestration.stored import store
from tabgraphsyn.orchestration.stored.lease import Lease, Owner, acquire, latest_attempt
from tabgraphsyn.orchestration.stored.packed import pack
from tabgraphsyn.orchestration.stored.sharing import settle_rights
from tabgraphsyn.redaction import redacted
from tabgraphsyn.stages.context import StageContext
from tabgraphsyn.tracking.base import RunIdentity, Tracker, Trackers
from tabgraphsyn.tracking.jsonl import JsonlTracker
from tabgraphsyn.tracking.wandb import forget_mirrored

_WAIT_S = 0.5


@dataclass(frozen=True)
class AttemptContext(StageContext):
    """A stage context whose artifacts are this attempt's own until they are published."""

    attempt: int = 1

    @property
    def artifacts(self) -> Path:
        """Where this attempt writes its results."""
        return store.working_artifacts(self.folder, self.attempt)


def run_stage(spec_path: Path, *, capture: bool = False, waits: bool = True, team: Team | None = None) -> int:
    """Run the stage of a spec in this process and return the exit code.

    Args:
        spec_path: ``spec.json`` in the stage's folder.
        capture: send all that the process prints to the attempt's log, for good.
        waits: wait while another process runs the stage; otherwise report that as interrupted.
        team: the ranks that a scheduler started; None: a stage of several ranks starts them on this machine.
    """
    spec = load_spec(spec_path)
    folder = spec_path.parent.resolve()
    settle_rights(folder.parents[2])
    compute.settle_threads(spec.runtime.threads)
    with StopFlag(raises=True) as flag:
        try:
            lease = _lease(folder, spec, waits)
        except (Interrupted, KeyboardInterrupt):
            return EXIT_INTERRUPTED
        if lease is None:
            return EXIT_DONE
        # From here on a signal must not cut into the bookkeeping: `_attempt` opens and closes that window.
        flag.raises = False
        flag.lease = lease
        return _attempt(spec, folder, lease, flag, capture, _team(spec, team))


def _team(spec: Spec, given: Team | None) -> Team:
    if spec.runtime.tasks_per_node * spec.runtime.nodes == 1:
        return NoTeam()
    return LocalTeam(spec.runtime.tasks_per_node) if given is None else given


def _lease(folder: Path, spec: Spec, waits: bool) -> Lease | None:
    """Return the lease of the stage, or None once it is done."""
    joined = False
    while store.done_manifest(folder) is None:
        last = latest_attempt(folder) if joined else None
        if last is not None and last.outcome == "failed":
            raise StageError(f"{spec.label}: failed in another launch: {last.error}")
        lease = acquire(folder, Owner.current(), spec.runtime.lease_timeout_s)
        if lease is not None:
            return lease
        if not waits:
            raise Interrupted(f"{spec.label}: another process runs it.")
        joined = True
        time.sleep(_WAIT_S)
    return None


def _attempt(spec: Spec, folder: Path, lease: Lease, flag: StopFlag, capture: bool, team: Team) -> int:
    """Run one attempt from lease to record."""
    with (
        attempt_log(folder, lease.number, capture=capture, about=_about(spec, folder)) as log,
        Heartbeat(lease, spec.runtime.heartbeat_s) as heartbeat,
    ):
        code, outcome, message = EXIT_DONE, "done", None
        try:
            if store.recover(folder):
                log.info("finished the publication of an earlier attempt")
            else:
                _run(spec, folder, lease, flag, log, team)
            _show(folder, log)
            _tidy(folder, log)
        except BaseException as error:  # every way out of a stage must be recorded, KeyboardInterrupt too
            flag.raises = False
            code, outcome, message = ending(error, heartbeat.is_fenced or _is_overtaken(flag))
            log.log(logging.INFO if outcome == "interrupted" else logging.ERROR, message, exc_info=code == EXIT_STAGE)
            if isinstance(error, SystemExit | GeneratorExit):
                log.error("the stage tried to leave the process")
        _record(lease, outcome, code, message, log)
        if outcome in ("done", "failed"):
            advance_after(folder, outcome, log)
    if outcome == "done" and spec.runtime.packs_records and isinstance(team, NoTeam):
        _pack(lease, capture)
    return code


def _pack(lease: Lease, capture: bool) -> None:
    """Pack the records once the log is whole; what cannot be packed stays as it is, and ``gc --rule records`` has it.

    Other ranks write to the same log for a moment longer: those of several ranks stay.
    """
    if capture and not leave_output():
        return
    with suppress(OSError, TabGraphSynError):
        if lease.is_held():
            pack(lease.folder, leaves_folders=True)


def _about(spec: Spec, folder: Path) -> dict[str, str | int | None]:
    """Return what each line of the json log says besides: of a shared stage, the campaign that ran it."""
    campaign, _, point = spec.runtime.group.partition("/")
    job = os.environ.get("SLURM_JOB_ID")
    return {"campaign": campaign, "point": point, "stage": spec.label, "signature": folder.name, "job": job}


def _run(spec: Spec, folder: Path, lease: Lease, flag: StopFlag, log: logging.Logger, team: Team) -> None:
    started, cpu = time.time(), time.process_time()
    opened = store.Store(folder.parents[1])
    inputs = store.checked_inputs(opened, spec.inputs, spec.runtime.verify_mb)
    store.clear_leftovers(folder, lease.number)
    log.info("%s attempt %d, process %d", spec.label, lease.number, os.getpid())
    flag.raises = not spec.runtime.is_resumable and not flag.requested
    if flag.requested:
        raise Interrupted("stopped before it began")
    module = importlib.import_module(spec.runtime.module)
    if spec.runtime.checks_content:
        _check_content(spec, module)
    compute.settle_threads(spec.runtime.threads)
    tracker = AttemptNotes(_tracker(spec, folder), lease)
    context = AttemptContext(
        stage=spec.stage,
        table=spec.table,
        signature=folder.name,
        folder=folder,
        config=spec.config,
        inputs=inputs,
        resources=compute.resources(spec.runtime.threads, spec.runtime.device),
        tracker=tracker,
        interrupt=flag,
        allow_targets=spec.runtime.allow_targets,
        log=log,
        attempt=lease.number,
    )
    try:
        work = RankWork(str(folder / store.SPEC), lease.number, context.resources.device, spec.runtime.rank_timeout_s)
        with team.together(work, flag):
            module.run(context)
    finally:
        flag.raises = False
        tracker.close()
    store.publish(lease, {**manifest(spec, folder, context, started, cpu), "ranks": team.count})
    log.info("done in %.1f s", time.time() - started)


def _check_content(spec: Spec, module: ModuleType) -> None:
    """Refuse data that are not those that the launch saw: a job reads them hours later.

    Raises:
        DataError: they changed; the stage's name would lie about them.
    """
    (dataset,) = spec.config.values()
    if not module.is_same_content(dataset, spec.content):
        raise DataError("dataset.path: the files are not those that were there at launch. Launch again to use these.")


def _show(folder: Path, log: logging.Logger) -> None:
    """Show the results where people look. The stage is done even if that fails; ``status`` tries again."""
    try:
        showing.publish_subscribed(folder)
    except (OSError, StageError) as error:
        log.warning("could not show the results in the campaign's folder: %s", error)


def _tidy(folder: Path, log: logging.Logger) -> None:
    """Remove what only a further attempt would read."""
    try:
        store.clear_checkpoints(folder)
        forget_mirrored(folder)
    except OSError as error:
        log.warning("could not remove what is not needed any more: %s", error)


def _tracker(spec: Spec, folder: Path) -> Tracker:
    always = JsonlTracker(folder / "metrics.jsonl")
    if not spec.runtime.tracking:
        return always
    from tabgraphsyn.stages.build import build  # imports Hydra: only where a tracker is configured

    run = RunIdentity(folder.name, spec.label, spec.runtime.group, folder, spec.config)
    return Trackers([always, build(spec.runtime.tracking, Tracker, allow_targets=spec.runtime.allow_targets, run=run)])


def _is_overtaken(flag: StopFlag) -> bool:
    """Return whether a stage that ends with an error was overtaken; what cannot be asked is not known to be."""
    try:
        return flag.overtaken
    except OSError:
        return False


def _record(lease: Lease, outcome: str, code: int, message: str | None, log: logging.Logger) -> None:
    try:
        lease.end(outcome, code, message)
    except OSError as error:  # a full disk: the exit code and the log still tell
        log.error("could not record the end of attempt %d: %s", lease.number, error)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the stage whose spec is named on the command line."""
    parser = argparse.ArgumentParser(prog="tabgraphsyn.orchestration.computing.worker", description="Run one stage.")
    parser.add_argument("spec", type=Path, help="spec.json of a stage folder")
    parser.add_argument("--capture", action="store_true", help="print into the attempt's log")
    options = parser.parse_args(arguments)
    return guarded_run(options.spec, capture=options.capture)


def guarded_run(spec_path: Path, *, capture: bool, team: Team | None = None) -> int:
    """Run a stage; an error before its log is open is printed as one line and, if need be, kept beside it."""
    try:
        return run_stage(spec_path, capture=capture, team=team)
    except TabGraphSynError as error:
        code, text = error.exit_code, str(error)
    except OSError as error:
        code, text = EXIT_STAGE, f"{spec_path.parent}: {error}"
    print(text, file=sys.stderr)
    try:
        write_json(
            spec_path.parent / "start_error.json", {"time": time.time(), "exit_code": code, "error": redacted(text)}
        )
    except OSError as error:
        print(f"{spec_path.parent}: {error}", file=sys.stderr)
    return code


if __name__ == "__main__":
    # Under its own name, so that what is pickled or logged does not point to __main__.
    from tabgraphsyn.orchestration.computing.worker import main as _main

    sys.exit(_main())

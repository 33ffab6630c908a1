"""Whether an element that was interrupted or died runs again: by asking Slurm what happened, within separate caps.

Everything that a retry needs lies in the stage's folder: attempts, checkpoints, and ``requeues.jsonl`` with a line per
decision (``decisions``). Nothing is guessed from elapsed time.
"""

from __future__ import annotations

import math
import os
import re
import signal
import sys
import time
from datetime import datetime
from pathlib import Path

from tabgraphsyn.errors import EXIT_INTERRUPTED, EXIT_STAGE, SubmissionError
from tabgraphsyn.orchestration.slurm.decisions import (
    DIED,
    GAVE_UP,
    OUT_OF_MEMORY,
    TIME_LIMIT,
    decisions,
    ends_without_progress,
    interruptions,
    note,
    restart,
)
from tabgraphsyn.orchestration.slurm.element_id import ElementId
from tabgraphsyn.orchestration.slurm.findings import record_findings
from tabgraphsyn.orchestration.slurm.listing import Policy
from tabgraphsyn.orchestration.slurm.out_of_memory import ran_out_of_memory
from tabgraphsyn.orchestration.slurm.scheduler import Scheduler
from tabgraphsyn.orchestration.slurm.strategy import REQUEUE, SUCCESSOR, WAIT
from tabgraphsyn.orchestration.stored.lease import Attempt, latest_attempt
from tabgraphsyn.orchestration.stored.ledger import FOLDER
from tabgraphsyn.orchestration.stored.store import done_manifest

_CHECK_TURN_S = 60.0  # Slurm looks at time limits every 30 s, in whole minutes
_STAY_S = 3600.0
_ASK_AGAIN_S = 10.0
_PAUSE_S = 1.0
_LOOKED_AT = 200  # stages of a kind that are asked what they took
_FORBIDDEN = ("access", "denied", "permission", "not allowed", "forbidden", "disabled", "not permitted")


def after_interruption(policy: Policy, folder: Path) -> int:
    """See that a stage that saved and stopped on a signal goes on, unless it was cancelled; return the exit code.

    A job that was cancelled must not come back. One that Slurm already requeues needs nothing.
    """
    element = ElementId.current()
    last = latest_attempt(folder)
    if element is None or _runs_again(last, element):
        return EXIT_INTERRUPTED
    scheduler = Scheduler()
    fields = _fields(scheduler, element)
    cause = interruption_cause(fields, policy.signal_s, restart())
    _say(f"attempt {last.number if last else 0} stopped: {cause}")
    if cause == "cancelled":
        # Noted, so that no later task of a lane takes it up again.
        note(folder, GAVE_UP, why=cause)
        return EXIT_INTERRUPTED
    note(folder, cause)
    if cause == "requeued":
        return EXIT_INTERRUPTED
    count = interruptions(decisions(folder))
    if count > policy.max_preemptions:
        _say(f"interrupted {count} times, cluster.max_preemptions allows {policy.max_preemptions}: giving up")
        note(folder, GAVE_UP, why="cluster.max_preemptions")
        return EXIT_STAGE
    if cause == TIME_LIMIT and (count := ends_without_progress(decisions(folder))) > policy.max_failures:
        advice = more_time(folder, _limit_s(fields))
        _say(f"the time limit was reached {count} times in a row at one step: giving up. {advice}")
        note(folder, GAVE_UP, why="cluster.max_failures", advice=f"{count} time limits without progress: {advice}")
        return EXIT_STAGE
    _CONTINUE[policy.on_interrupt](scheduler, element, cause, folder)
    return EXIT_INTERRUPTED


def _runs_again(last: Attempt | None, element: ElementId) -> bool:
    """Return True if Slurm runs this job again beside this process, which it lost sight of.

    Requeueing would end the new run; and a controller that lost a node may not answer when asked.
    """
    return last is not None and last.owner.job == element.job and last.owner.restart > restart()


def _requeue_itself(scheduler: Scheduler, element: ElementId, cause: str, folder: Path) -> None:
    if not _requeued(scheduler, element, folder):
        _wait_for_the_cluster(scheduler, element, cause, folder)


def _wait_for_the_cluster(_: Scheduler, __: ElementId, cause: str, ___: Path) -> None:
    """Leaving now would count as an end of its own accord, and what depends on this job would be lost."""
    if cause == "preempted":
        _say("staying alive until the cluster requeues this job")
        _stay()


def _leave_to_the_next_task(_: Scheduler, __: ElementId, ___: str, ____: Path) -> None:
    _say("the next task of this lane goes on")


_CONTINUE = {REQUEUE: _requeue_itself, WAIT: _wait_for_the_cluster, SUCCESSOR: _leave_to_the_next_task}


def interruption_cause(fields: dict[str, str], signal_s: int, restart: int = 0, now: float | None = None) -> str:
    """Return why Slurm signalled a job, from what ``scontrol show job`` says.

    Args:
        fields: of the job.
        signal_s: seconds between the warning and the time limit.
        restart: how often this run of the job was restarted.
        now: seconds since the epoch.

    Returns:
        ``cancelled``, ``preempted``, ``time limit``, ``requeued`` (Slurm runs it again without our doing) or
        ``signalled``.

    >>> interruption_cause({"JobState": "RUNNING", "PreemptTime": "2026-01-01T00:00:00"}, 90)
    'preempted'
    >>> interruption_cause({"JobState": "COMPLETING", "Restarts": "0", "EndTime": "2026-01-01T00:00:00"}, 90)
    'cancelled'
    >>> interruption_cause({"JobState": "COMPLETING", "Restarts": "1", "EndTime": "Unknown"}, 90)
    'requeued'
    """
    state = fields.get("JobState", "")
    if int(fields.get("Restarts", "0")) > restart or state == "PENDING":
        return "requeued"
    if fields.get("PreemptTime", "None") not in ("None", "Unknown", "N/A"):
        return "preempted"
    start, end, limit_s = _seconds(fields.get("StartTime")), _seconds(fields.get("EndTime")), _limit_s(fields)
    # COMPLETING hides what it completes as: run time tells a limit, everything else was cancelled.
    if state in ("COMPLETING", "TIMEOUT") and start is not None and end is not None and end - start >= limit_s:
        return TIME_LIMIT
    if state == "COMPLETING" or state.startswith("CANCELLED"):
        return "cancelled"
    if end is not None and end - (time.time() if now is None else now) <= signal_s + _CHECK_TURN_S:
        # A grace time shortens EndTime too; the note of the preemption is lost when slurmctld starts anew.
        return TIME_LIMIT if start is None or end - start >= limit_s - _CHECK_TURN_S else "preempted"
    return "signalled"


def more_time(folder: Path, limit_s: float) -> str:
    """Return how much time a stage should ask for: twice as much, or half as much again as the longest of its kind."""
    took = [found["elapsed_s"] for found in map(done_manifest, list(folder.parent.iterdir())[:_LOOKED_AT]) if found]
    longest = max(took, default=0.0)
    minutes = math.ceil(max(longest * 1.5, 0.0 if math.isinf(limit_s) else limit_s * 2) / 60)
    known = f"; the longest of this store took {longest / 60:.0f} min" if took else ""
    return f"Launch with resources.{folder.parent.name}.timeout_min={minutes}{known}"


def more_memory(folder: Path, count: int, memory_mb: int | None) -> str:
    """Return how often memory ran out, and how much a stage should ask for: as much as its next run would have had."""
    wanted = f"{math.ceil(memory_mb / 1024)}" if memory_mb else "<more>"
    return f"out of memory {count} times without progress: Launch with resources.{folder.parent.name}.mem_gb={wanted}"


def _limit_s(fields: dict[str, str]) -> float:
    """Return TimeLimit in seconds: ``1-02:03:04``, ``02:03:04`` or ``UNLIMITED``."""
    found = re.fullmatch(r"(?:(\d+)-)?(\d+):(\d+):(\d+)", fields.get("TimeLimit", ""))
    if not found:
        return float("inf")
    days, hours, minutes, seconds = (int(group or 0) for group in found.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + seconds


def after_death(policy: Policy, folder: Path, code: int) -> int:
    """See that a stage goes on whose process was killed or left without a record, up to the cap.

    Returns:
        The exit code of the job.
    """
    element = ElementId.current()
    if element is None or _runs_again(latest_attempt(folder), element):
        return code or EXIT_STAGE
    scheduler = Scheduler()
    fields = _fields(scheduler, element)
    if interruption_cause(fields, policy.signal_s, restart()) in ("cancelled", "requeued"):
        return code or EXIT_STAGE
    cause = OUT_OF_MEMORY if ran_out_of_memory(code) else DIED
    entry = note(folder, cause, exit_code=code, memory_mb=_memory_mb(fields))
    count = ends_without_progress(decisions(folder))
    how = f"signal {signal.Signals(code - 128).name}" if code - 128 in set(signal.Signals) else f"exit code {code}"
    how = f"{cause}, {how}" if cause == OUT_OF_MEMORY else how
    _say(f"the process ended without a done stage ({how}), {count} times in a row at step {entry['step']}")
    # The kernel leaves no word where it kills for memory outside of a control group: SIGKILL gets more, too.
    grows = entry["memory_mb"] and (cause == OUT_OF_MEMORY or code == 128 + signal.SIGKILL)
    memory_mb = round(entry["memory_mb"] * policy.memory_growth) if grows else None
    if count > policy.max_failures:
        details = {"advice": more_memory(folder, count, memory_mb)} if cause == OUT_OF_MEMORY else {}
        _say(f"cluster.max_failures allows {policy.max_failures}: giving up. {details.get('advice', '')}".rstrip())
        note(folder, GAVE_UP, why="cluster.max_failures", **details)
        return code or EXIT_STAGE
    if policy.on_interrupt == SUCCESSOR:
        # The next task of the lane goes on, whichever that is.
        _grow_memory(scheduler, element.array_or_job, memory_mb)
        return code or EXIT_STAGE
    if not _requeued(scheduler, element, folder):
        return code or EXIT_STAGE
    _grow_memory(scheduler, str(element), memory_mb)
    _stay(30.0)
    return code or EXIT_STAGE


def _fields(scheduler: Scheduler, element: ElementId) -> dict[str, str]:
    """Return what Slurm says of this element; a busy controller is asked again, as long as there is time to requeue."""
    end = time.monotonic() + _ASK_AGAIN_S
    while scheduler.has("scontrol"):
        try:
            if fields := scheduler.job_fields(element):
                return fields
            said = f"scontrol shows nothing of job {element}"
        except SubmissionError as error:
            said = str(error)
        _say(said)
        if time.monotonic() > end:
            break
        time.sleep(_PAUSE_S)
    return {}


def _requeued(scheduler: Scheduler, element: ElementId, folder: Path) -> bool:
    """Requeue this element; a node where that cannot be done is remembered for the next launch."""
    if not scheduler.has("scontrol"):
        return _refused(folder, element, "no scontrol on this node")
    try:
        done = scheduler.call("scontrol", "requeue", str(element), check=False, timeout_s=20)
    except SubmissionError as error:
        _say(str(error))
        return False
    if done.returncode:
        return _refused(folder, element, f"scontrol requeue: {done.stderr.strip()}")
    _say(f"requeued job {element}")
    return True


def _refused(folder: Path, element: ElementId, why: str) -> bool:
    _say(f"{why}: this job cannot requeue itself")
    # "Already pending" and the like say nothing about what the site allows.
    if why.startswith("no scontrol") or any(word in why.lower() for word in _FORBIDDEN):
        slurm_folder = folder.parents[2] / FOLDER
        try:
            record_findings(
                slurm_folder, os.environ.get("SLURM_CLUSTER_NAME"), can_requeue=False, why=why, source=f"job {element}"
            )
        except OSError as error:
            _say(f"could not remember that: {error}")
    return False


def _grow_memory(scheduler: Scheduler, job: str, memory_mb: int | None) -> None:
    if memory_mb is None or not scheduler.has("scontrol"):
        return
    done = scheduler.call("scontrol", "update", f"JobId={job}", f"MinMemoryNode={memory_mb}", check=False)
    _say(f"next time with {memory_mb} MB" if not done.returncode else f"memory: {done.stderr.strip()}")


def _memory_mb(fields: dict[str, str]) -> float | None:
    found = re.match(r"(\d+(?:\.\d+)?)([KMGT]?)", fields.get("MinMemoryNode", ""))
    if not found:
        return None
    return float(found.group(1)) * {"K": 1 / 1024, "": 1, "M": 1, "G": 1024, "T": 1024**2}[found.group(2)]


def _seconds(text: str | None) -> float | None:
    try:
        return datetime.fromisoformat(text or "").timestamp()
    except ValueError:
        return None


def _stay(longest_s: float = _STAY_S) -> None:
    end = time.monotonic() + longest_s
    while time.monotonic() < end:
        time.sleep(1.0)


def _say(text: str) -> None:
    print(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {text}", file=sys.stderr, flush=True)

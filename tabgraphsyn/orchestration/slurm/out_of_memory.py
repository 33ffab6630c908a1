"""Whether an element's process ended because it was out of memory: by Slurm's and the kernel's word, never by a guess.

SIGKILL alone says nothing: people and administrators send it too. Three places do: srun's exit code, the kernel's count
for the job's control group, and what slurmstepd wrote into the job's log while this run of the job went on.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

LOG_FROM = "TABGRAPHSYN_LOG_FROM"
"""Variable that holds how long the job's log was when this run of the job began."""

_SRUN_OUT_OF_MEMORY = 253  # "The value 253 is reserved for out-of-memory errors" (man srun, exit status)
_MOST_BYTES = 1 << 20
# slurmstepd[-NODE]: error: ...; srun: error: NODE: task 0: Out Of Memory (22.05 and newer)
_WORDS = re.compile(
    r"^(?:slurmstepd\S*|srun): error: .*(?:exceeded (?:job |step )?memory limit|oom[-_]kill|out of memory)",
    re.IGNORECASE | re.MULTILINE,
)


def ran_out_of_memory(code: int) -> bool:
    """Return True if what ended with ``code`` in this run of the job is known to have been out of memory."""
    return code == _SRUN_OUT_OF_MEMORY or _kernel_says_so() or says_so(_written_in_this_run())


def says_so(text: str) -> bool:
    """Return True if Slurm says in a job's log that memory ran out; what a stage prints does not count.

    >>> says_so("slurmstepd: error: Detected 1 oom_kill event in StepId=7.0. Some of ...")
    True
    >>> says_so("RuntimeError: CUDA out of memory")
    False
    """
    return _WORDS.search(text) is not None


def _written_in_this_run() -> str:
    """Return what was written since the job started, from its log: the judging process has that for its stderr."""
    try:
        start = int(os.environ[LOG_FROM])
        with Path("/proc/self/fd/2").readlink().open("rb") as log:
            end = log.seek(0, os.SEEK_END)
            log.seek(max(start, end - _MOST_BYTES))
            return log.read(_MOST_BYTES).decode(errors="replace")
    except (KeyError, ValueError, OSError):
        return ""


def _kernel_says_so(root: Path = Path("/sys/fs/cgroup"), membership: Path = Path("/proc/self/cgroup")) -> bool:
    """Return True if the kernel killed something of this job's control group (version 2) for memory.

    The step's own group is gone by now; the job's counts for all below it.
    """
    try:
        lines = membership.read_text(encoding="utf-8").splitlines()
        own = next(line.removeprefix("0::/") for line in lines if line.startswith("0::/"))
        parts = own.split("/")
        job = next(number for number, part in enumerate(parts) if part.startswith("job_"))
        events = (root.joinpath(*parts[: job + 1]) / "memory.events").read_text(encoding="utf-8")
    except (OSError, StopIteration):
        return False
    counts = dict(line.split() for line in events.splitlines() if len(line.split()) == 2)
    return int(counts.get("oom_kill", "0")) > 0

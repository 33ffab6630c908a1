"""The only place that calls Slurm's commands; every call is counted."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tabgraphsyn.errors import ConfigError, SubmissionError
from tabgraphsyn.orchestration.slurm.element_id import ElementId
from tabgraphsyn.orchestration.slurm.shell_environment import cleaned
from tabgraphsyn.orchestration.slurm.site import read_site

_TIMEOUT_S = 60.0
_JOB_IN_DEPENDENCY = re.compile(r":(\d+)")
_QUEUE_FORMAT = "%i|%T|%r|%u|%M|%L|%N|%P|%E"
FINISHED_STATES = frozenset(
    {
        "BOOT_FAIL",
        "CANCELLED",
        "COMPLETED",
        "DEADLINE",
        "FAILED",
        "NODE_FAIL",
        "OUT_OF_MEMORY",
        "PREEMPTED",
        "REVOKED",
        "TIMEOUT",
    }
)


@dataclass(frozen=True)
class QueuedJob:
    """A line of squeue: one element of an array, or a job of its own.

    Attributes:
        id: ``123`` or ``123_4``.
        state: Slurm's word in full.
        reason: why it waits, Slurm's word.
        user: who submitted it.
        elapsed: run time as Slurm writes it.
        left: time to its limit as Slurm writes it.
        nodes: where it runs.
        partition: where it was submitted to.
        dependency: what it still waits for.
    """

    id: str
    state: str
    reason: str = ""
    user: str = ""
    elapsed: str = ""
    left: str = ""
    nodes: str = ""
    partition: str = ""
    dependency: str = ""

    @property
    def is_stuck(self) -> bool:
        """True if what it depends on failed: it can never start as it is."""
        return self.reason == "DependencyNeverSatisfied"

    @property
    def waits_for(self) -> frozenset[str]:
        """Ids of the jobs and arrays that it still waits for.

        >>> sorted(QueuedJob("3_0", "PENDING", dependency="afterok:12(unfulfilled),aftercorr:9_*(failed)").waits_for)
        ['12', '9']
        """
        return frozenset(_JOB_IN_DEPENDENCY.findall(self.dependency))

    @property
    def is_held_by_a_failed_start(self) -> bool:
        """True if a node failed to start it: Slurm holds it until somebody releases it."""
        return self.reason.startswith("launch failed") or self.reason == "JobHoldMaxRequeue"


class Scheduler:
    """Slurm's commands as functions. ``calls`` counts them: controllers limit how often one may ask."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self._let_through: tuple[str, ...] | None = None

    def _environment(self) -> dict[str, str]:
        """Return the environment of a command; a policy that cannot be read here lets nothing through."""
        if self._let_through is None:
            try:
                self._let_through = read_site().environment
            except ConfigError:
                self._let_through = ()
        return cleaned(os.environ, self._let_through)

    def has(self, command: str) -> bool:
        """Return True if a command is at hand."""
        return shutil.which(command) is not None

    def call(self, *command: str, check: bool = True, timeout_s: float = _TIMEOUT_S) -> subprocess.CompletedProcess:
        """Run a command.

        Raises:
            SubmissionError: it is not there, does not answer, or (with ``check``) ends with an error.
        """
        self.calls[command[0]] += 1
        try:
            done = subprocess.run(
                command,
                capture_output=True,
                text=True,
                stdin=subprocess.DEVNULL,
                timeout=timeout_s,
                check=False,
                env=self._environment(),
            )
        except FileNotFoundError as error:
            raise SubmissionError(
                f"{command[0]}: not found on PATH. Run this where Slurm's commands are, or use cluster=local."
            ) from error
        except subprocess.TimeoutExpired as error:
            raise SubmissionError(
                f"{command[0]}: no answer in {timeout_s:.0f} s. Is slurmctld up? Try again."
            ) from error
        if check and done.returncode:
            said = (done.stderr or done.stdout).strip()[-1000:]
            raise SubmissionError(f"{' '.join(command[:4])} ended with exit code {done.returncode}: {said}")
        return done

    def submit(self, script: str) -> str:
        """Submit a batch script and return the job id."""
        return str(self.call("sbatch", "--parsable", *directives(script), script).stdout).strip().split(";")[0]

    def refusal(self, script: str) -> str | None:
        """Return why the scheduler would refuse a script, or None."""
        done = self.call("sbatch", "--test-only", *directives(script), script, check=False)
        return (done.stderr or done.stdout).strip() if done.returncode else None

    def queue(self, job_ids: Iterable[str]) -> dict[str, QueuedJob]:
        """Return what is in the queue of these jobs, elements of arrays apart, by id: one call for all of them."""
        wanted = sorted(set(job_ids))
        if not wanted:
            return {}
        # A single forgotten id is an error for squeue, one of several is not.
        done = self.call("squeue", "-h", "-r", "-a", "-j", ",".join(wanted), "-o", _QUEUE_FORMAT, check=False)
        if done.returncode and "Invalid job id specified" not in done.stderr:
            raise SubmissionError(f"squeue ended with exit code {done.returncode}: {done.stderr.strip()}")
        jobs = [QueuedJob(*line.split("|", 8)) for line in str(done.stdout).splitlines() if line.count("|") >= 8]
        return {job.id: job for job in jobs if job.state not in FINISHED_STATES}

    def history(self, job_ids: Iterable[str]) -> dict[str, str]:
        """Return the last recorded state of finished jobs, by id; nothing where there is no accounting."""
        wanted = sorted(set(job_ids))
        if not wanted or not self.has("sacct"):
            return {}
        done = self.call("sacct", "-n", "-X", "-P", "-j", ",".join(wanted), "-o", "JobID,State", check=False)
        pairs = [line.split("|") for line in str(done.stdout).splitlines() if "|" in line]
        return {} if done.returncode else {pair[0]: pair[1].split()[0] for pair in pairs if pair[1]}

    def job_fields(self, element: ElementId) -> dict[str, str]:
        """Return what ``scontrol show job`` says of one element; nothing where it cannot be asked."""
        if not self.has("scontrol"):
            return {}
        done = self.call("scontrol", "show", "job", "-o", str(element), check=False, timeout_s=20)
        return element.record(map(fields, str(done.stdout).splitlines())) if done.returncode == 0 else {}

    def settings(self) -> dict[str, str]:
        """Return slurmctld's configuration; nothing where it cannot be asked."""
        if not self.has("scontrol"):
            return {}
        done = self.call("scontrol", "show", "config", check=False)
        pairs = [line.split("=", 1) for line in str(done.stdout).splitlines() if "=" in line]
        return {key.strip(): value.strip() for key, value in pairs}

    def cancel(self, job_ids: Sequence[str]) -> None:
        """Cancel jobs or elements of arrays; one that is gone is none the worse."""
        for start in range(0, len(job_ids), 500):
            self.call("scancel", *job_ids[start : start + 500], check=False)

    def rearm(self, job_id: str, dependency: str | None) -> bool:
        """Give a pending job, or all pending elements of an array, another dependency; return False if refused."""
        done = self.call("scontrol", "update", f"JobId={job_id}", f"Dependency={dependency or ''}", check=False)
        return done.returncode == 0

    def release(self, job_ids: Sequence[str]) -> None:
        """Let held jobs go; one that is gone is none the worse."""
        for job_id in job_ids:
            self.call("scontrol", "release", job_id, check=False)

    def counted(self) -> str:
        """Return the calls in words: ``3 sbatch, 1 squeue``."""
        return ", ".join(f"{count} {name}" for name, count in self.calls.most_common()) or "none"


def directives(script: str) -> list[str]:
    """Return the ``#SBATCH`` lines of a script as arguments: on the command line nothing wins over them."""
    lines = Path(script).read_text(encoding="utf-8").splitlines()
    return [
        word for line in lines if line.startswith("#SBATCH ") for word in shlex.split(line.removeprefix("#SBATCH "))
    ]


def fields(line: str) -> dict[str, str]:
    """Return the ``Key=Value`` pairs of a line of scontrol.

    >>> fields("JobId=7 JobState=RUNNING Reason=None")["JobState"]
    'RUNNING'
    """
    return {key: value for key, sign, value in (word.partition("=") for word in line.split()) if sign}

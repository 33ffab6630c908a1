"""The only place that calls Slurm's commands; every call is counted."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tabgraphsyn.config.site import read_site
from tabgraphsyn.errors import ConfigError, SubmissionError
from tabgraphsyn.orchestration.slurm.element_id import ElementId
from tabgraphsyn.orchestration.slurm.shell_environment import cleaned

_TIMEOUT_S = 60.0
_JOB_IN_DEPENDENCY = re.compile(r":(\d+)")
_QUEUE_FORMAT = "%i|%T|%r|%u|%M|%L|%N|%P|%E|%V|%j"
_JOB_ID = re.compile(r"([1-9]\d*)(?:;[\w.-]+)?")
_LOST = re.compile(
    r"timed? ?out|unable to contact|connection|zero bytes|communication|message|temporarily|no answer", re.IGNORECASE
)
"""What sbatch says where its question or the answer may have been lost."""
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
        submitted: when it was submitted or last requeued, as Slurm writes it.
        name: of the job.
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
    submitted: str = ""
    name: str = ""

    @property
    def is_stuck(self) -> bool:
        """True if what it depends on failed: it can never start as it is."""
        return self.reason == "DependencyNeverSatisfied"

    @property
    def is_too_large(self) -> bool:
        """True if it asks for more than its partition gives: it starts once that gives more, or never."""
        return self.reason.startswith(("PartitionTimeLimit", "PartitionNodeLimit"))

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


@dataclass(frozen=True)
class Answer:
    """What sbatch answered.

    Attributes:
        job: the id, or None without a clean one: the job may have been accepted all the same.
        said: what it said.
        is_sure: it printed the id and nothing else.
    """

    job: str | None
    said: str
    is_sure: bool = False

    @property
    def is_refusal(self) -> bool:
        """True if slurmctld surely has no such job: it answered, and refused."""
        return self.job is None and "submission failed" in self.said and not _LOST.search(self.said)


class Scheduler:
    """Slurm's commands as functions. ``calls`` counts them: controllers limit how often one may ask."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self._let_through: tuple[str, ...] | None = None
        self._settings: dict[str, str] = {}

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

    def call(
        self, *command: str, check: bool = True, timeout_s: float = _TIMEOUT_S, own_session: bool = False
    ) -> subprocess.CompletedProcess:
        """Run a command; with ``own_session`` a Ctrl-C of the terminal does not reach it.

        Raises:
            SubmissionError: it is not there, does not answer, or (with ``check``) ends with an error.
        """
        self.calls[command[0]] += 1
        try:
            done = subprocess.run(
                command,
                capture_output=True,
                text=True,
                errors="replace",
                stdin=subprocess.DEVNULL,
                timeout=timeout_s,
                check=False,
                env=self._environment(),
                start_new_session=own_session,
            )
        except FileNotFoundError as error:
            raise SubmissionError(
                f"{command[0]}: not found on PATH. Run this where Slurm's commands are, or use cluster=local."
            ) from error
        except subprocess.TimeoutExpired as error:
            raise SubmissionError(
                f"{command[0]}: no answer in {timeout_s:.0f} s{_said(error.stderr)}. Is slurmctld up? Try again."
            ) from error
        if check and done.returncode:
            said = (done.stderr or done.stdout).strip()[-1000:]
            raise SubmissionError(f"{' '.join(command[:4])} ended with exit code {done.returncode}: {said}")
        return done

    def submit(self, script: str) -> Answer:
        """Give a batch script to sbatch; whatever it answers is told, nothing is raised."""
        try:
            done = self.call("sbatch", "--parsable", *directives(script), script, check=False, own_session=True)
        except SubmissionError as error:
            return Answer(None, str(error))
        said = (done.stderr or done.stdout).strip()[-1000:]
        job = parsed_job_id(str(done.stdout)) if done.returncode == 0 else None
        is_bare = len(str(done.stdout).split()) == 1
        return Answer(
            job, f"sbatch ended with exit code {done.returncode}: {said}", is_sure=job is not None and is_bare
        )

    def verdict(self, script: str) -> tuple[str | None, str | None]:
        """Return why the scheduler would refuse a script, or None; and when it could start, as Slurm writes it."""
        done = self.call("sbatch", "--test-only", *directives(script), script, check=False)
        said = (done.stderr or done.stdout).strip()
        starts = re.search(r" to start at (\S+)", said)
        return (said, None) if done.returncode else (None, starts[1] if starts else None)

    def queue(self, job_ids: Iterable[str]) -> dict[str, QueuedJob]:
        """Return what is in the queue of these jobs, elements of arrays apart, by id: one call for all of them."""
        wanted = sorted(set(job_ids))
        if not wanted:
            return {}
        # A single forgotten id is an error for squeue, one of several is not.
        jobs = self._squeue("-j", ",".join(wanted))
        return {job.id: job for job in jobs if job.state not in FINISHED_STATES}

    def named(self, names: Sequence[str]) -> list[QueuedJob]:
        """Return the elements of these names that slurmctld knows, also those that ended some minutes ago."""
        return [job for job in self._squeue("-t", "all", "-n", ",".join(names)) if job.name in names]

    def jobs_of(self, user: str) -> list[QueuedJob]:
        """Return the elements that a user has in the queue."""
        return self._squeue("-u", user)

    def _squeue(self, *which: str) -> list[QueuedJob]:
        done = self.call("squeue", "-h", "-r", "-a", *which, "-o", _QUEUE_FORMAT, check=False)
        if done.returncode and "Invalid job id specified" not in done.stderr:
            raise SubmissionError(f"squeue ended with exit code {done.returncode}: {done.stderr.strip()}")
        return [QueuedJob(*line.split("|", 10)) for line in str(done.stdout).splitlines() if line.count("|") >= 10]

    def history(self, names: Mapping[str, str]) -> dict[str, str]:
        """Return the last recorded state of finished jobs, by id; nothing where there is no accounting.

        Args:
            names: job id -> the name that it was submitted under; what another job of that id did is left out.
        """
        if not names or not self.has("sacct"):
            return {}
        asked = ",".join(sorted(names))
        done = self.call("sacct", "-n", "-X", "-P", "-D", "-j", asked, "-o", "JobID,State,JobName", check=False)
        lines = [line.split("|", 2) for line in str(done.stdout).splitlines() if line.count("|") >= 2]
        found = {job: state.split()[0] for job, state, name in lines if state and names.get(job.split("_")[0]) == name}
        return {} if done.returncode else found

    def recorded(self, name: str, user: str) -> set[str]:
        """Return the ids of jobs of that name that accounting knows of the last days; nothing where there is none."""
        if "slurmdbd" not in self.settings().get("AccountingStorageType", "") or not self.has("sacct"):
            return set()
        asked = ("-n", "-X", "-P", "-u", user, "-S", "now-7days", f"--name={name}", "-o", "JobID,JobName")
        done = self.call("sacct", *asked, check=False)
        lines = [line.split("|", 1) for line in str(done.stdout).splitlines() if "|" in line]
        return {job.split("_")[0] for job, found in lines if found == name} if done.returncode == 0 else set()

    def job_fields(self, element: ElementId) -> dict[str, str]:
        """Return what ``scontrol show job`` says of one element; nothing where it cannot be asked."""
        if not self.has("scontrol"):
            return {}
        done = self.call("scontrol", "show", "job", "-o", str(element), check=False, timeout_s=20)
        return element.record(map(fields, str(done.stdout).splitlines())) if done.returncode == 0 else {}

    def settings(self) -> dict[str, str]:
        """Return slurmctld's configuration, asked once; nothing where it may not be asked.

        Raises:
            SubmissionError: slurmctld does not answer.
        """
        if not self._settings and self.has("scontrol"):
            done = self.call("scontrol", "show", "config", check=False)
            if done.returncode and _LOST.search(done.stderr):
                raise SubmissionError(f"scontrol ended with exit code {done.returncode}: {done.stderr.strip()}")
            pairs = [line.split("=", 1) for line in str(done.stdout).splitlines() if "=" in line]
            self._settings = {key.strip(): value.strip() for key, value in pairs}
        return self._settings

    def limits_of(self, user: str) -> list[str]:
        """Return slurmctld's records of the limits that count for a user, with their use; none where it may not say."""
        if not self.has("scontrol"):
            return []
        done = self.call("scontrol", "-o", "show", "assoc_mgr", "flags=assoc,qos", f"users={user}", check=False)
        return str(done.stdout).splitlines() if done.returncode == 0 else []

    def limits_per_user(self, qos: str) -> list[int]:
        """Return how many elements a QOS lets a user submit, as accounting knows it: one number, or none."""
        if not self.has("sacctmgr"):
            return []
        done = self.call("sacctmgr", "-n", "-P", "show", "qos", qos, "format=MaxSubmitJobsPerUser", check=False)
        return [int(line) for line in str(done.stdout).split() if line.isdecimal()] if done.returncode == 0 else []

    def partitions(self) -> dict[str, dict[str, str]]:
        """Return what ``scontrol show partition`` says, by name; nothing where it may not be asked."""
        if not self.has("scontrol"):
            return {}
        done = self.call("scontrol", "-o", "show", "partition", check=False)
        records = map(fields, str(done.stdout).splitlines()) if done.returncode == 0 else ()
        return {record["PartitionName"]: record for record in records if "PartitionName" in record}

    def cluster(self) -> str | None:
        """Return the name of the cluster that is asked here, or None where nobody says."""
        return self.settings().get("ClusterName")

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


def _said(stderr: bytes | str | None) -> str:
    """Return what a command that was ended had said until then."""
    text = (stderr.decode(errors="replace") if isinstance(stderr, bytes) else stderr or "").strip()
    return f"; it said: {text[-500:]}" if text else ""


def parsed_job_id(stdout: str) -> str | None:
    """Return the job id that ``sbatch --parsable`` printed, ``digits`` or ``digits;cluster``, on a line of its own.

    Sites let sbatch print banners before and behind it; None where no line or more than one could be the id.

    >>> parsed_job_id("Welcome to 2026\\n--> Verifying ...OK\\n12;c\\n")
    '12'
    >>> parsed_job_id("Submitted batch job 12 on cluster c")
    """
    lines = [_JOB_ID.fullmatch(line.strip()) for line in stdout.splitlines()]
    found = [line[1] for line in lines if line]
    return found[0] if len(found) == 1 else None


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

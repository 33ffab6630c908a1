"""What ``doctor`` looks at: this machine, the folder of results, Slurm's settings, and a node by a small job."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tabgraphsyn.config.checks import slurm_path_problem
from tabgraphsyn.data.files import write_text
from tabgraphsyn.errors import SubmissionError
from tabgraphsyn.orchestration.code.code_copy import is_checkout
from tabgraphsyn.orchestration.computing.compute import cpu_count, visible_gpus
from tabgraphsyn.orchestration.slurm import bad_nodes
from tabgraphsyn.orchestration.slurm.capabilities import Capabilities, ask
from tabgraphsyn.orchestration.slurm.findings import NodeFindings, read_findings
from tabgraphsyn.orchestration.slurm.scheduler import Scheduler
from tabgraphsyn.orchestration.slurm.strategy import AUTO, REQUEUE, SUCCESSOR, WAIT, choose
from tabgraphsyn.orchestration.stored.ledger import folder_of

_COMMANDS = ("sbatch", "srun", "squeue", "scancel", "scontrol", "sacct")
_UP = "Is slurmctld up, and SLURM_CONF right? Until then nothing can be submitted, shown or cancelled."


@dataclass(frozen=True)
class Finding:
    """One thing looked at; ``level`` is ``ok``, ``note`` or ``fails``."""

    level: str
    what: str
    found: str
    advice: str = ""


def diagnose(output_dir: Path, scheduler: Scheduler) -> list[Finding]:
    """Return what was found here and in Slurm's settings."""
    findings = [*_machine(), *_files(output_dir, scheduler.has("sbatch"))]
    missing = [command for command in _COMMANDS if not scheduler.has(command)]
    if "sbatch" in missing:
        return [*findings, Finding("note", "Slurm", "no sbatch here", "cluster=local runs everything on this machine.")]
    if missing:
        advice = "status works without sacct; without scontrol MaxArraySize 1001 is assumed and repair resubmits."
        findings.append(Finding("note", "commands", f"missing: {', '.join(missing)}", advice))
    try:
        capabilities = ask(scheduler)
    except SubmissionError as error:
        return [*findings, Finding("fails", "Slurm", str(error), _UP)]
    if not capabilities.has_scontrol and scheduler.has("scontrol"):
        said = scheduler.call("scontrol", "ping", check=False)
        answer = " ".join(f"{said.stderr} {said.stdout}".split())[-300:]
        return [*findings, Finding("fails", "Slurm", f"the controller does not answer: {answer}", _UP)]
    found = read_findings(folder_of(output_dir), capabilities.cluster)
    nodes = _bad_nodes(output_dir)
    return [*findings, *_slurm(capabilities), *_interruption(capabilities, found), *nodes, *_code()]


def _bad_nodes(output_dir: Path) -> Iterator[Finding]:
    """Yield the nodes on which nothing could be started within the last day."""
    advice = "Its campaign leaves it out; the job's log (tabgraphsyn logs) says what is missing there."
    for text in bad_nodes.described(bad_nodes.read(folder_of(output_dir))):
        yield Finding("note", "nodes", text, advice)


def _machine() -> Iterator[Finding]:
    yield Finding("ok", "python", f"{sys.version.split()[0]} {sys.executable}")
    missing = [name for name in ("torch", "pandas", "pyarrow", "submitit") if importlib.util.find_spec(name) is None]
    if missing:
        yield Finding("fails", "packages", f"missing: {', '.join(missing)}", "pip install tabgraphsyn")
    gpus = visible_gpus()
    yield Finding("ok", "this machine", f"{cpu_count()} CPUs, {len(gpus)} GPUs visible")


def _files(output_dir: Path, has_slurm: bool) -> Iterator[Finding]:
    folder = output_dir
    while not folder.exists():
        folder = folder.parent
    if not os.access(folder, os.W_OK | os.X_OK):
        yield Finding("fails", "output_dir", f"{folder} cannot be written to", "output_dir=<folder> chooses another.")
        return
    if has_slurm and (words := slurm_path_problem(output_dir)):
        yield Finding("fails", "output_dir", words)
    free = shutil.disk_usage(folder).free / 1e9
    level = "ok" if free > 5 else "note"
    yield Finding(level, "output_dir", f"{output_dir}, {free:.0f} GB free")
    with tempfile.TemporaryDirectory(dir=folder, prefix=".doctor-") as place:
        yield _links(Path(place), has_slurm)


def _links(place: Path, has_slurm: bool) -> Finding:
    """Try what leases and publication rest on: hard links, and a rename after a flush."""
    source = place / "a"
    started = time.monotonic()
    write_text(source, "x")
    flush_ms = (time.monotonic() - started) * 1000
    try:
        os.link(source, place / "b")
    except OSError as error:
        found = f"no hard links ({error.strerror})"
        if has_slurm:
            return Finding("fails", "file system", found, "Launches and jobs lock by them. Choose another folder.")
        return Finding("note", "file system", found, "Leases fall back to exclusive creation: fine on one machine.")
    return Finding("ok", "file system", f"hard links, write with flush {flush_ms:.1f} ms")


def _slurm(facts: Capabilities) -> Iterator[Finding]:
    if not facts.has_scontrol:
        yield Finding("note", "Slurm", "no scontrol here", "Defaults are assumed: MaxArraySize 1001.")
        return
    yield Finding("ok", "Slurm", f"{facts.version}, cluster {facts.cluster}")
    limit = f", at most {facts.max_submit} queued" if facts.max_submit else ""
    yield Finding("ok", "arrays", f"MaxArraySize {facts.max_array_size}: up to {facts.max_array_size - 1} each{limit}")
    yield from _preemption(facts)
    if facts.can_requeue is False:
        advice = "Handled: jobs ask for --requeue themselves. If the site forbids it, cluster.on_interrupt=successor."
        yield Finding("note", "requeue", "JobRequeue=0", advice)
    if not facts.kills_invalid_dependents:
        yield Finding("ok", "failed inputs", "--kill-on-invalid-dep=yes is set per job, as the cluster does not")
    if not facts.has_sacct:
        advice = "status says 'unknown since' for jobs that left the queue without a record."
        yield Finding("note", "accounting", "none", advice)
    if facts.version and _older(facts.version, (23, 2)):
        advice = "Handled: every stage checks its inputs' done.json and hashes before it starts."
        yield Finding("note", "dependencies", "before 23.02 afterok on a forgotten job id is dropped silently", advice)


def _interruption(facts: Capabilities, found: NodeFindings | None) -> Iterator[Finding]:
    """Say what a launch with cluster.on_interrupt=auto makes interrupted stages do, and why."""
    chosen = choose(AUTO, facts, found)
    advice = {
        REQUEUE: "" if found is not None else "doctor --test -p <partition> makes sure of it.",
        WAIT: "For stages longer than the time limit: cluster.on_interrupt=successor.",
        SUCCESSOR: "It puts cluster.successors spare tasks per lane into the queue; they count as submitted jobs.",
    }[chosen.name]
    level = "ok" if chosen.name == REQUEUE and found is not None else "note"
    yield Finding(level, "on preemption and time limit", f"chosen: {chosen}", advice)


def _code() -> Iterator[Finding]:
    if is_checkout():
        found = "a checkout: cluster.code=snapshot copies it at launch, so that editing it changes no queued job"
        yield Finding("ok", "code", found)
    else:
        yield Finding("ok", "code", "an installed package: jobs import it as it is when they start")


def _preemption(facts: Capabilities) -> Iterator[Finding]:
    mode = facts.preempt_mode or "unknown"
    if "REQUEUE" not in mode and "OFF" not in mode:
        advice = "Preempted jobs are not requeued by the cluster; they requeue themselves, or repair resubmits them."
        yield Finding("note", "preemption", f"PreemptMode={mode}", advice)
    else:
        yield Finding("ok", "preemption", f"PreemptMode={mode}")
    if facts.sends_user_signal is False:
        advice = "Handled: the step gets SIGTERM when its grace time begins, and saves then."
        yield Finding("ok", "preemption signal", "no send_user_signal", advice)


def _older(version: str, than: tuple[int, int]) -> bool:
    parts = version.replace("-", ".").split(".")
    try:
        return (int(parts[0]), int(parts[1])) < than
    except (IndexError, ValueError):
        return False

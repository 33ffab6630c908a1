"""What ``doctor --test`` proves of a site: a one-minute job with its account, qos, setup, container and python."""

from __future__ import annotations

import json
import shlex
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tabgraphsyn.config.sbatch import merged
from tabgraphsyn.data.files import write_text
from tabgraphsyn.errors import SubmissionError
from tabgraphsyn.orchestration.computing.attempt_log import last_log_lines
from tabgraphsyn.orchestration.slurm.diagnosis import Finding
from tabgraphsyn.orchestration.slurm.findings import record_findings
from tabgraphsyn.orchestration.slurm.scheduler import Scheduler
from tabgraphsyn.orchestration.stored.ledger import folder_of

_WAIT_S = 300.0
_ASK_EVERY_S = 10.0
_PROGRAM = """\
import json, os, shutil, subprocess, sys
out = sys.argv[1]
restart = int(os.environ.get("SLURM_RESTART_COUNT") or 0)
found = {"restart": restart, "node": os.uname().nodename, "python": sys.version.split()[0],
         "executable": sys.executable, "account": os.environ.get("SLURM_JOB_ACCOUNT"),
         "qos": os.environ.get("SLURM_JOB_QOS"), "partition": os.environ.get("SLURM_JOB_PARTITION"),
         "scontrol": shutil.which("scontrol") is not None, "cluster": os.environ.get("SLURM_CLUSTER_NAME"),
         "cpus": len(os.sched_getaffinity(0)),
         "gpus": os.environ.get("CUDA_VISIBLE_DEVICES", "")}
try:
    import tabgraphsyn
    found["package"] = tabgraphsyn.__version__
except ImportError as error:
    found["package_error"] = str(error)
with open(out, "a") as handle:
    handle.write(json.dumps(found) + "\\n")
if restart == 0 and found["scontrol"]:
    done = subprocess.run(["scontrol", "requeue", os.environ["SLURM_JOB_ID"]], capture_output=True, text=True)
    if done.returncode:
        with open(out, "a") as handle:
            handle.write(json.dumps({"requeue_error": done.stderr.strip()}) + "\\n")
    else:
        import time
        time.sleep(60)
"""

Lines = list[dict[str, Any]]


def test_on_node(folder: Path, cluster: Mapping[str, Any], scheduler: Scheduler) -> list[Finding]:
    """Submit a job that looks at its node and requeues itself once, for CPU and for GPU stages; return what it found.

    Args:
        folder: where results will lie: it must be shared with the nodes.
        cluster: settings of ``conf/cluster``.
        scheduler: to submit with.
    """
    findings = _tested(folder, cluster, scheduler, cluster["cpu_partition"], {})
    if cluster["gpu_partition"]:
        findings += _tested(folder, cluster, scheduler, cluster["gpu_partition"], {"gres": f"{cluster['gpu_gres']}:1"})
    return findings


def _tested(
    folder: Path, cluster: Mapping[str, Any], scheduler: Scheduler, partition: str | None, more: Mapping[str, Any]
) -> list[Finding]:
    where = f"test job ({partition or 'default partition'})"
    with tempfile.TemporaryDirectory(dir=folder, prefix=".doctor-", ignore_cleanup_errors=True) as name:
        place = Path(name)
        write_text(place / "test.py", _PROGRAM)
        write_text(place / "test.sh", script(place, cluster, partition, more))
        started = time.monotonic()
        try:
            done = scheduler.call("sbatch", "--parsable", str(place / "test.sh"), check=False)
        except SubmissionError as error:
            return [Finding("fails", where, str(error))]
        job = str(done.stdout).strip().splitlines()[-1].split(";")[0] if str(done.stdout).strip() else ""
        if done.returncode or not job.isdigit():
            said = " ".join(str(done.stderr or done.stdout).split())[-300:]
            return [Finding("fails", where, f"refused: {said}", "Correct account, qos, partition, sbatch of the site.")]
        lines = _waited(place / "found.jsonl", started, job, scheduler)
        scheduler.cancel([job])
        _remember(folder, lines)
        return list(_findings(lines, time.monotonic() - started, where, last_log_lines(place / "log", 5), cluster))


def script(place: Path, cluster: Mapping[str, Any], partition: str | None, more: Mapping[str, Any]) -> str:
    """Return the batch script of the test: the site's settings, as a stage's own would have them."""
    own: dict[str, Any] = {
        "job-name": "tgs-doctor",
        "time": 5,
        "requeue": True,
        "output": f"{place}/log",
        "open-mode": "append",
        **({"partition": partition} if partition else {}),
        **{key: cluster[key] for key in ("qos", "account", "constraint") if cluster[key]},
        **more,
    }
    sbatch = {name: value for name, value in cluster["sbatch"].items() if name not in ("time", "t")}
    head = [
        f"#SBATCH --{name}" if value is True else f"#SBATCH --{name}={shlex.quote(str(value))}"
        for name, value in merged(own, sbatch).items()
    ]
    run = [*cluster["container"], cluster["python"] or sys.executable, str(place / "test.py"), f"{place}/found.jsonl"]
    return "\n".join(["#!/bin/bash", *head, *cluster["setup"], f"srun --export=ALL {shlex.join(run)}"]) + "\n"


def _remember(output_dir: Path, lines: Lines) -> None:
    """Leave what the node said about requeueing where a launch reads it."""
    if not lines:
        return
    error = next((str(line["requeue_error"]) for line in lines if "requeue_error" in line), "it did not come back")
    why = "it requeued itself" if any(line.get("restart") for line in lines) else f"scontrol requeue: {error}"
    record_findings(
        folder_of(output_dir),
        str(lines[0].get("cluster") or ""),
        can_requeue=any(bool(line.get("restart")) for line in lines),
        why=why if lines[0]["scontrol"] else "no scontrol on the node",
        source="doctor",
    )


def _waited(out: Path, started: float, job: str, scheduler: Scheduler) -> Lines:
    """Return what the job wrote once it ran twice, said that it cannot be requeued, or left the queue."""
    lines: Lines = []
    asked = time.monotonic()
    while time.monotonic() - started < _WAIT_S:
        time.sleep(1.0)
        lines = [json.loads(line) for line in out.read_text().splitlines()] if out.exists() else []
        if any(line.get("restart") or "requeue_error" in line or line.get("scontrol") is False for line in lines):
            break
        if time.monotonic() - asked > _ASK_EVERY_S:
            asked = time.monotonic()
            still = scheduler.call("squeue", "-h", "-j", job, "-o", "%i", check=False)
            if not str(still.stdout).strip():
                break
    return lines


def _findings(lines: Lines, took_s: float, where: str, log: list[str], cluster: Mapping[str, Any]) -> Iterator[Finding]:
    if not lines:
        said = f"; its log ends: {' | '.join(log)}" if log else ""
        advice = "Look at cluster.setup, container and python; the interpreter must exist on the node, or in the image."
        if not log:
            advice = "Does the partition start jobs now, and is output_dir shared with the nodes?"
        yield Finding("fails", where, f"nothing ran in {took_s:.0f} s{said}", advice)
        return
    first = lines[0]
    asked = ", ".join(f"{key} {first[key]}" for key in ("partition", "account", "qos") if first.get(key))
    yield Finding(
        "ok",
        where,
        f"{first['node']}, {asked}, python {first['python']} ({first['executable']}), {first['cpus']} CPUs"
        f"{', GPUs ' + str(first['gpus']) if first.get('gpus') else ''}; output_dir is shared",
    )
    if "package_error" in first:
        advice = "cluster.python, cluster.container or cluster.setup must provide it."
        level = "fails" if cluster["code"] != "snapshot" or cluster["container"] else "note"
        yield Finding(level, where, str(first["package_error"]), advice)
    if not first["scontrol"]:
        inside = " (the container has none)" if cluster["container"] else ""
        yield Finding("note", "requeue", f"no scontrol on the node{inside}", "Remembered: launch chooses another way.")
    elif any(line.get("restart") for line in lines):
        yield Finding("ok", "requeue", f"the job requeued itself and ran again, {took_s:.0f} s in all")
    else:
        error = next((str(line["requeue_error"]) for line in lines if "requeue_error" in line), "it did not come back")
        yield Finding("note", "requeue", error, "Remembered: launch chooses another way.")

"""The batch script of a job array, written by submitit; what submitit leaves out is set here.

submitit's own jobs carry pickles and cost 200 ms each; here the job carries the path of a list of stages only, so
that neither a left-over pickle nor code edited after submission can change what runs.
"""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from tabgraphsyn.config import sbatch
from tabgraphsyn.errors import SubmissionError
from tabgraphsyn.orchestration.slurm import bad_nodes
from tabgraphsyn.orchestration.slurm.arrays import JobArray, Request
from tabgraphsyn.orchestration.slurm.bootstrap import start_command
from tabgraphsyn.orchestration.slurm.out_of_memory import LOG_FROM

_MARK = "TABGRAPHSYN_ELEMENT_DONE"


def batch_script(
    array: JobArray,
    name: str,
    folder: Path,
    list_file: Path,
    dependency: str | None,
    cluster: Mapping[str, Any],
    *,
    campaign: str = "",
    exclude: Sequence[str] = (),
) -> str:
    """Return the text of the script.

    Args:
        array: what is submitted.
        name: of the job.
        folder: of the launch: logs, and the file that finds its code.
        list_file: what the elements run.
        dependency: sbatch's expression.
        cluster: settings of ``conf/cluster``.
        campaign: whose nodes are left out if nothing can be started there.
        exclude: nodes that are left out, besides the user's own.

    Raises:
        SubmissionError: Slurm's commands are not here.
    """
    from submitit import SlurmExecutor  # 0.16 s: only where something is submitted

    cluster = _with_excluded(cluster, exclude)
    try:
        executor = SlurmExecutor(folder=folder)
    except RuntimeError as error:
        raise SubmissionError(f"srun: not found on PATH ({error}). Launch where Slurm's commands are.") from error
    run = [*cluster["container"], cluster["python"] or sys.executable, *start_command(folder, list_file)]
    run += ["--lane"] if array.is_lane else []
    executor.update_parameters(**_parameters(array, name, run, dependency, cluster, folder, campaign))
    executor.parameters["setup"] = _setup(array, list_file, cluster)
    executor.parameters["map_count"] = array.tasks if array.is_array else None
    text: str = executor._make_submission_file_text(shlex.join(run), uid="")
    # The tasks of a lane follow each other, so they share a log: one file, in order.
    text = text.replace("%A_%a_", "%A_") if array.is_lane else text
    return sbatch.header(text, cluster["sbatch"], _flag)


def _with_excluded(cluster: Mapping[str, Any], exclude: Sequence[str]) -> Mapping[str, Any]:
    """Return the settings with further nodes to leave out."""
    if not exclude:
        return cluster
    users = cluster["sbatch"]
    own = str(sbatch.chosen(users).get("exclude") or "")
    others = {key: value for key, value in users.items() if sbatch.option(key) != "exclude"}
    return {**cluster, "sbatch": {**others, "exclude": ",".join([*filter(None, [own]), *exclude])}}


def over_path(list_file: Path) -> Path:
    """Return the file whose existence says that a lane has nothing left to do: its tasks then end in the shell."""
    return list_file.with_name(f"{list_file.name}.over")


def _setup(array: JobArray, list_file: Path, cluster: Mapping[str, Any]) -> list[str]:
    """Return what comes before the command."""
    lines = [f"[ -e {shlex.quote(str(over_path(list_file)))} ] && exit 0"] if array.is_lane else []
    # Submitted by hand from inside an array, a job of its own must not take itself for an element of that array.
    lines += [] if array.is_array else ["unset SLURM_ARRAY_JOB_ID SLURM_ARRAY_TASK_ID"]
    lines += [f'export {LOG_FROM}="$(stat -L -c %s /dev/stderr)"', *cluster["setup"]]
    # A login node's folder for temporary files need not be on the nodes.
    lines += ['[ -d "${TMPDIR:-/}" ] && [ -w "${TMPDIR:-/tmp}" ] || unset TMPDIR', f'export {_MARK}="$(mktemp -u)"']
    # srun refuses to start where an inherited one stands beside what this job asked for.
    return [*lines, '[ -n "${SLURM_MEM_PER_NODE:-}" ] && unset SLURM_MEM_PER_CPU SLURM_MEM_PER_GPU']


def _cpus(request: Request, cluster: Mapping[str, Any]) -> int:
    """Return the CPUs of a task: the step must be told what the job was given."""
    return sbatch.chosen(cluster["sbatch"]).get("cpus-per-task") or request.cpus


def _flag(name: str, value: Any) -> str:
    """Return a line of the script's head."""
    return f"#SBATCH --{name}" if value is True else f"#SBATCH --{name}={shlex.quote(str(value))}"


def _step_options(request: Request) -> list[str]:
    """Return what keeps srun from ending rank 0, which saves and publishes, when another rank has left before it."""
    return ["--kill-on-bad-exit=0", "--wait=0"] if request.tasks > 1 else []


def _parameters(
    array: JobArray,
    name: str,
    run: list[str],
    dependency: str | None,
    cluster: Mapping[str, Any],
    folder: Path,
    campaign: str,
) -> dict[str, Any]:
    request = array.request
    partition = cluster["gpu_partition"] if request.gpus else cluster["cpu_partition"]
    further: dict[str, Any] = {
        "requeue": True,
        "kill-on-invalid-dep": "yes",
        "open-mode": "append",
        # To the step, not to the batch shell: python runs under srun, which also gets SIGTERM at once when preempted.
        "signal": f"USR2@{cluster['signal_s']}",
    }
    if array.is_array:
        running = 1 if array.is_lane else array.running or len(array.elements)
        further["array"] = f"{array.index_expression()}%{running}"
    if cluster["nice"]:
        further["nice"] = cluster["nice"]
    if request.gpus:
        further["gres"] = f"{cluster['gpu_gres']}:{request.gpus}"
    for key in ("qos", "account", "constraint"):
        if cluster[key]:
            further[key] = cluster[key]
    return {
        "job_name": name,
        "partition": partition,
        "time": request.timeout_min,
        "cpus_per_task": request.cpus,
        "mem": f"{round(request.mem_gb * 1024)}MB",
        "ntasks_per_node": request.tasks_per_node,
        "nodes": request.nodes,
        "dependency": dependency,
        "comment": name,
        "wckey": None,
        "stderr_to_stdout": True,
        # Since 22.05 a step does not inherit the job's CPUs; and a step's output is truncated unless told otherwise.
        # And it gets what the batch shell has, whatever sbatch was told to export.
        "srun_args": [
            f"--cpus-per-task={_cpus(request, cluster)}",
            "--open-mode=append",
            "--export=ALL",
            *_step_options(request),
        ],
        "teardown": _teardown(shlex.join([*run, "--ended"]), array, folder, campaign, cluster),
        "additional_parameters": further,
    }


def _teardown(again: str, array: JobArray, folder: Path, campaign: str, cluster: Mapping[str, Any]) -> list[str]:
    """Return the end of the script: exit code 0 only if every stage is done, whatever the process said."""
    excluded = str(sbatch.chosen(cluster["sbatch"]).get("exclude") or "")
    most = cluster["max_failures"]
    return [
        "code=$?",
        f'if [ "$code" -eq 0 ] && [ -e "${_MARK}" ]; then rm -f "${_MARK}"',
        # A quota counts files: a job that had nothing to say leaves no log.
        '  log=$(readlink "/proc/$$/fd/2"); [ -f "$log" ] && [ ! -s "$log" ] && rm -f "$log"',
        "  exit 0",
        "fi",
        *bad_nodes.shell_lines(again, folder.parents[1], campaign, excluded, most, is_lane=array.is_lane),
    ]


def mark_done() -> None:
    """Tell the batch script that every stage of the element is done; it asks the store where that cannot be told."""
    mark = os.environ.get(_MARK)
    if mark:
        with suppress(OSError):
            Path(mark).touch()

"""A verb's own work in a job: ``srun`` waits for a node, shows what is printed there, and hands the exit code on."""

from __future__ import annotations

import math
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from tabgraphsyn.config.sbatch import merged
from tabgraphsyn.config.site import read_site
from tabgraphsyn.errors import EXIT_DONE, EXIT_INTERRUPTED, EXIT_STAGE, EXIT_USER, SubmissionError
from tabgraphsyn.orchestration.slurm.shell_environment import cleaned

_OWN_CODES = frozenset({EXIT_DONE, EXIT_USER, EXIT_STAGE, EXIT_INTERRUPTED})
_NOT_OF_SRUN = ("requeue", "wckey")


def is_login_node() -> bool:
    """Return True where a job could be had and this process is in none."""
    return shutil.which("srun") is not None and "SLURM_JOB_ID" not in os.environ


def memory_gb(size_mb: float, at_least_gb: float) -> float:
    """Return the memory for reading so many MB of files: they grow fourfold when they are read."""
    return max(at_least_gb, math.ceil(1.0 + size_mb * 6.0 / 1000.0))


def step_command(
    name: str, words: Sequence[str], cluster: Mapping[str, Any], *, mem_gb: float, minutes: int, cpus: int = 1
) -> list[str]:
    """Return the srun that runs ``python -m tabgraphsyn <words>`` with a site's settings.

    Args:
        name: of the job.
        words: the verb and its arguments.
        cluster: settings of ``conf/cluster``.
        mem_gb: of memory.
        minutes: time limit.
        cpus: of the one task.
    """
    own: dict[str, Any] = {
        "job-name": name,
        "time": minutes,
        "mem": f"{round(mem_gb * 1024)}M",
        "cpus-per-task": cpus,
        **({"partition": cluster["cpu_partition"]} if cluster["cpu_partition"] else {}),
        **{key: cluster[key] for key in ("qos", "account", "constraint") if cluster[key]},
    }
    options = {key: value for key, value in merged(own, cluster["sbatch"]).items() if key not in _NOT_OF_SRUN}
    flags = [f"--{key}" if value is True else f"--{key}={value}" for key, value in options.items()]
    python = [*cluster["container"], cluster["python"] or sys.executable, "-m", "tabgraphsyn", *words]
    shell = ["bash", "-c", "\n".join([*cluster["setup"], 'exec "$@"']), "bash"]
    return ["srun", "--ntasks=1", "--input=none", "--export=ALL", *flags, *shell, *python]


def run_step(command: Sequence[str]) -> int:
    """Run it, what it prints going to this terminal, and return the verb's exit code; Ctrl-C ends the job.

    Raises:
        SubmissionError: srun itself failed, or the job was killed.
    """
    code = subprocess.run(command, env=cleaned(os.environ, read_site().environment), check=False).returncode
    if code in _OWN_CODES:
        return code
    why = "out of memory: give its job more with --mem-gb" if code in (137, 253) else "what srun says stands above"
    raise SubmissionError(f"srun: the job ended with exit code {code}; {why}. --here reads the data in this process.")

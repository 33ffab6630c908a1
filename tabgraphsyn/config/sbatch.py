"""``cluster.sbatch``: further arguments of sbatch. Each replaces ours whichever way it is spelt; null takes ours away.

What the DAG and the records of its jobs stand on is refused with the setting that says the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from tabgraphsyn.errors import listing

_SHORT = {
    "A": "account",
    "a": "array",
    "b": "begin",
    "C": "constraint",
    "c": "cpus-per-task",
    "D": "chdir",
    "d": "dependency",
    "e": "error",
    "F": "nodefile",
    "G": "gpus",
    "J": "job-name",
    "L": "licenses",
    "M": "clusters",
    "m": "distribution",
    "N": "nodes",
    "n": "ntasks",
    "o": "output",
    "p": "partition",
    "q": "qos",
    "S": "core-spec",
    "t": "time",
    "W": "wait",
    "w": "nodelist",
    "x": "exclude",
}
_EXCLUDES = (
    frozenset({"mem", "mem-per-cpu", "mem-per-gpu"}),
    frozenset({"gres", "gpus", "gpus-per-node", "gpus-per-socket", "gpus-per-task"}),
    frozenset({"requeue", "no-requeue"}),
)
"""Options of which Slurm takes one: any of them replaces the others."""

REFUSED = {
    "array": "what runs side by side is the DAG's; cluster.max_running limits it",
    "dependency": "it is the DAG's own, and stages would start without their inputs; begin= and nice delay a launch",
    "kill-on-invalid-dep": "what depends on a failed stage must not wait for ever",
    "output": "status and logs read it under output_dir",
    "error": "status and logs read it under output_dir",
    "open-mode": "a requeue would truncate the log",
    "signal": "cluster.signal_s sets the warning before the time limit",
    "nodes": "resources.<stage>.nodes sets it",
    "ntasks": "resources.<stage>.tasks_per_node sets it",
    "ntasks-per-node": "resources.<stage>.tasks_per_node sets it",
    "clusters": "a launch and its verbs speak to one cluster, which SLURM_CONF chooses; launch once for each",
    "parsable": "the launch reads sbatch's answer",
    "wait": "a launch does not wait; tabgraphsyn status --watch does",
    "wrap": "the stages are what runs; cluster.setup adds lines before them",
    "test-only": "dry_run=true shows what would be submitted",
    "export-file": "cluster.setup sets variables",
}
_PLAIN = re.compile(r"[a-z][a-z0-9-]*")
_JOB_NAME_FIELDS = ("campaign", "stage", "key")


def option(name: str) -> str:
    """Return an option as sbatch's manual spells it.

    >>> option("cpus_per_task"), option("--mem-per-cpu"), option("J")
    ('cpus-per-task', 'mem-per-cpu', 'job-name')
    """
    plain = str(name).strip().lstrip("-")
    return _SHORT.get(plain, plain.replace("_", "-"))


def chosen(sbatch: Mapping[str, Any]) -> dict[str, Any]:
    """Return the user's options by their long names; ``requeue: false`` is spelt as what it means."""
    found = {option(name): value for name, value in sbatch.items()}
    if found.get("requeue", True) is False:
        del found["requeue"]
        found["no-requeue"] = True
    return found


def merged(own: Mapping[str, Any], sbatch: Mapping[str, Any]) -> dict[str, Any]:
    """Return our options with the user's in their place.

    >>> merged({"mem": "1024MB", "time": 60, "qos": "a"}, {"mem_per_cpu": "2G", "qos": None})
    {'time': 60, 'mem-per-cpu': '2G'}
    """
    users = chosen(sbatch)
    gone = set(users).union(*(group for group in _EXCLUDES if any(users.get(name) is not None for name in group)))
    kept = {name: value for name, value in own.items() if name not in gone}
    return {**kept, **{name: value for name, value in users.items() if value is not None and value is not False}}


def header(script: str, sbatch: Mapping[str, Any], flag: Any) -> str:
    """Return a batch script whose ``#SBATCH`` lines have the user's options in place of ours.

    Args:
        script: with our options.
        sbatch: ``cluster.sbatch``; a job name in it is part of ours already.
        flag: writes a name and a value as a line.
    """
    users = {name: value for name, value in sbatch.items() if option(name) != "job-name"}
    lines = script.splitlines()
    own = {line.removeprefix("#SBATCH --").partition("=")[0]: line for line in lines if line.startswith("#SBATCH --")}
    kept = merged(own, users)
    added = [flag(name, value) for name, value in kept.items() if own.get(name) is not value]
    last = max(number for number, line in enumerate(lines) if line.startswith("#SBATCH --"))
    rest = [line for line in lines[: last + 1] if not line.startswith("#SBATCH --") or line in kept.values()]
    return "\n".join([*rest, *added, *lines[last + 1 :]]) + ("\n" if script.endswith("\n") else "")


def job_name_pattern(cluster: Mapping[str, Any]) -> str:
    """Return the pattern of job names: the user's own ``sbatch.job-name`` is one. ``{key}`` keeps names apart."""
    pattern = str(chosen(cluster.get("sbatch") or {}).get("job-name") or cluster.get("job_name") or "tgs")
    return pattern if "{key}" in pattern else f"{pattern}-{{key}}"


def job_name_of(cluster: Mapping[str, Any], campaign: str, stage: str, key: str) -> str:
    """Return a job's name; what some sites refuse in one becomes ``_``.

    >>> job_name_of({"job_name": "tgs-{campaign}-{stage}-{key}"}, "a=b", "evaluate+report", "0f")
    'tgs-a_b-evaluate_report-0f'
    """
    name = job_name_pattern(cluster)
    for field, value in zip(_JOB_NAME_FIELDS, (campaign, stage, key), strict=True):
        name = name.replace(f"{{{field}}}", re.sub(r"[^A-Za-z0-9._-]", "_", value))
    return name


def partitions_of(cluster: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the setting and the name of every partition that a launch asks for, lists taken apart.

    >>> list(partitions_of({"cpu_partition": "a,b", "gpu_partition": None}))
    [('cpu_partition', 'a'), ('cpu_partition', 'b')]
    >>> list(partitions_of({"cpu_partition": "a", "sbatch": {"p": "c"}}))
    [('sbatch.partition', 'c')]
    """
    users = chosen(cluster.get("sbatch") or {})
    asked = {key: cluster.get(key) for key in ("cpu_partition", "gpu_partition")}
    if "partition" in users:
        asked = {"sbatch.partition": users["partition"]}
    for key, names in asked.items():
        yield from ((key, name.strip()) for name in str(names or "").split(",") if name.strip())


def problems(cluster: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is wrong with the settings that reach sbatch."""
    sbatch = cluster.get("sbatch") or {}
    seen: dict[str, str] = {}
    for name, value in sbatch.items():
        long = option(name)
        if long in REFUSED:
            yield f"cluster.sbatch.{name}: cannot be set: {REFUSED[long]}."
        elif not _PLAIN.fullmatch(long):
            yield f"cluster.sbatch.{name}: an option of sbatch as its manual spells it, found {str(name)!r}."
        elif long in seen:
            yield f"cluster.sbatch.{name}: the same option as cluster.sbatch.{seen[long]}. Keep one of them."
        elif isinstance(value, list | dict):
            yield f"cluster.sbatch.{name}: one value expected, found {value!r}. Write 'a,b' for a list."
        seen[long] = str(name)
    plain = {key: cluster.get(key) for key in ("cpu_partition", "gpu_partition", "gpu_gres", "account", "qos")}
    plain |= {"constraint": cluster.get("constraint"), "job_name": cluster.get("job_name")}
    yield from _line_problems({**plain, **{f"sbatch.{name}": value for name, value in sbatch.items()}})
    yield from _job_name_problems(cluster)


def _line_problems(values: Mapping[str, Any]) -> Iterator[str]:
    """Yield a problem for each value that would end its line of the batch script and begin another one."""
    for key, value in values.items():
        if isinstance(value, str) and any(ord(letter) < 32 or ord(letter) == 127 for letter in value):
            yield f"cluster.{key}: one line without control characters expected, found {value!r}."


def _job_name_problems(cluster: Mapping[str, Any]) -> Iterator[str]:
    unknown = _unknown_fields(re.findall(r"\{([^}]*)\}?", job_name_pattern(cluster)))
    if unknown:
        known = listing([f"{{{field}}}" for field in _JOB_NAME_FIELDS])
        yield f"cluster.job_name: there are {known}, found {listing(unknown)}."
    if any(letter.isspace() for letter in job_name_pattern(cluster)):
        yield f"cluster.job_name: no spaces, found {job_name_pattern(cluster)!r}."


def _unknown_fields(found: Iterable[str]) -> list[str]:
    return [f"{{{field}}}" for field in found if field not in _JOB_NAME_FIELDS]

"""Whether the levels that no component owns hold what their schema says, interpolations included.

Hydra holds the values of the command line against the schema; what an interpolation brings it takes as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from tabgraphsyn.config.targets import constructor

_SCHEMAS = "tabgraphsyn.config.top_level."
_PLAIN = ("seed", "campaign", "output_dir", "dry_run", "wait", "allow_targets")
# More than any machine has: a slip of a digit must not start a billion threads.
_MOST = {"threads": 4_096, "workers": 4_096, "gpus": 4_096, "stages_per_gpu": 1_024, "tasks_per_node": 4_096}
_MOST |= {"nodes": 100_000, "max_running": 10**9, "max_submit": 10**9, "nice": 10**9, "timeout_min": 10**7}
_MOST |= {"mem_gb": 10**6, "lanes": 10**6, "successors": 10**6, "signal_s": 10**6, "grace_s": 10**6}
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def typed_problems(config: Mapping[str, Any]) -> list[str]:
    """Return what has another type than its schema, is larger than anything, or would end a line of a batch script."""
    problems = list(_section("", {key: config[key] for key in _PLAIN if key in config}, "TopLevelConfig"))
    for group, schema in (("cluster", "ClusterConfig"), ("resources", "ResourcesConfig")):
        section = config.get(group)
        if section is None or section == "???":
            continue
        if not isinstance(section, Mapping):
            problems.append(
                f"{group}: a mapping of settings expected, found {section!r}. Choose an option: {group}=..."
            )
        elif group == "cluster":
            problems += _section("cluster.", section, schema)
        else:
            problems += _resources(section)
    return problems


def _resources(section: Mapping[str, Any]) -> Iterator[str]:
    for stage, wanted in section.items():
        if isinstance(wanted, Mapping):
            yield from _section(f"resources.{stage}.", wanted, "StageResources")
        else:
            yield f"resources.{stage}: a mapping of settings expected, found {wanted!r}."


def _section(prefix: str, values: Mapping[str, Any], schema: str) -> Iterator[str]:
    accepted = constructor(_SCHEMAS + schema)
    types = accepted.types if accepted is not None else {}
    for key, value in values.items():
        where = f"{prefix}{key}"
        if value == "???":
            continue
        if key in types and not types[key].holds(value):
            yield f"{where}: {types[key].words} expected, found {value!r}."
        elif isinstance(value, int | float) and not isinstance(value, bool) and value > _MOST.get(str(key), value):
            yield f"{where}: at most {_MOST[str(key)]:,}, found {value!r}."
        elif not prefix and isinstance(value, str) and _CONTROL.search(value):
            # They stand in lines of batch scripts; those of cluster are checked where they are known (sbatch).
            yield f"{where}: one line without control characters expected, found {value!r}."

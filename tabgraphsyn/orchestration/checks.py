"""Everything about a launch that can be wrong and can be known before the queue; pure, on plain configs."""

from __future__ import annotations

import importlib.util
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tabgraphsyn.errors import listing, nearest
from tabgraphsyn.orchestration.targets import constructor, names_in_module

# What the stage passes itself: the contracts of the components' base classes.
RUNTIME_ARGUMENTS: Mapping[str, frozenset[str]] = {
    "autoencoder": frozenset({"layout"}),
    "gnn": frozenset({"graph_schema"}),
    "denoiser": frozenset({"latent_dim", "output_dim", "condition_dim"}),
    "tracking": frozenset({"run"}),
}

_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._+=,-]{0,99}$")
_PACKAGE = "tabgraphsyn"


def config_problems(config: Mapping[str, Any], missing: Sequence[str], groups: Sequence[str]) -> list[str]:
    """Return what is wrong with one composed config.

    Args:
        config: plain values.
        missing: keys left at ``???``.
        groups: groups that every config needs.
    """
    problems = []
    for key in missing:
        if key in groups:
            problems.append(f"{key}: the group was removed. Choose an option: {key}=<option>.")
        else:
            problems.append(f"{key}: must be set and has no default. Add {key}=<value>.")
    problems += [
        f"{group}: a group cannot be null. Choose an option: {group}=<option>."
        for group in groups
        if group not in missing and config.get(group) is None
    ]
    problems += _component_problems(config)
    problems += _setting_problems(config)
    return problems


def _setting_problems(config: Mapping[str, Any]) -> Iterator[str]:
    campaign = config.get("campaign")
    if campaign is not None and not _NAME.match(campaign):
        yield (
            f"campaign: {campaign!r} names a folder: letters, digits and . _ + = , - only, up to 100, "
            "the first a letter or digit."
        )
    seed = config.get("seed")
    if isinstance(seed, int) and seed < 0:
        yield f"seed: at least 0, found {seed!r}."
    yield from _cluster_problems(config.get("cluster") or {})
    yield from _resource_problems(config.get("resources") or {})
    tracking = config.get("tracking") or {}
    if str(tracking.get("_target_", "")).endswith(".WandbTracker") and importlib.util.find_spec("wandb") is None:
        yield "tracking=wandb: wandb is not installed. Run pip install 'tabgraphsyn[wandb]' or set tracking=jsonl."


def _cluster_problems(cluster: Mapping[str, Any]) -> Iterator[str]:
    executors = ("local", "inline", "slurm")
    executor = cluster.get("executor", "local")
    if executor not in executors:
        yield f"cluster.executor: one of {listing(executors)}, found {executor!r}.{nearest(str(executor), executors)}"
    for key in ("workers", "threads", "grace_s", "verify_mb", "max_running", "max_submit", "max_failures"):
        if cluster.get(key, 0) < 0:
            yield f"cluster.{key}: at least 0, found {cluster[key]!r}."
    if cluster.get("stages_per_gpu", 1) < 1:
        yield f"cluster.stages_per_gpu: at least 1, found {cluster['stages_per_gpu']!r}."
    beat, silence = cluster.get("heartbeat_s", 5), cluster.get("lease_timeout_s", 60)
    if not 0 < beat <= silence / 3:
        yield (
            f"cluster.heartbeat_s: above 0 and at most a third of cluster.lease_timeout_s ({silence!r}), "
            f"found {beat!r}: otherwise a living stage is taken for dead."
        )


def _resource_problems(resources: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    devices = ("auto", "cpu", "cuda")
    for stage, wanted in resources.items():
        if wanted["threads"] < 0:
            yield f"resources.{stage}.threads: at least 0 (0 takes all), found {wanted['threads']!r}."
        if wanted["device"] not in devices:
            yield f"resources.{stage}.device: one of {listing(devices)}, found {wanted['device']!r}."
        for key in ("mem_gb", "timeout_min"):
            if wanted.get(key, 1) <= 0:
                yield f"resources.{stage}.{key}: above 0, found {wanted[key]!r}."


def _component_problems(config: Mapping[str, Any]) -> Iterator[str]:
    allowed = (_PACKAGE, *(config.get("allow_targets") or ()))
    for key, component in _components(config, ""):
        target = component["_target_"]
        if not isinstance(target, str):
            yield f"{key}._target_: the name of a class, found {target!r}."
        elif target.split(".", 1)[0] not in allowed:
            package = target.split(".", 1)[0]
            yield (
                f"{key}._target_: {target!r} is outside the package. "
                f"Add allow_targets=[{package}] if you trust {package!r}."
            )
        elif target.startswith(f"{_PACKAGE}."):
            yield from _argument_problems(key, target, component)


def _components(value: Any, key: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    if isinstance(value, Mapping):
        if "_target_" in value:
            yield key, value
        for name, inner in value.items():
            yield from _components(inner, f"{key}.{name}" if key else str(name))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _components(inner, f"{key}[{number}]")


def _argument_problems(key: str, target: str, component: Mapping[str, Any]) -> Iterator[str]:
    accepted = constructor(target)
    if accepted is None:
        name = target.rpartition(".")[2]
        yield f"{key}._target_: there is no {target!r}.{nearest(name, names_in_module(target))}"
        return
    runtime = RUNTIME_ARGUMENTS.get(key, frozenset())
    for name in component:
        if str(name).startswith("_"):
            continue
        if name in runtime:
            yield f"{key}.{name}: the stage sets it at run time. Remove it from the yaml or the command."
        elif not accepted.is_open and name not in accepted.names:
            known = sorted(accepted.names - runtime)
            close = nearest(str(name), known)
            yield f"{key}.{name}: {target} takes no such argument.{close} It takes {listing(known, 30)}."


def place_problems(output_dir: Path) -> list[str]:
    """Return what keeps results from being written to ``output_dir``."""
    folder = output_dir
    while not folder.exists():
        folder = folder.parent
    if not folder.is_dir():
        return [f"output_dir: {str(folder)!r} is a file. Choose another folder."]
    if not os.access(folder, os.W_OK | os.X_OK):
        return [f"output_dir: {str(folder)!r} cannot be written to. Choose another folder with output_dir=<folder>."]
    return []

"""Everything about a launch that can be wrong and can be known before the queue; pure, on plain configs."""

from __future__ import annotations

import importlib.util
import os
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tabgraphsyn.config import sbatch
from tabgraphsyn.config.catalog import generator_class
from tabgraphsyn.config.components import (
    added_problems,
    component_problems,
    evaluation_problems,
    section_problems,
)
from tabgraphsyn.config.typed import typed_problems
from tabgraphsyn.config.values import value_problems
from tabgraphsyn.errors import ConfigError, listing, nearest
from tabgraphsyn.generators.base import Generator

_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._+=,-]{0,99}$")


def config_problems(
    config: Mapping[str, Any],
    missing: Sequence[str],
    groups: Sequence[str],
    added: Sequence[str] = (),
    *,
    has_components: bool = True,
) -> list[str]:
    """Return what is wrong with one composed config.

    Args:
        config: plain values.
        missing: keys left at ``???``.
        groups: groups that every config needs.
        added: keys that the command line added with ``+``.
        has_components: False where the stages are not the project's and build none of its components.
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
    generator, wrong_generator = _generator(config)
    problems += added_problems(added, generator)
    if has_components:
        problems += component_problems(config, generator)
        if generator is not None:
            problems += section_problems(config, generator)
        elif not any(text.startswith("generator") for text in problems):
            problems += wrong_generator
        problems += evaluation_problems(config)
    wrong = typed_problems(config)
    # What has another type cannot be compared with a range.
    is_open = any(key.split(".")[0] in ("cluster", "resources", "seed", "campaign") for key in missing)
    return problems + (wrong if wrong or is_open else list(_setting_problems(config, generator)))


def protocol_problems(evaluation: Mapping[str, Any], added: Sequence[str] = ()) -> list[str]:
    """Return what is wrong with an evaluation protocol that is used outside a launch."""
    config = {"evaluation": evaluation}
    problems = [*added_problems(added), *component_problems(config), *evaluation_problems(config)]
    return problems + value_problems(config, problems)


def _generator(config: Mapping[str, Any]) -> tuple[type[Generator] | None, tuple[str, ...]]:
    """Return the generator that a config names, or why there is none."""
    try:
        return generator_class(config), ()
    except ConfigError as error:
        return None, error.problems or (str(error),)


def _setting_problems(config: Mapping[str, Any], generator: type[Generator] | None) -> Iterator[str]:
    campaign = config.get("campaign")
    if campaign is not None and not _NAME.match(campaign):
        yield (
            f"campaign: {campaign!r} names a folder: letters, digits and . _ + = , - only, up to 100, "
            "the first a letter or digit."
        )
    seed = config.get("seed")
    if isinstance(seed, int) and seed < 0:
        yield f"seed: at least 0, found {seed!r}."
    yield from cluster_problems(config.get("cluster") or {})
    # Without a generator nothing says which stages train.
    trained = None if generator is None else [kind.name for kind in generator.kinds if kind.trains]
    yield from _resource_problems(config.get("resources") or {}, trained)
    tracking = config.get("tracking") or {}
    if not isinstance(tracking, Mapping):
        return
    if str(tracking.get("_target_", "")).endswith(".WandbTracker") and importlib.util.find_spec("wandb") is None:
        yield "tracking=wandb: wandb is not installed. Run pip install 'tabgraphsyn[wandb]' or set tracking=jsonl."
    if str(tracking.get("_target_", "")).endswith(".WandbTracker"):
        modes, mode = ("offline", "online"), tracking.get("mode", "offline")
        if mode not in modes:
            yield f"tracking.mode: one of {listing(modes)}, found {mode!r}.{nearest(str(mode), modes)}"


def cluster_problems(cluster: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is wrong with the settings of ``conf/cluster``."""
    executors = ("local", "inline", "slurm")
    executor = cluster.get("executor", "local")
    if executor not in executors:
        yield f"cluster.executor: one of {listing(executors)}, found {executor!r}.{nearest(str(executor), executors)}"
    choices = {"on_interrupt": ("auto", "requeue", "wait", "successor"), "code": ("snapshot", "live")}
    for key, known in choices.items():
        chosen = cluster.get(key, known[0])
        if chosen not in known:
            yield f"cluster.{key}: one of {listing(known)}, found {chosen!r}.{nearest(str(chosen), known)}"
    for key in ("lanes", "successors"):
        if cluster.get(key, 1) < 1:
            yield f"cluster.{key}: at least 1, found {cluster[key]!r}."
    for key in ("workers", "threads", "grace_s", "verify_mb", "max_running", "max_submit", "max_failures"):
        if cluster.get(key, 0) < 0:
            yield f"cluster.{key}: at least 0, found {cluster[key]!r}."
    if cluster.get("stages_per_gpu", 1) < 1:
        yield f"cluster.stages_per_gpu: at least 1, found {cluster['stages_per_gpu']!r}."
    yield from sbatch.problems(cluster)
    beat, silence = cluster.get("heartbeat_s", 5), cluster.get("lease_timeout_s", 60)
    if not 0 < beat <= silence / 3:
        yield (
            f"cluster.heartbeat_s: above 0 and at most a third of cluster.lease_timeout_s ({silence!r}), "
            f"found {beat!r}: otherwise a living stage is taken for dead."
        )


def _resource_problems(resources: Mapping[str, Mapping[str, Any]], trained: Sequence[str] | None) -> Iterator[str]:
    devices = ("auto", "cpu", "cuda")
    for stage, wanted in resources.items():
        if not isinstance(wanted, Mapping) or "threads" not in wanted:  # added with ``++``, and named elsewhere
            continue
        if wanted["threads"] < 0:
            yield f"resources.{stage}.threads: at least 0 (0 takes all), found {wanted['threads']!r}."
        if wanted["device"] not in devices:
            yield f"resources.{stage}.device: one of {listing(devices)}, found {wanted['device']!r}."
        for key in ("tasks_per_node", "nodes"):
            if wanted.get(key, 1) < 1:
                yield f"resources.{stage}.{key}: at least 1, found {wanted[key]!r}."
            elif wanted.get(key, 1) > 1 and trained is not None and stage not in trained:
                yield f"resources.{stage}.{key}: only {listing(trained)} run on several tasks, found {wanted[key]!r}."
        for key in ("mem_gb", "timeout_min"):
            if wanted.get(key, 1) <= 0:
                yield f"resources.{stage}.{key}: above 0, found {wanted[key]!r}."


def slurm_path_problem(output_dir: Path) -> str | None:
    """Return why Slurm cannot write logs below a folder, or None: it expands ``%j`` and eats backslashes.

    >>> slurm_path_problem(Path("/a/100%/b"))
    "output_dir: '/a/100%/b' holds '%', which Slurm takes for a pattern: jobs would fail without a log. Rename it."
    """
    found = next((letter for letter in "%\\\n\r" if letter in str(output_dir)), None)
    if found is None:
        return None
    return (
        f"output_dir: {str(output_dir)!r} holds {found!r}, which Slurm takes for a pattern: jobs would fail without a "
        "log. Rename it."
    )


def place_problems(output_dir: Path, *, on_slurm: bool = False) -> list[str]:
    """Return what keeps results from being written to ``output_dir``."""
    if on_slurm and (problem := slurm_path_problem(output_dir)):
        return [problem]
    folder = output_dir
    try:
        while not folder.exists():
            folder = folder.parent
        if not folder.is_dir():
            return [f"output_dir: {str(folder)!r} is a file. Choose another folder."]
        if not os.access(folder, os.W_OK | os.X_OK):
            return [
                f"output_dir: {str(folder)!r} cannot be written to. Choose another folder with output_dir=<folder>."
            ]
        # Of some file systems (/proc) the rights say nothing, and of a name only the system knows whether it may be.
        with tempfile.TemporaryDirectory(prefix=".tabgraphsyn-", dir=folder) as trial:
            Path(trial, *output_dir.relative_to(folder).parts).mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        return [f"output_dir: {str(output_dir)!r} cannot be written to ({why}). Choose another folder."]
    return []

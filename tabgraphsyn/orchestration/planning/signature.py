"""What identifies a result: full resolved values, the inputs' signatures, the content of the data, a version."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

from tabgraphsyn.errors import ConfigError, listing

SIGNATURE_DIGITS = 20


def canonical(value: Any) -> str:
    """Return the one json text of ``value``: sorted keys, no spaces, no NaN.

    >>> canonical({"b": 1, "a": [True, None]})
    '{"a":[true,null],"b":1}'
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def signature(
    *,
    stage: str,
    version: int,
    table: str | None,
    config: Mapping[str, Any],
    inputs: Mapping[str, str],
    content: str | None = None,
) -> str:
    """Return the hash that names the folder of a stage.

    Args:
        stage: name of the kind.
        version: of the kind.
        table: of a per-table stage.
        config: full resolved values of the keys the stage reads; nothing about where it runs.
        inputs: role -> ``kind/signature`` of what it reads.
        content: hash of the user's data, for the stage that reads it.
    """
    identity = {
        "stage": stage,
        "version": version,
        "table": table,
        "config": config,
        "inputs": inputs,
        "content": content,
    }
    return hashlib.sha256(canonical(identity).encode()).hexdigest()[:SIGNATURE_DIGITS]


def selected(config: Mapping[str, Any], keys: Iterable[str]) -> dict[str, Any]:
    """Return the part of a nested config that dotted ``keys`` name, nested as before.

    >>> selected({"seed": 1, "training": {"gnn": {"steps": 2}, "diffusion": {}}}, ["seed", "training.gnn"])
    {'seed': 1, 'training': {'gnn': {'steps': 2}}}

    Raises:
        ConfigError: a key that the config does not have.
    """
    chosen: dict[str, Any] = {}
    for key in keys:
        source: Any = config
        target = chosen
        *parents, last = key.split(".")
        for parent in parents:
            source = source.get(parent) if isinstance(source, Mapping) else None
            target = target.setdefault(parent, {})
        if not isinstance(source, Mapping) or last not in source:
            raise ConfigError(f"{key}: a stage reads this key and the config has only {listing(config, 30)}.")
        target[last] = source[last]
    return chosen


def without(config: Mapping[str, Any], keys: Iterable[str]) -> dict[str, Any]:
    """Return a nested config without dotted ``keys``; a key that is not there is none the worse.

    >>> without({"dataset": {"name": "a", "path": "/x"}}, ["dataset.path"])
    {'dataset': {'name': 'a'}}
    """
    heads: dict[str, list[str]] = {}
    for key in keys:
        head, _, rest = key.partition(".")
        heads.setdefault(head, []).append(rest)
    kept: dict[str, Any] = {}
    for key, value in config.items():
        rests = heads.get(key, [])
        if "" in rests:
            continue
        kept[key] = without(value, rests) if rests and isinstance(value, Mapping) else value
    return kept

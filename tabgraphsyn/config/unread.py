"""Settings that nothing reads under a config: they are no part of a result, and nobody can set them by mistake."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from tabgraphsyn.config.definitions import find, read_source

# A section of the loop's settings, and the group whose component it trains.
_TRAINS = {"training.autoencoder": "autoencoder", "training.gnn": "gnn"}


def unread_sections(config: Mapping[str, Any]) -> dict[str, str]:
    """Return the dotted sections that nothing reads, each with the component that makes it so."""
    found = {}
    for section, group in _TRAINS.items():
        component = config.get(group)
        target = component.get("_target_") if isinstance(component, Mapping) else None
        if isinstance(target, str) and _is_never_trained(target):
            found[section] = f"{group} is {target.rpartition('.')[2]}, which is not trained"
    return found


def unread_problems(points: Iterable[tuple[Sequence[str], Mapping[str, Any]]]) -> list[str]:
    """Return what the command line sets and no sweep point reads.

    Args:
        points: overrides and plain config of each.
    """
    reasons: dict[str, str] = {}
    used: set[str] = set()
    for overrides, config in points:
        sections = unread_sections(config)
        for override in overrides:
            key = override.lstrip("+").split("=", 1)[0]
            section = next((each for each in sections if key == each or key.startswith(f"{each}.")), None)
            if section is None:
                used.add(key)
            else:
                reasons[key] = sections[section]
    return [
        f"{key}: nothing reads it: {reason}. Remove it, or choose a component that is trained."
        for key, reason in reasons.items()
        if key not in used
    ]


@lru_cache(maxsize=64)
def _is_never_trained(target: str) -> bool:
    """Return True where a class says ``is_trained = False`` for all its objects; read as text, nothing is imported."""
    module, _, name = target.rpartition(".")
    found = find(read_source(module), name) if module else None
    if found is None or not isinstance(found.node, ast.ClassDef):
        return False
    for line in found.node.body:
        if isinstance(line, ast.Assign) and any(isinstance(t, ast.Name) and t.id == "is_trained" for t in line.targets):
            return isinstance(line.value, ast.Constant) and line.value.value is False
    return False

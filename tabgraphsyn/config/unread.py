"""Settings that nothing reads under a config: they are no part of a result, and nobody can set them by mistake."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tabgraphsyn.config.catalog import generator_class
from tabgraphsyn.config.definitions import is_never_trained
from tabgraphsyn.config.top_level import GENERATOR_GROUPS
from tabgraphsyn.errors import ConfigError


def unread_sections(config: Mapping[str, Any]) -> dict[str, str]:
    """Return the dotted sections that nothing reads, each with the component that makes it so."""
    try:
        generator = generator_class(config)
    except ConfigError:
        return {}  # a problem of its own, and no catalog of the project's
    trainings = [f"training.{key}" for key, value in _mapping(config, "training").items() if isinstance(value, Mapping)]
    found = {
        key: f"generator is {generator.__name__}, which does not read it"
        for key in (*GENERATOR_GROUPS, *trainings)
        if not generator.reads(key)
    }
    for section in generator.sections:
        target = _mapping(config, section.component).get("_target_") if section.component else None
        if isinstance(target, str) and is_never_trained(target):
            found[section.key] = f"{section.component} is {target.rpartition('.')[2]}, which is not trained"
    return found


def _mapping(config: Mapping[str, Any], dotted: str) -> Mapping[str, Any]:
    """Return a section of a config, empty where there is none."""
    found: Any = config
    for part in dotted.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found if isinstance(found, Mapping) else {}


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
        f"{key}: nothing reads it: {reason}. Remove it, or choose a component that has it."
        for key, reason in reasons.items()
        if key not in used
    ]

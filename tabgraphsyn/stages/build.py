"""From a component's plain config to the component."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tabgraphsyn.config.closed import component_class, plain_value
from tabgraphsyn.errors import ConfigError, listing


def build(config: Mapping[str, Any], family: type, *, allow_targets: tuple[str, ...] = (), **runtime: Any) -> Any:
    """Return the object that ``config['_target_']`` names, built from its keys and ``runtime``.

    Args:
        config: ``_target_`` and keyword arguments, fully resolved.
        family: base class of what may stand here; see ``config.closed``.
        allow_targets: packages besides tabgraphsyn from which a target may come.
        runtime: arguments that only the stage knows (dimensions, layouts).

    Raises:
        ConfigError: no target, a target outside the closed list, or a key that the stage sets itself.
    """
    target = config.get("_target_")
    kind = component_class(target, family, allow_targets)
    overlap = sorted(set(config) & set(runtime))
    if overlap:
        raise ConfigError(f"{target}: {listing(overlap)} is set by the stage at run time. Remove it from the yaml.")
    unbuilt = getattr(kind, "unbuilt", ())  # what it builds itself, from its own list
    plain = {
        key: value if key in unbuilt else plain_value(value, allow_targets)
        for key, value in config.items()
        if key != "_target_"
    }
    return kind(**plain, **runtime)

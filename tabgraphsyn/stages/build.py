"""From a component's plain config to the component."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hydra.utils import get_object, instantiate

from tabgraphsyn.errors import ConfigError, listing


def build(config: Mapping[str, Any], *, allow_targets: tuple[str, ...] = (), **runtime: Any) -> Any:
    """Return the object that ``config['_target_']`` names, built from its keys and ``runtime``.

    Args:
        config: ``_target_`` and keyword arguments, fully resolved.
        allow_targets: packages besides tabgraphsyn from which a target may come.
        runtime: arguments that only the stage knows (dimensions, layouts).

    Raises:
        ConfigError: no target, a target outside the allowed packages, or a key that the stage sets itself.
    """
    target = config.get("_target_")
    if not isinstance(target, str):
        raise ConfigError(f"_target_: every component names its class, found {target!r} in {dict(config)!r}.")
    package = target.split(".", 1)[0]
    if package not in ("tabgraphsyn", *allow_targets):
        raise ConfigError(
            f"_target_: {target!r} is outside the package. Add {package!r} to allow_targets if you trust it."
        )
    overlap = sorted(set(config) & set(runtime))
    if overlap:
        raise ConfigError(f"{target}: {listing(overlap)} is set by the stage at run time. Remove it from the yaml.")
    # Runtime objects never pass through hydra: it would take dataclasses for configs and copy them. Nor do plain
    # values: hydra takes milliseconds for what needs nothing.
    nested = {key: _built(value) for key, value in config.items() if key != "_target_"}
    try:
        component = get_object(target)
    except Exception as error:
        raise ConfigError(f"_target_: {target!r} cannot be imported ({error}).") from error
    return component(**nested, **runtime)


def _built(value: Any) -> Any:
    return instantiate(value, _convert_="all") if isinstance(value, (Mapping, list)) else value

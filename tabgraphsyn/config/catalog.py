"""The stage catalog of a sweep point: the frame, and the stages of the generator that its config names."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from tabgraphsyn.config.closed import component_class
from tabgraphsyn.config.definitions import is_never_trained
from tabgraphsyn.errors import ConfigError, raise_collected
from tabgraphsyn.generators.base import Generator, named
from tabgraphsyn.generators.frame import AFTER, BEFORE, declaration_problems, kinds_with
from tabgraphsyn.generators.kinds import Catalog


def generator_class(config: Mapping[str, Any]) -> type[Generator]:
    """Return the generator that ``generator`` of a config names, or its variant for a component that the config names.

    Its module is imported, nothing is built.

    Raises:
        ConfigError: none, one outside the allowed packages, or one that declares what cannot be.
    """
    chosen, allowed = config.get("generator"), tuple(config.get("allow_targets") or ())
    if not isinstance(chosen, Mapping) or "_target_" not in chosen:
        raise ConfigError(f"generator: a component with a _target_ expected, found {chosen!r}.")
    try:
        found = component_class(chosen["_target_"], Generator, allowed)
    except ConfigError as error:
        raise ConfigError(f"generator.{error}") from error
    found = variant(found, config)
    raise_collected(ConfigError, list(_declared(found, allowed)))
    return found


def variant(generator: type[Generator], config: Mapping[str, Any]) -> type[Generator]:
    """Return what stands in a generator's place under a config: itself, or one of its variants."""
    for group, name in generator.variants.items():
        component = config.get(group)
        target = component.get("_target_") if isinstance(component, Mapping) else None
        if isinstance(target, str) and not is_never_trained(target):
            found: type[Generator] = named(name)
            return found
    return generator


@cache
def _declared(generator: type[Generator], allowed: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(declaration_problems(generator, allowed))


class _OfThePoint(Catalog):
    """The project's catalog: its generator is the config's."""

    def of(self, config: Mapping[str, Any]) -> Catalog:
        """Return the catalog of a sweep point.

        Raises:
            ConfigError: no generator, or one that declares what cannot be.
        """
        generator = generator_class(config)
        # A module of somebody else that fails to import fails its stage, not the server that stages are forked from.
        trained = (kind.module for kind in generator.kinds if kind.trains and kind.module.startswith("tabgraphsyn."))
        kinds = {kind.name: kind for kind in kinds_with(generator)}
        return Catalog(self.source, kinds, (*self.preload, *trained))


STAGES = _OfThePoint("ingest", {kind.name: kind for kind in (*BEFORE, *AFTER)}, ("pandas", "pyarrow.parquet"))
"""The frame; ``STAGES.of(config)`` has the generator's kinds too."""

"""Which classes a ``_target_`` may name: a closed list, whoever wrote it.

A component is a class that is *defined* in a module of the package that it names (no name that the module imported),
of the family that is wanted there, and, in tabgraphsyn itself, below the family's own package. Values that are
components themselves pass the same gate. Hydra's ``instantiate`` would call anything that can be imported.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from importlib import import_module
from typing import Any

from tabgraphsyn.errors import ConfigError

PACKAGE = "tabgraphsyn"
_TARGET = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+", re.ASCII)
_MOST_NESTED = 5


def component_class(target: Any, family: type | None, allow_targets: tuple[str, ...] = ()) -> type:
    """Return the class that ``target`` names.

    Args:
        target: dotted name of a class.
        family: what it must derive from; None for a component inside another one.
        allow_targets: packages besides tabgraphsyn from which it may come.

    Raises:
        ConfigError: no such class, one outside the allowed packages, or one of another family.
    """
    if not isinstance(target, str) or not _TARGET.fullmatch(target):
        raise ConfigError(f"_target_: every component names its class, package.module.Class; found {target!r}.")
    package = target.partition(".")[0]
    if package not in (PACKAGE, *allow_targets):
        raise ConfigError(
            f"_target_: {target!r} is outside the package. Add {package!r} to allow_targets if you trust it."
        )
    module, _, name = target.rpartition(".")
    if package == PACKAGE and (family is None or not _is_below(module, _package_of(family))):
        raise ConfigError(f"_target_: {target!r} is no component that may stand here. Name one of {_wanted(family)}.")
    try:
        found = getattr(import_module(module), name)
    except Exception as error:
        raise ConfigError(f"_target_: {target!r} cannot be imported ({error}).") from error
    if not isinstance(found, type) or not _is_below(found.__module__, module) or inspect.isabstract(found):
        raise ConfigError(f"_target_: {target!r} is no class that is defined there. Name one of {_wanted(family)}.")
    if family is not None and not issubclass(found, family):
        raise ConfigError(f"_target_: {target!r} is no {family.__name__}. Name one of {_wanted(family)}.")
    return found


def plain_value(value: Any, allow_targets: tuple[str, ...], depth: int = 0) -> Any:
    """Return a value of a component's config, components in it built.

    Raises:
        ConfigError: a component that is not of the closed list, or nesting without end.
    """
    if depth > _MOST_NESTED:
        raise ConfigError(f"settings of a component are nested at most {_MOST_NESTED} deep, found more.")
    if isinstance(value, Mapping):
        if any(str(key).startswith("_") for key in value):
            return _nested(value, allow_targets, depth)
        return {key: plain_value(inner, allow_targets, depth + 1) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain_value(inner, allow_targets, depth + 1) for inner in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise ConfigError(f"plain values expected in the settings of a component, found {value!r}.")


def _nested(value: Mapping[str, Any], allow_targets: tuple[str, ...], depth: int) -> Any:
    strange = sorted(str(key) for key in value if str(key).startswith("_") and key != "_target_")
    if strange:
        raise ConfigError(f"settings of a component begin with no underscore, found {strange[0]!r}.")
    kind = component_class(value["_target_"], None, allow_targets)
    return kind(**{key: plain_value(inner, allow_targets, depth + 1) for key, inner in value.items() if key[0] != "_"})


def _is_below(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")


def _package_of(family: type) -> str:
    """Return the package of a family's base class, in which its members live."""
    return family.__module__.rpartition(".")[0]


def _wanted(family: type | None) -> str:
    return "a trusted package" if family is None else f"the {family.__name__} classes below {_package_of(family)}"

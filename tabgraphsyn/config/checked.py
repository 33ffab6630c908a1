"""Settings classes held to the ranges that their own fields declare."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from typing import Any

from tabgraphsyn.config.targets import constructor
from tabgraphsyn.errors import ConfigError, raise_collected


def refuse_wrong(settings: Any, key: str, problems: Iterable[str] = ()) -> None:
    """Refuse a settings object whose values are not what its fields' annotations say.

    Args:
        settings: an instance of a dataclass.
        key: where it stands in a config, for messages: ``codec``.
        problems: what else is wrong with it.

    Raises:
        ConfigError: all of it at once.
    """
    accepted = constructor(f"{type(settings).__module__}.{type(settings).__qualname__}")
    kinds = accepted.types if accepted is not None else {}
    given = {one.name: getattr(settings, one.name) for one in fields(settings) if one.name in kinds}
    found = [kinds[name].problem(f"{key}.{name}", value) for name, value in given.items()]
    raise_collected(ConfigError, [*filter(None, found), *problems])

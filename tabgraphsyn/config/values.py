"""Values outside their range, found by the very classes that the stages will build; only those that load no torch."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from typing import Any

from tabgraphsyn.config.catalog import generator_class
from tabgraphsyn.errors import ConfigError

_SECTION = re.compile(r"^training\.(?:\w+\.)?")
_SETTINGS = ("codec", "holdout", "sampling", "report", "evaluation.gate")


def value_problems(config: Mapping[str, Any], known: Sequence[str] = ()) -> list[str]:
    """Return what the settings of a composed config refuse.

    ``scale=0`` must be known before hours of training, not when sampling begins. Models load torch: their ranges
    are read from their source (``components``).

    Args:
        config: plain values.
        known: problems found before; settings that one of them names cannot be built.
    """
    problems: list[str] = []
    for key, target, values in _buildable(config):
        if not any(text.startswith((f"{key}.", f"{key}:", f"{key}=")) for text in known):
            problems += _refusals(key, target, values)
    return problems


def _buildable(config: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    for key in _SETTINGS:
        settings: Any = config
        for part in key.split("."):
            settings = settings.get(part) if isinstance(settings, Mapping) else None
        if not isinstance(settings, Mapping):
            continue
        target = str(settings.get("_target_", ""))
        if target.startswith("tabgraphsyn."):
            yield key, target, {name: value for name, value in settings.items() if name != "_target_"}
    training = config.get("training")
    for key, target in _sections(config).items():
        section = training.get(key.partition(".")[2]) if isinstance(training, Mapping) else None
        if isinstance(section, Mapping):
            yield key, target, section


def _sections(config: Mapping[str, Any]) -> dict[str, str]:
    """Return the sections of ``training`` that the generator reads, and what takes each of them."""
    try:
        return {section.key: section.target for section in generator_class(config).sections}
    except ConfigError:
        return {}  # a problem of its own


def _refusals(key: str, target: str, values: Mapping[str, Any]) -> Iterator[str]:
    module, _, name = target.rpartition(".")
    try:
        getattr(import_module(module), name)(**values)
    except ConfigError as error:
        # The loop's settings do not know which stage they train.
        for text in error.problems or (str(error),):
            yield _SECTION.sub(f"{key}.", text) if key.startswith("training.") else text
    except TypeError as error:
        yield f"{key}: {target} takes no such values ({error}). Found {dict(values)!r}."

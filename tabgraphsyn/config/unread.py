"""Settings that nothing reads under a config: they are no part of a result, and nobody can set them by mistake."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from tabgraphsyn.config.catalog import generator_class
from tabgraphsyn.config.definitions import is_never_trained
from tabgraphsyn.config.targets import constructor
from tabgraphsyn.config.top_level import GENERATOR_GROUPS
from tabgraphsyn.errors import ConfigError, listing

SCORED = "evaluate_every"
"""Key below ``training``, and in the section of each training that scores samples: every how many steps."""

OWN = "generator"
"""The section of the generator's own settings."""

_CHOICES = (*GENERATOR_GROUPS, "generator", "model", "experiment")


def unread_sections(config: Mapping[str, Any]) -> dict[str, str]:
    """Return the dotted sections that nothing reads, each with the component that makes it so."""
    try:
        generator = generator_class(config)
    except ConfigError:
        return {}  # a problem of its own, and no catalog of the project's
    trainings = [f"training.{key}" for key, value in _mapping(config, "training").items() if isinstance(value, Mapping)]
    told = [key for key in trainings if generator.reads(key)]
    reads = f"; of the trainings it reads {listing(told)}" if told else ""
    found = {
        key: f"generator is {generator.__name__}, which does not read it{reads if key in trainings else ''}"
        for key in (*GENERATOR_GROUPS, *trainings)
        if not generator.reads(key)
    }
    if SCORED in _mapping(config, "training") and not any(_is_scored(each.target) for each in generator.sections):
        found[f"training.{SCORED}"] = f"no training of {generator.__name__} scores samples"
    for section in generator.sections:
        target = _mapping(config, section.component).get("_target_") if section.component else None
        if isinstance(target, str) and is_never_trained(target):
            found[section.key] = f"{section.component} is {target.rpartition('.')[2]}, which is not trained"
    own = _mapping(config, OWN)
    for setting, (other, value) in generator.idle.items():
        if own.get(other) == value:
            found[f"{OWN}.{setting}"] = f"{OWN}.{other} is {value}"
    return found


def _is_scored(target: str) -> bool:
    """Return whether a training of these settings scores samples of what it trains."""
    accepted = constructor(target)
    return accepted is not None and SCORED in accepted.types


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
    reasons: dict[str, tuple[str, str, Sequence[str]]] = {}
    used: set[str] = set()
    for overrides, config in points:
        sections = unread_sections(config)
        for override in overrides:
            key = override.lstrip("+").split("=", 1)[0]
            section = next((each for each in sections if key == each or key.startswith(f"{each}.")), None)
            if section is None:
                used.add(key)
            else:
                reasons[key] = (section, sections[section], overrides)
    found = {key: what for key, what in reasons.items() if key not in used}
    remedy = _Remedies() if found else None  # composes, which costs time
    return [
        f"{key}: nothing reads it: {reason}. Remove it{remedy.text(section, reason, overrides) if remedy else ''}."
        for key, (section, reason, overrides) in found.items()
    ]


class _Remedies:
    """What a user could choose instead, found by composing."""

    def __init__(self) -> None:
        from tabgraphsyn.config.composition import group_options

        self._options = group_options()
        self._unread: dict[tuple[str, ...], frozenset[str] | None] = {}

    def text(self, section: str, reason: str, overrides: Sequence[str]) -> str:
        """Return which option of its own group, or else which model, would have a section read."""
        if section.startswith(f"{OWN}."):
            return f", or choose another {reason.partition(' is ')[0]}"
        chosen = {each.partition("=")[0]: each for each in overrides if each.partition("=")[0] in _CHOICES}
        for group in (section.rpartition(".")[2], "model"):
            found = []
            for option in self._options.get(group, []):
                unread = self._unread_with((*{**chosen, group: f"{group}={option}"}.values(),))
                found += [f"{group}={option}"] if unread is not None and section not in unread else []
            if found:
                return f", or choose {', '.join(found[:-1]) + ' or ' if found[1:] else ''}{found[-1]}"
        return ""

    def _unread_with(self, words: tuple[str, ...]) -> frozenset[str] | None:
        """Return what nothing reads under a choice of options; None where they do not compose."""
        from tabgraphsyn.config.composition import compose_points

        if words not in self._unread:
            self._unread[words] = None
            with suppress(ConfigError):  # of somebody else's yaml
                composed = compose_points(words, multirun=False)
                if not composed.problems:
                    self._unread[words] = frozenset(unread_sections(composed.points[0].config))
        return self._unread[words]

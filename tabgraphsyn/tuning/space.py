"""What may be chosen for a setting: ``1e-4..1e-2:log``, ``2..6`` (whole), ``8..64:step=8``, ``gin,gat``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import yaml

from tabgraphsyn.errors import ConfigError

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_RANGE = re.compile(rf"({_NUMBER})\.\.({_NUMBER})(?::(log|step=({_NUMBER})))?")
_WORD = re.compile(r"[\w./:+%-]+")


def distribution(key: str, text: str) -> BaseDistribution:
    """Return what Optuna draws a setting from.

    Raises:
        ConfigError: no range and no list, or a range without width.
    """
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    found = _RANGE.fullmatch(text.strip())
    if found is None:
        return CategoricalDistribution(_choices(key, text))
    is_log, step = found[3] == "log", found[4]
    is_whole = all(re.fullmatch(r"[+-]?\d+", each) for each in (found[1], found[2], step or "1"))
    try:
        if is_whole:
            return IntDistribution(int(found[1]), int(found[2]), log=is_log, step=int(step or 1))
        return FloatDistribution(float(found[1]), float(found[2]), log=is_log, step=float(step) if step else None)
    except ValueError as error:
        raise ConfigError(f"--search {key}={text}: {error}") from error


def _choices(key: str, text: str) -> list[Any]:
    words = [word.strip() for word in text.split(",")]
    if len(words) < 2 or not all(_WORD.fullmatch(word) for word in words) or len(set(words)) < len(words):
        raise ConfigError(
            f"--search {key}={text}: LOW..HIGH, LOW..HIGH:log, LOW..HIGH:step=S, or two values or more with commas "
            "between expected."
        )
    return [yaml.safe_load(word) if _is_plain(word) else word for word in words]


def _is_plain(word: str) -> bool:
    """Return whether yaml reads a word as what Optuna can choose among: a number, a truth value, null or a text."""
    try:
        return isinstance(yaml.safe_load(word), bool | int | float | str | None)
    except yaml.YAMLError:
        return False


def parsed(settings: list[str]) -> dict[str, str]:
    """Return setting -> what may be chosen.

    >>> parsed(["training.absorbing.learning_rate=1e-4..1e-2:log", "gnn=gin,gat"])
    {'training.absorbing.learning_rate': '1e-4..1e-2:log', 'gnn': 'gin,gat'}

    Raises:
        ConfigError: one without a key or a value, or twice the same.
    """
    found: dict[str, str] = {}
    for each in settings:
        key, sign, text = each.partition("=")
        if not sign or not re.fullmatch(r"[A-Za-z_][\w/@-]*(\.[\w-]+)*", key) or not text:
            raise ConfigError(f"--search: KEY=LOW..HIGH or KEY=a,b,c expected, found {each!r}.")
        if key in found:
            raise ConfigError(f"--search: {key} is there twice.")
        distribution(key, text)
        found[key] = text
    if not found:
        raise ConfigError("--search: at least one setting to search over: --search training.absorbing.steps=500..5000")
    return found


def ends(space: Mapping[str, BaseDistribution]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the least and the last that may be chosen, of all settings at once."""
    last: dict[str, Any] = {}
    first: dict[str, Any] = {}
    for key, each in space.items():
        choices = getattr(each, "choices", None) or (getattr(each, "low", None), getattr(each, "high", None))
        first[key], last[key] = choices[0], choices[-1]
    return first, last


def chosen_overrides(values: Mapping[str, Any]) -> list[str]:
    """Return the sweep of one point that a trial's values are.

    >>> chosen_overrides({"gnn": "gin", "x": 0.5, "y": None, "z": True})
    ['gnn=choice(gin)', 'x=choice(0.5)', 'y=choice(null)', 'z=choice(true)']
    """
    return [f"{key}=choice({_written(value)})" for key, value in values.items()]


def _written(value: Any) -> str:
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else str(value)

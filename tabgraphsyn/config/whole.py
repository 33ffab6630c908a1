"""A point's own ``config.yaml`` as a config: every value as it stands, no default in between.

Hydra merges a yaml into its defaults, so a metric that a point was without comes back. ``launch --config FILE`` takes
the file for all that identifies a result; the defaults fill in only what says where it runs.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import yaml
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from tabgraphsyn.config.top_level import COMPONENT_GROUPS, TopLevelConfig
from tabgraphsyn.config.user_yaml import yaml_problem
from tabgraphsyn.errors import ConfigError, listing, raise_collected, shortened
from tabgraphsyn.generators.base import FIRST_GENERATOR

MOST_BYTES = 4 << 20
NEEDED = (*COMPONENT_GROUPS, "seed")
"""What no default may fill in."""

_SECTIONS = frozenset(TopLevelConfig.__dataclass_fields__)
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_REFERENCE = re.compile(r"(\\*)\$\{")


def parsed_whole(raw: bytes, where: str) -> dict[str, Any]:
    """Return the plain values that the text of a whole config holds; it may be a stranger's.

    Raises:
        ConfigError: no yaml, keys that a config does not have, or one missing that identifies a result.
    """
    try:
        text = raw.decode("utf-8")
        raise_collected(ConfigError, [f"{where}: {problem}" for problem in yaml_problem(text)])
        # Not OmegaConf's loader: what was written by PyYAML comes back as it was, the text '1e5' too.
        values = yaml.load(text, Loader=_LOADER)  # nosec B506 - a safe loader
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise ConfigError(f"{where}: the yaml of a whole config expected, found {_short(error)}.") from error
    if not isinstance(values, dict) or not all(isinstance(key, str) for key in values):
        raise ConfigError(f"{where}: the whole config of a sweep point expected, found {type(values).__name__}.")
    values.setdefault("generator", FIRST_GENERATOR)  # of a config that was written before there was another
    problems = [f"{where}: no such key {key!r} in a config." for key in values if key not in _SECTIONS]
    missing = [key for key in NEEDED if key not in values]
    if missing:
        advice = "Give the config.yaml of a sweep point; a part of one is an experiment yaml."
        problems.append(f"{where}: {listing(missing)} missing, and no default may fill it in. {advice}")
    raise_collected(ConfigError, problems)
    return values


def based_on(config: DictConfig, whole: Mapping[str, Any], groups: Sequence[str]) -> DictConfig:
    """Return a composed config with the values of a whole one, but for the groups that were chosen anew.

    Args:
        config: Hydra's, of the defaults and ``groups``.
        whole: from ``parsed_whole``.
        groups: overrides such as ``cluster=slurm``.

    Raises:
        ConfigError: a group of several sections, or a value that a typed key cannot hold.
    """
    schema = OmegaConf.structured(TopLevelConfig)
    # Keys of their types are filled in, and values held against them: cluster, resources.
    typed = [key for key in schema if not OmegaConf.is_missing(schema, key) and OmegaConf.is_dict(schema[key])]
    chosen = [text.lstrip("+~").partition("=")[0] for text in groups]
    problems = [
        f"{name}: with --config only a whole section can be chosen anew, such as cluster=. Set single values instead."
        for name in chosen
        if name not in _SECTIONS
    ]
    for key, value in whole.items():
        if key in chosen:
            continue
        try:
            plain = _literal(value)
            config[key] = OmegaConf.merge(schema[key], plain) if key in typed else plain
        except OmegaConfBaseException as error:
            problems.append(f"--config: {key}: {_short(error)}")
    raise_collected(ConfigError, problems)
    return config


def _literal(value: Any) -> Any:
    r"""Return a value in which no text refers to another one.

    >>> _literal({"a": ["${b}", "x"]})
    {'a': ['\\${b}', 'x']}
    """
    if isinstance(value, dict):
        return {key: _literal(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_literal(each) for each in value]
    return _REFERENCE.sub(lambda found: f"{found[1] * 2}\\${{", value) if isinstance(value, str) else value


def _short(error: Exception) -> str:
    return shortened(" ".join(str(error).split()), 300)

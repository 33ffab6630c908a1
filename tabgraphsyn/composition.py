"""From a command line to the plain configs of its sweep points, with every mistake collected.

Hydra composes; it neither runs nor sweeps here. Composing costs 0.1 s, so a sweep composes once per choice of groups
and sets the swept values on the result.
"""

from __future__ import annotations

import copy
import itertools
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.object_type import ObjectType
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, OverrideType
from hydra.core.plugins import Plugins
from hydra.errors import HydraException
from hydra.plugins.search_path_plugin import SearchPathPlugin
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from tabgraphsyn.configuration import COMPONENT_GROUPS, TopLevelConfig, config_dir, user_config_dir
from tabgraphsyn.errors import ConfigError, listing, nearest

_NAME_LIMIT = 120


class UserSearchPath(SearchPathPlugin):
    """Puts the user's own yaml files behind the package's on Hydra's search path."""

    def manipulate_search_path(self, search_path: Any) -> None:
        """Append the user's folder, if there is one."""
        folder = user_config_dir()
        if folder.is_dir():
            search_path.append(provider="user", path=f"file://{folder}")


@dataclass(frozen=True)
class SweepPoint:
    """One composed config.

    Attributes:
        name: folder name, from the swept overrides: ``gnn=gin,seed=0``, or ``default``.
        overrides: all overrides of this point.
        config: plain resolved values.
        missing: keys left at ``???``.
    """

    name: str
    overrides: tuple[str, ...]
    config: dict[str, Any]
    missing: tuple[str, ...] = ()


def prepare_hydra() -> None:
    """Register the schema and the user's search path; needed once before Hydra composes."""
    ConfigStore.instance().store(name="schema", node=TopLevelConfig)
    Plugins.instance().register(UserSearchPath)


@contextmanager
def _hydra() -> Iterator[Any]:
    prepare_hydra()
    with initialize_config_dir(str(config_dir()), version_base="1.3", job_name="launch"):
        yield GlobalHydra.instance().config_loader()


@dataclass(frozen=True)
class Composition:
    """The sweep points of a command line, and what is wrong with it.

    Attributes:
        points: in the order of the sweep's product; composed as far as the mistakes allow.
        problems: each names a key, the rule, what was found and what to do.
    """

    points: list[SweepPoint]
    problems: list[str]


def compose_points(arguments: Sequence[str], *, multirun: bool) -> Composition:
    """Return the sweep points of a command line and every mistake in it."""
    problems: list[str] = []
    with _hydra() as loader:
        composer = _Composer(loader, problems)
        overrides = composer.parsed(arguments)
        swept = [override for override in overrides if override.is_sweep_override()]
        if swept and not multirun:
            keys = [override.get_key_element() for override in swept]
            raise ConfigError(f"{listing(keys)}: several values make a sweep. Add -m to launch all of them.")
        fixed = [override for override in overrides if not override.is_sweep_override()]
        points = list(composer.points(fixed, swept))
    return Composition(points, list(dict.fromkeys(problems)))


def group_options() -> dict[str, list[str]]:
    """Return the options of every group of the project and of the user's own folder."""
    with _hydra() as loader:
        found: dict[str, list[str]] = {}
        pending = [""]
        while pending:
            parent = pending.pop()
            for name in loader.repository.get_group_options(parent, ObjectType.GROUP):
                group = f"{parent}/{name}" if parent else name
                if group.split("/")[0] == "hydra":
                    continue
                pending.append(group)
                options = loader.repository.get_group_options(group, ObjectType.CONFIG)
                if options:
                    found[group] = sorted(options)
        return dict(sorted(found.items()))


class _Composer:
    """Composes points with one Hydra loader; what is wrong goes to ``problems`` and is left out."""

    def __init__(self, loader: Any, problems: list[str]) -> None:
        self._loader = loader
        self._problems = problems

    def parsed(self, arguments: Sequence[str]) -> list[Override]:
        """Return the overrides that count: a later one replaces an earlier one of the same key."""
        found: dict[str, Override] = {}
        for argument in arguments:
            try:
                override = _parse(argument, self._loader)
            except HydraException as error:
                self._problems.append(f"{argument!r} is not an override: {_first_line(error)}. Write key=value.")
                continue
            found.pop(override.get_key_element(), None)
            found[override.get_key_element()] = override
        return list(found.values())

    def points(self, fixed: list[Override], swept: list[Override]) -> Iterator[SweepPoint]:
        """Yield the points: one composition per choice of groups, values set on its result."""
        groups = self._known([override for override in fixed if self._is_group(override)])
        values = [override for override in fixed if not self._is_group(override)]
        group_axes = [self._known(_axis(override)) for override in swept if self._is_group(override)]
        value_axes = [_axis(override) for override in swept if not self._is_group(override)]
        order = [override.get_key_element() for override in swept]
        # The next point must undo what a value did to a shared config: true for plain scalars only.
        scalar = all(_is_plain(override) for axis in value_axes for override in axis)
        for choice in itertools.product(*group_axes):
            base = _composed([override.input_line or "" for override in (*groups, *choice)])
            self._apply(values, base)
            for setting in itertools.product(*value_axes):
                config = base if scalar else copy.deepcopy(base)
                self._apply(setting, config)
                chosen = sorted((*choice, *setting), key=lambda override: order.index(override.get_key_element()))
                yield self._point([*fixed, *chosen], chosen, config)

    def _is_group(self, override: Override) -> bool:
        return bool(self._loader.repository.group_exists(override.key_or_group)) or override.package is not None

    def _known(self, overrides: list[Override]) -> list[Override]:
        """Return the group overrides whose option exists."""
        kept = []
        for override in overrides:
            group, chosen = override.key_or_group, override.value()
            options = self._loader.get_group_options(group)
            if override.is_delete():
                kept.append(override)
            elif chosen is None and group in COMPONENT_GROUPS:
                off = f"{group}=none" if "none" in options else f"one of {listing(options)}"
                self._problems.append(f"{group}: a group cannot be null. Use {off}.")
            elif isinstance(chosen, str) and chosen not in options:
                known = f"There are {listing(options, 20)}."
                self._problems.append(f"{group}={chosen}: no such option.{nearest(chosen, options)} {known}")
            else:
                kept.append(override)
        return kept

    def _apply(self, overrides: Sequence[Override], config: DictConfig) -> None:
        """Set values on ``config`` with Hydra's own rules."""
        for override in overrides:
            try:
                self._loader._apply_overrides_to_config([override], config)
            except (HydraException, OmegaConfBaseException) as error:
                self._problems.append(_value_problem(override, config, error))

    def _point(self, overrides: list[Override], chosen: list[Override], config: DictConfig) -> SweepPoint:
        name = _point_name([_line(override) for override in chosen])
        try:
            plain = OmegaConf.to_container(config, resolve=True)
        except OmegaConfBaseException as error:
            self._problems.append(f"{name}: {_cause(error)}")
            plain = OmegaConf.to_container(config, resolve=False)
        lines = tuple(_line(override) for override in overrides)
        return SweepPoint(name, lines, plain, tuple(_missing_keys(plain)))  # type: ignore[arg-type]


def _missing_keys(value: Any, key: str = "") -> Iterator[str]:
    """Yield the dotted keys left at ``???``. OmegaConf's own walk takes 4 ms a point."""
    if value == "???":
        yield key
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield from _missing_keys(inner, f"{key}.{name}" if key else str(name))


def _parse(argument: str, loader: Any = None) -> Override:
    (override,) = OverridesParser.create(config_loader=loader).parse_overrides([argument])
    return override


def _line(override: Override) -> str:
    return f"{override.get_key_element()}={override.get_value_element_as_str()}"


def _axis(override: Override) -> list[Override]:
    if not override.is_discrete_sweep():
        raise ConfigError(f"{override.input_line}: only lists, choice(), range() and glob() sweep. Write key=a,b,c.")
    return [_parse(f"{override.get_key_element()}={value}") for value in override.sweep_string_iterator()]


def _is_plain(override: Override) -> bool:
    return override.type == OverrideType.CHANGE and not isinstance(override.value(), dict | list)


def _composed(groups: list[str]) -> DictConfig:
    try:
        return compose("config", overrides=groups)
    except (HydraException, OmegaConfBaseException) as error:
        raise ConfigError(f"{' '.join(groups) or 'conf'}: {_cause(error)}.") from error


def _value_problem(override: Override, config: DictConfig, error: Exception) -> str:
    key = override.key_or_group
    parent, _, last = key.rpartition(".")
    try:
        node = OmegaConf.select(config, parent) if parent else config
    except OmegaConfBaseException:
        node = None
    if isinstance(node, DictConfig) and last not in node:
        names = [str(name) for name in node]
        where = f"under {parent!r}" if parent else "at the top level"
        return f"{key}: no such key {where}.{nearest(last, names)} There are {listing(sorted(names), 30)}."
    if node is None and parent:
        return f"{key}: there is no {parent!r}.{nearest(parent.split('.')[0], [str(name) for name in config])}"
    return f"{override.input_line}: {_cause(error)}."


def _cause(error: BaseException) -> str:
    while error.__cause__ is not None:
        error = error.__cause__
    return _first_line(error)


def _first_line(error: BaseException) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__).rstrip(".")


def _point_name(chosen: Sequence[str]) -> str:
    """Return a folder name that a shell and every file system take."""
    if not chosen:
        return "default"
    name = re.sub(r"[^A-Za-z0-9._=,+-]", "_", ",".join(chosen))
    if len(name) <= _NAME_LIMIT:
        return name
    import hashlib

    return f"{name[:_NAME_LIMIT]}-{hashlib.sha256(','.join(chosen).encode()).hexdigest()[:6]}"

"""From a command line to the plain configs of its sweep points, with every mistake collected.

Hydra composes; it neither runs nor sweeps here. Composing costs 0.1 s, so a sweep composes once per choice of groups
and sets the swept values on the result.
"""

from __future__ import annotations

import copy
import dataclasses
import itertools
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.object_type import ObjectType
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, OverrideType, Transformer, ValueType
from hydra.core.plugins import Plugins
from hydra.errors import HydraException
from hydra.plugins.search_path_plugin import SearchPathPlugin
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from tabgraphsyn.config.interpolations import interpolation_problems
from tabgraphsyn.config.shared_values import SharedValues, missing_keys, shared_values
from tabgraphsyn.config.top_level import GENERATOR_GROUPS, TopLevelConfig, config_dir, user_config_dir
from tabgraphsyn.config.user_yaml import user_yaml_problems
from tabgraphsyn.config.whole import based_on
from tabgraphsyn.errors import ConfigError, listing, nearest, raise_collected, shortened

_NAME_LIMIT = 120
# What Hydra, OmegaConf and their grammar raise at what somebody typed; the last are slips of theirs.
_FAILURES = (
    *(HydraException, OmegaConfBaseException, ValueError, TypeError, LookupError, AttributeError, ArithmeticError),
    *(RecursionError, AssertionError, NotImplementedError, OSError),
)
_OF_THE_GRAMMAR = re.compile(r"extraneous input|mismatched input|no viable alternative|token recognition|expecting \{")
_INNER_NAMES = re.compile(r"\b\w*(?:Exception|Error|Antlr|Lexer|Parser|Token)\w*\b:?\s*")
_OPTIONAL = ("model", "experiment")
_ADDS = (OverrideType.ADD, OverrideType.FORCE_ADD)


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
        added: keys that the command line added with ``+``.
    """

    name: str
    overrides: tuple[str, ...]
    config: dict[str, Any]
    missing: tuple[str, ...] = ()
    added: tuple[str, ...] = ()


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


def compose_points(
    arguments: Sequence[str | Override],
    *,
    multirun: bool,
    readable: Collection[str] = (),
    whole: Mapping[str, Any] | None = None,
) -> Composition:
    """Return the sweep points of a command line and every mistake in it.

    Args:
        arguments: overrides, as text or, of values that Hydra's grammar has no words for, parsed.
        multirun: they may sweep.
        readable: variables of the environment that yaml files may read; a command line may read any.
        whole: all values of a point (``whole.parsed_whole``), on which the overrides are set; None: the defaults.

    Raises:
        ConfigError: a sweep without ``-m``, or a yaml file that reads the environment.
    """
    problems: list[str] = []
    raise_collected(ConfigError, list(user_yaml_problems(user_config_dir())))
    with _hydra() as loader:
        composer = _Composer(loader, problems, readable, whole)
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

    def __init__(
        self, loader: Any, problems: list[str], readable: Collection[str], whole: Mapping[str, Any] | None
    ) -> None:
        self._loader = loader
        self._whole = whole
        self._readable = readable
        self._problems = problems

    def parsed(self, arguments: Sequence[str | Override]) -> list[Override]:
        """Return the overrides that count: a later one replaces an earlier one of the same key."""
        found: dict[str, Override] = {}
        for argument in arguments:
            try:
                override = _parse(argument, self._loader) if isinstance(argument, str) else argument
                if not override.key_or_group:  # @package alone
                    raise ValueError(argument)
            except _FAILURES:
                self._problems.append(_no_override(str(argument)))
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
        is_plain = all(_is_plain(override) for axis in value_axes for override in axis)
        for choice in itertools.product(*group_axes):
            base = self._base([override.input_line or "" for override in (*groups, *choice)])
            self._apply(values, base)
            keys = [axis[0].key_or_group for axis in value_axes if axis]
            shared = shared_values(base, keys) if is_plain else None
            for setting in itertools.product(*value_axes):
                chosen = sorted((*choice, *setting), key=lambda override: order.index(override.get_key_element()))
                name, lines = _point_name([*map(_line, chosen)]), tuple(map(_line, (*fixed, *chosen)))
                # The next point must undo what a value did to a shared config: true for plain ones only.
                config = base if is_plain else copy.deepcopy(base)
                self._apply(setting, config)
                plain, missing = self._plain(name, config, shared)
                added = tuple(each.key_or_group for each in (*values, *setting) if each.type in _ADDS)
                yield SweepPoint(name, lines, plain, missing, added)

    def _base(self, groups: list[str]) -> DictConfig:
        """Return the config before values are set on it: every value of it is a yaml file's."""
        base = _composed(groups)
        # Nothing is resolved before this is asked: no message quotes it.
        raw = OmegaConf.to_container(base, resolve=False)
        raise_collected(ConfigError, list(interpolation_problems(raw, self._readable)))
        return base if self._whole is None else based_on(base, self._whole, groups)

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
            elif chosen is None and group in _OPTIONAL:
                continue  # as if it were not named; Hydra refuses to be told
            elif chosen is None:
                off = f"{group}=none" if "none" in options else f"one of {listing(options)}"
                self._problems.append(f"{group}: a group cannot be null. Use {off}.")
            elif not isinstance(chosen, str) and not (
                isinstance(chosen, list) and all(isinstance(each, str) for each in chosen)
            ):
                quoted = f" If that is its name: \"{group}='{chosen}'\"." if str(chosen) in options else ""
                known = f"There are {listing(options, 20)}."
                self._problems.append(f"{group}: the name of an option expected, found {chosen!r}.{quoted} {known}")
            elif missing := [each for each in ([chosen] if isinstance(chosen, str) else chosen) if each not in options]:
                known = f"There are {listing(options, 20)}."
                self._problems.append(f"{group}={missing[0]}: no such option.{nearest(missing[0], options)} {known}")
            else:
                kept.append(override)
        return kept

    def _apply(self, overrides: Sequence[Override], config: DictConfig) -> None:
        """Set values on ``config`` with Hydra's own rules."""
        for override in overrides:
            try:
                self._loader._apply_overrides_to_config([override], config)
            except _FAILURES as error:
                # Of an added key below a known section, the checks of keys say which names there are.
                section = override.key_or_group.rpartition(".")[0].rpartition(".")[0]
                is_said = override.is_add() or override.is_force_add()
                if not (is_said and section and isinstance(OmegaConf.select(config, section), DictConfig)):
                    self._problems.append(_value_problem(override, config, error))

    def _plain(
        self, name: str, config: DictConfig, shared: SharedValues | None
    ) -> tuple[dict[str, Any], tuple[str, ...]]:
        """Return the plain values and the keys left at ``???``."""
        try:
            if shared is not None:
                return shared.patched(config)
            plain = OmegaConf.to_container(config, resolve=True)
        except _FAILURES as error:
            self._problems.append(f"{name}: {_cause(error)}")
            plain = OmegaConf.to_container(config, resolve=False)
        return plain, tuple(missing_keys(plain))  # type: ignore[return-value]


def _parse(argument: str, loader: Any = None) -> Override:
    (override,) = OverridesParser.create(config_loader=loader).parse_overrides([argument])
    return override


def _line(override: Override) -> str:
    return f"{override.get_key_element()}={override.get_value_element_as_str()}"


def _axis(override: Override) -> list[Override]:
    if not override.is_discrete_sweep():
        raise ConfigError(f"{override.input_line}: only lists, choice(), range() and glob() sweep. Write key=a,b,c.")
    # The values are parsed already; parsing each again takes 0.5 ms.
    key = override.get_key_element()
    return [
        dataclasses.replace(
            override, value_type=ValueType.ELEMENT, _value=value, input_line=f"{key}={Transformer.str(value)}"
        )
        for value in override.sweep_iterator()
    ]


def _is_plain(override: Override) -> bool:
    value = override.value()
    is_resolved = not isinstance(value, str) or ("${" not in value and value != "???")
    return override.type == OverrideType.CHANGE and is_resolved and not isinstance(value, dict | list)


def _composed(groups: list[str]) -> DictConfig:
    try:
        return compose("config", overrides=groups)
    except _FAILURES as error:
        raise ConfigError(f"{' '.join(groups) or 'conf'}: {_cause(error)}.") from error


def _value_problem(override: Override, config: DictConfig, error: Exception) -> str:
    key = override.key_or_group
    parent, _, last = key.rpartition(".")
    try:
        node = OmegaConf.select(config, parent) if parent else config
    except _FAILURES:
        node = None
    if isinstance(node, DictConfig) and last not in node:
        names = [str(name) for name in node]
        where = f"under {parent!r}" if parent else "at the top level"
        options = _keys_of_options(parent)
        if others := [f"{parent}={option}" for option, keys in options.items() if last in keys]:
            return f"{key}: no such key {where} as it is chosen. Choose one that has it: {', '.join(others)}."
        names = [*dict.fromkeys((*names, *(name for keys in options.values() for name in keys)))]
        return f"{key}: no such key {where}.{nearest(last, names)} There are {listing(sorted(names), 30)}."
    value = override.value()
    if isinstance(node, DictConfig) and isinstance(value, dict):
        new = [name for name in value if isinstance(node[last], DictConfig) and name not in node[last]]
        if new:
            return f"{key}: {listing(new)} is not there yet. A new key is added by +{key}.{new[0]}=<value>."
    if node is None and parent:
        return f"{key}: there is no {parent!r}.{nearest(parent.split('.')[0], [str(name) for name in config])}"
    return f"{override.input_line}: {_cause(error)}."


def _keys_of_options(group: str) -> dict[str, list[str]]:
    """Return option -> keys of its yaml, of a group of components of which a generator may have no use."""
    paths = sorted((config_dir() / group).glob("*.yaml")) if group in GENERATOR_GROUPS else []
    return {path.stem: [str(key) for key in OmegaConf.load(path)] for path in paths}


def _no_override(argument: str) -> str:
    """Return what is wrong with an argument that Hydra's grammar does not take; that speaks of lexers and tokens."""
    key, sign, value = argument.partition("=")
    if not sign or not value:
        return f"{shortened(repr(argument), 400)} is not an override. Write key=value."
    if re.fullmatch(r"[\w./:+%-]+", value) or not re.fullmatch(r"[+~]{0,2}[\w./-]+(@[\w.:]+)?", key):
        return (
            f"{shortened(repr(argument), 400)} is not an override: a key is words with dots between. Write key=value."
        )
    quoted = value.replace("'", "\\'")
    return (
        f"{shortened(repr(argument), 400)}: a value with other characters than letters, digits and _ - . / : + % needs "
        f"quotes of its own. Write \"{shortened(key, 200)}='{shortened(quoted, 400)}'\"."
    )


def _cause(error: BaseException) -> str:
    while error.__cause__ is not None:
        error = error.__cause__
    return _first_line(error)


def _first_line(error: BaseException) -> str:
    if isinstance(error, RecursionError):
        return "nested too deeply"
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or ["it cannot be used"]
    # "In 'experiment/mine': ConfigKeyError raised while composing config:" says nothing without what follows.
    text = " ".join(lines[:2] if lines[0].endswith(":") else lines[:1]).rstrip(".")
    if _OF_THE_GRAMMAR.search(text):
        return "its ${...} cannot be read: one key or resolver inside, each brace closed"
    return shortened(_INNER_NAMES.sub("", text), 600)


def _point_name(chosen: Sequence[str]) -> str:
    """Return a folder name that a shell and every file system take."""
    if not chosen:
        return "default"
    name = re.sub(r"[^A-Za-z0-9._=,+-]", "_", ",".join(chosen))
    if len(name) <= _NAME_LIMIT:
        return name
    import hashlib

    return f"{name[:_NAME_LIMIT]}-{hashlib.sha256(','.join(chosen).encode()).hexdigest()[:6]}"

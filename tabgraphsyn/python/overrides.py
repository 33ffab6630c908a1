"""Python values as the overrides that a command line would hold."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra.core.override_parser.types import Override, OverrideType, ValueType

from tabgraphsyn.errors import ConfigError

Setting = str | Override
_PLAIN_KEY = re.compile(r"[A-Za-z_][\w.-]*", re.ASCII)
_KEY = re.compile(r"[A-Za-z_][\w/@-]*(\.[\w-]+)*")


def overrides(settings: Mapping[str, Any]) -> list[Setting]:
    """Return one override a value; a mapping sets the keys below, as dots do.

    >>> overrides({"seed": 1, "gnn": "gin", "training": {"absorbing": {"steps": 5}}, "report.bins": 9})
    ['seed=1', "gnn='gin'", 'training.absorbing.steps=5', 'report.bins=9']

    Raises:
        ConfigError: a key or a value that no config can hold.
    """
    return [setting(key, value) for key, value in _flat(settings, "")]


def setting(key: str, value: Any) -> Setting:
    """Return one override: text where Hydra's grammar has words for the value, else parsed."""
    text = f"{key}={written(value, key)}"
    if _is_said(value):
        return text
    return Override(OverrideType.CHANGE, key, ValueType.ELEMENT, _plain(value), input_line=text)


def as_text(setting: Setting) -> str:
    """Return an override as it is recorded."""
    return setting if isinstance(setting, str) else str(setting.input_line)


def _is_said(value: Any) -> bool:
    """Return whether the grammar can say a value: keys in it have no quotes."""
    if isinstance(value, Mapping):
        return all(_PLAIN_KEY.fullmatch(str(name)) and _is_said(each) for name, each in value.items())
    if isinstance(value, Sequence) and not isinstance(value, str):
        return all(map(_is_said, value))
    return True


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(each) for each in value]
    if hasattr(value, "item"):
        return value.item()
    return str(value) if isinstance(value, Path) else value


def _flat(settings: Mapping[str, Any], above: str) -> Iterator[tuple[str, Any]]:
    for name, value in settings.items():
        key = f"{above}{name}"
        if not _KEY.fullmatch(key):
            raise ConfigError(f"{key!r}: a setting is words with dots between, as in **{{'training.gnn.steps': 100}}.")
        if isinstance(value, Mapping) and value and all(isinstance(each, str) for each in value):
            yield from _flat(value, f"{key}.")
        else:
            yield key, value


def written(value: Any, key: str) -> str:
    """Return a value in the grammar of overrides.

    >>> written({"a.b": [1.5, None, True, "it's"]}, "x")
    "{a.b:[1.5,null,true,'it\\\\'s']}"
    """
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(int(value))
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ConfigError(f"{key}: a number expected, found {value}.")
        return repr(float(value))
    if isinstance(value, str | Path):
        return quoted(str(value))
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{name}:{written(each, key)}" for name, each in value.items()) + "}"
    if isinstance(value, Sequence) and not isinstance(value, bytes):
        return "[" + ",".join(written(each, key) for each in value) + "]"
    if hasattr(value, "item") and not getattr(value, "shape", None):  # a number of numpy
        return written(value.item(), key)
    raise ConfigError(
        f"{key}: a number, a text, None, a list or a mapping expected, found {type(value).__name__}. Several values "
        "make a sweep: python -m tabgraphsyn.launch -m."
    )


def quoted(text: str) -> str:
    r"""Return a text in quotes: in them only quotes and the backslashes before them have a meaning.

    >>> print(quoted("C:\\data\\"), quoted("a'b"))
    'C:\data\\' 'a\'b'
    """
    escaped = re.sub(r"(\\*)'", r"\1\1\\'", text)
    return "'" + re.sub(r"(\\+)$", r"\1\1", escaped) + "'"

"""Dataclasses whose json form is their fields: one way to write them and to read them back."""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any, ClassVar, Self, Union, get_args, get_origin, get_type_hints


class Plain:
    """A dataclass that is written as its fields in their order, after its ``kind`` where it has one.

    Fields hold plain values, tuples, mappings, and other classes of this form. A field that may hold one of several
    classes names them in ``parts``: field -> kind -> class, a closed list.
    """

    parts: ClassVar[Mapping[str, Mapping[str, Any]]] = {}

    def to_dict(self) -> dict[str, Any]:
        """Return the json form."""
        of: Any = type(self)
        kind = getattr(self, "kind", None)
        raw = {name: _written(getattr(self, name)) for name in _hints(of)}
        return raw if kind is None else {"kind": kind, **raw}

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> Self:
        """Read the form that ``to_dict`` writes.

        Raises:
            KeyError: a kind that is not in the list of its field.
            TypeError: fields that the class does not have, or lacks.
        """
        of: Any = cls
        hints = _hints(of)
        given = {name: value for name, value in raw.items() if name != "kind" or "kind" in hints}
        return cls(
            **{
                name: cls.parts[name][value["kind"]].from_dict(value)
                if name in cls.parts
                else read(value, hints.get(name))
                for name, value in given.items()
            }
        )


@cache
def _hints(kind: Any) -> Mapping[str, Any]:
    hints = get_type_hints(kind)
    return {one.name: hints[one.name] for one in fields(kind)}


def _written(value: Any) -> Any:
    if hasattr(value, "to_dict"):
        return value.to_dict()
    if is_dataclass(value):
        return {one.name: _written(getattr(value, one.name)) for one in fields(value)}
    if isinstance(value, tuple):
        return [_written(item) for item in value]
    return {key: _written(item) for key, item in value.items()} if isinstance(value, Mapping) else value


def read(value: Any, hint: Any) -> Any:
    """Return a json value as what a type hint says.

    >>> read([[1, "a"]], tuple[tuple[int, str], ...])
    ((1, 'a'),)
    """
    origin, inner = get_origin(hint), get_args(hint)
    if value is None:
        return None
    if origin in (Union, types.UnionType):
        return read(value, next(one for one in inner if one is not types.NoneType))
    if origin is tuple:
        each = [inner[0]] * len(value) if inner[-1] is Ellipsis else inner
        return tuple(read(item, one) for item, one in zip(value, each, strict=True))
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return {key: read(item, inner[1]) for key, item in value.items()}
    if hasattr(hint, "from_dict"):
        return hint.from_dict(value)
    if isinstance(hint, type) and is_dataclass(hint):
        hints = _hints(hint)
        return hint(**{name: read(item, hints.get(name)) for name, item in value.items()})
    return value

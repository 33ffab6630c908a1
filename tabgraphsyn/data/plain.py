"""Dataclasses whose json form is their fields: one way to write them, to read them back, and to guard what is read.

A field's type says all of it: how it is written, what is built from it, and which values a file of a stranger may have
(``declared.form_of`` reads ranges and lengths from ``Annotated``, words from ``Literal``).
"""

from __future__ import annotations

import types
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from functools import cache
from typing import Annotated, Any, ClassVar, Self, Union, get_args, get_origin, get_type_hints


@dataclass(frozen=True)
class Spelling:
    """Marks a field, in ``Annotated``, that json spells in another way than Python.

    Attributes:
        form: what the json may hold, in the types of ``declared``.
        write, read: to json and back.
    """

    form: Any
    write: Callable[[Any], Any]
    read: Callable[[Any], Any]


class Plain:
    """A dataclass that is written as its fields in their order, after its ``kind`` where it has one.

    Fields hold plain values, tuples, sets, mappings, and other classes of this form. A field that may hold one of
    several classes is a union of them: a closed list. Its base class would be an open one and is refused.

    Attributes:
        kind_key: the key under which json names the kind.
        leaves_out_defaults: fields that have their default are not written.
        is_row: inside another class it is a list of its values, without names.
    """

    kind_key: ClassVar[str] = "kind"
    leaves_out_defaults: ClassVar[bool] = False
    is_row: ClassVar[bool] = False

    def together(self) -> Iterator[tuple[bool, str]]:
        """Yield what must hold of several fields, each with the rule in words; asked of what a file holds.

        There fields are as json has them: lists for tuples. Only fields may be read, no method and no property.
        """
        yield from ()

    def to_dict(self) -> dict[str, Any]:
        """Return the json form."""
        kind = getattr(self, "kind", None)
        return _fields_written(self) if kind is None else {self.kind_key: kind, **_fields_written(self)}

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> Self:
        """Read the form that ``to_dict`` writes.

        Raises:
            KeyError: a kind that is not in the list of its field.
            TypeError: fields that the class does not have, or lacks.
        """
        of: Any = cls
        hints = hints_of(of)
        given = {name: value for name, value in raw.items() if name != cls.kind_key or name in hints}
        return cls(**{name: read(value, hints.get(name)) for name, value in given.items()})


@cache
def hints_of(kind: Any) -> Mapping[str, Any]:
    """Return field -> type of a dataclass, ``Annotated`` and all."""
    hints = get_type_hints(kind, include_extras=True)
    return {one.name: hints[one.name] for one in fields(kind)}


def spelling(hint: Any) -> Spelling | None:
    """Return how a type is spelt in json, None where as in Python."""
    found = hint.__metadata__ if get_origin(hint) is Annotated else ()
    return next((one for one in found if isinstance(one, Spelling)), None)


def _fields_written(value: Any) -> dict[str, Any]:
    of: Any = type(value)
    defaults = {one.name: one.default for one in fields(of)} if getattr(of, "leaves_out_defaults", False) else {}
    pairs = [(name, getattr(value, name), hint) for name, hint in hints_of(of).items()]
    kept = [one for one in pairs if one[0] not in defaults or one[1] != defaults[one[0]]]
    return {name: _written(item, hint) for name, item, hint in kept}


def _written(value: Any, hint: Any) -> Any:
    spelt = spelling(hint)
    if spelt is not None:
        return spelt.write(value)
    if getattr(value, "is_row", False):
        return list(_fields_written(value).values())
    if hasattr(value, "to_dict"):
        return value.to_dict()
    if is_dataclass(value):
        return _fields_written(value)
    if isinstance(value, tuple):
        each = get_args(hint)
        item = each[0] if len(each) == 2 and each[1] is Ellipsis else None
        return [_written(one, item) for one in value]
    if isinstance(value, frozenset):
        return sorted(value)
    return {key: _written(item, None) for key, item in value.items()} if isinstance(value, Mapping) else value


def read(value: Any, hint: Any) -> Any:
    """Return a json value as what a type hint says.

    >>> read([[1, "a"]], tuple[tuple[int, str], ...])
    ((1, 'a'),)
    """
    if get_origin(hint) is Annotated:
        spelt = spelling(hint)
        return spelt.read(value) if spelt is not None else read(value, get_args(hint)[0])
    if value is None:
        return None
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return read(value, _chosen(value, inner))
    if origin is tuple:
        each = [inner[0]] * len(value) if inner[-1] is Ellipsis else inner
        return tuple(read(item, one) for item, one in zip(value, each, strict=True))
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return {key: read(item, inner[1]) for key, item in value.items()}
    if origin is frozenset:
        return frozenset(value)
    if getattr(hint, "is_row", False):
        value = dict(zip(hints_of(hint), value, strict=True))
    if hasattr(hint, "from_dict"):
        return hint.from_dict(value)
    if isinstance(hint, type) and is_dataclass(hint):
        return hint(**{name: read(item, hints_of(hint).get(name)) for name, item in value.items()})
    return value


def _chosen(value: Any, inner: tuple[Any, ...]) -> Any:
    """Return which type of a union a json value is of: the one of its kind, else the first one that is not None."""
    kinds = {one.kind: one for one in inner if isinstance(getattr(one, "kind", None), str)}
    if kinds and isinstance(value, Mapping):
        (key,) = {one.kind_key for one in kinds.values()}
        return kinds[value[key]]
    return next(one for one in inner if one is not types.NoneType)

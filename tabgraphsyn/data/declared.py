"""The declared form of a dataclass, read off its fields: what a json file of a stranger may hold, and nothing else.

A dataclass stands once. Its fields say their ranges and lengths (``Annotated`` with ``msgspec.Meta``, see the words in
``untrusted``) and their words (``Literal``); what holds between fields it says in ``together``. A number or a text
without a bound, a base class in place of a closed list, and any other type is refused when the form is made.
"""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import cache, reduce
from operator import or_
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import msgspec

from tabgraphsyn.data.plain import hints_of, spelling
from tabgraphsyn.data.untrusted import Form


def hold(is_right: bool, rule: str) -> None:
    """Refuse a form of which a rule does not hold."""
    if not is_right:
        raise ValueError(rule)


@cache
def form_of(kind: Any) -> Any:
    """Return the form of a dataclass: every field is required, unless its class leaves out defaults.

    Raises:
        TypeError: a field's type does not say what a file may hold.
    """
    if getattr(kind, "__abstractmethods__", None):
        raise TypeError(f"{kind.__name__} is a base class: name the classes that a file may hold")
    hints = hints_of(kind)
    is_optional = getattr(kind, "leaves_out_defaults", False)
    defaults = {one.name: one.default for one in fields(kind) if is_optional and one.default is not MISSING}
    declared: list[Any] = [
        (name, _declared(hint, f"{kind.__name__}.{name}"), *([defaults[name]] if name in defaults else []))
        for name, hint in hints.items()
    ]
    tag = getattr(kind, "kind", None)
    return msgspec.defstruct(
        f"{kind.__name__}Form", declared, bases=(Form,), tag=tag, tag_field=None if tag is None else kind.kind_key,
        kw_only=True, namespace={"__post_init__": _check_of(kind), "__doc__": f"``{kind.__name__}``."},
    )  # fmt: skip


def any_of(*kinds: Any) -> Any:
    """Return the form of what may be one of several dataclasses, told apart by their kinds."""
    return reduce(or_, map(form_of, kinds))


def _row_of(kind: Any) -> Any:
    return tuple[tuple(_declared(hint, f"{kind.__name__}.{name}") for name, hint in hints_of(kind).items())]  # type: ignore[misc]


def _check_of(kind: Any) -> Any:
    rules = getattr(kind, "together", None)

    def check(form: Any) -> None:
        for is_right, rule in () if rules is None else rules(form):
            hold(is_right, rule)

    return check


def _declared(hint: Any, where: str) -> Any:
    """Return a type of Python as the type of its json."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Annotated:
        spelt = spelling(hint)
        if spelt is not None:
            return _declared(spelt.form, where)
        bounds = [one for one in hint.__metadata__ if isinstance(one, msgspec.Meta)]
        if bounds and get_origin(inner[0]) is tuple:
            return reduce(lambda base, bound: Annotated[base, bound], bounds, _declared(inner[0], where))
        if bounds:
            return hint
    if hint in (bool, types.NoneType) or origin is Literal:
        return hint
    if origin in (Union, types.UnionType):
        return reduce(lambda one, other: Union[one, other], [_declared(one, where) for one in inner])  # noqa: UP007
    if origin is tuple and inner[-1] is Ellipsis:
        return list[_declared(inner[0], where)]  # type: ignore[misc]
    if origin is tuple:
        return tuple[tuple(_declared(one, where) for one in inner)]  # type: ignore[misc]
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return dict[_declared(inner[0], where), _declared(inner[1], where)]  # type: ignore[misc]
    if origin is frozenset:
        return list[_declared(inner[0], where)]  # type: ignore[misc]
    if isinstance(hint, type) and is_dataclass(hint):
        return _row_of(hint) if getattr(hint, "is_row", False) else form_of(hint)
    raise TypeError(f"{where}: a type that says what a file may hold expected, found {hint}")

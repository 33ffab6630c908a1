"""Which yaml values an annotation takes: ``int | None``, ``Literal["a", "b"]``, ``Sequence[str]``, read as text."""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tabgraphsyn.config.definitions import Definition, Source, find
from tabgraphsyn.errors import nearest

_LISTS = ("list", "List", "Sequence", "Iterable", "Collection", "set", "frozenset")
_MAPPINGS = ("dict", "Dict", "Mapping", "MutableMapping")
_MOST_NESTED = 10


@dataclass(frozen=True)
class Accepts:
    """The values of one type.

    Attributes:
        words: what is expected, for a message.
        holds: whether a plain value (of yaml) is one of them.
    """

    words: str
    holds: Callable[[Any], bool]
    kind: Accepts | None = None
    """The type alone, where the values are those of a range: a wrong type is named before a wrong number."""
    choices: tuple[str, ...] = ()
    """The words that may stand here, where they are listed."""

    def problem(self, key: str, value: Any) -> str | None:
        """Return what is wrong with ``value`` at ``key``, None where nothing is."""
        expected = self.expected(value)
        if expected is None:
            return None
        hint = nearest(value, self.choices) if isinstance(value, str) and self.choices else ""
        return f"{key}: {expected} expected, found {value!r}.{hint}"

    def expected(self, value: Any) -> str | None:
        """Return what should stand in place of ``value``, None where it is one of the values."""
        if self.holds(value):
            return None
        if self.kind is None:
            return self.words
        return self.kind.expected(value) or self.words.removeprefix(f"{self.kind.words}, ")


ANYTHING = Accepts("anything", lambda _: True)

_PLAIN = {
    "int": Accepts("a whole number", lambda value: isinstance(value, int) and not isinstance(value, bool)),
    "float": Accepts("a finite number", lambda value: _is_number(value)),
    "bool": Accepts("true or false", lambda value: isinstance(value, bool)),
    "str": Accepts("text", lambda value: isinstance(value, str)),
    "None": Accepts("null", lambda value: value is None),
}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def accepts(annotation: ast.expr | None, source: Source, depth: int = 0) -> Accepts:
    """Return what an annotation takes; ``ANYTHING`` where its text does not tell."""
    if annotation is None or depth > _MOST_NESTED:
        return ANYTHING
    if isinstance(annotation, ast.Constant):
        return _of_constant(annotation, source, depth)
    if isinstance(annotation, ast.BinOp) and isinstance(annotation.op, ast.BitOr):
        return _either([accepts(side, source, depth + 1) for side in (annotation.left, annotation.right)])
    if isinstance(annotation, ast.Name):
        return _PLAIN.get(annotation.id) or _of_alias(find(source, annotation.id), depth)
    if isinstance(annotation, ast.Subscript):
        return _of_subscript(annotation, source, depth)
    return ANYTHING


def _of_constant(annotation: ast.Constant, source: Source, depth: int) -> Accepts:
    if annotation.value is None:
        return _PLAIN["None"]
    if isinstance(annotation.value, str):
        try:
            return accepts(ast.parse(annotation.value, mode="eval").body, source, depth + 1)
        except SyntaxError:
            return ANYTHING
    return ANYTHING


def _of_alias(found: Definition | None, depth: int) -> Accepts:
    """Return what an alias (``Schedule = Literal[...]``) takes; a class takes what cannot be told here."""
    if found is None or not isinstance(found.node, ast.Assign | ast.AnnAssign):
        return ANYTHING
    return accepts(found.node.value, found.source, depth + 1)


def _of_subscript(annotation: ast.Subscript, source: Source, depth: int) -> Accepts:
    head = annotation.value
    name = head.attr if isinstance(head, ast.Attribute) else head.id if isinstance(head, ast.Name) else ""
    inner = annotation.slice.elts if isinstance(annotation.slice, ast.Tuple) else [annotation.slice]
    if name == "Literal":
        return _one_of([item.value for item in inner if isinstance(item, ast.Constant)])
    parts = [accepts(item, source, depth + 1) for item in inner]
    if name == "Annotated":
        return _within(parts[0], inner[1:])
    if name == "Optional":
        return _either([parts[0], _PLAIN["None"]])
    if name == "Union":
        return _either(parts)
    if name in _MAPPINGS and len(parts) == 2:
        return _mapping_of(parts[1])
    if name in _LISTS:
        return _list_of(parts[0])
    if name in ("tuple", "Tuple"):
        is_any_length = isinstance(inner[-1], ast.Constant) and inner[-1].value is Ellipsis
        return _list_of(parts[0]) if is_any_length else _row_of(parts)
    return ANYTHING


def _within(kind: Accepts, rules: list[ast.expr]) -> Accepts:
    """Return the values of a type that keep the bounds of ``annotated_types``: ``Ge(1)``, ``Interval(gt=0, le=1)``."""
    bounds = [bound for rule in rules if isinstance(rule, ast.Call) for bound in _bounds(rule)]
    if not bounds:
        return kind
    words = [f"{_BOUNDS[name][0]} {_number(limit)}" for name, limit in bounds]
    is_closed = [name for name, _ in bounds] == ["ge", "le"]
    said = f"from {_number(bounds[0][1])} to {_number(bounds[1][1])}" if is_closed else " and ".join(words)

    def holds(value: Any) -> bool:
        return kind.holds(value) and all(_BOUNDS[name][1](value, limit) for name, limit in bounds)

    return Accepts(f"{kind.words}, {said}", holds, kind)


def _number(limit: float) -> str:
    return str(limit) if isinstance(limit, int) else f"{limit:g}"


def _bounds(rule: ast.Call) -> list[tuple[str, float]]:
    name = rule.func.id.lower() if isinstance(rule.func, ast.Name) else ""
    given = [(name, value) for value in rule.args] if name in _BOUNDS else []
    given += [(str(one.arg), one.value) for one in rule.keywords]
    return [(key, ast.literal_eval(value)) for key, value in given if key in _BOUNDS]


_BOUNDS: Mapping[str, tuple[str, Callable[[Any, float], bool]]] = {
    "ge": ("at least", lambda value, limit: value >= limit),
    "gt": ("above", lambda value, limit: value > limit),
    "le": ("at most", lambda value, limit: value <= limit),
    "lt": ("below", lambda value, limit: value < limit),
}


def _either(parts: list[Accepts]) -> Accepts:
    if ANYTHING in parts:
        return ANYTHING
    return Accepts(" or ".join(part.words for part in parts), lambda value: any(part.holds(value) for part in parts))


def _one_of(values: list[Any]) -> Accepts:
    words = f"one of {', '.join(map(repr, values))}"
    named = tuple(value for value in values if isinstance(value, str))
    return Accepts(words, lambda value: any(type(value) is type(one) and value == one for one in values), choices=named)


def _list_of(part: Accepts) -> Accepts:
    def holds(value: Any) -> bool:
        return isinstance(value, list | tuple) and all(part.holds(item) for item in value)

    return Accepts("a list" if part is ANYTHING else f"a list, each item {part.words}", holds)


def _row_of(parts: list[Accepts]) -> Accepts:
    def holds(value: Any) -> bool:
        is_row = isinstance(value, list | tuple) and len(value) == len(parts)
        return is_row and all(part.holds(item) for part, item in zip(parts, value, strict=True))

    return Accepts(f"a list of {len(parts)}: {', '.join(part.words for part in parts)}", holds)


def _mapping_of(part: Accepts) -> Accepts:
    def holds(value: Any) -> bool:
        return isinstance(value, Mapping) and all(part.holds(item) for item in value.values())

    return Accepts("a mapping" if part is ANYTHING else f"a mapping, each value {part.words}", holds)

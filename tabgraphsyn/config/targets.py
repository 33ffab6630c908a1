"""What a ``_target_`` accepts, read from its source: names, types, and what must be given."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from tabgraphsyn.config.argument_types import Accepts, accepts
from tabgraphsyn.config.definitions import Definition, Source, defined_names, find, read_source

# Bases that add no argument to a dataclass.
_BARE = ("ABC", "object", "Generic", "Protocol")


@dataclass(frozen=True)
class Constructor:
    """The arguments of a class or function.

    Attributes:
        types: all arguments that may be given by name, and the values that each of them takes.
        required: those without a default.
        is_open: it takes any keyword, or its source does not tell; only the other fields' names are known.
    """

    types: Mapping[str, Accepts] = field(default_factory=dict)
    required: frozenset[str] = frozenset()
    is_open: bool = False

    @property
    def names(self) -> frozenset[str]:
        """All arguments that may be given by name."""
        return frozenset(self.types)


_OPEN = Constructor(is_open=True)


@lru_cache(maxsize=1024)
def constructor(target: str) -> Constructor | None:
    """Return the arguments of a target, or None if no such class or function is found in any source."""
    module, _, name = target.rpartition(".")
    found = find(read_source(module), name)
    return None if found is None else _of(found)


def names_in_module(target: str) -> list[str]:
    """Return the classes and functions beside a target, those that an ``__init__`` gathers too, for suggestions."""
    return [*defined_names(read_source(target.rpartition(".")[0]))]


def _of(found: Definition) -> Constructor:
    if isinstance(found.node, ast.FunctionDef):
        return _of_function(found.node, found.source, skip=0)
    if isinstance(found.node, ast.ClassDef):
        return _of_class(found.node, found.source)
    return _OPEN


def _of_class(node: ast.ClassDef, source: Source) -> Constructor:
    for item in node.body:
        if isinstance(item, ast.FunctionDef) and item.name == "__init__":
            own = _of_function(item, source, skip=1)
            bases = _bases(node, source)
            return _with_keywords(own, bases[0]) if bases and own.is_open and _hands_on(item) else own
    found = _bases(node, source)
    if _is_dataclass(node):
        return _of_fields(node, source, found)
    # Without a constructor of its own or inherited it takes nothing: a contract that only declares.
    return next((base for base in found if not base.is_open), _OPEN if found else Constructor())


def _bases(node: ast.ClassDef, source: Source) -> list[Constructor]:
    bases = [base for base in node.bases if not (isinstance(base, ast.Name) and base.id in _BARE)]
    return [_base(base, source) for base in bases]


def _hands_on(init: ast.FunctionDef) -> bool:
    """Return whether other keywords go to the base class, and nothing but that and ``setdefault`` is done to them."""
    name = init.args.kwarg.arg if init.args.kwarg else ""
    uses = [node for node in ast.walk(init) if isinstance(node, ast.Name) and node.id == name]
    calls = [node for node in ast.walk(init) if isinstance(node, ast.Call)]
    known = sum(ast.unparse(call.func) == f"{name}.setdefault" for call in calls)
    given = sum(
        ast.unparse(call.func) == "super().__init__"
        and any(one.arg is None and isinstance(one.value, ast.Name) and one.value.id == name for one in call.keywords)
        for call in calls
    )
    return given == 1 and len(uses) == known + given


def _with_keywords(own: Constructor, base: Constructor) -> Constructor:
    return Constructor({**base.types, **own.types}, own.required, base.is_open)


def _base(base: ast.expr, source: Source) -> Constructor:
    """Return the arguments of a base class; open where its source does not tell (``nn.Module``)."""
    found = find(source, base.id) if isinstance(base, ast.Name) else None
    return _OPEN if found is None else _of(found)


def _is_dataclass(node: ast.ClassDef) -> bool:
    decorators = [item.func if isinstance(item, ast.Call) else item for item in node.decorator_list]
    return any(
        (isinstance(item, ast.Name) and item.id == "dataclass")
        or (isinstance(item, ast.Attribute) and item.attr == "dataclass")
        for item in decorators
    )


def _of_fields(node: ast.ClassDef, source: Source, inherited: list[Constructor]) -> Constructor:
    types = {name: kind for base in inherited for name, kind in base.types.items()}
    required = {name for base in inherited for name in base.required}
    for item in node.body:
        if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name):
            if "ClassVar" in ast.unparse(item.annotation):
                continue
            types[item.target.id] = accepts(item.annotation, source)
            required.discard(item.target.id)
            if item.value is None:
                required.add(item.target.id)
    return Constructor(types, frozenset(required), any(base.is_open for base in inherited))


def _of_function(node: ast.FunctionDef, source: Source, skip: int) -> Constructor:
    positional = [*node.args.posonlyargs, *node.args.args][skip:]
    defaults = len(node.args.defaults)
    required = {argument.arg for argument in positional[: len(positional) - defaults]}
    for argument, default in zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True):
        if default is None:
            required.add(argument.arg)
    types = {argument.arg: accepts(argument.annotation, source) for argument in (*positional, *node.args.kwonlyargs)}
    return Constructor(types, frozenset(required), bool(node.args.kwarg))

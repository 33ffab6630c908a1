"""What a ``_target_`` accepts, read from its source: a login node checks a config without importing torch."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import tabgraphsyn

_PACKAGE = "tabgraphsyn"


@dataclass(frozen=True)
class Constructor:
    """The arguments of a class or function.

    Attributes:
        names: all arguments that may be given by name.
        required: those without a default.
        is_open: it takes any keyword, or its source does not tell; only the other fields' names are known.
    """

    names: frozenset[str]
    required: frozenset[str]
    is_open: bool = False


_OPEN = Constructor(frozenset(), frozenset(), is_open=True)


@lru_cache(maxsize=1024)
def constructor(target: str) -> Constructor | None:
    """Return the arguments of a target in this package, or None if there is no such class or function."""
    module, _, name = target.rpartition(".")
    tree = _module(module)
    if tree is None:
        return None
    return _in_module(tree, name)


def names_in_module(target: str) -> list[str]:
    """Return the classes and functions beside a target, for suggestions."""
    tree = _module(target.rpartition(".")[0])
    if tree is None:
        return []
    return [node.name for node in tree.body if isinstance(node, ast.ClassDef | ast.FunctionDef)]


@lru_cache(maxsize=256)
def _module(name: str) -> ast.Module | None:
    parts = name.split(".")
    if parts[0] != _PACKAGE:
        return None
    base = Path(tabgraphsyn.__file__).parent.joinpath(*parts[1:])
    for path in (base.with_suffix(".py"), base / "__init__.py"):
        if path.is_file():
            return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
    return None


def _in_module(tree: ast.Module, name: str) -> Constructor | None:
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name == name:
            return _of_function(node, skip=0)
        if isinstance(node, ast.ClassDef) and node.name == name:
            return _of_class(node, tree)
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                if (alias.asname or alias.name) == name:
                    return constructor(f"{node.module}.{alias.name}")
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == name for t in node.targets):
            return _OPEN
    return None


def _of_class(node: ast.ClassDef, tree: ast.Module) -> Constructor:
    for item in node.body:
        if isinstance(item, ast.FunctionDef) and item.name == "__init__":
            return _of_function(item, skip=1)
    inherited = [_base(base, tree) for base in node.bases]
    if _is_dataclass(node):
        return _of_fields(node, [found for found in inherited if found is not None])
    own = [found for found in inherited if found is not None]
    return own[0] if own else _OPEN


def _base(base: ast.expr, tree: ast.Module) -> Constructor | None:
    """Return the arguments of a base class in this package; None for ABC, Module and the like."""
    return _in_module(tree, base.id) if isinstance(base, ast.Name) else None


def _is_dataclass(node: ast.ClassDef) -> bool:
    decorators = [item.func if isinstance(item, ast.Call) else item for item in node.decorator_list]
    return any(
        (isinstance(item, ast.Name) and item.id == "dataclass")
        or (isinstance(item, ast.Attribute) and item.attr == "dataclass")
        for item in decorators
    )


def _of_fields(node: ast.ClassDef, inherited: list[Constructor]) -> Constructor:
    names = {name for found in inherited for name in found.names}
    required = {name for found in inherited for name in found.required}
    for item in node.body:
        if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name):
            if "ClassVar" in ast.unparse(item.annotation):
                continue
            names.add(item.target.id)
            required.discard(item.target.id)
            if item.value is None:
                required.add(item.target.id)
    return Constructor(frozenset(names), frozenset(required), any(found.is_open for found in inherited))


def _of_function(node: ast.FunctionDef, skip: int) -> Constructor:
    positional = [argument.arg for argument in node.args.args][skip:]
    defaults = len(node.args.defaults)
    required = set(positional[: len(positional) - defaults])
    for argument, default in zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True):
        positional.append(argument.arg)
        if default is None:
            required.add(argument.arg)
    return Constructor(frozenset(positional), frozenset(required), node.args.kwarg is not None)

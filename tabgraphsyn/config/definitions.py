"""Classes and functions found in source text: a login node checks a config without importing torch."""

from __future__ import annotations

import ast
import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

_MOST_IMPORTS = 20


@dataclass(frozen=True)
class Source:
    """One module's source.

    Attributes:
        module: its dotted name.
        package: what its relative imports start from.
        tree: its syntax tree.
    """

    module: str
    package: str
    tree: ast.Module


@dataclass(frozen=True)
class Definition:
    """A statement that defines a name, and the module that it stands in."""

    source: Source
    node: ast.stmt


@lru_cache(maxsize=512)
def read_source(module: str) -> Source | None:
    """Return the source of a module, without importing it or its packages; None where there is none to read."""
    for path in _candidates(module):
        if path.is_file():
            package = module if path.name == "__init__.py" else module.rpartition(".")[0]
            try:
                tree = ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
            except (SyntaxError, UnicodeDecodeError):
                return None
            return Source(module, package, tree)
    return None


def _candidates(module: str) -> Iterator[Path]:
    top, *rest = module.split(".")
    try:
        # Of a name without a dot this imports nothing.
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError):
        return
    if spec is None:
        return
    if not rest and spec.origin and spec.origin.endswith(".py"):
        yield Path(spec.origin)
    for folder in spec.submodule_search_locations or ():
        base = Path(folder).joinpath(*rest)
        yield base.with_name(f"{base.name}.py")
        yield base / "__init__.py"


def find(source: Source | None, name: str, depth: int = 0) -> Definition | None:
    """Return what defines ``name`` at the top level of a module, its imports followed."""
    if source is None or depth > _MOST_IMPORTS:
        return None
    for node in source.tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == name:
            return Definition(source, node)
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == name for t in node.targets):
            return Definition(source, node)
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.target.id == name:
            return Definition(source, node)
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                if (alias.asname or alias.name) == name:
                    return find(read_source(_imported(source, node)), alias.name, depth + 1)
                if alias.name == "*":
                    found = find(read_source(_imported(source, node)), name, depth + 1)
                    if found is not None:
                        return found
    return None


@lru_cache(maxsize=64)
def is_never_trained(target: str) -> bool:
    """Return True where a class says ``is_trained = False`` for all its objects; read as text, nothing is imported."""
    module, _, name = target.rpartition(".")
    found = find(read_source(module), name) if module else None
    if found is None or not isinstance(found.node, ast.ClassDef):
        return False
    for line in found.node.body:
        if isinstance(line, ast.Assign) and any(isinstance(t, ast.Name) and t.id == "is_trained" for t in line.targets):
            return isinstance(line.value, ast.Constant) and line.value.value is False
    return False


def defined_names(source: Source | None, depth: int = 0) -> Iterator[str]:
    """Yield the classes and functions that a module defines, or gathers from modules beside it."""
    for node in source.tree.body if source is not None and depth <= _MOST_IMPORTS else ():
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            yield node.name
        elif isinstance(node, ast.ImportFrom) and node.level and source is not None:
            names = [alias.name for alias in node.names]
            yield from defined_names(read_source(_imported(source, node)), depth + 1) if names == ["*"] else names


def _imported(source: Source, node: ast.ImportFrom) -> str:
    """Return the module that ``from ... import`` names, relative ones resolved."""
    if not node.level:
        return node.module or ""
    parts = source.package.split(".")
    base = parts[: len(parts) - node.level + 1]
    return ".".join([*base, *([node.module] if node.module else [])])

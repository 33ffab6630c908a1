"""What a constructor says of its arguments: default, values, advice. Read from source, nothing is imported."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from tabgraphsyn.config.definitions import Definition, Source, find, read_source
from tabgraphsyn.config.targets import constructor

_SECTION = re.compile(r"^(Args|Attributes|Raises|Returns|Shape|Yields|Source|Example|Examples):", re.MULTILINE)
_ENTRY = re.compile(r"^    (?P<names>\w[\w, *]*): *(?P<text>.*)$")


@dataclass(frozen=True)
class Setting:
    """One argument of a constructor.

    Attributes:
        name: its name, the key in yaml.
        default: as the source writes it; None where it must be given.
        values: what it takes, in words.
        advice: what its docstring says of it.
    """

    name: str
    default: str | None
    values: str
    advice: str


@dataclass(frozen=True)
class Described:
    """A constructor.

    Attributes:
        target: its dotted name.
        summary: the text of its docstring before the first section.
        settings: its arguments, in the order of the source.
    """

    target: str
    summary: str
    settings: tuple[Setting, ...]


def described(target: str) -> Described:
    """Return what the source of a ``_target_`` says.

    Raises:
        LookupError: there is no such class or function.
    """
    module, _, name = target.rpartition(".")
    found, accepted = find(read_source(module), name), constructor(target)
    if found is None or accepted is None:
        raise LookupError(f"{target}: no such class or function in any source")
    lineage = list(_lineage(found))
    advice, defaults = {}, {}
    for each in reversed(lineage):
        defaults |= _defaults(each.node)
        for text in _docstrings(each.node):
            advice |= entries(text)
    texts = [text for each in lineage for text in _docstrings(each.node)]
    settings = tuple(
        Setting(key, defaults.get(key), kind.words, advice.get(key, "")) for key, kind in accepted.types.items()
    )
    return Described(target, lead(texts[0]) if texts else "", settings)


def _lineage(found: Definition) -> Iterator[Definition]:
    """Yield a class and, one after the other, the bases whose source is known."""
    yield found
    if isinstance(found.node, ast.ClassDef):
        for base in found.node.bases:
            above = _named(found.source, base)
            if above is not None:
                yield from _lineage(above)


def _named(source: Source, base: ast.expr) -> Definition | None:
    return find(source, base.id) if isinstance(base, ast.Name) else None


def _docstrings(node: ast.stmt) -> list[str]:
    """Return the docstrings of a class and of its ``__init__``, cleaned."""
    nodes = [node]
    if isinstance(node, ast.ClassDef):
        nodes += [item for item in node.body if isinstance(item, ast.FunctionDef) and item.name == "__init__"]
    texts = [ast.get_docstring(each) for each in nodes if isinstance(each, ast.ClassDef | ast.FunctionDef)]
    return [text for text in texts if text]


def _defaults(node: ast.stmt) -> dict[str, str]:
    """Return name -> default, as the source writes it."""
    if isinstance(node, ast.ClassDef):
        for item in node.body:
            if isinstance(item, ast.FunctionDef) and item.name == "__init__":
                return _of_arguments(item.args)
        fields = [item for item in node.body if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name)]
        return {item.target.id: _written(item.value) for item in fields if item.value is not None}  # type: ignore[union-attr]
    return _of_arguments(node.args) if isinstance(node, ast.FunctionDef) else {}


def _of_arguments(arguments: ast.arguments) -> dict[str, str]:
    positional = [*arguments.posonlyargs, *arguments.args]
    given = zip(reversed(positional), reversed(arguments.defaults), strict=False)
    named = zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    return {key.arg: _written(value) for key, value in [*given, *named] if value is not None}


def _written(value: ast.expr) -> str:
    """Return a default as yaml writes it."""
    text = ast.unparse(value)
    if text.startswith("field(default_factory="):
        return {"list": "[]", "dict": "{}"}.get(text[len("field(default_factory=") : -1], "")
    try:
        return yaml_text(ast.literal_eval(value))
    except ValueError:
        return text


def yaml_text(value: Any) -> str:
    """Return a value in one line of yaml.

    >>> yaml_text(None), yaml_text(True), yaml_text([1, "a"]), yaml_text((0.9, 0.99))
    ('null', 'true', '[1, a]', '[0.9, 0.99]')
    """
    plain = list(value) if isinstance(value, tuple) else value
    return yaml.safe_dump(plain, default_flow_style=True, width=10**6).removesuffix("\n...\n").strip()


def lead(docstring: str) -> str:
    """Return a docstring up to its first section.

    >>> lead("One line.\\n\\nAnd more.\\n\\nArgs:\\n    a: b.")
    'One line.\\n\\nAnd more.'
    """
    text = inspect.cleandoc(docstring)
    found = _SECTION.search(text)
    return text[: found.start()].strip() if found else text.strip()


def entries(docstring: str) -> dict[str, str]:
    """Return name -> text of the sections ``Args`` and ``Attributes``; ``a, b: text`` gives both.

    >>> entries("What.\\n\\nArgs:\\n    a, b: the first,\\n        and more.\\n    c: last.")
    {'a': 'the first, and more.', 'b': 'the first, and more.', 'c': 'last.'}
    """
    section, names, found = "", [], {}
    for line in inspect.cleandoc(docstring).splitlines():
        heading, entry = _SECTION.match(line), _ENTRY.match(line)
        if heading:
            section, names = heading[1], []
        elif entry and section in ("Args", "Attributes"):
            names = [name.strip() for name in entry["names"].split(",")]
            found |= dict.fromkeys(names, entry["text"])
        elif names and line.startswith("      "):
            found |= {name: f"{found[name]} {line.strip()}" for name in names}
    return found

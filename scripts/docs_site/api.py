"""The classes and functions of the package from their docstrings, a page a subpackage; nothing is imported."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from docs_site.markdown import cell, code
from docs_site.messages import PACKAGE

_SECTION = re.compile(r"^(Args|Attributes|Raises|Returns|Shape|Yields|Source|Example|Examples):\s*$")
_ENTRY = re.compile(r"^    (?P<name>[\w*][\w*, .|\[\]]*): *(?P<text>.*)$")
_DOCTEST = re.compile(r"^\s*(>>>|\.\.\.) ?")
_TITLES = {
    "": "tabgraphsyn", "config": "tabgraphsyn.config", "data": "tabgraphsyn.data", "models": "tabgraphsyn.models",
    "diffusion": "tabgraphsyn.diffusion", "training": "tabgraphsyn.training", "generation": "tabgraphsyn.generation",
    "evaluation": "tabgraphsyn.evaluation", "stages": "tabgraphsyn.stages",
    "orchestration": "tabgraphsyn.orchestration",
    "tracking": "tabgraphsyn.tracking", "verbs": "tabgraphsyn.verbs",
}  # fmt: skip


@lru_cache
def pages() -> dict[str, str]:
    """Return path below ``docs/`` -> text, a page for each subpackage and one that lists them."""
    folders = ["", *sorted(path.name for path in PACKAGE.iterdir() if (path / "__init__.py").is_file())]
    made = {f"api/{folder or 'tabgraphsyn'}.md": _page(folder) for folder in folders}
    lines = ["# API", "", "Made of the docstrings. Arrows point down: a package imports only what stands below it.", ""]
    for folder in folders:
        source = PACKAGE / folder / "__init__.py"
        words = _first_line(ast.parse(source.read_text(encoding="utf-8")))
        lines.append(f"- [`{_title(folder)}`]({folder or 'tabgraphsyn'}.md): {cell(words)}")
    return {"api/index.md": "\n".join(lines) + "\n", **made}


def _title(folder: str) -> str:
    return _TITLES.get(folder, f"tabgraphsyn.{folder}")


def _page(folder: str) -> str:
    place = PACKAGE / folder
    files = sorted(place.rglob("*.py")) if folder else sorted(place.glob("*.py"))
    lines = [f"# {_title(folder)}", ""]
    for path in files:
        lines += _module(path)
    return "\n".join(lines) + "\n"


def _module(path: Path) -> Iterator[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    members = [node for node in tree.body if isinstance(node, ast.ClassDef | ast.FunctionDef) and _is_public(node.name)]
    name = ".".join(["tabgraphsyn", *path.relative_to(PACKAGE).with_suffix("").parts]).removesuffix(".__init__")
    if not members and path.name == "__init__.py" and not ast.get_docstring(tree):
        return
    yield f"## {name}"
    yield ""
    yield from prose(ast.get_docstring(tree) or "")
    for node in members:
        yield from _member(node)


def _is_public(name: str) -> bool:
    return not name.startswith("_")


def _member(node: ast.ClassDef | ast.FunctionDef) -> Iterator[str]:
    yield f"### {node.name}"
    yield ""
    yield code(_signature(node))
    yield ""
    yield from prose(ast.get_docstring(node) or "")
    if isinstance(node, ast.ClassDef):
        for item in node.body:
            if isinstance(item, ast.FunctionDef) and _is_public(item.name):
                yield f"**{code(_signature(item))}**"
                yield ""
                yield from prose(ast.get_docstring(item) or "")


def _signature(node: ast.ClassDef | ast.FunctionDef) -> str:
    if isinstance(node, ast.ClassDef):
        bases = ", ".join(ast.unparse(base) for base in node.bases)
        return f"class {node.name}({bases})" if bases else f"class {node.name}"
    result = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    return f"{node.name}({ast.unparse(node.args)}){result}"


def prose(docstring: str) -> Iterator[str]:
    """Yield a Google docstring as Markdown: sections in bold, entries as a list, doctests as blocks.

    >>> [line for line in prose("One.\n\nArgs:\n    a: b.") if line]
    ["One.", "**Args**", "- `a`: b."]
    """
    is_test = in_section = False
    for line in docstring.splitlines():
        found, entry, starts = _SECTION.match(line), _ENTRY.match(line), bool(_DOCTEST.match(line))
        if is_test and not line.strip():
            yield "```"
            is_test = False
        if starts and not is_test:
            yield from ("", "```pycon")
            is_test = True
        if is_test:
            yield line.strip()
        elif found:
            in_section = True
            yield from (f"**{found[1]}**", "")
        elif in_section and entry:
            yield f"- {code(entry['name'])}: {_text(entry['text'])}"
        else:
            yield f"  {_text(line.strip())}" if in_section and line.strip() else _text(line.strip())
    if is_test:
        yield "```"
    yield ""


def _text(line: str) -> str:
    return cell(line).replace("\\|", "|")


def _first_line(tree: ast.Module) -> str:
    return (ast.get_docstring(tree) or "").partition("\n")[0]

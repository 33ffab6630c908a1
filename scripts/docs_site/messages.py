"""Every message that a user can get, collected from the source: what is raised, and what checks list as a problem."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import tabgraphsyn
from docs_site.markdown import code, table
from tabgraphsyn import errors

PACKAGE = Path(tabgraphsyn.__file__).resolve().parent
ERRORS = {
    name: kind
    for name, kind in vars(errors).items()
    if isinstance(kind, type) and issubclass(kind, errors.TabGraphSynError)
}
AREAS = (
    ("config", "Settings"), ("launch.py", "Launching"), ("data/read", "Reading files"),
    ("data/ingest", "Types and keys"),
    ("data/formats", "Formats of values"), ("data/rules", "Rules of the data"), ("data", "Data"), ("models", "Models"),
    ("diffusion", "Models"), ("training", "Training"), ("generation", "Bundles and sampling"),
    ("evaluation", "Evaluation"),
    ("orchestration/slurm", "Slurm"), ("orchestration", "Store, campaigns, stages"), ("stages", "Stages"),
    ("verbs", "Verbs"), ("tracking", "Tracking"), ("", "Elsewhere"),
)  # fmt: skip
LEAST_LETTERS = 12
_FIRST_WORDS = 3


@dataclass(frozen=True)
class Message:
    """One message.

    Attributes:
        parts: its text; None stands for what is filled in.
        holes: what is filled in, in words of the source.
        exit_code: of a command that it ends.
        module: file in the package, with forward slashes.
    """

    parts: tuple[str | None, ...]
    holes: tuple[str, ...]
    exit_code: int
    module: str

    @property
    def text(self) -> str:
        """The message with ``‹what›`` where something is filled in."""
        names = iter(self.holes)
        return "".join(part if part is not None else f"‹{next(names)}›" for part in self.parts)

    @property
    def area(self) -> str:
        """The heading it stands under."""
        return next(title for folder, title in AREAS if self.module.startswith(folder))

    def is_in(self, shown: str) -> bool:
        """Return whether a text that a command printed holds this message."""
        pattern = "".join(re.escape(part) if part is not None else ".*?" for part in self.parts)
        return re.search(pattern, shown, re.DOTALL) is not None


def page() -> str:
    """Return the page."""
    found = collected()
    lines = [
        "# Every message",
        "",
        f"The {len(found)} messages that end a command, collected from the source when this site is built; `‹…›` is",
        "what is filled in: a key, a table, a value. Search for the words that do not change. It says where, the",
        "rule, what was found and what to do. The last column is the [exit code](exit-codes.md). What people meet:",
        "[troubleshooting](troubleshooting.md).",
        "",
    ]
    for title in dict.fromkeys(title for _, title in AREAS):
        chosen = [message for message in found if message.area == title]
        if chosen:
            lines += [f"## {title}", "", *table(("message", "exit code"), map(_row, chosen))]
    return "\n".join(lines) + "\n"


def _row(message: Message) -> tuple[str, str]:
    return code(message.text), str(message.exit_code)


@lru_cache
def collected(package: Path = PACKAGE) -> list[Message]:
    """Return every message of a package, by file and line, none twice."""
    found: dict[str, Message] = {}
    for path in sorted(package.rglob("*.py")):
        module = path.relative_to(package).as_posix()
        for message in _of_module(ast.parse(path.read_text(encoding="utf-8")), module):
            if sum(len(part) for part in message.parts if part) >= LEAST_LETTERS and " " in message.text.strip():
                found.setdefault(message.text, message)
    return list(found.values())


def _of_module(tree: ast.Module, module: str) -> Iterator[Message]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ERRORS and node.args:
            yield from _of_text(node.args[0], ERRORS[node.func.id].exit_code, module)
        elif isinstance(node, ast.FunctionDef) and (
            "problem" in node.name or node.name.startswith(("refus", "why_not"))
        ):
            for text in _told(node):
                yield from _of_text(text, errors.EXIT_USER, module)
        elif _adds_a_problem(node):
            yield from _of_text(node.args[0], errors.EXIT_USER, module)  # type: ignore[attr-defined]


def _adds_a_problem(node: ast.AST) -> bool:
    """Return whether a node is ``problems.append(...)``."""
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "append"):
        return False
    return isinstance(node.func.value, ast.Name) and "problem" in node.func.value.id and bool(node.args)


def _told(function: ast.FunctionDef) -> Iterator[ast.expr]:
    """Yield what a function that finds problems returns, yields or lists."""
    for node in ast.walk(function):
        value = node.value if isinstance(node, ast.Return | ast.Yield) else None
        if isinstance(value, ast.List):
            yield from value.elts
        elif value is not None:
            yield value
        elif isinstance(node, ast.AugAssign | ast.Assign) and isinstance(node.value, ast.List | ast.ListComp):
            yield from node.value.elts if isinstance(node.value, ast.List) else [node.value.elt]


def _of_text(node: ast.expr, exit_code: int, module: str) -> Iterator[Message]:
    if isinstance(node, ast.IfExp):
        yield from _of_text(node.body, exit_code, module)
        yield from _of_text(node.orelse, exit_code, module)
        return
    pieces = list(_pieces(node))
    if any(isinstance(piece, str) for piece in pieces):
        parts = tuple(piece if isinstance(piece, str) else None for piece in pieces)
        holes = tuple(_named(piece) for piece in pieces if not isinstance(piece, str))
        yield Message(parts, holes, exit_code, module)


def _pieces(node: ast.expr) -> Iterator[str | ast.expr]:
    """Yield the constant parts of a text and the expressions between them."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.JoinedStr):
        for value in node.values:
            yield from _pieces(value)
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        yield from _pieces(node.left)
        yield from _pieces(node.right)
    else:
        yield node.value if isinstance(node, ast.FormattedValue) else node


def _named(node: ast.expr) -> str:
    """Return a word or two for an expression: ``listing(names)`` is *names*, ``self.key`` is *key*."""
    if isinstance(node, ast.Call):
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if name == "nearest":
            return "suggestion"
        return _named(node.args[0]) if node.args else name.strip("_")
    if isinstance(node, ast.Attribute):
        return node.attr.strip("_")
    if isinstance(node, ast.Name):
        return node.id.strip("_")
    if isinstance(node, ast.Subscript):
        return _named(node.value)
    words = re.findall(r"[A-Za-z]\w+", ast.unparse(node))
    return " ".join(words[:_FIRST_WORDS]) or "value"

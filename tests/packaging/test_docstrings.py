"""Public functions that take or give arrays say their shapes, units or ranges."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "tabgraphsyn"
ARRAYS = re.compile(r"\b(ndarray|Tensor|DataFrame|Series|ChunkedArray)\b|\bpa\.(Array|Table)\b")
WORDS = re.compile(
    r"Shape:|\(\d+\)|\([\w .*+-]+,[\w .,*+-]*\)|\b(?:u?int|float)(?:8|16|32|64)\b|\bbool\b|\bscalar\b|"
    r"\b(?:one|an?|as many|same|equal) (?:\w+ )?(?:per|for each|for every|an?|number|length|as|rows?|long|values?)\b|"
    r"\b(?:each|every|per) (?:\w+ ){0,2}(?:row|column|value|edge|key|table|parent|child|entity|feature|family|pair)\b|"
    r"\baligned\b|\bof (?:the )?rows\b|\bshape\b|\brows?,|\d \.\. |\bfrom 0\b|\bin 0\b|\[0, 1|\bone a\b|\bas many\b"
)
"""What a docstring says a shape, a type, a unit or a range with."""


def silent_functions(text: str) -> Iterator[str]:
    """Yield the public functions of a module that take or give arrays and do not say which."""
    for scope, node in _functions(ast.parse(text), ""):
        annotations = [argument.annotation for argument in (*node.args.args, *node.args.kwonlyargs)]
        types = " ".join(ast.unparse(one) for one in (*annotations, node.returns) if one is not None)
        if ARRAYS.search(types) and not node.name.startswith("_") and not WORDS.search(ast.get_docstring(node) or ""):
            yield f"{scope}{node.name}"


def _functions(tree: ast.Module | ast.ClassDef, scope: str) -> Iterator[tuple[str, ast.FunctionDef]]:
    """Yield the functions of a module and the methods of its public classes."""
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield from _functions(node, f"{node.name}.")
        elif isinstance(node, ast.FunctionDef):
            yield scope, node


@pytest.mark.parametrize("folder", sorted(path.name for path in PACKAGE.iterdir() if (path / "__init__.py").is_file()))
def test_functions_of_arrays_say_their_shapes(folder: str) -> None:
    found = [
        f"{path.relative_to(PACKAGE)}: {name}"
        for path in sorted((PACKAGE / folder).rglob("*.py"))
        for name in silent_functions(path.read_text(encoding="utf-8"))
    ]
    assert not found, f"{len(found)} say no shape, unit or range:\n" + "\n".join(found)


def test_the_check_sees_what_it_is_for() -> None:
    text = '''
def mean(x: np.ndarray) -> float:
    """Return the mean."""
def sums(x: np.ndarray) -> np.ndarray:
    """Return sums, (rows,) float64."""
class Open:
    def values(self) -> pa.ChunkedArray:
        """Return values."""
'''
    assert list(silent_functions(text)) == ["mean", "Open.values"]

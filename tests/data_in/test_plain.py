"""The one way in which dataclasses are written as json and read back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import pytest

from tabgraphsyn.data.plain import Plain


@dataclass(frozen=True)
class Leaf(Plain):
    kind = "leaf"
    names: tuple[str, ...] = ()
    pairs: tuple[tuple[int, str], ...] = ()


@dataclass(frozen=True)
class Other(Plain):
    kind = "other"
    size: int


@dataclass(frozen=True)
class Tree(Plain):
    parts: ClassVar = {"child": {Leaf.kind: Leaf, Other.kind: Other}}
    title: str | None
    first: Leaf
    rows: Mapping[str, int]
    child: Leaf | Other
    perhaps: Leaf | None = None


TREE = Tree(None, Leaf(("a",), ((1, "x"),)), {"t": 3}, Other(5))


def test_fields_are_written_in_their_order_and_read_back() -> None:
    raw = TREE.to_dict()
    assert list(raw) == ["title", "first", "rows", "child", "perhaps"]
    assert raw["first"] == {"kind": "leaf", "names": ["a"], "pairs": [[1, "x"]]}
    assert Tree.from_dict(json.loads(json.dumps(raw))) == TREE


@pytest.mark.parametrize(("change", "error"), [({"child": {"kind": "tree"}}, KeyError), ({"more": 1}, TypeError)])
def test_other_kinds_and_fields_are_refused(change, error) -> None:
    with pytest.raises(error):
        Tree.from_dict({**TREE.to_dict(), **change})

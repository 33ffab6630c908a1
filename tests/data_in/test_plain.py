"""The one way in which dataclasses are written as json and read back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

import msgspec
import numpy as np
import pytest

from tabgraphsyn.data.declared import any_of, form_of
from tabgraphsyn.data.plain import Plain, Spelling
from tabgraphsyn.data.untrusted import Count, Name, builtins, decoded
from tabgraphsyn.errors import DataError


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


Long = Annotated[int, Spelling(Annotated[str, msgspec.Meta(pattern=r"^\d{1,30}$")], str, int)]


@dataclass(frozen=True)
class Round(Plain):
    kind = "round"
    name: Name
    style: Literal["a", "b"]
    sizes: Annotated[tuple[Count, ...], msgspec.Meta(max_length=2)]
    large: Long
    pairs: tuple[tuple[bool, Count | None], ...] = ()

    def together(self):
        yield len(self.sizes) == len(self.pairs), "a pair for each size"


@dataclass(frozen=True)
class Spare(Plain):
    kind, leaves_out_defaults = "spare", True
    name: Name = "x"
    inner: Round | None = None


ROUND = Round("n", "a", (3,), 2**80, ((True, None),))


def test_what_is_written_passes_the_form_that_is_read_off_the_fields() -> None:
    for one in (ROUND, Spare("y", ROUND), Spare()):
        raw = json.dumps(one.to_dict()).encode()
        form = decoded(raw, any_of(Round, Spare), "x")
        assert json.loads(json.dumps(builtins(form))) == one.to_dict()
        assert type(one).from_dict(builtins(form)) == one
    assert ROUND.to_dict()["large"] == str(2**80) and Spare().to_dict() == {"kind": "spare"}


def test_fields_that_are_arrays_are_handed_on() -> None:
    """A score's detail may hold one; json is written of it elsewhere."""
    array = np.arange(3)
    assert Leaf(("a",), array).to_dict()["pairs"] is array  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "change",
    [
        {"more": 1},
        {"kind": "spare"},
        {"kind": "other"},
        {"name": ""},
        {"style": "c"},
        {"sizes": [-1]},
        {"sizes": [1, 2, 3]},
        {"sizes": [1, 2]},  # without a pair for each
        {"sizes": [True]},
        {"large": 7},
        {"large": "7" * 31},
        {"pairs": [[True]]},
        {"pairs": [[True, 2**60]]},
        {"pairs": None},
    ],
)
def test_what_no_field_says_is_refused(change) -> None:
    with pytest.raises(DataError):
        decoded(json.dumps({**ROUND.to_dict(), **change}).encode(), form_of(Round), "x")
    assert not change.keys() - ROUND.to_dict().keys() - {"more"}


@pytest.mark.parametrize("name", list(ROUND.to_dict()))
def test_no_field_may_be_missing(name) -> None:
    raw = {key: value for key, value in ROUND.to_dict().items() if key != name}
    with pytest.raises(DataError):
        decoded(json.dumps(raw).encode(), any_of(Round, Spare), "x")


@pytest.mark.parametrize("hint", [int, str, float, dict, object, tuple[int, ...], Plain, "Annotated[int, 'words']"])
def test_a_field_without_bounds_has_no_form(hint) -> None:
    with pytest.raises(TypeError):
        form_of(dataclass(frozen=True)(type("Loose", (Plain,), {"__annotations__": {"field": hint}})))

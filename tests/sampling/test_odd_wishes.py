"""What a caller in Python may hand over and no command line can: named all together, before a bundle is used."""

from __future__ import annotations

from typing import Any

import pytest

from tabgraphsyn.errors import ConfigError
from tabgraphsyn.verbs.sample import _refuse_odd_types


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        ({"rows": [5]}, r"rows: \{table: number\} expected, found \[5\]"),
        ({"seed": "a"}, "seed: a whole number"),
        ({"seed": 1.5}, "found 1.5"),
        ({"seed": -1}, "found -1"),
        ({"seed": True}, "found True"),
        ({"where": [None]}, r"where: a text or a list of them expected, found \[None\]"),
        ({"balance": 3}, "balance: a text or a list of them expected, found 3"),
    ],
)
def test_odd_wishes_are_refused(wish: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        _refuse_odd_types(**{"rows": None, "seed": None, **wish})


def test_usual_ones_are_taken() -> None:
    numpy = pytest.importorskip("numpy")
    _refuse_odd_types({"users": 3}, numpy.int64(7), ["a.b=1"], ("a.c",))
    _refuse_odd_types(None, None)

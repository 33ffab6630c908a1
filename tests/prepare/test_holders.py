"""Whether enough entities hold a value is counted without all pairs of them."""

from __future__ import annotations

import doctest

import numpy as np
import pytest

from tabgraphsyn.data import holders


@pytest.mark.parametrize("chunk", [3, 64, 10_000])
@pytest.mark.parametrize(
    ("groups", "entities", "least"), [(7, 3, 5), (40, 500, 2), (300, 9, 4), (1, 1, 5), (5, 90, 60)]
)
def test_as_counted_pair_by_pair(
    monkeypatch: pytest.MonkeyPatch, chunk: int, groups: int, entities: int, least: int
) -> None:
    monkeypatch.setattr(holders, "CHUNK_ROWS", chunk)
    rng = np.random.default_rng(groups + least)
    group = np.sort(rng.integers(0, groups, 400)) if chunk == 64 else rng.integers(0, groups, 400)
    member = rng.integers(0, entities, 400) ** 2
    sets = [set(member[group == number].tolist()) for number in range(groups)]
    found = holders.some_members(group, member, groups, least)
    for row, known in zip(found.tolist(), sets, strict=True):
        named = [one for one in row if one >= 0]
        assert len(named) == len(set(named)) == min(least, len(known)) and set(named) <= known
    held = holders.are_held(group, member, np.bincount(group, minlength=groups), least)
    assert held.tolist() == [len(known) >= least for known in sets]


def test_examples_in_docstrings() -> None:
    result = doctest.testmod(holders)
    assert result.attempted == 2 and result.failed == 0

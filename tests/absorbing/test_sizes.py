"""Sizes of families that differ by a third are heard from the first step on."""

from __future__ import annotations

import torch

from tabgraphsyn.data.layout import CategoricalField, TableLayout
from tabgraphsyn.models.absorbing.drafts import Around
from tabgraphsyn.models.absorbing.network import AbsorbingNetwork
from tabgraphsyn.models.absorbing.sizes import begin_with_sizes
from tabgraphsyn.models.absorbing.units import Units


def network() -> AbsorbingNetwork:
    torch.manual_seed(0)
    return AbsorbingNetwork(
        units=Units(TableLayout((), (CategoricalField("kind", 2),)), ()), facts=3, ancestors=[], has_families=False,
        width=64, layers=1, dropout=0.0, level_dim=4, history_dim=4,
    )  # fmt: skip


def spread(made: AbsorbingNetwork, counts: torch.Tensor) -> float:
    """How far the contexts of rows lie apart that differ in their numbers of children alone."""
    one = torch.ones(len(counts))
    return float(made.context(Around(counts, [], one * 0, one), None).vector.detach().std(0).mean())


def test_many_children_and_some_more_are_apart_from_the_start() -> None:
    children = torch.tensor([265.0, 365.0]).repeat(20)
    counts = torch.stack([children.log1p() / 3, (children >= 300).float(), torch.ones(40)], dim=1)
    counts[:, 1] = 0
    before, after = network(), network()
    begin_with_sizes(after, counts, torch.ones(40))
    assert spread(before, counts) < 0.05
    assert 0.1 < spread(after, counts) < 1.0


def test_families_of_one_size_change_nothing() -> None:
    counts = torch.tensor([[1.9, 1.0, 0.0]]).repeat(40, 1)
    before, after = network(), network()
    begin_with_sizes(after, counts, torch.full((40,), 5.0))
    assert all(torch.equal(one, other) for one, other in zip(before.parameters(), after.parameters(), strict=True))

"""The neighbour sampler: exact without a limit, unbiased and bounded with one."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tabgraphsyn.data.graph import Adjacency
from tabgraphsyn.models.gnn.sampling import NeighbourSampler, sampled_neighbours


@pytest.mark.parametrize("target", ["airport", "crew", "flight", "note"])
def test_without_a_limit_conditions_are_those_of_the_whole_graph(trained_config, small, target: str) -> None:
    network, graph = small.encoder(trained_config), small.graph()
    sampler = NeighbourSampler(graph.adjacency, graph.rows, network.layers, None)
    rows = np.random.default_rng(0).permutation(small.rows[target])[:5]
    batch = graph.sampled(sampler, target, rows, np.random.default_rng(0))
    expected = network(graph.whole(), target)[rows]
    assert torch.allclose(network(batch, target), expected, atol=1e-4)
    asked = graph.whole(torch.from_numpy(rows))
    losses = [network.loss(part, target, torch.Generator())["loss"] for part in (batch, asked)]
    assert torch.allclose(losses[0], losses[1], atol=1e-4)


def test_a_sampler_can_be_used_again(small) -> None:
    graph = small.graph()
    sampler = NeighbourSampler(graph.adjacency, graph.rows, 2, 2)
    rows = np.array([3, 1, 2])
    first = sampler.sample("flight", rows, np.random.default_rng(5))
    sampler.sample("crew", rows, np.random.default_rng(6))
    second = sampler.sample("flight", rows, np.random.default_rng(5))
    assert all(np.array_equal(first.rows[table], second.rows[table]) for table in small.rows)
    assert all(np.array_equal(first.edges[kind], second.edges[kind]) for kind in first.edges)
    assert np.array_equal(first.rows["flight"][:3], rows)


def test_sampled_edges_are_edges_of_the_graph(small) -> None:
    graph = small.graph()
    part = NeighbourSampler(graph.adjacency, graph.rows, 3, 2).sample("flight", np.arange(4), np.random.default_rng(0))
    for edge_type, (source, target) in part.edges.items():
        real = set(map(tuple, graph.adjacency[edge_type].edges().T.tolist()))
        found = list(zip(part.rows[edge_type[0]][source], part.rows[edge_type[2]][target], strict=True))
        assert set(found) <= real
        assert len(set(found)) == len(found)
        assert np.bincount(target).max(initial=0) <= 2
        assert np.all(np.diff(target) >= 0)
    assert all(len(np.unique(rows)) == len(rows) for rows in part.rows.values())


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 12), min_size=1, max_size=12), st.integers(1, 5), st.integers(0, 99))
def test_neighbours_are_distinct_and_as_many_as_there_are(degrees: list[int], fanout: int, seed: int) -> None:
    pointer = np.concatenate([[0], np.cumsum(degrees)])
    adjacency = Adjacency(pointer, np.arange(pointer[-1]))
    rows = np.random.default_rng(seed).permutation(len(degrees))
    source, owner = sampled_neighbours(adjacency, rows, fanout, np.random.default_rng(seed))
    assert len(np.unique(source)) == len(source)
    assert np.array_equal(np.bincount(owner, minlength=len(degrees)), np.minimum(degrees, fanout))
    assert np.all((source >= pointer[owner]) & (source < pointer[owner + 1]))


def test_every_neighbour_has_the_same_chance() -> None:
    adjacency = Adjacency(np.array([0, 7]), np.arange(7))
    generator = np.random.default_rng(0)
    drawn = np.concatenate([sampled_neighbours(adjacency, np.array([0]), 3, generator)[0] for _ in range(7000)])
    assert np.allclose(np.bincount(drawn) / 3000, 1.0, atol=0.08)


def test_sum_over_sampled_neighbours_estimates_the_whole_sum(small) -> None:
    graph = small.graph()
    whole = graph.whole()
    edge_type = ("flight", "flight.origin--airport", "airport")
    values = torch.rand(small.rows["flight"], 1) + 1
    expected = whole.edges[edge_type].total(whole.edges[edge_type].from_source(values))
    sampler = NeighbourSampler(graph.adjacency, graph.rows, 1, 4)
    total = torch.zeros_like(expected)
    for seed in range(200):
        generator = np.random.default_rng(seed)
        part = sampler.sample("airport", np.arange(7), generator)
        edges = graph.sampled(sampler, "airport", np.arange(7), np.random.default_rng(seed)).edges[edge_type]
        total += edges.total(edges.from_source(values[part.rows["flight"]])) / 200
    assert torch.allclose(total, expected, rtol=0.05)

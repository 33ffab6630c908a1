"""Sums, means, maxima and softmaxes along edges, against PyG's."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch_geometric.nn import EdgeConv, GATConv, GATv2Conv, GCNConv, GINConv, SAGEConv

from tabgraphsyn.data.graph import Adjacency
from tabgraphsyn.models.gnn.edgecnn import EdgeConvolution
from tabgraphsyn.models.gnn.edges import Edges
from tabgraphsyn.models.gnn.gat import AttentionConvolution
from tabgraphsyn.models.gnn.gatv2 import DynamicAttentionConvolution
from tabgraphsyn.models.gnn.gcn import NormalisedConvolution
from tabgraphsyn.models.gnn.gin import SumConvolution
from tabgraphsyn.models.gnn.sage import MeanConvolution

WIDTH = 8


@pytest.fixture(params=["many", "one", "wide"])
def case(request) -> tuple[torch.Tensor, torch.Tensor, Edges]:
    """Rows of two tables and edges between them: several per target row, at most one, or more targets than sources."""
    generator = np.random.default_rng(0)
    sources, targets = (10, 25) if request.param == "wide" else (25, 10)
    if request.param == "one":
        source, target = np.arange(7), generator.permutation(10)[:7]
    else:
        source, target = generator.integers(0, sources, 60), generator.integers(0, targets - 1, 60)
    edges = Edges.whole(Adjacency.from_edges(source, target, targets), Adjacency.from_edges(target, source, sources))
    return torch.randn(sources, WIDTH), torch.randn(targets, WIDTH), edges


def test_sage_is_pygs(case) -> None:
    source, target, edges = case
    ours, theirs = MeanConvolution(WIDTH), SAGEConv((WIDTH, WIDTH), WIDTH, root_weight=False, bias=False)
    theirs.lin_l.weight.data = ours.linear.weight.data
    assert torch.allclose(ours(source, target, edges), theirs((source, target), edges.index), atol=1e-5)


def test_gin_is_pygs(case) -> None:
    source, target, edges = case
    ours = SumConvolution(WIDTH)
    theirs = GINConv(ours.linear, eps=-1.0)
    assert torch.allclose(ours(source, target, edges), theirs((source, target), edges.index), atol=1e-5)


def test_gcn_is_pygs_on_the_graph_of_both_tables(case) -> None:
    source, target, edges = case
    ours = NormalisedConvolution(WIDTH)
    theirs = GCNConv(WIDTH, WIDTH, add_self_loops=False, bias=False)
    theirs.lin.weight.data = ours.linear.weight.data
    shift = source.shape[0]
    up = torch.stack([edges.index[0], edges.index[1] + shift])
    both = theirs(torch.cat([source, target]), torch.cat([up, up.flip(0)], dim=1))
    assert torch.allclose(ours(source, target, edges), both[shift:], atol=1e-5)


def test_edgecnn_is_pygs(case) -> None:
    source, target, edges = case
    ours = EdgeConvolution(WIDTH)
    linear = torch.nn.Linear(2 * WIDTH, WIDTH)
    theirs = EdgeConv(torch.nn.Sequential(linear, torch.nn.ReLU()))  # draws the weights anew
    linear.weight.data = torch.cat([ours.row.weight.data, ours.neighbour.weight.data], dim=1)
    linear.bias.data = ours.row.bias.data
    assert torch.allclose(ours(source, target, edges), theirs((source, target), edges.index), atol=1e-5)


def test_gat_is_pygs(case) -> None:
    source, target, edges = case
    ours = AttentionConvolution(WIDTH, 2)
    theirs = GATConv((WIDTH, WIDTH), WIDTH // 2, heads=2, add_self_loops=False, bias=False)
    theirs.lin_src.weight.data = ours.linear.weight.data
    theirs.att_src.data = ours.score.data.unsqueeze(0)
    score = torch.einsum("hc,hcw->hw", theirs.att_dst.data[0], theirs.lin_dst.weight.data.view(2, WIDTH // 2, WIDTH))
    ours.score_row.weight.data = score
    assert torch.allclose(ours(source, target, edges), theirs((source, target), edges.index), atol=1e-5)


def test_gatv2_is_pygs(case) -> None:
    source, target, edges = case
    ours = DynamicAttentionConvolution(WIDTH, 2)
    theirs = GATv2Conv((WIDTH, WIDTH), WIDTH // 2, heads=2, add_self_loops=False, bias=False)
    theirs.lin_l.weight.data, theirs.lin_l.bias = ours.linear.weight.data, None
    theirs.lin_r.weight.data, theirs.lin_r.bias = ours.row.weight.data, ours.row.bias
    theirs.att.data = ours.score.data.unsqueeze(0)
    assert torch.allclose(ours(source, target, edges), theirs((source, target), edges.index), atol=1e-5)


def test_rows_without_edges_get_zero(case) -> None:
    source, target, edges = case
    alone = edges.target_degree == 0
    assert alone.any()
    for convolution in (MeanConvolution(WIDTH), SumConvolution(WIDTH), AttentionConvolution(WIDTH, 2)):
        assert torch.equal(convolution(source, target, edges)[alone], torch.zeros(int(alone.sum()), WIDTH))


def test_gradients_are_right(case) -> None:
    source, target, edges = case
    source, target = source.double().requires_grad_(), target.double().requires_grad_()
    edges = Edges(edges.index, edges.source_degree.double(), edges.target_degree.double(), edges.is_function)
    for convolution in (MeanConvolution(WIDTH), AttentionConvolution(WIDTH, 2), EdgeConvolution(WIDTH)):
        convolution.double()
        assert torch.autograd.gradcheck(lambda s, t, c=convolution: c(s, t, edges), (source, target))


def test_a_part_holds_the_edges_of_its_rows(case) -> None:
    source, _, edges = case
    whole = edges.mean(edges.from_source(source))
    for first, last in ((0, 4), (4, 10)):
        part, rows = edges.part(first, last)
        assert torch.allclose(part.mean(part.from_source(source[rows])), whole[first:last], atol=1e-6)
        assert torch.equal(part.source_degree, edges.source_degree[rows])

"""Convolutions of PyG that yaml names."""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import gettempdir

import numpy as np
import pytest
import torch
from torch_geometric.nn import conv

from tabgraphsyn.config.components import component_problems
from tabgraphsyn.config.targets import constructor
from tabgraphsyn.data.graph import Adjacency
from tabgraphsyn.errors import ConfigError
from tabgraphsyn.models.gnn.convolutional import Bipartite, ConvolutionNetwork, convolution_class, convolution_of
from tabgraphsyn.models.gnn.edges import Edges

NETWORK = "tabgraphsyn.models.gnn.convolutional.ConvolutionNetwork"
ARGUMENTS = {"TransformerConv": {"heads": 2}}
WIDELY_USED = {"EdgeConv", "GATConv", "GATv2Conv", "GENConv", "GINConv", "GraphConv", "SAGEConv", "TransformerConv"}


def test_whatever_takes_two_kinds_of_rows_can_be_named() -> None:
    """Every convolution that PyG has is tried: it is built, or refused in words."""
    made = set()
    for name in conv.__all__:
        try:
            convolution_of(convolution_class(f"torch_geometric.nn.{name}"), ARGUMENTS.get(name, {}), 8)
            made.add(name)
        except ConfigError as error:
            assert name not in WIDELY_USED, error
    assert made > WIDELY_USED, made
    written = [module for name, module in sys.modules.items() if name.startswith("torch_geometric.nn.conv.")]
    left = [module.__file__ for module in written if Path(str(module.__file__)).parent == Path(gettempdir())]
    assert left, "PyG writes no code aside any more: then nothing has to be cleared"
    assert not [file for file in left if Path(str(file)).exists()]


@pytest.mark.parametrize("name", sorted(WIDELY_USED))
def test_weights_have_a_shape_before_they_take_memory(name: str) -> None:
    """Weights of a bundle are held against the network on the meta device, where nothing can be computed."""
    kind, arguments = convolution_class(f"torch_geometric.nn.{name}"), ARGUMENTS.get(name, {})
    with torch.device("meta"):
        blank = convolution_of(kind, arguments, 8).state_dict()
    made = convolution_of(kind, arguments, 8).state_dict()
    assert {key: value.shape for key, value in blank.items()} == {key: value.shape for key, value in made.items()}


@pytest.mark.parametrize("name", ["GraphConv", "GATv2Conv", "ResGatedGraphConv"])
def test_a_convolution_sees_rows_edges_and_their_order_alike(name: str) -> None:
    torch.manual_seed(0)
    network = Bipartite(convolution_of(convolution_class(f"torch_geometric.nn.{name}"), {}, 8), False).eval()
    pairs = np.array([[0, 1, 2, 3, 3], [0, 0, 1, 1, 4]])
    edges = Edges.whole(Adjacency.from_edges(*pairs, 5), Adjacency.from_edges(*pairs[::-1], 4))
    source, target = torch.randn(4, 8), torch.randn(5, 8)
    found = network(source, target, edges)
    shift = torch.tensor([2, 0, 3, 1])
    moved = Edges.whole(
        Adjacency.from_edges(np.argsort(shift.numpy())[pairs[0]], pairs[1], 5),
        Adjacency.from_edges(pairs[1], np.argsort(shift.numpy())[pairs[0]], 4),
    )
    assert torch.allclose(network(source[shift], target, moved), found, atol=1e-6)
    assert not torch.allclose(network(source + 1, target, edges)[[0, 1, 4]], found[[0, 1, 4]], atol=1e-4)


def test_sums_over_sampled_neighbours_estimate_those_over_all() -> None:
    inner = convolution_of(convolution_class("torch_geometric.nn.GINConv"), {"eps": -1.0}, 4)
    network = Bipartite(inner, True)
    index = torch.tensor([[0, 1, 2], [0, 0, 1]])
    degree = torch.tensor([4.0, 1.0])
    edges = Edges(index, torch.ones(3), degree, False, sampling_weight=degree / torch.tensor([2.0, 1.0]))
    source = torch.randn(3, 4)
    wanted = inner.nn(torch.stack([2 * (source[0] + source[1]), source[2]]))
    assert torch.allclose(network(source, torch.randn(2, 4), edges), wanted, atol=1e-6)


@pytest.mark.parametrize(
    ("convolution", "words"),
    [
        ({"_target_": "torch_geometric.nn.Linear"}, "a convolution"),
        ({"_target_": "torch_geometric.nn.MessagePassing"}, "a convolution"),
        ({"_target_": "os.system"}, "a convolution"),
        ({"_target_": "torch_geometric.nn.GCNConv"}, "cannot be built"),
        ({"_target_": "torch_geometric.nn.GATConv", "heads": 7}, "must divide"),
        ({"_target_": "torch_geometric.nn.TransformerConv", "heads": 10**9, "concat": False}, "up to 1024"),
        ({"_target_": "torch_geometric.nn.TransformerConv", "heads": 4, "width": 3}, "cannot be built"),
    ],
)
def test_what_is_no_convolution_of_two_kinds_of_rows_is_refused(small, convolution, words: str) -> None:
    with pytest.raises(Exception, match=words) as caught:
        small.encoder({"_target_": NETWORK, "convolution": convolution})
    assert isinstance(caught.value, ConfigError) or isinstance(caught.value.__cause__, ConfigError)


def test_mistakes_are_known_before_anything_is_queued() -> None:
    def said(**convolution: object) -> list[str]:
        return list(component_problems({"gnn": {"_target_": NETWORK, "convolution": convolution}}))[-1:]

    assert said(_target_="torch_geometric.nn.GATv2Conv", heads=4) == []
    assert "'GATv2Conv'" in said(_target_="torch_geometric.nn.GATv2Con")[0]
    assert "takes no such argument" in said(_target_="torch_geometric.nn.GATv2Conv", head=4)[0]
    assert "at run time" in said(_target_="torch_geometric.nn.GATv2Conv", out_channels=4)[0]
    assert "outside the package" in said(_target_="os.system")[0]


def test_keywords_that_go_to_the_base_are_the_bases() -> None:
    """TransformerConv hands what it does not know to MessagePassing, which takes no more than it says."""
    found = constructor("torch_geometric.nn.conv.TransformerConv")
    assert found is not None
    assert {"heads", "aggr"} <= found.names
    assert not found.is_open


def test_the_network_builds_its_convolution_itself() -> None:
    assert ConvolutionNetwork.unbuilt == {"convolution"}

"""The similarity graph of a table without relations."""

from __future__ import annotations

import numpy as np
import torch
from sklearn.neighbors import NearestNeighbors

from tabgraphsyn.models.gnn import similarity
from tabgraphsyn.models.gnn.similarity import neighbours


def test_neighbours_are_the_nearest_other_rows(monkeypatch) -> None:
    latents = torch.randn(53, 4, generator=torch.Generator().manual_seed(0))
    nearest = NearestNeighbors(n_neighbors=6).fit(latents.numpy()).kneighbors(return_distance=False)[:, :5]
    for chunk in (2**25, 300):
        monkeypatch.setattr(similarity, "CHUNK_DISTANCES", chunk)
        source, target = neighbours(latents, 5)
        assert np.array_equal(target, np.repeat(np.arange(53), 5))
        assert np.array_equal(np.sort(source.reshape(53, 5)), np.sort(nearest))


def test_equal_rows_few_rows_and_no_latents() -> None:
    source, target = neighbours(torch.ones(4, 2), 5)
    assert len(source) == 12
    assert (source != target).all()
    assert neighbours(torch.ones(1, 2), 5).shape == (2, 0)
    assert neighbours(torch.ones(9, 0), 5).shape == (2, 0)
    assert neighbours(torch.ones(0, 3), 5).shape == (2, 0)


def test_a_row_is_conditioned_on_its_neighbours_but_never_on_itself(trained_config, small) -> None:
    """With the edges held fixed, a row's own latents do not reach its condition in any number of layers."""
    network = small.encoder(trained_config, similar_rows=3, layers=3)
    graph = small.graph().with_similarity(network)
    before = network(graph.whole(), "note")
    changed = graph.latents["note"].clone()
    changed[4] += 10
    after = network(graph.with_latents({**graph.latents, "note": changed}).whole(), "note")
    moved = (after - before).abs().amax(dim=1) > 1e-6
    source, target = graph.adjacency["note", "similar", "note"].edges()
    assert not moved[4]
    assert set(moved.nonzero().flatten().tolist()) <= set(target[source == 4].tolist())
    assert moved.any()


def test_without_similarity_a_lone_table_has_structure_only(trained_config, small) -> None:
    network, graph = small.encoder(trained_config, similar_rows=0), small.graph()
    condition = network(graph.with_similarity(network).whole(), "note")
    assert torch.allclose(condition, condition[:1].expand_as(condition), atol=1e-6)

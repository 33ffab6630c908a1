"""The map of rows: fitted on real rows only."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from tabgraphsyn.evaluation.report.embedding import EmbeddingView, _coordinates, embedding_view
from tabgraphsyn.evaluation.report.options import ReportOptions
from tabgraphsyn.evaluation.report.sources import ReportSources, read_sources
from tabgraphsyn.evaluation.statistics.feature import Feature

OPTIONS = ReportOptions(umap_rows=200)


def test_numbers_become_ranks_among_real_values() -> None:
    real = Feature("n", "numerical", np.array([10.0, 20.0, 20.0, 40.0, np.nan]))
    other = Feature("n", "numerical", np.array([5.0, 20.0, 99.0, np.nan]))
    assert _coordinates(real, other).tolist() == [[0.0, 0.0], [0.5, 0.0], [1.0, 0.0], [0.5, 0.5]]


def test_categories_are_equally_far_apart() -> None:
    real = Feature("c", "categorical", np.array([0, 0, 1, 2], np.int32), 3)
    places = _coordinates(real, real)
    assert np.linalg.norm(places[0] - places[2]) == pytest.approx(1)
    assert np.linalg.norm(places[2] - places[3]) == pytest.approx(1)
    assert np.array_equal(places[0], places[1])


def test_table_that_cannot_have_a_map_says_why(make_sweep_point: Callable[..., dict[str, Path]]) -> None:
    inputs = make_sweep_point()
    path = inputs["sample"] / "synthetic" / "orders.parquet"
    pq.write_table(pq.read_table(path).slice(0, 12), path)
    assert embedding_view(read_sources(inputs), "orders", OPTIONS) == "fewer than 30 rows"
    pq.write_table(pq.read_table(path).drop_columns(["items"]), path)
    assert embedding_view(read_sources(inputs), "orders", OPTIONS) == "the synthetic table lacks 'items'"


@pytest.mark.slow
def test_real_half_does_not_depend_on_the_synthetic_rows(
    sources: ReportSources, make_sweep_point: Callable[..., dict[str, Path]]
) -> None:
    first = embedding_view(sources, "customers", OPTIONS)
    inputs = make_sweep_point()
    path = inputs["sample"] / "synthetic" / "customers.parquet"
    pq.write_table(pq.read_table(path).slice(300), path)
    second = embedding_view(read_sources(inputs), "customers", OPTIONS)
    assert isinstance(first, EmbeddingView)
    assert isinstance(second, EmbeddingView)
    assert np.array_equal(first.real, second.real)
    assert first.synthetic.shape == (200, 2)
    assert np.isfinite(first.synthetic).all()

"""Joins for k-hop trends: the same numbers as of one joined table, in the memory of row numbers and one batch."""

import tracemalloc

import numpy as np
import pyarrow as pa
import pytest

from tabgraphsyn.data.schema import Column, Database, Relation, Schema, Table, TableSchema
from tabgraphsyn.evaluation.metric.khop_trends import KHopTrends
from tabgraphsyn.evaluation.metric.pair_trends import PairTrends
from tabgraphsyn.evaluation.sides.data import EvaluationData
from tabgraphsyn.evaluation.sides.side import with_independent_columns
from tabgraphsyn.evaluation.statistics import joint
from tabgraphsyn.evaluation.statistics.joint import Aligned, Selected, contingency, pearson

MIB = 2**20


def family(children: int, columns: int) -> Database:
    """A grandparent, parents and children with as many numbers and categories each."""
    rng = np.random.default_rng(0)
    sizes = {"top": max(children // 100, 5), "middle": max(children // 10, 20), "low": children}
    names, schemas, tables, relations = list(sizes), [], {}, []
    for name, above in zip(names, [None, *names], strict=False):
        rows = {"id": np.arange(sizes[name])}
        kinds = [Column("id", "id")]
        if above is not None:
            rows["up"] = pa.array(rng.integers(0, sizes[above], sizes[name]), mask=rng.random(sizes[name]) < 0.05)
            kinds.append(Column("up", "id"))
            relations.append(Relation(name, ("up",), above, ("id",)))
        for number in range(columns):
            rows[f"x{number}"] = pa.array(rng.normal(size=sizes[name]), mask=rng.random(sizes[name]) < 0.1)
            rows[f"c{number}"] = rng.integers(0, 6, sizes[name])
            kinds += [Column(f"x{number}", "numerical"), Column(f"c{number}", "categorical")]
        schemas.append(TableSchema(name, tuple(kinds), ("id",)))
        tables[name] = Table(schemas[-1], pa.table(rows))
    return Database(Schema(tuple(schemas), tuple(relations)), tables)


def data_of(real: Database) -> EvaluationData:
    return EvaluationData(
        real=real,
        synthetic=with_independent_columns(real, np.random.default_rng(1)),
        is_holdout={name: np.arange(real[name].num_rows) % 5 == 0 for name in real.schema.table_names},
    )


@pytest.mark.parametrize("metric", [KHopTrends(), KHopTrends(own_edges=True), PairTrends()])
def test_batches_change_no_score(metric, monkeypatch):
    real = family(3_000, 2)
    at_once = metric.compute(data_of(real))
    monkeypatch.setattr(joint, "BATCH_ROWS", 97)
    in_batches = metric.compute(data_of(real))
    assert [result.where for result in in_batches] == [result.where for result in at_once]
    for whole, batched in zip(at_once, in_batches, strict=True):
        is_correlation = whole.detail.get("kind") == "correlation" or whole.level != "pair"
        assert batched.value == pytest.approx(whole.value, abs=1e-12 if is_correlation else 0)


@pytest.mark.parametrize("largest", [10, 10_000])
def test_counts_are_those_of_the_joined_table(largest, monkeypatch):
    monkeypatch.setattr(joint, "LARGEST_TABLE", largest)
    monkeypatch.setattr(joint, "BATCH_ROWS", 100)
    comparison = data_of(family(2_000, 1)).comparisons[0]
    columns = comparison.reference.whole.features
    start, reached = comparison.reference.joined_rows(comparison.paths(2)[0])
    low, top = columns["low"]["c0"], columns["top"]["c0"]
    streamed = contingency(
        Aligned(Selected(low, start), Selected(top, reached)),
        Aligned(Selected(low, start[:500]), Selected(top, reached[500:1000])),
    )
    joined = [(low.values[start], top.values[reached]), (low.values[start[:500]], top.values[reached[500:1000]])]
    shares = [np.histogram2d(*side, bins=[np.arange(7)] * 2)[0] / len(side[0]) for side in joined]
    expected = (shares[0] - shares[1]).ravel()
    codes = np.divmod(np.arange(36), 6)
    occurring = (shares[0] + shares[1]).ravel() > 0
    np.testing.assert_array_equal(streamed.gaps_of(*(code[occurring] for code in codes)), expected[occurring])
    assert streamed.similarity == pytest.approx(1 - np.abs(expected).sum() / 2)


def test_correlation_is_that_of_the_joined_table(monkeypatch):
    monkeypatch.setattr(joint, "BATCH_ROWS", 100)
    comparison = data_of(family(2_000, 1)).comparisons[0]
    columns = comparison.reference.whole.features
    start, reached = comparison.reference.joined_rows(comparison.paths(2)[0])
    low, top = columns["low"]["x0"], columns["top"]["x0"]
    left, right = low.values[start], top.values[reached]
    both = ~(np.isnan(left) | np.isnan(right))
    expected = np.corrcoef(left[both], right[both])[0, 1]
    assert pearson(Aligned(Selected(low, start), Selected(top, reached))) == pytest.approx(expected, abs=1e-12)


@pytest.mark.slow
def test_a_join_takes_the_memory_of_its_row_numbers():
    """Two million children of 10 columns with parents of 10 would be 480 MB as joined tables of both sides."""
    data = data_of(family(2_000_000, 5))
    for side in (data.comparisons[0].reference, data.comparisons[0].candidate):
        assert side.whole.pointers  # inputs of a join, which the evaluation holds anyway
        data.entities(side, "low")
    tracemalloc.start()
    KHopTrends(longest=1).compute(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 200 * MIB

"""Privacy metrics: a copy and a memoriser are caught, fresh rows are not."""

import numpy as np
import pyarrow as pa
import pytest

from tabgraphsyn.data.schema import Database, Table
from tabgraphsyn.evaluation.metric.copies import Copies, row_codes
from tabgraphsyn.evaluation.metric.dcr import DCR, weighted_share
from tabgraphsyn.evaluation.metric.membership import Membership
from tabgraphsyn.evaluation.metric.near_copies import NearCopies
from tabgraphsyn.evaluation.metric.nndr import NNDR
from tabgraphsyn.evaluation.score import Unscored
from tabgraphsyn.evaluation.statistics.distance import MixedRows, distances, mixed_rows, two_nearest
from tabgraphsyn.evaluation.statistics.feature import Feature

ALL = (Copies(), NearCopies(), DCR(), NNDR(), Membership())


def number(values, name="x"):
    return Feature(name, "numerical", np.asarray(values, np.float64))


def category(values, levels=5, name="c"):
    return Feature(name, "categorical", np.asarray(values, np.int32), levels)


def memorised(real: Database, noise: float) -> Database:
    """What a memorising model gives back: training rows with a little noise on the numbers."""
    rng = np.random.default_rng(3)

    def table(name):
        rows = real[name].read()
        training = pa.array(rng.choice(np.flatnonzero(np.arange(rows.num_rows) % 5 != 0), rows.num_rows))
        for column in real.schema.attribute_columns(name):
            values = rows.column(column).take(training)
            if pa.types.is_floating(values.type) and noise:
                jitter = rng.normal(0, noise, len(values))
                values = pa.chunked_array([pa.array(values.to_numpy() + jitter, from_pandas=True)])
            rows = rows.set_column(rows.column_names.index(column), column, values)
        return Table(real[name].schema, rows)

    return Database(real.schema, {name: table(name) for name in real.schema.table_names})


def test_row_codes_are_equal_just_where_rows_are():
    real = [number([1, 1, np.nan, 2]), category([0, 1, 0, -1])]
    other = [number([np.nan, 1, 2]), category([0, 1, 0])]
    left, right = row_codes(real, other)
    assert (right[:, None] == left[None, :]).tolist() == [
        [False, False, True, False],
        [False, True, False, False],
        [False, False, False, False],
    ]


def test_distances_by_hand():
    # real ranks of 0, 10, 20: 1/6, 1/2, 5/6
    real, other = mixed_rows([number([0, 10, 20]), category([0, 1, -1])], [number([10, np.nan]), category([0, -1])])
    expected = [[(1 / 3 + 0) / 2, (0 + 1) / 2, (1 / 3 + 1) / 2], [(1 + 1) / 2, (1 + 1) / 2, (1 + 0) / 2]]
    assert distances(other, real) == pytest.approx(np.array(expected), abs=1e-6)


def test_values_outside_the_real_range_are_far_from_the_largest():
    real, other = mixed_rows([number(np.arange(11.0))], [number([10.0, 15.0])])
    nearest, _, _ = two_nearest(other, real)
    assert nearest == pytest.approx([0.0, 0.5], abs=1e-6)


def test_a_value_between_two_real_ones_is_as_near_as_it_is_to_them():
    """Eight rows share 10 and two share 20: 12 is a fifth of the way between their mid-ranks, .4 and .9."""
    real, other = mixed_rows([number([10.0] * 8 + [20.0] * 2)], [number([10.0, 12.0, 20.0])])
    nearest, _, _ = two_nearest(other, real)
    assert nearest == pytest.approx([0.0, 0.1, 0.0], abs=1e-6)


def test_two_nearest_counts_ties():
    rows = MixedRows(np.array([[0.0], [0.0], [0.5]], np.float32), np.zeros((3, 0), np.int32))
    query = MixedRows(np.array([[0.0], [0.4]], np.float32), np.zeros((2, 0), np.int32))
    first, second, count = two_nearest(query, rows, threads=2)
    assert first == pytest.approx([0.0, 0.1], abs=1e-6)
    assert second == pytest.approx([0.0, 0.4], abs=1e-6)
    assert count.tolist() == [2, 1]


def test_weighted_share_has_half_as_its_neutral_point():
    assert weighted_share(0.9, 900, 100) == 0.5
    assert weighted_share(1.0, 900, 100) == 1.0
    assert weighted_share(0.0, 900, 100) == 0.0


def test_a_copy_is_caught_by_every_privacy_metric(shop, evaluation, value):
    data = evaluation(shop(0), shop(9), wanted=("synthetic", "real_real", "copy"))
    found = {metric.name: metric.compute(data) for metric in ALL}
    assert value(found["copies"], "orders", "copy") == 1.0
    assert value(found["copies"], "orders") == value(found["copies"], "orders", "real_real") == 0.0
    assert value(found["near_copies"], "orders", "copy") == 1.0
    assert value(found["near_copies"], "orders") < 0.12
    assert value(found["dcr"], "orders", "copy") == 1.0
    assert 0.4 < value(found["dcr"], "orders") < 0.6
    assert value(found["nndr"], "orders", "copy") == 0.0 < 0.4 < value(found["nndr"], "orders")
    assert value(found["membership"], "orders", "copy") > 0.75
    assert 0.42 < value(found["membership"], "orders") < 0.58


def test_a_memoriser_with_noise_has_no_exact_copies_and_is_caught_all_the_same(shop, evaluation, value):
    real = shop(0)
    data = evaluation(real, memorised(real, noise=0.01), wanted=("synthetic", "real_real"))
    assert value(Copies().compute(data), "orders") == 0.0
    assert value(DCR().compute(data), "orders") > 0.95
    assert value(NearCopies().compute(data), "orders") > 0.9
    assert value(Membership().compute(data), "orders") > 0.7


def test_rows_that_repeat_in_the_real_data_are_no_copies(one_table, evaluation, value):
    def rows(seed):
        drawn = np.random.default_rng(seed).integers(0, 3, (2, 600))
        return one_table({f"c{i}": ("categorical", pa.array([f"v{v}" for v in drawn[i]])) for i in (0, 1)})

    data = evaluation(rows(0), rows(1))
    found = Copies().compute(data)
    assert value(found, "t") == value(found, "t", "real_real") == 1.0
    # Every row has an equal among training and holdout rows: ties are shared by count, so nothing is suspected.
    assert value(DCR().compute(data), "t") == pytest.approx(0.5, abs=0.05)


def test_a_row_closest_to_the_holdout_counts_for_it(one_table, evaluation, value):
    real = one_table({"x": ("numerical", pa.array(np.arange(50.0)))})
    holdout = np.arange(50) >= 25
    low, high = (one_table({"x": ("numerical", pa.array(np.full(20, at)))}) for at in (3.0, 40.0))
    for other, expected in ((low, 1.0), (high, 0.0)):
        found = DCR().compute(evaluation(real, other, is_holdout={"t": holdout}, wanted=("synthetic",)))
        assert value(found, "t") == expected


def test_tables_that_cannot_be_judged_say_why(shop, evaluation):
    real = shop(customers=30, orders=60)
    data = evaluation(
        real,
        real,
        plan={"reference_tables": ["orders"], "published": {"orders": "dataset.reference"}},
        wanted=("synthetic",),
    )
    reasons = {result.where: result.reason for result in DCR().compute(data) if isinstance(result, Unscored)}
    assert "tiny: 6 rows held out" in reasons["customer"]
    assert "kept on purpose (dataset.reference)" in reasons["orders"]
    assert "no columns besides keys" in reasons["tag"]
    unknown = evaluation(real, real, trained_without_holdout=False, wanted=("synthetic",))
    assert "no holdout is known" in DCR().compute(unknown)[0].reason


def test_without_a_holdout_copies_are_still_counted(shop, evaluation, value):
    real = shop()
    data = evaluation(real, real, trained_without_holdout=False)
    found = Copies().compute(data)
    assert value(found, "orders") == 1.0
    assert value(found, "orders", "real_real") == 0.0


def test_capped_searches_keep_the_proportion_of_training_and_holdout(shop, evaluation, value):
    data = evaluation(shop(0), shop(4), wanted=("synthetic", "copy"))
    found = DCR(cap_queries=200, cap_records=300).compute(data)
    score = next(s for s in found if s.where == "orders" and s.comparison == "synthetic")
    assert score.detail["training_records"] == 240 and score.detail["holdout_records"] == 60
    assert score.detail["rows"] == 200 and score.detail["capped"]
    assert 0.35 < score.value < 0.65

"""Rows as if their entity had been held out: ranks without its rows, and the line of honest rows of families."""

import numpy as np
import pyarrow as pa
import pytest

from tabgraphsyn.data.schema import Column, Database, Relation, Schema, Table, TableSchema
from tabgraphsyn.evaluation.metric.near_copies import NearCopies
from tabgraphsyn.evaluation.sides.data import EvaluationData
from tabgraphsyn.evaluation.statistics.distance import distances, scaled_rows
from tabgraphsyn.evaluation.statistics.evidence import Evidence
from tabgraphsyn.evaluation.statistics.feature import Feature
from tabgraphsyn.evaluation.statistics.near_index import NearIndex
from tabgraphsyn.evaluation.statistics.neighbours import k_nearest
from tabgraphsyn.evaluation.statistics.own import OwnRanks

PRODUCTS = 200
SHOP = Schema(
    tables=(
        TableSchema("product", (Column("sku", "id"), Column("weight", "numerical")), ("sku",)),
        TableSchema(
            "line",
            (
                Column("sku", "id"),
                Column("order", "categorical"),
                Column("number", "categorical"),
                Column("quantity", "categorical"),
                Column("price", "numerical"),
                Column("total", "numerical"),
            ),
        ),
    ),
    relations=(Relation("line", ("sku",), "product", ("sku",)),),
)


def lines(seed):
    """Lines of orders: a product has one price, an order's number stands in few lines and is counted from 1."""
    rng = np.random.default_rng(seed)
    price, weight = np.round(np.exp(rng.normal(3, 0.6, PRODUCTS)), 2), rng.lognormal(0, 1, PRODUCTS)
    sizes = rng.choice([1, 2, 3], 700, p=[0.45, 0.35, 0.2])
    order = np.repeat(np.cumsum(rng.integers(1, 3, 700)), sizes)
    sku = rng.choice(PRODUCTS, len(order), p=weight / weight.sum())
    quantity = rng.choice([1, 2, 3], len(order), p=[0.6, 0.25, 0.15])
    number = np.concatenate([np.arange(1, size + 1) for size in sizes])
    columns = {"order": order, "number": number, "quantity": quantity, "price": price[sku]}
    return {"weight": rng.normal(size=PRODUCTS), "sku": sku, **columns, "total": np.round(price[sku] * quantity, 2)}


def copied(seed, noise, share, numbers):
    """Lines of a stranger, so large a share of them copies of training lines with noise, under their own orders."""
    real, made, rng = lines(0), lines(100 + seed), np.random.default_rng(seed)
    source = rng.choice(np.flatnonzero(real["sku"] % 10 != 0), len(made["sku"]))
    is_copy = rng.random(len(source)) < share
    for name in numbers:
        taken = real[name][source] * (rng.lognormal(0, noise, len(source)) if name in ("price", "total") else 1)
        made[name] = np.where(is_copy, taken, made[name])
    return made


def shop(rows):
    tables = {
        "product": {"sku": np.arange(PRODUCTS), "weight": rows["weight"]},
        "line": {one.name: rows[one.name] for one in SHOP.table("line").columns},
    }
    return Database(SHOP, {t.name: Table(t, pa.table({c: pa.array(v) for c, v in tables[t.name].items()}))
                           for t in SHOP.tables})  # fmt: skip


def near(rows, **caps):
    real = lines(0)
    held = np.arange(PRODUCTS) % 10 == 0
    held_out = {"product": held, "line": held[real["sku"]]}
    data = EvaluationData(real=shop(real), synthetic=shop(rows), is_holdout=held_out, wanted=("synthetic",))
    return next(one for one in NearCopies(**caps).compute(data) if one.where == "line")


@pytest.mark.parametrize("caps", [{}, {"cap_queries": 900, "cap_records": 900}], ids=["searched", "indexed"])
def test_lines_of_new_products_are_no_near_copies(caps):
    """Scored as they stood, these are half near copies: prices repeat, and order numbers meet without a common line."""
    found = [near(lines(seed), **caps) for seed in (1, 2)]
    lows = [Evidence.from_dict(one.detail["evidence"]).interval(0.99)[0] for one in found]
    assert max(lows) < 0 and max(one.detail["excess"] for one in found) < 0.08
    assert found[0].detail["by_presence"] == ["order"] and found[0].detail["searched"] == 1.0


@pytest.mark.parametrize(("noise", "share"), [(0.0, 1.0), (0.0, 0.2), (0.0001, 1.0), (0.0001, 0.5)])
def test_copied_lines_are_found_under_new_orders(noise, share):
    """Also prices moved by a trifle, though twelve lines that share the price lie between it and its neighbours."""
    found = near(copied(3, noise, share, ("number", "quantity", "price", "total")))
    assert found.detail["excess"] > 0.6 * share
    assert Evidence.from_dict(found.detail["evidence"]).interval(0.99)[0] > 0.02


def in_ranks_of_others(reference, number, row):
    """By hand: all records ranked anew among the rows of other entities."""
    others = number != number[row]
    scale = [one.take(np.flatnonzero(others)) for one in reference]
    return distances(
        scaled_rows(scale, [one.take(np.array([row])) for one in reference]),
        scaled_rows(scale, [one.take(np.flatnonzero(others)) for one in reference]),
    ).min()


@pytest.mark.parametrize("seed", range(3))
def test_ranks_of_others_are_those_counted_anew(seed):
    rng = np.random.default_rng(seed)
    number = np.sort(np.minimum(rng.geometric(0.03, 400) - 1, 60))
    number = np.unique(number, return_inverse=True)[1]
    price = np.round(rng.gamma(2, 10, 80))[number]
    time = np.clip(rng.normal(number, 4), 0, None)
    time[rng.random(400) < 0.1] = np.nan
    kind = rng.choice(2, 400).astype(np.int32)
    reference = [
        Feature("p", "numerical", price),
        Feature("t", "numerical", time),
        Feature("k", "categorical", kind, 2),
    ]
    # Nobody else stands at the ends, beyond which ranks have no meaning.
    for feature in reference[:2]:
        feature.values[[0, -1]] = [-1.0, 500.0]
    number[[0, -1]] = number.max() + np.array([1, 2])
    number = np.unique(number, return_inverse=True)[1]
    real = scaled_rows(reference, reference)
    own = OwnRanks.of(reference, number)
    found = k_nearest(own.seen, real, 1, query_entities=number, record_entities=number, own=own)[:, 0]
    rows = np.arange(1, 399)
    expected = np.array([in_ranks_of_others(reference, number, row) for row in rows])
    assert found[rows] == pytest.approx(expected, abs=1e-5)
    indexed = NearIndex.of(real, number).to_others(own.placed, number, 1, own, own.seen)[rows]
    known = expected < 0.25
    assert known.mean() > 0.8 and indexed[known] == pytest.approx(expected[known], abs=1e-5)

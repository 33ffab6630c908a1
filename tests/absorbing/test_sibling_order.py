"""The natural order of siblings: that of a file which a column sorts, else a time's."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pyarrow as pa

from tabgraphsyn.data.codec import CodecConfig, TableCodec
from tabgraphsyn.data.schema import Column, Table, TableSchema
from tabgraphsyn.stages.around_rows import sibling_order

FAMILIES, PRODUCTS, WEEKS = 12, 11, 5
COLUMNS = (Column("product", "categorical"), Column("week", "datetime"), Column("sold", "numerical"))


def order(values: dict[str, pa.Array], shop: np.ndarray) -> np.ndarray:
    """The order of siblings of a table with these columns, all of its rows for training."""
    schema = TableSchema("sales", tuple(one for one in COLUMNS if one.name in values))
    table = Table(schema, pa.table(values))
    codec = TableCodec.fit(table, np.ones(len(shop), bool), list(values), CodecConfig(min_entities=1))
    return sibling_order(codec, codec.encode(table.read()), shop, ["week"])


def sales() -> tuple[dict[str, np.ndarray], np.ndarray]:
    """A file by shop, product (numbers as text, no order of texts) and week."""
    shop, product, week = np.indices((FAMILIES, PRODUCTS, WEEKS)).reshape(3, -1)
    day = np.datetime64("2011-12-02") + 7 * week * np.timedelta64(1, "D")
    sold = np.round(np.random.default_rng(0).normal(100, 30, len(shop)), 2)
    return {"product": (product + 1).astype(str), "week": day, "sold": sold}, shop


def arrays(values: dict[str, np.ndarray], rows: np.ndarray) -> dict[str, pa.Array]:
    found = {name: value[rows] for name, value in values.items()}
    times = [dt.datetime.fromisoformat(str(day)) for day in found["week"]]
    return {**{n: pa.array(v) for n, v in found.items()}, "week": pa.array(times, pa.timestamp("us"))}


def test_a_file_that_a_column_sorts_keeps_its_order() -> None:
    values, shop = sales()
    rows = np.arange(len(shop))
    assert (order(arrays(values, rows), shop) == rows).all()
    # Downwards is an order too, and shops may stand mixed.
    mixed = np.argsort(np.random.default_rng(1).random(FAMILIES)[shop[::-1]], kind="stable")
    back = rows[::-1][mixed]
    assert (order(arrays(values, back), shop[back]) == rows).all()


def test_a_file_in_no_order_follows_its_times() -> None:
    values, shop = sales()
    rows = np.random.default_rng(2).permutation(len(shop))
    found = order(arrays(values, rows), shop[rows])
    assert (np.diff(values["week"][rows][found]) >= np.timedelta64(0, "D")).all()


def test_a_column_that_hardly_changes_sorts_nothing() -> None:
    values, shop = sales()
    rows = np.random.default_rng(2).permutation(len(shop))
    mixed = shop[rows]
    values["product"] = np.where(np.arange(len(shop)) % 100 == 0, "9", "1")
    values["sold"] = mixed * 1.0
    found = order(arrays({**values, "week": values["week"][rows]}, np.arange(len(rows))), mixed)
    assert (found != np.arange(len(rows))).any()


def test_times_that_siblings_do_not_share_put_nobody_in_order() -> None:
    rng = np.random.default_rng(3)
    town = rng.integers(0, 60, 1500)
    born = np.datetime64("1930-01-01") + rng.integers(0, 20_000, 1500) * np.timedelta64(1, "D")
    assert (order(arrays({"week": born}, np.arange(1500)), town) == np.arange(1500)).all()
    # Visits of one stay lie together: these do follow one another.
    stay = born[town] + rng.integers(0, 400, 1500) * np.timedelta64(1, "D")
    found = order(arrays({"week": stay}, np.arange(1500)), town)
    assert (np.diff(stay[found]) >= np.timedelta64(0, "D")).all()


def test_times_dealt_at_random_put_in_order_what_goes_on_along_them_and_nothing_else() -> None:
    rng = np.random.default_rng(5)
    tree, each = 120, 8
    by, at = np.repeat(np.arange(tree), each), np.sort(rng.random((tree, each)), axis=1).ravel() * 9_000
    height = np.cumsum(rng.normal(0, 1, (tree, each)), axis=1).ravel()
    # Taller by the date itself, each by chance: nobody follows the one before.
    grown = at / 2_000 + rng.normal(0, 1, tree * each)
    mixed = rng.permutation(tree * each)
    week = np.datetime64("2001-01-01") + at.astype(int) * np.timedelta64(1, "D")
    for sold, follows in ((height, True), (grown, False)):
        found = order(arrays({"week": week[mixed], "sold": sold[mixed]}, np.arange(len(mixed))), by[mixed])
        climbs = np.diff(week[mixed][found]) >= np.timedelta64(0, "D")
        assert climbs.all() == follows

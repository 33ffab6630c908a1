"""Panels: one row per parent and period is found in training rows, and kept in generated ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tabgraphsyn.data.codec import CodecConfig, TableCodec
from tabgraphsyn.data.known.panel import DAY_US, Panel, find_panels
from tabgraphsyn.data.prepared import Prepared
from tabgraphsyn.data.schema import Column, Relation, Schema, Table, TableSchema

HOUR_US = DAY_US // 24
START = 17_897 * DAY_US


def times(periods: np.ndarray, step: int = HOUR_US) -> pa.Array:
    return pa.array(START + periods * step, pa.int64()).cast(pa.timestamp("us"))


def table_codec(columns: dict[str, pa.Array], kinds: dict[str, str]) -> TableCodec:
    schema = TableSchema("t", tuple(Column(name, kinds[name]) for name in columns))  # type: ignore[arg-type]
    rows = len(next(iter(columns.values())))
    return TableCodec.fit(Table(schema, pa.table(columns)), np.ones(rows, bool), list(columns), CodecConfig())


@pytest.mark.parametrize(
    ("periods", "pointer", "is_panel"),
    [
        (np.tile(np.arange(48), 3), np.repeat(np.arange(3), 48), True),
        # A fifth of them missing, others under each parent: still a grid that no two rows share.
        (np.delete(np.tile(np.arange(48), 3), np.s_[::5]), np.delete(np.repeat(np.arange(3), 48), np.s_[::5]), True),
        # A period twice under one parent.
        (np.append(np.tile(np.arange(48), 3), 7), np.append(np.repeat(np.arange(3), 48), 1), False),
        # Every parent has few of the periods.
        (np.arange(48), np.arange(48) // 4, False),
        # Too few periods.
        (np.tile(np.arange(7), 3), np.repeat(np.arange(3), 7), False),
        # Times at will.
        (np.cumsum(np.arange(1, 49)) * 7, np.zeros(48, int), False),
        (np.arange(48), np.full(48, -1), False),
    ],
)
def test_a_panel_is_a_grid_that_rows_of_a_parent_do_not_share(
    periods: np.ndarray, pointer: np.ndarray, is_panel: bool
) -> None:
    found = Panel.fit("at", "r", times(periods), pointer)
    assert (found is not None) is is_panel
    if found is not None:
        assert (found.start, found.step, found.periods, found.cycle) == (START, HOUR_US, 48, 24)


@pytest.mark.parametrize("step", [HOUR_US, 7 * DAY_US, 11 * HOUR_US])
def test_ends_that_few_have_are_not_named(step: int) -> None:
    at = START + np.tile(np.arange(48), 3) * step
    values, pointer = pa.array(at).cast(pa.timestamp("us")), np.repeat(np.arange(3), 48)
    shared, own = (Panel.fit("at", "r", values, pointer, pointer, least) for least in (3, 4))
    assert shared is not None and own is not None
    assert shared.start == START and shared.start + shared.periods * step == at[-1] + step
    assert own.start < START and own.start + (own.periods - 1) * step > at[-1]
    assert (START - own.start) % step == 0


def test_a_column_makes_one_panel_at_most(tmp_path: Path) -> None:
    columns, pointer = {"at": times(np.tile(np.arange(48), 3))}, np.repeat(np.arange(3), 48)
    alone = find_panels(table_codec(columns, {"at": "datetime"}), columns, {"r": pointer, "s": pointer})
    assert [(one.column, one.relation) for one in alone] == [("at", "r")]
    Prepared(tmp_path).keep_panels("t", alone)
    assert Prepared(tmp_path).panels("t") == alone
    assert Prepared(tmp_path).panels("other") == []


def test_a_trained_panel_is_a_panel(tmp_path: Path, train_small: Any) -> None:
    rng = np.random.default_rng(0)
    shops, days = 12, 30
    shop, day = np.repeat(np.arange(shops), days), np.tile(np.arange(days), shops)
    tables = {
        "shops": pa.table({"shop": np.arange(shops), "size": rng.normal(size=shops)}),
        "sales": pa.table({"shop": shop, "day": times(day, DAY_US), "sold": rng.normal(size=len(day))}),
    }
    schema = Schema(
        (
            TableSchema("shops", (Column("shop", "id"), Column("size", "numerical")), ("shop",)),
            TableSchema("sales", (Column("shop", "id"), Column("day", "datetime"), Column("sold", "numerical"))),
        ),
        (Relation("sales", ("shop",), "shops", ("shop",)),),
    )
    store = train_small(tmp_path, schema, tables)
    made = pq.read_table(store.artifacts["sample"] / "synthetic" / "sales.parquet")
    assert made.num_rows == pytest.approx(shops * days, rel=0.1)
    pairs = made.group_by(["shop", "day"]).aggregate([])
    assert pairs.num_rows == made.num_rows

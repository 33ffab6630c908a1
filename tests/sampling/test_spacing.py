"""Panels: one row per parent and period is found in training rows, and kept in generated ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tabgraphsyn.data.codec import CodecConfig, TableCodec
from tabgraphsyn.data.known.panel import DAY_US, Panel, find_panels, microseconds
from tabgraphsyn.data.prepared import Prepared
from tabgraphsyn.data.schema import Column, Relation, Schema, Table, TableSchema
from tabgraphsyn.generation.keeping import spacing
from tabgraphsyn.generation.keeping.spacing import spaced

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


def test_columns_tied_to_others_are_left_alone(tmp_path: Path) -> None:
    periods, pointer = np.tile(np.arange(48), 3), np.repeat(np.arange(3), 48)
    columns = {"at": times(periods), "late": times(periods + 50)}
    codec = table_codec(columns, {"at": "datetime", "late": "datetime"})
    panels = find_panels(codec, columns, {"r": pointer}, ["at"])
    assert "at" not in {one.column for one in panels}
    alone = find_panels(
        table_codec({"at": columns["at"]}, {"at": "datetime"}), {"at": columns["at"]}, {"r": pointer, "s": pointer}, []
    )
    assert [(one.column, one.relation) for one in alone] == [("at", "r")]
    Prepared(tmp_path).keep_panels("t", alone)
    assert Prepared(tmp_path).panels("t") == alone
    assert Prepared(tmp_path).panels("other") == []


def family(rng: np.random.Generator, rows: int = 48) -> tuple[pa.Table, np.ndarray]:
    """Rows of two parents and some of none, with times drawn at will."""
    pointer = np.concatenate([np.zeros(rows, int), np.ones(rows, int), np.full(5, -1)])
    pointer = rng.permutation(pointer)
    return pa.table({"at": times(rng.integers(0, 48, len(pointer)))}), pointer


PANEL = Panel("at", "r", START, HOUR_US, 48)
CODEC = table_codec({"at": times(np.arange(48))}, {"at": "datetime"})


@pytest.mark.parametrize("cells", [spacing.CELLS_MAX, 10])
@pytest.mark.parametrize("rows", [48, 40, 100])
def test_rows_of_a_parent_get_periods_of_their_own(monkeypatch: pytest.MonkeyPatch, cells: int, rows: int) -> None:
    monkeypatch.setattr(spacing, "CELLS_MAX", cells)
    rng = np.random.default_rng(0)
    table, pointer = family(rng, rows)
    made = spaced(table, PANEL, pointer, CODEC, rng)
    before, after = (microseconds(one["at"]) for one in (table, made))
    assert made.schema == table.schema
    assert (after[pointer < 0] == before[pointer < 0]).all()
    for parent in (0, 1):
        _, counts = np.unique(after[pointer == parent], return_counts=True)
        assert counts.max() == -(-rows // 48)
        assert len(counts) == min(rows, 48)
    assert set(after) <= set(START + np.arange(48) * HOUR_US)


def test_rows_move_by_days_rather_than_by_hours_and_no_more_than_they_must() -> None:
    rng = np.random.default_rng(0)
    period = np.array([8, 8, 9, 33])
    table = pa.table({"at": times(period)})
    made = spaced(table, PANEL, np.zeros(4, int), CODEC, rng)
    after = (microseconds(made["at"]) - START) // HOUR_US
    assert (after % 24 == period % 24).all()
    assert (after != period).sum() == 1
    unchanged = pa.table({"at": times(np.array([3, 1, 2]))})
    assert spaced(unchanged, PANEL, np.zeros(3, int), CODEC, rng).equals(unchanged)


def test_what_follows_from_the_time_moves_with_it() -> None:
    weeks = np.tile(np.arange(20), 40)
    columns = {"week": times(weeks, 7 * DAY_US), "holiday": pa.array((weeks % 5 == 0).tolist())}
    codec = table_codec(columns, {"week": "datetime", "holiday": "boolean"})
    assert codec.derived == {"holiday": "week"}
    panel = Panel("week", "r", START, 7 * DAY_US, 22)  # two periods of which it is not known what follows
    rng = np.random.default_rng(0)
    drawn = rng.integers(0, 20, 20)
    table = pa.table({"week": times(drawn, 7 * DAY_US), "holiday": pa.array((drawn % 5 == 0).tolist())})
    made = spaced(table, panel, np.zeros(20, int), codec, rng)
    after = (microseconds(made["week"]) - START) // (7 * DAY_US)
    assert sorted(after) == list(range(20))
    assert made["holiday"].to_pylist() == (after % 5 == 0).tolist()


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
    # A family may have grown beyond the number of days.
    sizes = made.group_by("shop").aggregate([([], "count_all")])["count_all"].to_numpy()
    assert pairs.num_rows == np.minimum(sizes, days).sum()
    assert (sizes <= days).sum() > 3

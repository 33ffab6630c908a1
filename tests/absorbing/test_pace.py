"""Times that climb from sibling to sibling: drawn as steps for which room is left, and told to the network."""

from __future__ import annotations

import datetime as dt
import itertools
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from line import trained_absorbing
from small_database import SmallStore
from small_table import surrounded
from test_unmasking import fit

from tabgraphsyn.data.codec import TableCodec
from tabgraphsyn.data.codec.categorical import CategoricalCodec
from tabgraphsyn.data.codec.config import CodecConfig
from tabgraphsyn.data.codec.datetime import DatetimeCodec
from tabgraphsyn.data.counts import ValueCounts
from tabgraphsyn.data.files import read_json
from tabgraphsyn.data.known.panel import microseconds
from tabgraphsyn.data.layout import EncodedTable
from tabgraphsyn.data.prepared import Prepared
from tabgraphsyn.data.schema import Column, Relation, Schema, TableSchema
from tabgraphsyn.data.seeding import derive_seed
from tabgraphsyn.generation.time_column import TimeColumn
from tabgraphsyn.generation.unmasking import unmasked_rows, whole_families
from tabgraphsyn.models.absorbing.around.pace import Clock, Pace, PaceHead, bins_of
from tabgraphsyn.models.absorbing.columns.units import Units
from tabgraphsyn.models.absorbing.network import AbsorbingNetwork
from tabgraphsyn.models.batch import EncodedBatch, EncodedTensors
from tabgraphsyn.models.families import Families
from tabgraphsyn.stages.around_times import series
from tabgraphsyn.stages.structure import load_structure
from tabgraphsyn.training.astray import Astray
from tabgraphsyn.training.parts import Part
from tabgraphsyn.training.unmasking import UnmaskingTask

HOUR = 3_600_000_000
START = dt.datetime(2024, 5, 1, tzinfo=dt.UTC)


def hourly(periods: int, closed: tuple[int, ...] = ()) -> TimeColumn:
    """Hours of some days but for the closed ones, and a ``kind`` of four."""
    hours = [hour for hour in range(periods) if hour % 24 not in closed]
    at = pa.chunked_array([pa.array([START + dt.timedelta(hours=hour) for hour in hours] * 6, pa.timestamp("us"))])
    kinds = pa.array(["a", "b", "c", "d"] * 9)
    codec = TableCodec(
        "readings",
        {
            "at": DatetimeCodec.fit("at", at, CodecConfig()),
            "kind": CategoricalCodec.fit("kind", ValueCounts.of(kinds)),
        },
    )
    first = int(START.timestamp() * 1e6)
    return TimeColumn(codec, Pace("at", first, HOUR, periods, ((0, 2),), ((1, 1), (2, 3), (4, 9))))


def test_bins_name_only_numbers_that_enough_hold() -> None:
    steps = np.repeat([1, 2, 7, 9], [50, 20, 4, 6])
    everybody = np.arange(len(steps))
    assert bins_of(steps, everybody) == ((1, 1), (2, 2), (9, 9))
    assert bins_of(steps, np.zeros_like(everybody)) == ((0, 1),)
    many = bins_of(np.repeat(np.arange(1, 1001), 5), np.arange(5000))
    assert len(many) == 64 and many[0][0] == 1 and many[-1][1] == 1000
    assert all(high + 1 == low for (_, high), (low, _) in itertools.pairwise(many))


@pytest.mark.parametrize("rows", [3, 29, 30])
def test_steps_leave_room_for_the_siblings_to_come(rows: int) -> None:
    torch.manual_seed(0)
    head = PaceHead(pace=Pace("at", 0, HOUR, 30, ((0, 9),), ((1, 1), (2, 3), (4, 9))), width=8)
    generator = torch.Generator().manual_seed(1)
    last, seen = torch.full((200,), -1), []
    for place in range(rows):
        clock = Clock(last, torch.full((200,), rows - place))
        last = head.draw(torch.randn(200, 8), clock, *torch.rand(2, 200, generator=generator))
        seen.append(last)
    times = torch.stack(seen, dim=1)
    assert (times.diff(dim=1) >= 1).all() and times.min() >= 0 and times.max() <= 29
    if rows == 30:
        assert torch.equal(times, torch.arange(30).expand(200, -1))
    if rows == 3:
        assert len(times[:, 1].unique()) > 10


def test_periods_come_back_from_their_fields_and_closed_hours_are_left_out() -> None:
    column = hourly(72, closed=(0, 1, 2))
    inner = column.within_told()
    assert inner.pace.start_us == column.pace.start_us + 3 * HOUR and inner.pace.periods == 69
    every = torch.arange(69)
    rows = inner.rows(every)
    found = inner.periods(
        EncodedTable(rows.numerical.unsqueeze(-1).repeat(1, 1, 2).numpy(), rows.categorical.numpy()), 0
    )
    hour = (found + 3) % 24
    assert set(hour.tolist()) == set(range(3, 24)) and (np.abs(found - every.numpy()) <= 2).all()
    assert (found == every.numpy()).sum() == 63


def table_of(rows: EncodedBatch) -> EncodedTable:
    """Rows as a whole encoded table."""
    return EncodedTable(rows.numerical.unsqueeze(-1).repeat(1, 1, 2).numpy(), rows.categorical.int().numpy())


def series_task(column: TimeColumn, families: int, rows: int) -> UnmaskingTask:
    """Families on a grid of times, one hour in ten left out, of which ``kind`` goes on by one from row to row."""
    rng = np.random.default_rng(0)
    times = np.concatenate([np.sort(rng.choice(column.pace.periods, rows, replace=False)) for _ in range(families)])
    parent = np.repeat(np.arange(families), rows)
    clean = column.rows(torch.from_numpy(times))
    kind = column.codec.places["kind"][1].start
    clean.categorical[:, kind] = torch.from_numpy((np.tile(np.arange(rows), families) + parent) % 4)
    torch.manual_seed(0)
    units = Units(column.codec.layout, (None,) * len(column.codec.layout.numerical))
    network = AbsorbingNetwork(
        units=units, facts=0, ancestors=[], has_families=True, width=32, layers=2, dropout=0.0, level_dim=8,
        history_dim=16, pace=column.pace,
    )  # fmt: skip
    series = Families.from_pointer(parent, len(times), 8)
    return UnmaskingTask(
        unmasking=network, encoded=EncodedTensors.from_encoded(table_of(clean)),
        surroundings=surrounded(len(times)), families=series, entities=parent,
        batch_rows=64, seed=3, times=torch.from_numpy(times), timed_units=column.units(units),
        astray=Astray.of(clean, torch.ones_like(clean.numerical, dtype=torch.bool), series, times),
    )  # fmt: skip


def test_rows_of_a_series_have_a_time_each_and_follow_the_row_before(tmp_path: Path) -> None:
    column = hourly(48)
    one = series_task(column, 12, 40)
    parts = [one.part_loss(2, torch.Generator().manual_seed(1), Part(number, 3)) for number in range(3)]
    whole = one.loss(2, torch.Generator().manual_seed(1))["loss"]
    torch.testing.assert_close(sum(part["loss"] for part in parts), whole)
    fit(one, tmp_path, 120)
    # The sixth parent has rows for two grids.
    parent = np.repeat(np.arange(6), [40, 40, 40, 40, 40, 80])
    families = whole_families(parent, 280, column.pace.periods)
    assert sorted(families.window_rows.tolist()) == [40] * 7
    around = surrounded(280)
    new = unmasked_rows(one.unmasking, around, families, 0, window=8, column=column)
    times = column.periods(table_of(new), 0)[families.order].reshape(7, 40)
    assert (np.diff(times) >= 1).all() and times.max() < 48
    kind = new.categorical.numpy()[families.order, column.codec.places["kind"][1].start].reshape(7, 40)
    assert (np.diff(kind) % 4 == 1).mean() > 0.8
    # A time that is given is kept.
    wanted = column.rows(torch.arange(280) % 40)
    units = torch.zeros(280, len(one.unmasking.units.all), dtype=torch.bool)
    units[families.order[0], column.units(one.unmasking.units)] = True
    fixed = unmasked_rows(one.unmasking, around, families, 1, window=8, column=column, given=(wanted, units))
    assert column.periods(table_of(fixed), 0)[families.order[0]] == families.order[0] % 40


@pytest.fixture(scope="module")
def series_store(tmp_path_factory: pytest.TempPathFactory) -> SmallStore:
    """Two published stations with a temperature by the hour, some hours left out."""
    rng = np.random.default_rng(0)
    station = np.repeat([0, 1], 90)
    hour = np.concatenate([np.sort(rng.choice(96, 90, replace=False)) for _ in range(2)])
    readings = {
        "station": [f"S{number}" for number in station],
        "at": pa.array([START + dt.timedelta(hours=int(one)) for one in hour], pa.timestamp("us")),
        "warmth": np.round(rng.normal(0, 0.4, 180).cumsum() + 15, 1),
    }
    stations = TableSchema(
        "stations", (Column("station", "id"), Column("height", "numerical", "Float")), ("station",), reference=True
    )
    columns = (Column("station", "id"), Column("at", "datetime"), Column("warmth", "numerical", "Float"))
    relation = Relation("readings", ("station",), "stations", ("station",))
    schema = Schema((stations, TableSchema("readings", columns)), (relation,))
    tables = {"stations": pa.table({"station": ["S0", "S1"], "height": [10.0, 900.0]}), "readings": pa.table(readings)}
    return trained_absorbing(tmp_path_factory.mktemp("series"), schema, tables, steps=5, width=16)


def test_hours_of_a_published_station_are_a_series_from_files_to_rows(series_store: SmallStore) -> None:
    record = read_json(series_store.artifacts["absorbing/readings"] / "absorbing.json")
    assert record["has_families"] and record["pace"]["column"] == "at" and record["pace"]["unit_us"] == HOUR
    made = pq.read_table(series_store.artifacts["sample"] / "synthetic" / "readings.parquet").to_pandas()
    assert not made.duplicated(["station", "at"]).any() and made["station"].nunique() == 2
    steps = made.groupby("station")["at"].diff().dropna()
    # Neighbours of the file are neighbours in time.
    assert (steps > dt.timedelta(0)).mean() > 0.95 and steps.median() == dt.timedelta(hours=1)


def test_new_rows_stand_where_their_numbers_of_children_do(series_store: SmallStore) -> None:
    prepared = Prepared(series_store.artifacts["prepare"])
    model, _ = load_structure(series_store.artifacts["structure"])
    seed = derive_seed(int(series_store.overrides["seed"]), "sample", "structure")
    skeleton = model.grow(scale=1, rows=None, seed=seed)
    made = pq.read_table(series_store.artifacts["sample"] / "synthetic" / "readings.parquet")
    panel = series(prepared, "readings")
    assert panel is not None
    assert (microseconds(made["at"]) == panel.start + skeleton.places["readings"] * panel.step).all()


def test_families_end_where_told_periods_climb_no_more() -> None:
    families = whole_families(np.array([0, 0, 0, 0, -1, 1]), 6, 9, np.array([3, 5, 1, 8, 0, 4]))
    assert families.window_rows.tolist() == [2, 2, 1, 1]
    assert families.order[:4].tolist() == [0, 1, 2, 3]

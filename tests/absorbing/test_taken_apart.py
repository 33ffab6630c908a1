"""The settings that take the model apart: what rows are told of their siblings, order of columns, kinds of numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args, get_type_hints

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from line import trained_absorbing
from small_database import people_and_visits
from small_table import LAYOUT, UNITS, encoded, rows

from tabgraphsyn.config.unread import unread_problems
from tabgraphsyn.data.codec import CodecConfig, TableCodec
from tabgraphsyn.data.layout import EncodedTable
from tabgraphsyn.data.schema import Column, Table, TableSchema
from tabgraphsyn.errors import ConfigError
from tabgraphsyn.generators.absorbing import Absorbing
from tabgraphsyn.models.absorbing.around.history import HISTORIES
from tabgraphsyn.models.absorbing.columns.grids import GRIDS, grids
from tabgraphsyn.models.absorbing.columns.order import ORDERS, AnyOrder, OneOrder
from tabgraphsyn.models.absorbing.columns.units import Units
from tabgraphsyn.models.absorbing.network import AbsorbingNetwork
from tabgraphsyn.verbs.sample import sample


@pytest.mark.parametrize("name", ["recurrent", "last"])
def test_history_step_by_step_is_that_of_whole_families(name: str) -> None:
    torch.manual_seed(0)
    remembers = HISTORIES[name]
    assert remembers is not None
    history, batch = remembers(layout=UNITS.layout, width=8, level_dim=8), rows(9)
    together, row = history(batch, torch.tensor([4, 1, 4])), history.row(batch)
    assert together.shape == (9, history.told)
    for first, length in ((0, 4), (4, 1), (5, 4)):
        last, state = history.start(1, "cpu")
        for place in range(first, first + length):
            state = history.step(last, state)
            torch.testing.assert_close(together[place], history.seen(last, state)[0])
            last = row[place : place + 1]


def test_the_last_row_says_nothing_of_those_before_it() -> None:
    torch.manual_seed(0)
    history = HISTORIES["last"](layout=UNITS.layout, width=8, level_dim=8)  # type: ignore[misc]
    batch, other = rows(6), rows(6, seed=5)
    other.numerical[4], other.categorical[4] = batch.numerical[4], batch.categorical[4]
    told, changed = (history(one, torch.tensor([6])) for one in (batch, other))
    assert torch.equal(told[5], changed[5]) and not torch.equal(told[4], changed[4])


def test_without_a_history_place_and_number_of_siblings_stay() -> None:
    made = AbsorbingNetwork(
        units=UNITS, facts=0, ancestors=[], has_families=True, width=8, layers=1, dropout=0.0, level_dim=4,
        history_dim=8, history="none",
    )  # fmt: skip
    assert made.history is None and not [name for name in made.state_dict() if "remembered" in name]
    assert made.facts.in_features == 6 and made.mixture.ways.shape[2] == 2 * len(LAYOUT.numerical)


def test_any_order_draws_what_it_always_drew() -> None:
    generator = torch.Generator().manual_seed(3)
    wanted = torch.randperm(5, generator=generator).tolist()
    turn = torch.rand(50, 5, generator=generator)
    turn[:, [2]] = -1
    generator.manual_seed(3)
    order = AnyOrder(5)
    assert order.drawn(generator) == wanted
    assert torch.equal(order.learnt(50, torch.tensor([2]), generator), turn.argsort(1))


def test_one_order_is_the_same_in_training_and_drawing_and_draws_nothing() -> None:
    generator = torch.Generator().manual_seed(3)
    state = generator.get_state()
    order = OneOrder([2, 0, 1])
    assert order.drawn(generator) == [2, 0, 1]
    assert order.learnt(3, torch.tensor([1]), generator).tolist() == [[1, 2, 0]] * 3
    assert torch.equal(generator.get_state(), state)


@pytest.mark.parametrize("shape", ["smooth", "few values", "one value often"])
def test_all_numbers_are_levels_of_enough_entities_where_they_are_asked_to_be(shape: str) -> None:
    rng = np.random.default_rng(1)
    values = np.round(rng.normal(size=9_000), 6)
    if shape == "few values":
        values = rng.integers(0, 7, 9_000).astype(float)
    elif shape == "one value often":
        values[: 9_000 // 2] = 0.25
    entities, table = np.arange(9_000) // 30, encoded(values)
    (grid,) = grids(table, [None], entities, numbers="levels")
    assert grid is not None
    codes = grid.codes(table.numerical[:, 0].mean(axis=1))
    found = np.unique(codes, axis=0)
    assert all(len(np.unique(entities[(codes == code).all(axis=1)])) >= 5 for code in found)
    assert len(found) == {"smooth": 450, "few values": 7}.get(shape, len(found)) and len(found) > 6
    cell = grid.edges[codes[:, 0], codes[:, 1]]
    assert (cell[:, 0] <= table.numerical[:, 0, 0] + 1e-6).all() and (cell[:, 1] >= cell[:, 0]).all()
    assert grids(table, [None], entities, numbers="smooth") == [None]


def test_a_number_that_hardly_anybody_has_stays_under_the_head() -> None:
    table = encoded(np.random.default_rng(0).normal(size=300))
    assert grids(table, [None], np.arange(300) % 4, numbers="levels") == [None]
    gated = EncodedTable(table.numerical, np.ones((300, 1), np.int32))
    assert grids(gated, [0], np.arange(300), numbers="levels") == [None]


def test_every_word_of_the_settings_has_something_behind_it() -> None:
    words = get_type_hints(Absorbing)
    for name, known in (("history", HISTORIES), ("order", ORDERS), ("numbers", GRIDS)):
        assert get_args(words[name]) == tuple(known)
        assert getattr(Absorbing(), name) == next(iter(known))


def test_a_state_that_nobody_remembers_has_no_width() -> None:
    generator = {"_target_": "tabgraphsyn.generators.absorbing.Absorbing", "history": "none", "history_dim": 9}
    point = (["generator.history=none", "generator.history_dim=9"], {"generator": generator})
    (problem,) = unread_problems([point])
    assert problem == (
        "generator.history_dim: nothing reads it: generator.history is none. "
        "Remove it, or choose another generator.history."
    )
    assert not unread_problems([point, (point[0], {"generator": {**generator, "history": "last"}})])


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    schema, tables = people_and_visits()
    settings: dict[str, Any] = {"history": "last", "order": "file", "numbers": "levels"}
    folder = tmp_path_factory.mktemp("apart")
    store = trained_absorbing(folder, schema, tables, steps=4, width=8, generator=settings)
    return Path(store.artifacts["sample"] / "bundle")


def test_a_bundle_holds_what_sampling_needs_and_one_order_can_fix_nothing(bundle: Path, tmp_path: Path) -> None:
    made = {}
    for name in "ab":
        sample(bundle, 0.1, 3, tmp_path / name, formats=["parquet"], device="cpu")
        made[name] = pq.read_table(tmp_path / name / "visits.parquet")
    assert made["a"].num_rows and made["a"].equals(made["b"])
    with pytest.raises(ConfigError, match=r"order of the file alone\. Train with generator\.order=random"):
        sample(bundle, 0.1, 3, tmp_path / "c", formats=["parquet"], device="cpu", where=["visits.paid=true"])


def test_the_order_of_the_file_is_that_of_its_columns() -> None:
    rng = np.random.default_rng(0)
    rows = pa.table({"size": rng.normal(size=400), "colour": rng.choice(["a", "b"], 400), "age": rng.normal(size=400)})
    columns = (Column("size", "numerical"), Column("colour", "categorical"), Column("age", "numerical"))
    table = Table(TableSchema("t", columns, ()), rows)
    codec = TableCodec.fit(table, np.ones(400, bool), rows.column_names, CodecConfig())
    units = Units(codec.layout, (None, None))
    assert [unit.kind for (unit,) in units.groups] == ["level", "number", "number"]
    assert ORDERS["file"](codec, units).drawn(torch.Generator()) == [1, 0, 2]


def test_hidden_fields_come_after_all_columns() -> None:
    generator = torch.Generator().manual_seed(3)
    order = AnyOrder(6, last=[1, 4])
    order.ahead = [2]
    for turn in [*order.learnt(50, torch.tensor([5]), generator).tolist(), order.drawn(generator)]:
        assert set(turn[-2:]) == {1, 4} and sorted(turn) == list(range(6))
    assert order.drawn(generator)[0] == 2

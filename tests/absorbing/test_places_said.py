"""What is said of rows is counted in the places in which a network looks it up."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from small_database import SmallStore, settings
from test_traits_line import shops_and_persons

from tabgraphsyn.data.layout import CategoricalField, TableLayout
from tabgraphsyn.data.prepared import Prepared
from tabgraphsyn.stages import absorbing, prepare
from tabgraphsyn.stages.around_rows import surroundings


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    """Visits of shops, whose siblings they follow, and of persons."""
    store = SmallStore(tmp_path_factory.mktemp("kin"), settings())
    schema, tables = shops_and_persons()
    store.ingest(schema, tables)
    store.run(prepare.run, "prepare", ["ingest"])
    return Prepared(store.artifacts["prepare"])


@pytest.mark.parametrize("hidden", [0, 2])
def test_what_is_said_of_rows_comes_after_their_hidden_fields(
    prepared: Prepared, monkeypatch: pytest.MonkeyPatch, hidden: int
) -> None:
    """What a person's visits are like tells their kind, whether visits have hidden fields of their own or not."""
    of = Prepared.wide_layout
    more = tuple(CategoricalField(f"hidden {one}", 7) for one in range(hidden))

    def wide(self: Prepared, table: str) -> TableLayout:
        layout = of(self, table)
        return TableLayout(layout.numerical, layout.categorical + more) if table == "visits" else layout

    monkeypatch.setattr(Prepared, "wide_layout", wide)
    encoded = prepared.encoded("visits")
    told = absorbing.conditions(prepared, prepared, "visits", torch.zeros(encoded.rows, 0))
    around = surroundings(prepared, "visits", encoded.rows, told, absorbing.training(prepared))
    found, ahead = absorbing._affinities(prepared, "visits", encoded, np.arange(encoded.rows), around)
    fields = [*prepared.wide_layout("visits").categorical, *absorbing._said_fields(prepared, "visits")]
    assert [prepared.layout("visits").categorical[one.asked].name for one in found] == ["kind"] and ahead == []
    assert fields[found[0].known].levels == prepared.traits("persons")[0].levels == len(found[0].table)
    assert found[0].told > 0.2

"""``model=absorbing`` with a graph network: what only the keys two hops away say of a row reaches it."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from line import trained_absorbing
from safetensors.numpy import load_file, save_file
from small_database import SmallStore, people_and_visits

from tabgraphsyn.data.schema import Column, Relation, Schema, TableSchema
from tabgraphsyn.errors import DataError
from tabgraphsyn.verbs.sample import sample

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))

from fuzz_bundles import renew

SHOPS = 300


def shops_and_lines() -> tuple[Schema, dict[str, pa.Table]]:
    """Shops of two orders each; a shop is large where its orders have many lines, which their number does not say."""
    rng = np.random.default_rng(0)
    is_large = rng.random(SHOPS) < 0.5
    shop_of = np.repeat(np.arange(SHOPS), 2)
    order_of = np.repeat(np.arange(len(shop_of)), np.where(is_large[shop_of], 4, 1))
    tables = {
        "shops": pa.table({"shop": np.arange(SHOPS), "size": np.where(is_large, "large", "small").tolist()}),
        "orders": pa.table(
            {"order": np.arange(len(shop_of)), "shop": shop_of, "tax": rng.integers(0, 2, len(shop_of))}
        ),
        "lines": pa.table({"line": np.arange(len(order_of)), "order": order_of}),
    }
    keys, kinds = {"shops": "shop", "orders": "order", "lines": "line"}, {"size": "categorical", "tax": "boolean"}
    schemas = [
        TableSchema(name, tuple(Column(one, kinds.get(one, "id")) for one in table.column_names), (keys[name],))  # type: ignore[arg-type]
        for name, table in tables.items()
    ]
    links = (Relation("orders", ("shop",), "shops", ("shop",)), Relation("lines", ("order",), "orders", ("order",)))
    return Schema(tuple(schemas), links), tables


def told_apart(made: Path) -> float:
    """Return the share of shops whose size is what their number of lines says."""
    shops, orders, lines = (pq.read_table(made / f"{one}.parquet").to_pandas() for one in ("shops", "orders", "lines"))
    found = lines.merge(orders, on="order").groupby("shop").size().reindex(shops["shop"], fill_value=0).to_numpy()
    return float(((found >= 5) == (shops["size"] == "large").to_numpy()).mean())


@pytest.mark.slow
@pytest.mark.parametrize(("gnn_steps", "least", "most"), [(0, 0.0, 0.75), (200, 0.9, 1.0)])
def test_a_row_follows_what_stands_two_hops_away(tmp_path: Path, gnn_steps: int, least: float, most: float) -> None:
    store = trained_absorbing(tmp_path, *shops_and_lines(), steps=200, width=64, gnn_steps=gnn_steps)
    assert least <= told_apart(store.artifacts["sample"] / "synthetic") <= most


@pytest.fixture(scope="session")
def graph_store(tmp_path_factory: pytest.TempPathFactory) -> SmallStore:
    """People and visits, trained up to sample, rows told the vectors of a graph network."""
    return trained_absorbing(
        tmp_path_factory.mktemp("graph"), *people_and_visits(), steps=10, width=16, gnn_steps=5, validate_every=0
    )


@pytest.fixture
def bundle(graph_store: SmallStore, tmp_path: Path) -> Path:
    """Return a copy of the bundle far from the store."""
    return Path(shutil.copytree(graph_store.artifacts["sample"] / "bundle", tmp_path / "carried" / "bundle"))


def scores(bundle: Path, out: Path) -> pa.Table:
    sample(bundle, 1.0, 3, out, formats=["parquet"], device="cpu")
    return pq.read_table(out / "visits.parquet")


def test_rows_of_a_carried_bundle_hang_on_the_vectors(bundle: Path, tmp_path: Path) -> None:
    first = scores(bundle, tmp_path / "a")
    assert first.equals(scores(bundle, tmp_path / "b"))
    arrays = load_file(bundle / "gnn.safetensors")
    changed = {name: one[::-1].copy() if name.startswith("outputs.") else one for name, one in arrays.items()}
    save_file(changed, bundle / "gnn.safetensors")
    renew(bundle)
    other = scores(bundle, tmp_path / "c")
    assert first.column("person").equals(other.column("person"))
    assert not first.select(["day", "score"]).equals(other.select(["day", "score"]))


def test_a_bundle_that_hides_its_graph_network_is_refused(bundle: Path, tmp_path: Path) -> None:
    manifest = json.loads((bundle / "bundle.json").read_text())
    del manifest["components"]["gnn"]
    (bundle / "bundle.json").write_text(json.dumps(manifest))
    renew(bundle, components=False)
    with pytest.raises(DataError, match="files that no bundle has"):
        sample(bundle, out=tmp_path / "out", device="cpu")


def test_a_network_that_was_told_no_vectors_is_refused_beside_one(bundle: Path, tmp_path: Path) -> None:
    record = json.loads((bundle / "absorbing" / "visits.json").read_text())
    (bundle / "absorbing" / "visits.json").write_text(json.dumps({**record, "facts": record["facts"] - 64}))
    renew(bundle)
    with pytest.raises(DataError, match=r"facts\.weight"):
        sample(bundle, out=tmp_path / "out", device="cpu")

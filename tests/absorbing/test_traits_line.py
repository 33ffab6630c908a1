"""Rows of a family belong together along every key: shops and persons both tell what their visits are like."""

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
from small_database import SmallStore

from tabgraphsyn.data.prepared import Prepared
from tabgraphsyn.data.schema import Column, Relation, Schema, TableSchema
from tabgraphsyn.errors import DataError
from tabgraphsyn.generation.bundles.bundle import Bundle

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))

from fuzz_bundles import renew

SHOPS, PERSONS, VISITS = 200, 150, 5_000
KEYS = ("shop", "person")


def shops_and_persons() -> tuple[Schema, dict[str, pa.Table]]:
    """Visits whose amount and kind neither a shop's column nor a person's says, but both their rows do."""
    rng = np.random.default_rng(3)
    shop, person = rng.integers(0, SHOPS, VISITS), rng.integers(0, PERSONS, VISITS)
    shop_pays, person_pays = rng.normal(size=SHOPS), 1.5 * rng.normal(size=PERSONS)
    amount = np.round(150 + 10 * (shop_pays[shop] + person_pays[person] + rng.normal(size=VISITS)), 2)
    likes = rng.integers(0, 4, PERSONS)
    kind = np.where(rng.random(VISITS) < 0.75, likes[person], rng.integers(0, 4, VISITS))
    number = Column("n", "numerical")
    n, m = rng.integers(0, 500, PERSONS), rng.integers(0, 500, PERSONS)
    schema = Schema(
        (
            TableSchema("shops", (Column("shop", "id"), number), ("shop",)),
            # A rule of the parent's row is kept beside its hidden fields.
            TableSchema("persons", (Column("person", "id"), *(Column(one, "numerical") for one in "nmt")), ("person",)),
            TableSchema(
                "visits",
                (
                    Column("shop", "id"),
                    Column("person", "id"),
                    Column("amount", "numerical"),
                    Column("kind", "categorical"),
                ),
            ),
        ),
        (
            Relation("visits", ("shop",), "shops", ("shop",)),
            Relation("visits", ("person",), "persons", ("person",)),
        ),
    )
    tables = {
        "shops": pa.table({"shop": np.arange(SHOPS), "n": rng.normal(size=SHOPS).round(2)}),
        "persons": pa.table({"person": np.arange(PERSONS), "n": n, "m": m, "t": n + m}),
        "visits": pa.table(
            {"shop": shop, "person": person, "amount": amount, "kind": np.array(["a", "b", "c", "d"])[kind]}
        ),
    }
    return schema, tables


def spread(visits: pa.Table, key: str) -> float:
    """Return the deviation between families of the mean amount, what is chance within families taken away."""
    family = np.unique(visits.column(key).to_numpy(), return_inverse=True)[1]
    amount = visits.column("amount").to_numpy()
    count = np.bincount(family)
    mean = np.bincount(family, amount) / count
    within = ((amount - mean[family]) ** 2).sum() / (len(amount) - len(count))
    return float(np.sqrt(max(np.average((mean - amount.mean()) ** 2, weights=count) - within / count.mean(), 0)))


def alike(visits: pa.Table, key: str) -> float:
    """Return the share of a family's most frequent kind, on average over rows."""
    family = np.unique(visits.column(key).to_numpy(), return_inverse=True)[1]
    kind = np.unique(visits.column("kind").to_numpy(zero_copy_only=False), return_inverse=True)[1]
    table = np.zeros((family.max() + 1, 4))
    np.add.at(table, (family, kind), 1)
    return float(table.max(axis=1).sum() / table.sum())


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> SmallStore:
    return trained_absorbing(tmp_path_factory.mktemp("traits"), *shops_and_persons(), steps=700, width=64)


@pytest.mark.slow
def test_families_differ_as_the_real_ones_along_both_keys(store: SmallStore) -> None:
    real = pq.read_table(store.artifacts["ingest"] / "tables" / "visits.parquet")
    made = pq.read_table(store.artifacts["sample"] / "synthetic" / "visits.parquet")
    for key in KEYS:
        print(key, spread(made, key), spread(real, key), alike(made, key), alike(real, key))
    for key in KEYS:
        assert spread(made, key) == pytest.approx(spread(real, key), rel=0.2), key
    assert alike(made, "person") == pytest.approx(alike(real, "person"), rel=0.1)
    mean = [np.mean(one.column("amount").to_numpy()) for one in (made, real)]
    assert mean[0] == pytest.approx(mean[1], rel=0.03)


@pytest.mark.slow
def test_hidden_fields_are_in_no_output_and_hold_no_family_of_a_table_that_is_made_anew(store: SmallStore) -> None:
    made = store.artifacts["sample"]
    persons = pq.read_table(made / "synthetic" / "persons.parquet").to_pandas()
    assert (persons.n + persons.m == persons.t).all()
    for name, columns in (("shops", ["shop", "n"]), ("persons", ["person", "n", "m", "t"])):
        assert pq.read_table(made / "synthetic" / f"{name}.parquet").column_names == columns
        for trait in Prepared(made / "bundle").traits(name):
            assert trait.numbers == ("amount",) and not trait.own_levels and not trait.own_numbers
    # Shops make visits siblings: these follow one another.
    assert [len(Prepared(made / "bundle").traits(name)) for name in ("shops", "persons")] == [0, 1]
    assert not [path for path in (made / "bundle").rglob("*") if "encoded" in str(path)]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("relation", "visits.shop--shops", "relations to 'persons'"),
        ("own_levels", [1], "for each row"),
        ("numbers", [], "a share for each number"),
        ("levels", 1, "levels"),
    ],
)
def test_a_bundle_whose_hidden_fields_are_no_traits_of_its_keys_is_refused(
    store: SmallStore, tmp_path: Path, key: str, value: object, words: str
) -> None:
    bundle = Path(shutil.copytree(store.artifacts["sample"] / "bundle", tmp_path / "bundle"))
    path = bundle / "known" / "persons.traits.json"
    raw = json.loads(path.read_text())
    raw[0][key] = value
    path.write_text(json.dumps(raw))
    renew(bundle)
    with pytest.raises(DataError, match=words):
        Bundle.open(bundle)

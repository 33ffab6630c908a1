"""Whose rows are kept is a decision: nothing leaves the project because of how often it is referred to."""

import numpy as np
import pyarrow as pa
import pytest

from tabgraphsyn.data.codec import CodecConfig, TableCodec
from tabgraphsyn.data.files import write_json
from tabgraphsyn.data.link import link_relation
from tabgraphsyn.data.order import KeyUse, driver_relations, generation_order
from tabgraphsyn.data.reference import decisions, entity_numbers, no_entities, person_rows
from tabgraphsyn.data.schema import Column, Database, Relation, Schema, Table, TableSchema
from tabgraphsyn.data.split import HoldoutConfig, holdout_masks
from tabgraphsyn.errors import ConfigError
from tabgraphsyn.orchestration.launching.source import _notices


def table(name, key, reference=None, **columns):
    kinds = {"s": "categorical", "i": "numerical", "d": "numerical"}
    arrays = {column: pa.array(values) for column, values in columns.items()}
    described = tuple(
        Column(column, "id" if column == key or column.endswith("_id") else kinds[str(array.type)[0]])
        for column, array in arrays.items()
    )
    return Table(TableSchema(name, described, (key,) if key else (), reference=reference), pa.table(arrays))


def decided(tables, relations, k=5):
    schema = Schema(tuple(one.schema for one in tables), tuple(relations))
    database = Database(schema, {one.schema.name: one for one in tables})
    pointers = {one.name: link_relation(database, one) for one in schema.relations}
    order = generation_order(schema.table_names, schema.relations)
    driver = driver_relations(order, schema.relations, {n: KeyUse.measure(p) for n, p in pointers.items()})
    return decisions(database, order, driver, pointers, k)


def refers(child, column, parent, key):
    return Relation(child, (column,), parent, (key,))


def hospital(rng, patients=60, **test_columns):
    """Visits of patients, each with one of three kinds of test."""
    visits = 900
    return [
        table("patient", "patient_id", patient_id=np.arange(patients), weight=rng.normal(70, 9, patients)),
        table("test", "test_id", test_id=[0, 1, 2], **test_columns),
        table(
            "visit",
            "visit_id",
            visit_id=np.arange(visits),
            patient_id=np.where(np.arange(visits) < 200, 3, rng.integers(0, patients, visits)),
            test_id=rng.integers(0, 3, visits),
        ),
    ], [refers("visit", "patient_id", "patient", "patient_id"), refers("visit", "test_id", "test", "test_id")]


def test_a_table_that_every_entity_shares_is_published_and_patients_are_not(rng):
    found = decided(*hospital(rng, unit=["mmol", "mg", "mg"]))
    assert found["test"].is_published and "shared by 5 entities" in found["test"].reason
    assert not found["patient"].is_published and "persons" in found["patient"].reason
    assert "visit" not in found


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"born": pa.array([0, 1, 2], pa.int64()).cast(pa.timestamp("us"))}, "birth date"),
        ({"contact_email": ["a@b.example", "c@d.example", "e@f.example"]}, "email"),
        ({"zip": [10115, 20095, 80331]}, "postcode"),
        ({"chief": ["Dr. Ada Kolova", "Dr. Hugo Verdal", "Dr. Ines Marez"]}, "name"),
        ({"a": [1.5, 2.5, 3.5], "b": [1.1, 2.2, 3.3]}, "belong to one row alone"),
    ],
)
def test_what_is_personal_or_free_is_not_published_unasked(rng, columns, words):
    if "born" in columns:
        tables, relations = hospital(rng, unit=["a", "b", "b"])
        one = tables[1]
        described = (*one.schema.columns, Column("born", "datetime"))
        rows = one.read().append_column("born", columns["born"])
        tables[1] = Table(TableSchema("test", described, ("test_id",)), rows)
    else:
        tables, relations = hospital(rng, **columns)
    found = decided(tables, relations)["test"]
    assert not found.is_published and words in found.reason


def test_children_of_one_row_alone_share_nothing(rng):
    """Three wards with a hundred rows each look like a lookup table, and so do three people with a hundred readings."""
    owners = table("subject_group", "id", id=[0, 1, 2], grade=["a", "b", "b"])
    readings = table("reading", "no", no=np.arange(300), group_id=np.arange(300) % 3, value=rng.random(300))
    found = decided([owners, readings], [refers("reading", "group_id", "subject_group", "id")])["subject_group"]
    assert not found.is_published and "shared by 0 entities" in found.reason


def test_the_owner_decides_either_way(rng):
    tables, relations = hospital(rng, unit=["mmol", "mg", "mg"])
    for name, reference in (("patient", True), ("test", False)):
        place = ["patient", "test"].index(name)
        schema = tables[place].schema
        tables[place] = Table(
            TableSchema(name, schema.columns, schema.primary_key, reference=reference), tables[place].read()
        )
    found = decided(tables, relations)
    assert found["patient"].is_published and not found["test"].is_published
    assert found["patient"].reason == "declared, reference: true"


def test_a_rare_row_keeps_the_whole_table_back(rng):
    tables, relations = hospital(rng, unit=["mmol", "mg", "mg"])
    visits = tables[2].read().to_pydict()
    visits["test_id"] = [2 if n < 4 else n % 2 for n in range(900)]
    tables[2] = table("visit", "visit_id", **visits)
    found = decided(tables, relations)["test"]
    assert not found.is_published and "fewer than 5" in found.reason


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.mark.parametrize("given", [["nosuch"], {"nosuch": True}])
def test_an_unknown_table_is_refused(tmp_path, given):
    from tabgraphsyn.data.ingest.ingestion import ingest_database
    from tabgraphsyn.data.options import DatasetOptions

    (tmp_path / "plane.csv").write_text("id,a\n1,2\n2,3\n", encoding="utf-8")
    options = DatasetOptions.from_mapping({"path": str(tmp_path), "reference": given})
    with pytest.raises(ConfigError, match=r"dataset\.reference: no table"):
        ingest_database(options, tmp_path / "out")
    with pytest.raises(ConfigError, match=r"dataset\.reference"):
        DatasetOptions.from_mapping({"path": str(tmp_path), "reference": {"plane": "yes"}})


def test_metadata_and_yaml_say_it_and_the_yaml_wins(tmp_path):
    import json

    from tabgraphsyn.data.ingest.ingestion import ingest_database
    from tabgraphsyn.data.options import DatasetOptions

    (tmp_path / "plane.csv").write_text("id,a\n1,2\n2,3\n", encoding="utf-8")
    columns = {"id": {"sdtype": "id"}, "a": {"sdtype": "numerical"}}
    raw = {"tables": {"plane": {"primary_key": "id", "reference": True, "columns": columns}}, "relationships": []}
    (tmp_path / "metadata.json").write_text(json.dumps(raw), encoding="utf-8")

    def written(**options):
        folder = tmp_path / "out" / str(len(options))
        ingest_database(DatasetOptions.from_mapping({"path": str(tmp_path), **options}), folder)
        schema = Schema.from_dict(json.loads((folder / "schema.json").read_text()))
        again = json.loads((folder / "metadata.json").read_text())["tables"]["plane"]
        assert again.get("reference") == schema.table("plane").reference
        return schema.table("plane").reference

    assert written() is True
    assert written(reference={"plane": False}) is False


def test_ingest_writes_the_proposal_with_its_reason(tmp_path, monkeypatch):
    from tabgraphsyn.data.options import DatasetOptions
    from tabgraphsyn.verbs.ingest_write import write_dataset

    monkeypatch.setenv("TABGRAPHSYN_CONF", str(tmp_path / "conf"))
    data = tmp_path / "hospital"
    data.mkdir()
    rng = np.random.default_rng(0)
    (data / "patient.csv").write_text("patient_id,weight\n" + "".join(f"{n},{60 + n}\n" for n in range(60)))
    rows = "".join(f"{n},{rng.integers(0, 60)}\n" for n in range(300))
    (data / "visit.csv").write_text("visit_id,patient_id\n" + rows)
    written = write_dataset(
        data, None, None, {"all_null": "error", "max_columns": 1000, "delimiter": None, "encoding": None}
    )
    text = written.yaml.read_text(encoding="utf-8")
    assert "reference: null" in text and "rules: null" in text
    why = "its name says that its rows are persons"
    assert f"#   patient: made anew: {why} (reference: {{patient: true}} publishes its real rows)" in text
    assert any("patient: made anew" in note for note in written.profile["notes"])
    import yaml

    assert DatasetOptions.from_mapping(yaml.safe_load(text)).reference == {}


def lab(**columns):
    """Results of 60 patients whose own table is not there, ten rows each."""
    rows = 600
    order = np.random.default_rng(3).permutation(rows) % 60
    return table("lab", "lab_id", lab_id=np.arange(rows), **{"patient_id": order, **columns})


@pytest.mark.parametrize("name", ["patient_id", "KundenNr", "customerid", "user_no"])
def test_rows_of_one_person_are_one_entity_without_a_table_of_persons(name):
    one = lab()
    source = one.source.rename_columns(
        [name if column == "patient_id" else column for column in one.source.column_names]
    )
    kinds = tuple(Column(column, "id" if column == "lab_id" else "categorical") for column in source.column_names)
    schema = TableSchema("lab", kinds, ("lab_id",))
    database = Database(Schema((schema,), ()), {"lab": Table(schema, source)})
    persons = person_rows(database)
    entities = entity_numbers(["lab"], {"lab": 600}, {"lab": None}, (), {}, persons)["lab"]
    who = source.column(name).to_numpy()
    assert len(np.unique(entities)) == 60 and all(len(np.unique(entities[who == one])) == 1 for one in range(60))
    held = holdout_masks(["lab"], {"lab": 600}, {"lab": None}, (), {}, HoldoutConfig(), None, persons)["lab"]
    assert held.sum() == 60 and not set(who[held]) & set(who[~held]), "a person is held out with all rows or with none"


def test_what_one_person_has_in_many_rows_is_not_named():
    one = lab()
    who = one.source.column("patient_id").to_numpy()
    diagnoses = np.where(who == 7, "Fabry disease", np.where(who % 2 == 0, "flu", "cold"))
    rows = one.source.append_column("diagnosis", pa.array(diagnoses))
    schema = TableSchema("lab", (*one.schema.columns, Column("diagnosis", "categorical")), ("lab_id",))
    database = Database(Schema((schema,), ()), {"lab": Table(schema, rows)})
    entities = entity_numbers(["lab"], {"lab": 600}, {"lab": None}, (), {}, person_rows(database))["lab"]
    codec = TableCodec.fit(database["lab"], np.ones(600, bool), ["patient_id", "diagnosis"], CodecConfig(), entities)
    assert "Fabry" not in str(codec.to_dict()) and "flu" in str(codec.to_dict())
    assert codec.columns["patient_id"].kind == "personal", "numbers of persons are made anew"


@pytest.mark.parametrize("name", ["product_id", "patients", "patient_age"])
def test_other_columns_do_not_tell_persons(name):
    one = table("t", "k", k=np.arange(300), **{name: np.arange(300) % 60})
    assert not person_rows(Database(Schema((one.schema,), ()), {"t": one}))


@pytest.mark.parametrize(("k", "is_published"), [(2, True), (12, True), (13, False), (101, False)])
def test_a_launch_says_what_the_settings_make_of_it(rng, tmp_path, k, is_published):
    found = decided(*hospital(rng, patients=12, unit=["mmol", "mg", "mg"]))["test"]
    assert found.shared_by == 12
    one = {"table": "test", "published": True, "declared": False, "reason": "as usual", "shared_by": found.shared_by}
    write_json(tmp_path / "profile.json", {"rows_kept": [one]})
    (said,) = _notices(tmp_path, k)
    assert said.startswith("rows published: test" if is_published else "rows made anew: test") and f" {k}" in said


def test_four_currencies_are_no_entities_and_four_patients_are() -> None:
    rows = {"currency": 4, "patients": 4, "site": 9, "account": 900}
    assert no_entities([], rows, 5) == ("currency",)
    assert no_entities(["site"], rows, 5) == ("currency", "site")

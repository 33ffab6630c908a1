"""Every value comes back as what it was: written, read, encoded, decoded and written again."""

from __future__ import annotations

import csv
import decimal
import re
from pathlib import Path
from random import Random

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tabgraphsyn.data.codec import CodecConfig, TableCodec
from tabgraphsyn.data.files import read_json
from tabgraphsyn.data.ingest.ingestion import ingest_database
from tabgraphsyn.data.options import DatasetOptions
from tabgraphsyn.data.schema import Schema, Table
from tabgraphsyn.generation.writer import write_table
from tests.data_in.column_kinds import KINDS, Drawn

ROWS = 120


def ingested(folder: Path, **options: object) -> tuple[Table, dict]:
    out = folder / "out"
    profile = ingest_database(DatasetOptions.from_mapping({"path": str(folder / "data"), **options}), out)
    schema = Schema.from_dict(read_json(out / "schema.json"))
    return Table(schema.tables[0], out / "tables" / f"{schema.tables[0].name}.parquet"), profile


def write_csv(path: Path, columns: dict[str, list[str]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as handle:
        rows = csv.writer(handle)
        rows.writerow(columns)
        rows.writerows(zip(*columns.values(), strict=True))


def texts_of(path: Path) -> dict[str, list[str]]:
    with path.open(newline="", encoding="utf-8") as handle:
        rows = list(csv.DictReader(handle))
    return {name: [row[name] for row in rows] for name in rows[0]}


def again(table: Table, folder: Path, rows: pa.Table) -> tuple[dict[str, list[str]], pa.Table]:
    folder.mkdir()
    write_table(table.schema, [rows], folder, ("csv", "parquet"))
    name = table.schema.name
    return texts_of(folder / f"{name}.csv"), pq.read_table(folder / f"{name}.parquet")


def decoded(table: Table) -> pa.Table:
    """Return all columns encoded and decoded again, ids and text made anew."""
    names = [column.name for column in table.schema.columns]
    codec = TableCodec.fit(table, np.ones(table.num_rows, dtype=bool), names, CodecConfig())
    again = TableCodec.from_dict(codec.to_dict())
    fields = again.encode(table.read())
    middle = fields.numerical.mean(axis=2)
    return again.decode(middle, fields.categorical, np.random.default_rng(0))


@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32), with_gaps=st.booleans())
def test_columns_of_every_kind(tmp_path_factory: pytest.TempPathFactory, seed: int, with_gaps: bool) -> None:
    rng, folder = Random(seed), tmp_path_factory.mktemp("kinds")
    drawn = {name: kind(rng, ROWS) for name, kind in KINDS.items()}
    columns = {name: list(one.texts) for name, one in drawn.items()}
    if with_gaps:
        for texts in columns.values():
            for place in rng.sample(range(ROWS), 6):
                texts[place] = ""
    write_csv(folder / "data" / "t.csv", columns)
    table, _ = ingested(folder)
    texts, _ = again(table, folder / "same", table.read())
    assert texts == columns, "what is read and written at once is the same text"
    texts, _ = again(table, folder / "decoded", decoded(table))
    for name, one in drawn.items():
        odd = [text for text in texts[name] if text and not re.fullmatch(one.pattern, text)]
        assert not odd, (name, odd[:3], columns[name][:3])
        assert texts[name].count("") == columns[name].count(""), name
        sdtype = table.schema.column(name).sdtype
        assert sdtype == _meaning(name, sdtype), (name, sdtype)
        _same_domain(table, name, one, texts[name])


def _meaning(name: str, found: str) -> str:
    if name in ("plates", "zip_codes", "bands"):
        return "categorical"
    if name in ("stamps", "zones", "dates", "two_formats", "clocks"):
        return "datetime"
    if name == "booleans":
        return found if found in ("boolean", "categorical") else "boolean"
    return "id" if name == "uuids" else "numerical"


def _same_domain(table: Table, name: str, one: Drawn, texts: list[str]) -> None:
    """Hold decoded numbers and times within the real ones."""
    column = table.schema.column(name)
    if column.sdtype not in ("numerical", "datetime") or column.format is None:
        return
    real, made = (
        column.format.numbers(column.format.read(pa.array([text for text in some if text])))
        for some in (one.texts, texts)
    )
    real, made = real.drop_null().to_pylist(), made.drop_null().to_pylist()
    assert min(real) <= min(made) and max(made) <= max(real), name


TYPED = {
    "key": pa.array(range(1, ROWS + 1), pa.int16()),
    "int8": pa.array(range(-50, 70), pa.int8()),
    "uint16": pa.array(range(60_000, 60_000 + ROWS), pa.uint16()),
    "int32": pa.array(range(0, ROWS * 7, 7), pa.int32()),
    "uint64": pa.array([2**63 + 11 * k**3 for k in range(ROWS)], pa.uint64()),
    "small_uint64": pa.array(range(ROWS), pa.uint64()),
    "half": pa.array(np.linspace(-3, 3, ROWS).astype(np.float16)),
    "float": pa.array(np.linspace(-3, 3, ROWS), pa.float32()),
    "money": pa.array([decimal.Decimal(k * k).scaleb(-4) for k in range(ROWS)], pa.decimal128(18, 4)),
    "units": pa.array([decimal.Decimal(k) for k in range(ROWS)], pa.decimal128(9, 0)),
    "wide": pa.array([decimal.Decimal(10**25 + 977 * k**9) for k in range(ROWS)], pa.decimal128(30, 0)),
    "wide_scaled": pa.array(
        [decimal.Decimal(10**20 + 977 * k**7).scaleb(-6) for k in range(ROWS)], pa.decimal128(30, 6)
    ),
    "grade": pa.array(["A", "B", "C"] * (ROWS // 3)).dictionary_encode(),
    "small_grade": pa.DictionaryArray.from_arrays(pa.array([0, 1] * (ROWS // 2), pa.int8()), pa.array(["x", "y"])),
    "large_text": pa.array(["north", "south"] * (ROWS // 2), pa.large_string()),
    "day": pa.array(range(9_000, 9_000 + ROWS), pa.date32()),
    "day64": pa.array([86_400_000 * k for k in range(ROWS)], pa.date64()),
    "clock": pa.array([k * 700_000_000 for k in range(ROWS)], pa.time64("us")),
    "clock32": pa.array([k * 700 for k in range(ROWS)], pa.time32("s")),
    "took": pa.array([k * k * 1_000 for k in range(ROWS)], pa.duration("ms")),
    "utc": pa.array([k * 10**9 for k in range(ROWS)], pa.timestamp("us", tz="UTC")),
    "berlin": pa.array([k * 10**12 for k in range(ROWS)], pa.timestamp("ns", tz="Europe/Berlin")),
    "seconds": pa.array([k * 10**5 for k in range(ROWS)], pa.timestamp("s")),
    "nanos": pa.array([k * 10**12 + 123_457 for k in range(ROWS)], pa.timestamp("ns")),
    "flag": pa.array([True, False] * (ROWS // 2)),
}  # fmt: skip


def test_typed_columns_come_back_in_their_types(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    source = pa.table(TYPED)
    pq.write_table(source, tmp_path / "data" / "t.parquet")
    source = pq.read_table(tmp_path / "data" / "t.parquet")  # parquet has no seconds, arrow makes milliseconds of them
    table, _ = ingested(tmp_path)
    _, same = again(table, tmp_path / "same", table.read())
    assert {f.name: str(f.type) for f in same.schema} == {f.name: str(f.type) for f in source.schema}
    unequal = [name for name in source.column_names if name != "nanos" and not same[name].equals(source[name])]
    assert not unequal
    _, made = again(table, tmp_path / "made", decoded(table))
    assert {f.name: str(f.type) for f in made.schema} == {f.name: str(f.type) for f in source.schema}
    for name in ("uint64", "wide", "wide_scaled", "int8", "uint16", "money", "took", "clock"):
        assert table.schema.column(name).sdtype in ("numerical", "datetime"), name
        real = source[name].to_pylist()
        assert min(real) <= min(made[name].to_pylist()) and max(made[name].to_pylist()) <= max(real), name
    last_digits = {int(value) % 10 for value in made["wide"].to_pylist()}
    assert len(last_digits) > 4, "large numbers keep their last digits"


def test_uuids_of_parquet_stay_uuids(tmp_path: Path) -> None:
    raw = [bytes(Random(k).randbytes(16)) for k in range(ROWS)]
    (tmp_path / "data").mkdir()
    column = pa.ExtensionArray.from_storage(pa.uuid(), pa.array(raw, pa.binary(16)))
    pq.write_table(pa.table({"u": column, "x": pa.array(range(ROWS))}), tmp_path / "data" / "t.parquet")
    table, _ = ingested(tmp_path)
    _, same = again(table, tmp_path / "same", table.read())
    assert same.schema.field("u").type == pa.uuid() and same["u"].to_pylist() == column.to_pylist()


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["9E6", "0E0", "1E5"] * 9, "text"),
        (["1e5", "2.5", "3e-4"] * 9, "number"),
        (["1E+05", "2E+06", "3E+01"] * 9, "number"),
        (["+4930123456", "+4930654321", "+4930123777"] * 9, "text"),
        (["+5", "-3", "+12"] * 9, "number"),
        (["731 123 456", "731 123 457", "731 999 456"] * 9, "text"),
        (["1 234", "12", "999"] * 9, "number"),
        (["007", "12", "3"] * 9, "text"),
        (["0.5", "0.25", "7"] * 9, "number"),
        (["12.345", "1.200", "999"] * 9, "thousands"),
        (["12.345", "0.200", "1.999"] * 9, "number"),
        (["192.168.1.1", "10.0.0.1", "8.8.8.8"] * 9, "text"),
        (["1.2.3", "1.2.4", "2.0.0"] * 9, "text"),
        (["A12", "B7", "C9"] * 9, "text"),
        (["2024-13-01", "2024-14-02", "2024-15-03"] * 9, "text"),
        (["1234-05", "2310-11", "0042-07"] * 9, "text"),
        (["25:61", "30:62", "99:99"] * 9, "text"),
    ],
)
def test_codes_and_numbers_are_told_apart_by_the_whole_column(tmp_path: Path, texts: list[str], expected: str) -> None:
    write_csv(tmp_path / "data" / "t.csv", {"c": texts, "k": [str(k) for k in range(len(texts))]})
    table, _ = ingested(tmp_path)
    type_ = table.read().schema.field("c").type
    if expected == "text":
        assert type_ == pa.string()
    else:
        assert type_ in (pa.int64(), pa.float64())
        assert (type_ == pa.int64()) == (expected == "thousands" or all(re.fullmatch(r"[+-]?[\d ]+", t) for t in texts))
    assert again(table, tmp_path / "same", table.read())[0]["c"] == texts or expected == "number"

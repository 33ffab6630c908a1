"""Time and peak memory of ingesting a generated CSV, in a process of its own.

python scripts/bench_ingest.py [--rows 10000000] [--folder FOLDER]

Two tables: customers (one per 50 orders) and orders, whose seven columns have one of each type. The CSV files lie in a
temporary folder (about 75 bytes a row of orders).
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as arrow_csv

CHUNK_ROWS = 500_000
CHILD = """
import json, sys, time
from pathlib import Path
from tabgraphsyn.data.ingest.ingestion import ingest_database
from tabgraphsyn.data.options import DatasetOptions
started = time.perf_counter()
profile = ingest_database(DatasetOptions.from_mapping({"path": sys.argv[1]}), Path(sys.argv[2]))
columns = {name: found["sdtype"] for name, found in profile["tables"]["orders"]["columns"].items()}
print(json.dumps({"seconds": time.perf_counter() - started, "columns": columns}))
"""


def write_orders(path: Path, rows: int, customers: int) -> None:
    """Write ``rows`` orders in chunks."""
    generator = np.random.default_rng(0)
    states = pa.array(["new", "paid", "sent", "returned"])
    writer = None
    for start in range(0, rows, CHUNK_ROWS):
        count = min(CHUNK_ROWS, rows - start)
        micros = generator.integers(1_400_000_000, 1_700_000_000, count) * 1_000_000
        when = pa.array(micros).cast(pa.timestamp("us"))
        chunk = pa.table(
            {
                "order_id": np.arange(start, start + count),
                "customer_id": generator.integers(0, customers, count),
                "ordered_at": when.cast(pa.timestamp("s")).cast(pa.string()),
                "amount": np.round(generator.lognormal(3, 1, count), 2),
                "items": generator.integers(1, 500, count),
                "state": states.take(pa.array(generator.integers(0, 4, count))),
                "gift": pa.array(generator.random(count) < 0.1).cast(pa.string()),
            }
        )
        writer = writer or arrow_csv.CSVWriter(path, chunk.schema)
        writer.write_table(chunk)
    if writer is not None:
        writer.close()


def write_customers(path: Path, customers: int) -> None:
    """Write the parents."""
    generator = np.random.default_rng(1)
    table = pa.table({"customer_id": np.arange(customers), "score": np.round(generator.normal(0, 1, customers), 3)})
    arrow_csv.write_csv(table, path)


def main() -> None:
    """Generate, ingest, print one line of json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--folder", type=Path, help="where the temporary folder is made")
    arguments = parser.parse_args()
    customers = max(arguments.rows // 50, 2)
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        data = Path(folder) / "data"
        data.mkdir()
        started = time.perf_counter()
        write_orders(data / "orders.csv", arguments.rows, customers)
        write_customers(data / "customers.csv", customers)
        generated_s = time.perf_counter() - started
        csv_mb = (data / "orders.csv").stat().st_size / 1e6
        command = [sys.executable, "-c", CHILD, str(data), str(Path(folder) / "out")]
        found = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
        peak_mb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(
        json.dumps(
            {
                "rows": arguments.rows,
                "csv_mb": round(csv_mb),
                "generated_s": round(generated_s, 1),
                "ingest_s": round(found["seconds"], 1),
                "rows_per_s": round(arguments.rows / found["seconds"]),
                "peak_rss_mb": round(peak_mb),
                "columns": found["columns"],
            }
        )
    )


if __name__ == "__main__":
    main()

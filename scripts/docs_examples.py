"""Score databases of which we know how good they are: what stands in "how to read" and on each metric's page.

    python scripts/docs_examples.py [--out docs/data/reading_scores.json]

The real database is the shop of ``docs/own-tables.md``, whose code is its own perfect generator. ``another_draw`` is
that code with another seed, ``columns_apart`` shuffles every column by itself under the real keys, ``copy`` hands out
the training rows, ``one_in_ten_copied`` hides copies of a tenth of the customers in another draw, and ``noise`` draws
every value evenly between the ends and breaks some keys.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "own-tables.md"
KEYS = ("customer_id", "order_id")
# What takes longer than `full` lets people wait.
BESIDE_FULL = (
    "--set",
    "+evaluation.metrics.utility_graph={_target_: tabgraphsyn.evaluation.metric.utility_graph.UtilityGraph}",
)
REAL_SEED, HOLDOUT_SEED, OTHER_SEED = 7, 8, 9
_BLOCK = re.compile(r"^```python[^\n]*make_shop\.py[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
Tables = dict[str, pd.DataFrame]


def shop(seed: int = REAL_SEED, first_id: int = 0) -> Tables:
    """Return the shop of the page, drawn with a seed; ``first_id`` is added to its keys."""
    found = _BLOCK.search(PAGE.read_text(encoding="utf-8"))
    if found is None:
        raise SystemExit(f"{PAGE}: no code block titled make_shop.py")
    code = found[1].replace(f"SEED = {REAL_SEED}", f"SEED = {seed}")
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-c", code], cwd=folder, check=True)
        files = sorted(Path(folder, "shop").glob("*.csv"))
        tables = {path.stem: pd.read_csv(path) for path in files}
    return {
        name: table.assign(**{key: table[key] + first_id for key in KEYS if key in table})
        for name, table in tables.items()
    }


def columns_apart(tables: Tables, generator: np.random.Generator) -> Tables:
    """Return every column in an order of its own; keys stay."""
    return {
        name: table.apply(lambda column: column if column.name in KEYS else generator.permutation(column))
        for name, table in tables.items()
    }


def one_in_ten_copied(tables: Tables, other: Tables, generator: np.random.Generator) -> Tables:
    """Return another draw in which a tenth of the customers, with their orders, are training rows."""
    kept = set(generator.choice(tables["customers"]["customer_id"], len(tables["customers"]) // 10, replace=False))
    shift = 10**6
    parts = {}
    for name, table in tables.items():
        copied = table[table["customer_id"].isin(kept)]
        fresh = other[name][~other[name]["customer_id"].isin(kept)]
        parts[name] = pd.concat([fresh.assign(**{key: fresh[key] + shift for key in KEYS if key in fresh}), copied])
    return parts


def noise(tables: Tables, generator: np.random.Generator) -> Tables:
    """Return values drawn evenly between the ends; one foreign key in twenty leads nowhere, one id is there twice."""
    made = {name: table.apply(lambda column: _even(column, generator)) for name, table in tables.items()}
    orders, customers = made["orders"], tables["customers"]
    orders["customer_id"] = generator.choice(customers["customer_id"], len(orders))
    orders.loc[orders.index[::20], "customer_id"] = 10**7
    orders.loc[orders.index[1], "order_id"] = orders.loc[orders.index[0], "order_id"]
    return made


def _even(column: pd.Series, generator: np.random.Generator) -> Any:
    if column.name in KEYS:
        return column
    if column.dtype == object:
        return generator.choice(column.dropna().unique(), len(column))
    return np.round(generator.uniform(column.min(), column.max(), len(column)), 2)


def candidates() -> tuple[Tables, Tables, dict[str, Tables]]:
    """Return the training tables, the held-out ones, and the databases to score."""
    generator = np.random.default_rng(0)
    real, other = shop(), shop(OTHER_SEED)
    made = {
        "another_draw": other,
        "columns_apart": columns_apart(real, generator),
        "copy": real,
        "one_in_ten_copied": one_in_ten_copied(real, other, generator),
        "noise": noise(real, generator),
    }
    return real, shop(HOLDOUT_SEED, first_id=2 * 10**6), made


def measured(folder: Path) -> dict[str, Any]:
    """Score every candidate and return metric -> where -> candidate -> value, and what could not be scored."""
    real, holdout, made = candidates()
    for name, tables in {"real": real, "holdout": holdout, **made}.items():
        (folder / name).mkdir()
        for table, rows in tables.items():
            rows.to_csv(folder / name / f"{table}.csv", index=False)
    own = {**os.environ, "PYTHONPATH": str(ROOT), "TABGRAPHSYN_CONF": str(folder / "conf"), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "tabgraphsyn"]
    subprocess.run([*command, "ingest", "real"], cwd=folder, env=own, check=True, stdout=subprocess.DEVNULL)
    found: dict[str, Any] = {"scores": {}, "gate": {}}
    for name in made:
        words = [
            "--real",
            "real",
            "--holdout",
            "holdout",
            "--synthetic",
            name,
            "--out",
            f"out-{name}",
            "--protocol",
            "full",
            *BESIDE_FULL,
        ]
        subprocess.run([*command, "evaluate", *words, "--threads", "1"], cwd=folder, env=own, check=True)
        scored = json.loads((folder / f"out-{name}" / "metrics.json").read_text(encoding="utf-8"))
        found["gate"][name] = scored["gate"]["verdict"]
        for score in scored["scores"]:
            if score["comparison"] in ("synthetic", "real_real") and score["level"] in ("database", "table"):
                side = name if score["comparison"] == "synthetic" else "real_real"
                places = found["scores"].setdefault(score["metric"], {})
                places.setdefault(score["where"], {})[side] = round(score["value"], 4)
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the scores."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "data" / "reading_scores.json")
    out = parser.parse_args(arguments).out
    with tempfile.TemporaryDirectory() as folder:
        found = measured(Path(folder))
    out.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    print(f"written: {out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

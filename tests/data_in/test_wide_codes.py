"""A few numbers of more digits than a float holds are codes: none of them changes by a trifle."""

from __future__ import annotations

import decimal
from pathlib import Path
from random import Random

import pyarrow as pa
import pyarrow.parquet as pq

from tests.data_in.test_every_value_comes_back import again, decoded, ingested

ROWS = 300


def test_few_wide_numbers_come_back_exactly(tmp_path: Path) -> None:
    rng = Random(4)
    flags = [2**64 - 1, 2**63, 7, 2**40]
    limits = [decimal.Decimal(10) ** 25 + 3, decimal.Decimal(17)]
    real = pa.table(
        {
            "flag": pa.array([rng.choice(flags) for _ in range(ROWS)], pa.uint64()),
            "limit": pa.array([rng.choice(limits) for _ in range(ROWS)], pa.decimal128(38, 0)),
            "hash": pa.array([rng.randrange(2**63, 2**64) for _ in range(ROWS)], pa.uint64()),
        }
    )
    (tmp_path / "data").mkdir()
    pq.write_table(real, tmp_path / "data" / "t.parquet")
    table, _ = ingested(tmp_path)
    assert [column.sdtype for column in table.schema.columns] == ["categorical", "categorical", "numerical"]
    _, typed = again(table, tmp_path / "made", decoded(table))
    assert typed.column("flag").type == pa.uint64() and set(typed.column("flag").to_pylist()) == set(flags)
    assert set(typed.column("limit").to_pylist()) == set(limits)
    assert min(typed.column("hash").to_pylist()) >= 2**62

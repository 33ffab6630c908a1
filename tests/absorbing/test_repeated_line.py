"""Numbers that repeat another column's, through a bundle: rows, given cells, conditions and filled nulls."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from line import trained_absorbing

from tabgraphsyn.data.schema import Column, Schema, TableSchema
from tabgraphsyn.generation.fixing.typed import ReadTable
from tabgraphsyn.verbs.sample import given_tables, impute, sample

ROWS = 400


def orders() -> pa.Table:
    """Half of what is billed is paid to the cent, and a third of what is paid is refunded."""
    rng = np.random.default_rng(0)
    billed, other, more = (np.round(rng.lognormal(5, 1, ROWS), 2) for _ in range(3))
    paid = np.where(rng.random(ROWS) < 0.5, billed, other)
    return pa.table({"billed": billed, "paid": paid, "refunded": np.where(rng.random(ROWS) < 0.33, paid, more)})


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    columns = tuple(Column(name, "numerical", "Float") for name in orders().column_names)
    schema = Schema((TableSchema("t", columns, ()),), ())
    store = trained_absorbing(tmp_path_factory.mktemp("repeated"), schema, {"t": orders()}, steps=40, width=16)
    return Path(store.artifacts["sample"] / "bundle")


@pytest.mark.slow
def test_repeated_numbers_with_what_a_user_fixes(bundle: Path, tmp_path: Path) -> None:
    def drawn(name: str, **wishes: list[str]) -> dict[str, np.ndarray]:
        sample(bundle, 1.0, 5, tmp_path / name, formats=["parquet"], device="cpu", **wishes)  # type: ignore[arg-type]
        made = pq.read_table(tmp_path / name / "t.parquet")
        return {column: made.column(column).to_numpy() for column in made.column_names}

    made = drawn("plain")
    assert 0.2 < (made["paid"] == made["billed"]).mean() < 0.8 and (made["refunded"] == made["paid"]).mean() > 0.1
    where = drawn("where", where=["t.refunded>100"])
    assert where["refunded"].min() > 100 and (where["refunded"] == where["paid"]).mean() > 0.1
    given = orders().slice(0, 100)
    for name, columns in (("alone", ["paid"]), ("both", ["billed", "paid"])):
        (tmp_path / f"{name}.csv").write_text(
            ",".join(columns)
            + "\n"
            + "\n".join(",".join(map(str, one.values())) for one in given.select(columns).to_pylist())
        )
        stood = drawn(name, given=given_tables([f"t={tmp_path / f'{name}.csv'}"]))  # type: ignore[arg-type]
        for column in columns:
            assert set(given.column(column).to_pylist()) <= set(stood[column].tolist())
    holes = pa.array(np.arange(ROWS) % 2 == 0)
    lost = pa.table(
        {n: pc.if_else(holes, None, orders().column(n)) if n == "paid" else orders().column(n) for n in made}
    )
    filled = impute(bundle, [ReadTable("t", "t", lost)], None, seed=2, device="cpu")["t"]
    paid, billed = filled.column("paid").to_numpy(), filled.column("billed").to_numpy()
    assert filled.column("paid").null_count == 0 and (paid == billed)[::2].mean() > 0.1
    assert (paid[1::2] == orders().column("paid").to_numpy()[1::2]).all()

"""What is drawn for fixed values follows the data's conditional shares: p(y | x) is known here."""

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
from tabgraphsyn.verbs.sample import impute, sample

ROWS = 3000
SHARE = {"a": 0.1, "b": 0.5, "c": 0.85}
"""p(y | x)."""
MIDDLE = {"a": -2.0, "b": 0.0, "c": 2.0}
"""Of z, with a spread of one."""


def rows() -> pa.Table:
    rng = np.random.default_rng(0)
    x = rng.choice(["a", "b", "c"], ROWS, p=[0.6, 0.3, 0.1])
    y = rng.random(ROWS) < np.array([SHARE[one] for one in x])
    z = np.array([MIDDLE[one] for one in x]) + rng.normal(size=ROWS)
    return pa.table({"x": x, "y": y, "z": np.round(z, 3)})


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    columns = (Column("x", "categorical"), Column("y", "boolean"), Column("z", "numerical", "Float"))
    schema = Schema((TableSchema("t", columns, ()),), ())
    more = {"batch_rows": 256, "learning_rate": 3e-3}
    store = trained_absorbing(tmp_path_factory.mktemp("shares"), schema, {"t": rows()}, steps=500, width=48, **more)
    return Path(store.artifacts["sample"] / "bundle")


def drawn(bundle: Path, out: Path, **wishes: list[str]) -> pa.Table:
    sample(bundle, 1.0, 5, out, formats=["parquet"], device="cpu", **wishes)  # type: ignore[arg-type]
    return pq.read_table(out / "t.parquet")


def shares(table: pa.Table) -> np.ndarray:
    x = table.column("x").to_numpy()
    return np.array([(x == one).mean() for one in SHARE])


@pytest.mark.slow
@pytest.mark.parametrize(("where", "keep"), [("t.y=true", "y"), ("t.z>1", "z"), ("t.x in a, c", "x")])
def test_the_others_follow_what_is_fixed(bundle: Path, tmp_path: Path, where: str, keep: str) -> None:
    real = rows()
    masks = {"y": real.column("y"), "z": pc.greater(real.column("z"), 1), "x": pc.not_equal(real.column("x"), "b")}
    wanted, made = real.filter(masks[keep]), drawn(bundle, tmp_path / "out", where=[where])
    assert made.num_rows == ROWS
    assert np.abs(shares(made) - shares(wanted)).max() < 0.06
    assert abs(pc.mean(made.column("z")).as_py() - pc.mean(wanted.column("z")).as_py()) < 0.15
    positive = [float(pc.mean(each.column("y").cast(pa.float64())).as_py()) for each in (made, wanted)]
    assert abs(positive[0] - positive[1]) < 0.06


@pytest.mark.slow
def test_balanced_levels_leave_what_follows_from_them(bundle: Path, tmp_path: Path) -> None:
    made = drawn(bundle, tmp_path / "out", balance=["t.x"])
    assert np.abs(shares(made) - 1 / 3).max() < 0.001
    x, y, z = (made.column(name).to_numpy(zero_copy_only=False) for name in "xyz")
    for level, share in SHARE.items():
        assert abs(y[x == level].mean() - share) < 0.08
        assert abs(z[x == level].mean() - MIDDLE[level]) < 0.25


@pytest.mark.slow
def test_filled_cells_follow_those_beside_them(bundle: Path) -> None:
    real, rng = rows(), np.random.default_rng(1)
    lost = rng.random((ROWS, 3)) < 0.4
    columns = {n: pa.array(real.column(n).to_pylist(), mask=lost[:, k]) for k, n in enumerate("xyz")}
    made = impute(bundle, [ReadTable("t", "t", pa.table(columns))], None, seed=2, device="cpu")["t"]
    assert all(made.column(name).null_count == 0 for name in "xyz")
    x, y, z = (made.column(name).to_numpy(zero_copy_only=False) for name in "xyz")
    only_y = lost[:, 1] & ~lost[:, 0]
    for level, share in SHARE.items():
        assert abs(y[only_y & (x == level)].mean() - share) < 0.1
    only_x = lost[:, 0] & ~lost[:, 2]
    true = real.column("x").to_numpy()
    for low, high in ((-9, -1), (-1, 1), (1, 9)):
        here = only_x & (z >= low) & (z < high)
        for level in SHARE:
            assert abs((x[here] == level).mean() - (true[here] == level).mean()) < 0.2

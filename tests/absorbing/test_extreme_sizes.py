"""Numbers near the ends of what a float holds are trained on like any others."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from tabgraphsyn.data.codec import CodecConfig, TableCodec
from tabgraphsyn.data.schema import Column, Table, TableSchema
from tabgraphsyn.models.absorbing.numbers.scales import POINTS, scales

ROWS = 400


@pytest.mark.parametrize("powers", [(-300, 300), (305, 308), (-320, -300), (-8, 8)])
def test_scales_are_finite_and_climb(powers: tuple[float, float]) -> None:
    rng = np.random.default_rng(2)
    wide = 10.0 ** rng.uniform(*powers, ROWS)
    values = {"wide": wide, "signed": wide * rng.choice([-1.0, 1.0], ROWS), "plain": rng.normal(0, 1, ROWS)}
    schema = TableSchema("t", tuple(Column(name, "numerical", "Float") for name in values))
    codec = TableCodec.fit(Table(schema, pa.table(values)), np.ones(ROWS, dtype=bool), list(values), CodecConfig())
    found = scales(codec, codec.encode(pa.table(values)))
    assert found.shape[1] == POINTS and np.isfinite(found).all()
    assert (np.diff(found, axis=1) > 0).all()

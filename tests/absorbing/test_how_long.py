"""How long a table is trained: many rows without siblings longer, small tables by how often a row is seen."""

from __future__ import annotations

import numpy as np
import pytest

from tabgraphsyn.generators.absorbing import Absorbing
from tabgraphsyn.models.families import Families
from tabgraphsyn.stages.absorbing import _limited
from tabgraphsyn.training.config import LoopConfig

LOOP = LoopConfig(
    steps=6000, batch_rows=256, learning_rate=1e-3, warmup_steps=100, schedule="cosine", validate_every=300,
)  # fmt: skip


@pytest.mark.parametrize(
    ("rows", "has_siblings", "units", "steps"),
    [
        (40_000, False, 10, 12_000),
        (30_000, False, 40, 12_000),
        (40_000, True, 40, 6_000),
        (19_000, False, 10, 6_000),
        (19_000, False, 30, 7_421),  # 9,000 by its width, but no row is seen more than a hundred times
        (2_000, False, 10, 800),
        (200, False, 10, 312),
    ],
)
def test_steps_by_rows_and_width(rows: int, has_siblings: bool, units: int, steps: int) -> None:
    families = Families.from_pointer(np.arange(rows) // 10 if has_siblings else None, rows, 48)
    assert _limited(LOOP, families, Absorbing(), units).steps == steps

"""A table of some dozen rows is trained as long as rows that were left out in turn want it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest
from line import trained_absorbing
from small_table import rows, task

from tabgraphsyn.data.files import read_json
from tabgraphsyn.data.schema import Column, Schema, TableSchema
from tabgraphsyn.stages.rehearsal import FOLDS, _folds, rehearsed
from tabgraphsyn.training.config import LoopConfig

ROWS, STEPS = 80, 80


def trained(folder: Path, follows: bool) -> dict[str, object]:
    """Return what a training of three coarse columns says of itself; two may mostly follow one."""
    rng = np.random.default_rng(3)
    first = rng.integers(0, 4, ROWS)
    own = rng.random(ROWS) < (0.1 if follows else 1)
    others = [np.where(own, rng.integers(0, 4, ROWS), (first + n) % 4) for n in (1, 2)]
    names = ("department", "level", "hours")
    table = pa.table({name: [f"x{one}" for one in each] for name, each in zip(names, (first, *others), strict=True)})
    schema = Schema((TableSchema("t", tuple(Column(name, "categorical") for name in names)),))
    store = trained_absorbing(folder, schema, {"t": table}, steps=STEPS, width=16)
    record: dict[str, object] = read_json(store.artifacts["absorbing/t"] / "absorbing.json")["training"]
    return record


@pytest.mark.slow
def test_what_nothing_says_of_other_rows_is_not_learnt_by_heart(tmp_path: Path) -> None:
    apart, together = trained(tmp_path / "a", False), trained(tmp_path / "b", True)
    assert int(str(apart["steps"])) < STEPS / 2 < int(str(together["steps"])) <= STEPS, (apart, together)


def test_folds_leave_out_whole_entities_each_once() -> None:
    made = task(rows(48))
    made.entities = np.repeat(np.arange(24), 2)
    folds = _folds(made, 5)
    assert len(folds) == FOLDS and (np.sum(folds, axis=0) == 1).all() and min(one.sum() for one in folds) > 4
    entity = made.entities[made.families.order[made.families.window_start]]
    assert all(set(entity[one]).isdisjoint(entity[~one]) for one in folds)


@pytest.mark.parametrize(("count", "entities", "columns"), [(100, 100, {}), (60, 19, {}), (60, 60, {"price": None})])
def test_others_are_not_rehearsed(count: int, entities: int, columns: dict[str, None]) -> None:
    made = task(rows(count))
    made.entities = np.arange(count) % entities
    loop = LoopConfig(steps=10, batch_rows=16, learning_rate=1e-3)
    context = SimpleNamespace(resources=SimpleNamespace(device="cpu"))
    assert rehearsed(context, made, SimpleNamespace(columns=columns), loop, 1) is loop  # type: ignore[arg-type]

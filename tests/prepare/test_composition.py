"""Which lookup rows the children of a row refer to."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch

from tabgraphsyn.data.known.children import Composition
from tabgraphsyn.data.known.columns import Known
from tabgraphsyn.data.known.rows import known_rows
from tabgraphsyn.data.prepared import Prepared
from tabgraphsyn.data.schema import Column, Relation, Schema, TableSchema
from tabgraphsyn.models.row_conditions import RowConditions

HOURS, LINES, CHILDREN = 400, 12, 20


def database(seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Hours of four kinds, each with flights of its own three lines: kind of hour, hour of flight, line of flight."""
    rng = np.random.default_rng(seed)
    kind = rng.integers(0, 4, HOURS)
    pointer = np.repeat(np.arange(HOURS), CHILDREN)
    return kind, pointer, 3 * kind[pointer] + rng.integers(0, 3, len(pointer))


def fitted() -> Composition:
    _, pointer, line = database()
    found = Composition.fit("flights.hour--hours", "flights", pointer, HOURS, line[:, None] + 1, (LINES + 1,))
    assert found is not None
    return found


def test_rows_with_like_children_are_alike() -> None:
    kind, pointer, line = database(seed=1)
    features = fitted().features(pointer, HOURS, line[:, None] + 1, (LINES + 1,))
    centre = np.stack([features[kind == number].mean(axis=0) for number in range(4)])
    nearest = ((features[:, None] - centre) ** 2).sum(axis=2).argmin(axis=1)
    assert (nearest == kind).mean() > 0.99


def test_training_rows_have_unit_spread() -> None:
    _, pointer, line = database()
    features = fitted().features(pointer, HOURS, line[:, None] + 1, (LINES + 1,))
    assert features.mean(axis=0) == pytest.approx(0, abs=0.1)
    assert (features.std(axis=0) < 1.1).all()


def test_null_and_censored_keys_count_for_no_parent() -> None:
    _, pointer, line = database()
    away = np.where(np.arange(len(pointer)) % 2, pointer, -1 - np.arange(len(pointer)) % 4 // 2)
    kept = away >= 0
    one = fitted()
    level = line[:, None] + 1
    assert np.array_equal(
        one.features(away, HOURS, level, (LINES + 1,)),
        one.features(pointer[kept], HOURS, level[kept], (LINES + 1,)),
    )


def test_nothing_is_fitted_to_too_few_rows_or_to_no_children() -> None:
    level = np.ones((3, 1), np.int64)
    assert Composition.fit("r", "c", np.zeros(3, np.int64), 5, level, (2,)) is None
    assert Composition.fit("r", "c", np.full(3, -1), 100, level, (5,)) is None


class Given(Prepared):
    """Pointers that were never written."""

    def __init__(self, folder: Path, pointers: dict[str, np.ndarray]) -> None:
        super().__init__(folder)
        self._pointers = pointers


def test_conditions_hold_both_what_keys_name_and_what_children_say(tmp_path: Path) -> None:
    schema = Schema(
        (
            TableSchema("lines", (Column("id", "id"),), ("id",)),
            TableSchema("hours", (Column("id", "id"), Column("temp", "numerical")), ("id",)),
            TableSchema("flights", (Column("line", "id"), Column("hour", "id"), Column("delay", "numerical")), ()),
        ),
        (Relation("flights", ("line",), "lines", ("id",)), Relation("flights", ("hour",), "hours", ("id",))),
    )
    names = {relation.parent_table: relation.name for relation in schema.relations}
    _, pointer, line = database()
    pointers = {names["lines"]: line, names["hours"]: pointer}
    known = Known.fit("flights", schema, ["lines"], pointers, {"lines": LINES}, [], {"delay": pa.nulls(len(line))})
    made = Given(tmp_path, pointers)
    made.keep_known(known)
    made.keep_compositions("hours", [fitted()])
    assert [one.child for one in made.compositions("hours")] == ["flights"]
    hours, levels = known_rows(made, made, "hours", HOURS)
    conditions = RowConditions.of(torch.zeros(HOURS, 5), hours, levels)
    assert conditions.take(torch.tensor([3, 1])).shape == (2, conditions.width)
    assert conditions.width == 5 + fitted().components.shape[0]
    flights, levels = known_rows(made, made, "flights", len(line))
    conditions = RowConditions.of(torch.zeros(len(line), 5), flights, levels)
    assert conditions.width == 5 + LINES + 1
    row = conditions.take(torch.tensor([7]))[0, 5:]
    assert row.argmax() == line[7] + 1
    assert row.sum() == 1


def test_without_a_graph_network_keys_condition_nothing(tmp_path: Path) -> None:
    made = Given(tmp_path, {"x": database()[1]})
    facts, levels = known_rows(made, made, "hours", HOURS)
    assert RowConditions.of(torch.zeros(HOURS, 0), facts, levels).width == 0


def test_the_places_of_children_tell_early_from_late() -> None:
    rng = np.random.default_rng(0)
    plane = np.repeat(np.arange(300), 30)
    hour = np.sort(rng.integers(0, HOURS, (300, 30)), axis=1).reshape(-1)
    level = rng.integers(1, LINES + 1, len(plane))[:, None]
    one = Composition.fit("r", "flights", hour, HOURS, level, (LINES + 1,), ("flights.plane--planes", plane))
    assert one is not None
    place = one.features(hour, HOURS, level, (LINES + 1,), plane)[:, -1]
    assert np.corrcoef(place, np.arange(HOURS))[0, 1] > 0.95
    assert place.std() == pytest.approx(1, abs=0.05)

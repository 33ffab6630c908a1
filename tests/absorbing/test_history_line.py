"""Rows that go on from each other, through every stage of a short training: what the network lacks, rules make up."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from line import trained_absorbing

from tabgraphsyn.data.schema import Column, Relation, Schema, TableSchema


def test_a_history_of_statuses_hangs_together_and_ends_with_the_tickets_own(tmp_path: Path) -> None:
    """Steps stand in the file in no order: each goes on from the one before in time, the last is the ticket's."""
    rng, tickets, steps = np.random.default_rng(0), [], []
    ways = {"new": ["open", "closed"], "open": ["waits", "closed"], "waits": ["open"], "closed": []}
    for number in range(200):
        at, status, closed = int(rng.integers(0, 400_000)), "new", None
        steps.append((number, at, None, status))
        for _ in range(int(rng.integers(1, 6))):
            if not ways[status]:
                break
            at += int(rng.integers(10, 900))
            after = str(rng.choice(ways[status]))
            steps.append((number, at, status, after))
            status = after
            closed = at if status == "closed" else None
        tickets.append((number, status, None if closed is None else closed * 60_000_000))
    steps = [steps[one] for one in rng.permutation(len(steps))]
    schema = Schema(
        (
            TableSchema(
                "tickets",
                (Column("ticket", "id"), Column("state", "categorical"), Column("closed", "datetime")),
                ("ticket",),
            ),
            TableSchema(
                "steps",
                (
                    Column("ticket", "id"),
                    Column("at", "datetime"),
                    Column("before", "categorical"),
                    Column("after", "categorical"),
                ),
            ),
        ),
        (Relation("steps", ("ticket",), "tickets", ("ticket",)),),
    )
    number, state, closed_at = zip(*tickets, strict=True)
    whose, when, before, after_ = zip(*steps, strict=True)
    stamp = pa.timestamp("us")
    tables = {
        "tickets": pa.table({"ticket": number, "state": state, "closed": pa.array(closed_at, stamp)}),
        "steps": pa.table(
            {
                "ticket": whose,
                "at": pa.array([one * 60_000_000 for one in when], stamp),
                "before": before,
                "after": after_,
            }
        ),
    }
    store = trained_absorbing(tmp_path, schema, tables, steps=20, width=16)
    made = {name: pq.read_table(store.artifacts["sample"] / "synthetic" / f"{name}.parquet") for name in tables}
    families: dict[int, list[dict[str, Any]]] = {}
    for row in sorted(made["steps"].to_pylist(), key=lambda one: one["at"]):
        families.setdefault(row["ticket"], []).append(row)
    assert len(families) > 150
    for ticket in made["tickets"].to_pylist():
        own = families.get(ticket["ticket"], [])
        assert [row["before"] for row in own] == [None, *(row["after"] for row in own[:-1])][: len(own)]
        assert len({row["at"] for row in own}) == len(own), "no two steps at once"
        assert not own or own[-1]["after"] == ticket["state"]
        if ticket["state"] in ("open", "closed"):  # too few wait at the end for a rule
            assert (ticket["closed"] is not None) == (ticket["state"] == "closed")

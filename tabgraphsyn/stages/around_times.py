"""When rows and those who take part in them stand, by one path for training rows and for new ones."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tabgraphsyn.data.known.panel import Panel
from tabgraphsyn.data.known.timeline import Timeline
from tabgraphsyn.data.prepared import Prepared
from tabgraphsyn.data.schema import Relation
from tabgraphsyn.data.seeding import numpy_generator
from tabgraphsyn.generation.structure.base import Skeleton

FILLED = -2
"""Stands for a time where there is none: before all of them."""


def series(prepared: Prepared, table: str) -> Panel | None:
    """Return the column of times, one a period, that makes rows under a published row a series; None for none.

    Families of other tables are in their own order; whether a time drawn first serves them was not measured.
    """
    codec, driver = prepared.codec(table), prepared.plan.driver[table]
    if driver is None or prepared.schema.relation(driver).parent_table not in prepared.plan.reference_tables:
        return None
    own = [one for one in prepared.panels(table) if one.relation == driver and one.column in codec.columns]
    return next((one for one in own if codec.columns[one.column].given is None), None)


def time_of_events(prepared: Prepared, table: str) -> str | None:
    """Return the column that says when a table's rows are, if it has one that is its own; None otherwise.

    Of lookup tables the rows themselves, and of series the periods, come with the keys.
    """
    if table in prepared.plan.reference_tables or series(prepared, table) is not None:
        return None
    codec, above = prepared.codec(table), prepared.parents_columns(table)
    schema = prepared.schema.table(table)
    own = (one for one in codec.columns if schema.column(one).sdtype == "datetime" and one not in above)
    return next((one for one in own if codec.columns[one].given is None), None)


def taking_part(prepared: Prepared, table: str) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return relation -> training rows of a table and who takes part in them, as keys of its children say.

    What its own keys say of its times is the network's (``data.known.traits``).

    Shape:
        (pairs,) int64 both, negative for none.
    """
    found = {}
    for relation in partner_relations(prepared, table):
        child = relation.child_table
        who = prepared.pointer(relation.name)
        found[relation.name] = prepared.pointer(event_relation(prepared, child, table)), who
    return found


def partner_relations(prepared: Prepared, table: str) -> list[Relation]:
    """Return the keys of a table's children to those who may take part in its rows.

    A row of a table too small to learn from stands for a kind.
    """
    schema, plan = prepared.schema, prepared.plan
    children = dict.fromkeys(one.child_table for one in schema.relations_of_parent(table))
    held = (one for child in children if child != table for one in schema.relations_of_child(child))
    return [one for one in held if one.parent_table not in (table, one.child_table, *plan.coarse)]


def event_relation(prepared: Prepared, child: str, table: str) -> str:
    """Return the relation from a child to a table, the one that makes it siblings before others."""
    names = [one.name for one in prepared.schema.relations_of_child(child) if one.parent_table == table]
    return min(names, key=lambda name: name != prepared.plan.driver[child])


def timelines(prepared: Prepared) -> dict[str, Timeline]:
    """Return the timelines of a database, table by table."""
    found = ((table, prepared.timeline(table)) for table in prepared.plan.order)
    return {table: one for table, one in found if one is not None}


def training_times(prepared: Prepared, table: str) -> np.ndarray:
    """Return a time within the moment of each training row of a table with a timeline, (rows,) int64 microseconds."""
    timeline = prepared.timeline(table)
    assert timeline is not None
    return timeline.drawn(prepared.moments(table), numpy_generator(0, "moments", table))


def new_times(prepared: Prepared, skeleton: Skeleton, table: str, seed: int) -> np.ndarray:
    """Return a time within the moment of each new row, (rows,) int64 microseconds.

    Moments hold about equally many rows: where keys say none, any is as likely.
    """
    timeline = prepared.timeline(table)
    assert timeline is not None
    rng = numpy_generator(seed, "sample", table, "moments")
    moment = skeleton.moments.get(table)
    if moment is None:
        moment = rng.integers(0, len(timeline.first), skeleton.rows[table])
    times = timeline.drawn(moment, rng)
    return np.sort(times) if (np.diff(moment) >= 0).all() else times


def standing_in_time(
    prepared: Prepared,
    table: str,
    rows: int,
    pointer: Callable[[str], np.ndarray],
    times: Callable[[str], np.ndarray],
) -> np.ndarray:
    """Return what keys say of when a table's rows stand, (rows, facts) float32.

    A row of a timeline has its own time; who takes part has the first and the last time of that along each key.

    Args:
        prepared: what there is.
        table: the table.
        rows: number of its rows.
        pointer: relation -> (child rows,) int64.
        times: table with a timeline -> (rows,) int64, microseconds, drawn within the moments.
    """
    facts = []
    for name, timeline in timelines(prepared).items():
        own = [one for one in map(prepared.schema.relation, timeline.keys) if one.parent_table == table]
        if name != table and not own:
            continue
        scaled = timeline.scaled(times(name))
        if name == table:
            facts.append(scaled)
        for relation in own:
            who, child = pointer(relation.name), relation.child_table
            row = pointer(event_relation(prepared, child, name))
            has = (who >= 0) & (row >= 0)
            first, last = np.full(rows, np.inf), np.full(rows, -np.inf)
            np.minimum.at(first, who[has], scaled[row[has]])
            np.maximum.at(last, who[has], scaled[row[has]])
            facts += [np.where(np.isfinite(one), one, FILLED) for one in (first, last)]
    return np.stack(facts, axis=1).astype(np.float32) if facts else np.zeros((rows, 0), dtype=np.float32)

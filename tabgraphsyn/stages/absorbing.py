"""Stage ``absorbing``: trains the network that unmasks the columns of one table."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tabgraphsyn.data.files import read_json, write_json
from tabgraphsyn.data.known.rows import known_rows
from tabgraphsyn.data.layout import EncodedTable
from tabgraphsyn.data.prepared import Prepared
from tabgraphsyn.data.reference import entity_numbers, no_entities
from tabgraphsyn.data.seeding import derive_seed
from tabgraphsyn.errors import DataError
from tabgraphsyn.generation.time_column import TimeColumn
from tabgraphsyn.generators.absorbing import Absorbing
from tabgraphsyn.models.absorbing.around.clean_rows import present
from tabgraphsyn.models.absorbing.around.pace import Pace, bins_of
from tabgraphsyn.models.absorbing.around.surroundings import Surroundings
from tabgraphsyn.models.absorbing.columns.grids import Grid, grids
from tabgraphsyn.models.absorbing.columns.order import ORDERS, hidden_groups
from tabgraphsyn.models.absorbing.columns.units import Units
from tabgraphsyn.models.absorbing.levels.affinity import Affinity, affinities
from tabgraphsyn.models.absorbing.levels.joint_levels import sets_of
from tabgraphsyn.models.absorbing.levels.known_levels import Said, said_fields
from tabgraphsyn.models.absorbing.network import AbsorbingNetwork
from tabgraphsyn.models.absorbing.numbers.partners import partners
from tabgraphsyn.models.absorbing.numbers.scales import scales
from tabgraphsyn.models.batch import EncodedTensors
from tabgraphsyn.models.families import Families
from tabgraphsyn.models.row_conditions import RowConditions
from tabgraphsyn.stages.around_rows import (
    Database,
    ancestor,
    driver_pointer,
    layouts_up,
    sibling_order,
    surroundings,
    told_along_others,
    ways_up,
)
from tabgraphsyn.stages.around_times import series, training_times
from tabgraphsyn.stages.build import build
from tabgraphsyn.stages.context import StageContext
from tabgraphsyn.stages.fitting import fit
from tabgraphsyn.stages.rehearsal import rehearsed
from tabgraphsyn.stages.starting import start_from
from tabgraphsyn.stages.weights import with_weights, write_weights
from tabgraphsyn.training.astray import Astray
from tabgraphsyn.training.config import LoopConfig
from tabgraphsyn.training.rare_pairs import give_rare_pairs_their_share
from tabgraphsyn.training.unmasking import UnmaskingTask

NAME = "absorbing"
BATCH_ROWS_MIN = 64
SMALL_TABLE_REPEATS = 2
STEPS_MIN = 300
WIDE_UNITS, LONGEST = 20, 5 / 3
"""Units of a row from which on a table is trained for longer, and how many times as long at most."""
MANY_ROWS, MANY_LONGER = 20_000, 2.0
"""Rows from which on a table is trained for so many times as long, and each row is seen as many times as often."""
VALIDATIONS = 20
MEASURED = 20_000
"""Rows over which it is measured what numbers share, at most."""


def run(context: StageContext) -> None:
    """Write ``absorbing.json`` and ``absorbing.safetensors``.

    A table without anything to model (keys only), or of which each column is drawn by itself, gets the json alone.
    """
    table, prepared = str(context.table), Prepared(context.input("prepare"))
    if prepared.wide_layout(table).is_empty or table in prepared.plan.coarse:
        nothing = {
            "digits": [],
            "facts": 0,
            "has_families": False,
            "pace": None,
            "partners": [],
            "sets": [],
            "told_by": [],
            "ahead": [],
            "training": None,
        }
        _write(context, {"table": table, **nothing}, None)
        return
    settings = build(context.config["generator"], Absorbing, allow_targets=context.allow_targets)
    seed = derive_seed(int(context.config["seed"]), NAME, table)
    # Mapped copy-on-write: rows are read as batches need them.
    encoded, codec, layout = prepared.wide_encoded(table), prepared.codec(table), prepared.wide_layout(table)
    plan = prepared.plan
    entities = _entities(prepared, table, no_entities(plan.published, plan.real_rows, plan.min_entities))
    gates = [field.gate for field in codec.layout.numerical]
    found = grids(encoded, gates, entities, numbers=settings.numbers)
    found += [None] * (len(layout.numerical) - len(found))  # hidden fields are smooth
    units = Units(layout, tuple(None if grid is None else grid.digits for grid in found))
    told = conditions(prepared, prepared, table, _graph(context, table, encoded.rows))
    around = surroundings(prepared, table, encoded.rows, told, training(prepared))
    times = _times(prepared, table, encoded, seed)
    families = _families(prepared, table, encoded, settings.window, times)
    pace = None if times is None else _pace(times[0], families, times[1], entities)
    near, across = partners(codec, encoded)
    together = [] if families.exchange else sets_of(codec.layout, encoded, entities)
    told_by, ahead = _affinities(prepared, table, encoded, entities, around)
    record = {
        "table": table,
        **units.to_dict(),
        "facts": around.width,
        "has_families": families.exchange,
        "pace": None if pace is None else pace.to_dict(),
        "partners": near,
        "sets": [[fields, len(codes)] for fields, codes in together],
        "told_by": [[one.known, one.asked] for one in told_by],
        "ahead": ahead,
        "training": None,
    }
    torch.manual_seed(seed)
    network = _network(record, prepared, settings, encoded.rows)
    _tell(network, found, scales(codec, encoded), across)
    network.together.tell([codes for _, codes in together])
    network.affinities.tell(told_by)
    _measure(network, EncodedTensors.from_encoded(encoded), seed)
    start_from(network, context, NAME)
    loop = _limited(LoopConfig(**context.config["training"][NAME]), families, settings, len(units.all))
    task = UnmaskingTask(
        unmasking=network,
        encoded=EncodedTensors.from_encoded(encoded),
        surroundings=around,
        families=families,
        entities=_entities(prepared, table, prepared.plan.reference_tables),
        batch_rows=loop.batch_rows,
        seed=seed,
        untold=settings.untold,
        device=context.resources.device,
        times=None if times is None else torch.from_numpy(times[1]),
        timed_units=() if pace is None else TimeColumn(codec, pace).units(units),
        hidden_units=[units.all.index(unit) for one in hidden_groups(codec, units) for unit in units.groups[one]],
        astray=None if times is None else _astray(network, families, encoded, times[1]),
    )
    summary = fit(context, task, rehearsed(context, task, codec, loop, seed), seed)
    give_rare_pairs_their_share(task)
    _write(context, {**record, "training": summary.result()}, network)


def load_network(
    folder: Path, prepared: Prepared, table: str, settings: Absorbing, name: str | None = None
) -> AbsorbingNetwork | None:
    """Return the network that ``run`` wrote, in eval mode on the CPU; None for a table without anything to model.

    Args:
        folder: holds ``absorbing.json`` and ``absorbing.safetensors``, or ``<name>.json`` and so on.
        prepared: what prepare found out, as far as a bundle ships it.
        table: the table.
        settings: with which it was trained.
        name: of its files; None: ``absorbing``.

    Raises:
        DataError: weights that do not fit the config, or counts of fields that there are not.
    """
    record = read_json(folder / f"{name or NAME}.json")
    if record["training"] is None:
        return None
    fields = len(prepared.wide_layout(table).categorical) + len(_said_fields(prepared, table))
    if any(known >= fields for known, _ in record["told_by"]):
        raise DataError(
            f"absorbing/{table}.json: told_by: fields below {fields} expected, found others. "
            "Copy the whole bundle again."
        )
    rows = prepared.plan.training_rows[table]
    weights = folder / f"{name or NAME}.safetensors"
    return with_weights(lambda: _network(record, prepared, settings, rows), weights).eval()


def conditions(prepared: Prepared, keys: Any, table: str, graph: torch.Tensor) -> RowConditions:
    """Return what keys into lookup tables say of a table's rows, beside the graph network's vectors, (rows, width)."""
    known, levels = known_rows(prepared, keys, table, len(graph))
    return RowConditions(
        graph, torch.from_numpy(known.level), torch.from_numpy(known.numbers), levels, known.is_composed
    )


def training(prepared: Prepared) -> Database:
    """Return keys and rows of the training part."""
    return Database(
        prepared.pointer,
        lambda table: EncodedTensors.from_encoded(prepared.wide_encoded(table)),
        lambda table: training_times(prepared, table),
    )


def _graph(context: StageContext, table: str, rows: int) -> torch.Tensor:
    """Return the graph network's vectors of the training rows, (rows, width); of width 0 without one."""
    if "gnn" not in context.inputs:
        return torch.zeros(rows, 0)
    return torch.from_numpy(np.load(context.input("gnn") / "condition" / f"{table}.npy"))


def _network(record: Mapping[str, Any], prepared: Prepared, settings: Absorbing, rows: int) -> AbsorbingNetwork:
    table = record["table"]
    units = Units.from_dict(record, prepared.wide_layout(table))
    return AbsorbingNetwork(
        units=units,
        facts=record["facts"],
        ancestors=[prepared.wide_layout(one) for one in layouts_up(prepared, table)],
        has_families=record["has_families"],
        width=settings.width_for(rows),
        layers=settings.layers,
        dropout=settings.dropout,
        level_dim=settings.level_dim,
        history_dim=settings.history_dim,
        pace=None if record["pace"] is None else Pace.from_dict(record["pace"]),
        partners=record["partners"],
        sets=record["sets"],
        told_by=record["told_by"],
        ahead=record["ahead"],
        keys=prepared.known(table).levels,
        history=settings.history,
        order=ORDERS[settings.order](prepared.codec(table), units),
    )


def _tell(network: AbsorbingNetwork, found: list[Grid | None], scale: np.ndarray, across: np.ndarray) -> None:
    """Put into a network's buffers what was found out of the training rows."""
    network.scale.copy_(torch.from_numpy(scale))
    network.partners.across.copy_(torch.from_numpy(across))
    for number, grid in enumerate(found):
        if grid is not None:
            getattr(network, f"edges_{number}").copy_(torch.from_numpy(grid.edges))
            getattr(network, f"parts_{number}").copy_(torch.from_numpy(grid.parts))
            getattr(network, f"usual_{number}").copy_(torch.from_numpy(grid.usual))


def _said_fields(prepared: Prepared, table: str) -> list[Said]:
    """Return the fields that keys and ancestors say of a table's rows."""
    return said_fields(prepared.known(table).levels, [prepared.wide_layout(one) for one in layouts_up(prepared, table)])


def _affinities(
    prepared: Prepared, table: str, encoded: EncodedTable, entities: np.ndarray, around: Surroundings
) -> tuple[list[Affinity], list[int]]:
    """Return what levels tell of the columns' by counts, in the places of the wide layout, and what is drawn first."""
    layout, fields = prepared.layout(table), _said_fields(prepared, table)
    said = [(one.levels, partial(_said, one, around)) for one in fields]
    kin = [place for place, one in enumerate(fields) if _is_kin(prepared, table, one)]
    found, ahead = affinities(layout, encoded, entities, said, prepared.plan.min_entities, kin)
    # What is said of a row comes after its hidden fields, too.
    own, wide = len(layout.categorical), len(prepared.wide_layout(table).categorical)
    return [replace(one, known=one.known + (wide - own) * (one.known >= own)) for one in found], ahead


def _is_kin(prepared: Prepared, table: str, field: Said) -> bool:
    """Return whether a field says what a table's own rows are like under one parent: see ``data.known.traits``."""
    if field.way is None:
        return False
    way = ways_up(prepared, table)[field.way]
    above = prepared.wide_layout(ancestor(prepared, way)).categorical
    return len(way) == 1 and above[field.place].name == way[0]


def _said(field: Said, around: Surroundings) -> np.ndarray:
    """Return a field that is said of the training rows, (rows,) int64, -1 for nothing."""
    return field.table(around).numpy()


def _measure(network: AbsorbingNetwork, encoded: EncodedTensors, seed: int) -> None:
    """Let a network begin with what numbers of a row share with each other."""
    chosen = np.random.default_rng(derive_seed(seed, "companions")).permutation(encoded.rows)[:MEASURED]
    network.measure(encoded.middle(torch.from_numpy(np.sort(chosen))))


def _astray(network: AbsorbingNetwork, families: Families, encoded: EncodedTable, times: np.ndarray) -> Astray:
    """Return what a series remembers wrong in training: what its time tells anyway."""
    rows = EncodedTensors.from_encoded(encoded).middle()
    return Astray.of(rows, present(rows, network.gates), families, times)


def _entities(prepared: Prepared, table: str, shared: Collection[str]) -> np.ndarray:
    """Return the entity of each training row, (rows,) int64; rows of ``shared`` tables belong to everybody."""
    plan, schema = prepared.plan, prepared.schema
    driver = {name: None if one is None else schema.relation(one) for name, one in plan.driver.items()}
    pointers = prepared.pointers(one for one in plan.driver.values() if one is not None)
    return entity_numbers(plan.order, plan.training_rows, driver, shared, pointers, prepared.persons())[table]


def _times(prepared: Prepared, table: str, encoded: EncodedTable, seed: int) -> tuple[Pace, np.ndarray] | None:
    """Return the grid of a table's times and the period of each row, (rows,) int64; None where they are no series."""
    panel = series(prepared, table)
    if panel is None:
        return None
    grid = Pace(panel.column, panel.start, panel.step, panel.periods, (), ())
    column = TimeColumn(prepared.codec(table), grid).within_told()
    return column.pace, column.periods(encoded, seed)


def _pace(grid: Pace, families: Families, times: np.ndarray, entities: np.ndarray) -> Pace:
    """Return the grid with the bins of first periods and of steps between siblings."""
    ordered, is_first = times[families.order], families.rank == 0
    held = entities[families.order]
    step = np.diff(ordered, prepend=0)[~is_first]
    return replace(grid, first=bins_of(ordered[is_first], held[is_first]), step=bins_of(step, held[~is_first]))


def _families(
    prepared: Prepared, table: str, encoded: EncodedTable, window: int, times: tuple[Pace, np.ndarray] | None
) -> Families:
    """Return the windows of a table's siblings in their natural order."""
    parent_row = driver_pointer(prepared, table, prepared.pointer)
    if parent_row is None:
        return Families.from_pointer(None, encoded.rows)
    if times is not None:
        order = np.argsort(times[1], kind="stable")
    else:
        columns = prepared.schema.table(table).columns
        own = prepared.codec(table).columns
        told = told_along_others(prepared, table)
        names = [one.name for one in columns if one.sdtype == "datetime" and one.name in own and one.name not in told]
        order = sibling_order(prepared.codec(table), encoded, parent_row, names)
    families = Families.from_pointer(parent_row[order], encoded.rows, window)
    return replace(families, order=order[families.order])


def _limited(loop: LoopConfig, families: Families, settings: Absorbing, units: int) -> LoopConfig:
    """Return the loop for one table: small batches and fewer steps for a small one, lest it is learnt by heart.

    Wide rows, and many of them, get more steps where they follow no siblings: what they share takes longer, and is not
    learnt by heart.
    """
    rows = families.rows
    batch_rows = min(loop.batch_rows, max(BATCH_ROWS_MIN, rows // 8))
    are_many = rows >= MANY_ROWS and not families.exchange
    longer = 1.0 if families.exchange else MANY_LONGER if are_many else min(max(units / WIDE_UNITS, 1.0), LONGEST)
    epochs = settings.max_epochs * (MANY_LONGER if are_many else 1)
    steps = min(int(loop.steps * longer), max(STEPS_MIN, int(rows * epochs) // batch_rows))
    return replace(
        loop,
        batch_rows=batch_rows,
        steps=steps,
        warmup_steps=min(loop.warmup_steps, steps // 4),
        validate_every=max(steps // VALIDATIONS, 1) if loop.validate_every else 0,
    )


def _write(context: StageContext, record: Mapping[str, Any], network: AbsorbingNetwork | None) -> None:
    # One round through json: what a bundle reads is what was written, tuples and all.
    write_json(context.artifacts / f"{NAME}.json", json.loads(json.dumps(record)))
    if network is not None:
        write_weights(network, context.artifacts / f"{NAME}.safetensors")

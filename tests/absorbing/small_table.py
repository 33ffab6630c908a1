"""Small encoded tables and networks for the tests of the absorbing model."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from scipy.special import ndtri

from tabgraphsyn.data.layout import CategoricalField, EncodedTable, NumericalField, TableLayout
from tabgraphsyn.models.absorbing.around.surroundings import Surroundings, Way
from tabgraphsyn.models.absorbing.columns.units import Digits, Units
from tabgraphsyn.models.absorbing.network import AbsorbingNetwork
from tabgraphsyn.models.absorbing.numbers.scales import POINTS, REACH
from tabgraphsyn.models.batch import EncodedBatch, EncodedTensors
from tabgraphsyn.models.families import Families
from tabgraphsyn.models.row_conditions import RowConditions
from tabgraphsyn.training.unmasking import UnmaskingTask

LAYOUT = TableLayout(
    numerical=(NumericalField("smooth", gate=1), NumericalField("rough"), NumericalField("coarse", gate=1)),
    categorical=(CategoricalField("kind", 4), CategoricalField("smooth:gate", 2), CategoricalField("copy", 4)),
)
UNITS = Units(LAYOUT, (None, Digits(6, 3), Digits(5)))
PARENT = TableLayout((NumericalField("size"),), (CategoricalField("colour", 3),))


def rows(count: int, seed: int = 0) -> EncodedBatch:
    """Rows of ``LAYOUT``; ``copy`` is a function of ``kind``."""
    rng = np.random.default_rng(seed)
    kind = rng.integers(0, 4, count)
    categorical = np.stack([kind, rng.random(count) < 0.3, (kind + 1) % 4], axis=1).astype(np.int64)
    numerical = np.clip(rng.normal(size=(count, 3)), -2, 2).astype(np.float32)
    return EncodedBatch(torch.from_numpy(numerical), torch.from_numpy(categorical))


def network(
    *,
    has_families: bool = False,
    facts: int = 0,
    ancestors: bool = False,
    width: int = 32,
    partners: Sequence[Sequence[int]] = (),
    sets: Sequence[tuple[Sequence[int], int]] = (),
    told_by: Sequence[tuple[int, int]] = (),
    ahead: Sequence[int] = (),
    keys: Sequence[int] = (),
) -> AbsorbingNetwork:
    """A network for ``LAYOUT`` whose rough numbers have cells from -3 to 3 with gaps between them."""
    torch.manual_seed(0)
    made = AbsorbingNetwork(
        units=UNITS,
        facts=facts,
        ancestors=[PARENT] if ancestors else [],
        has_families=has_families,
        width=width,
        layers=2,
        dropout=0.0,
        level_dim=8,
        history_dim=8,
        partners=partners,
        sets=sets,
        told_by=told_by,
        ahead=ahead,
        keys=keys,
    )
    made.partners.across.copy_(torch.linspace(-REACH, REACH, made.partners.across.shape[2]))
    points = torch.linspace(-REACH, REACH, POINTS)
    made.scale.copy_(torch.stack([points.exp(), points, 2 * points]))
    for number, digits in ((1, Digits(6, 3)), (2, Digits(5))):
        cells = torch.linspace(-3, 3, digits.coarse * digits.fine + 1)
        edges = torch.stack([cells[:-1] + 0.02, cells[1:] - 0.02], dim=1)
        getattr(made, f"edges_{number}").copy_(edges.view(digits.coarse, digits.fine, 2))
        parts = getattr(made, f"parts_{number}")
        parts.fill_(digits.fine)
        parts[-1] = max(digits.fine - 1, 1)
        getattr(made, f"usual_{number}").copy_(torch.linspace(-2, 0, digits.fine))
    return made.eval()


def surrounded(count: int, parents: int = 0, vectors: int = 0) -> Surroundings:
    """Vectors of a graph network around rows, if of any width, and one of the parents each, if there are any."""
    ways = []
    if parents:
        rng = np.random.default_rng(1)
        table = EncodedTensors(
            torch.from_numpy(rng.normal(size=(parents, 1, 1)).repeat(2, 2).astype(np.float32)),
            torch.from_numpy(rng.integers(0, 3, (parents, 1)).astype(np.int32)),
        )
        ways.append(Way(table, torch.from_numpy(rng.integers(-1, parents, count))))
    graph = torch.from_numpy(np.random.default_rng(2).normal(size=(count, vectors)).astype(np.float32))
    return Surroundings(RowConditions.alone(graph), torch.zeros(count, 0), ways)


def task(
    batch: EncodedBatch, parent_row: np.ndarray | None = None, width: int = 32, window: int = 5, vectors: int = 0
) -> UnmaskingTask:
    """The task of learning some rows of ``LAYOUT``, siblings where a parent is given.

    Some pieces of families must do without a graph network's vectors, where there are any.
    """
    count = batch.rows
    return UnmaskingTask(
        unmasking=network(has_families=parent_row is not None, facts=vectors, ancestors=True, width=width),
        encoded=EncodedTensors(batch.numerical.unsqueeze(-1).repeat(1, 1, 2), batch.categorical.int()),
        surroundings=surrounded(count, parents=7, vectors=vectors),
        families=Families.from_pointer(parent_row, count, window),
        entities=np.arange(count) if parent_row is None else parent_row,
        batch_rows=64,
        seed=3,
        untold=0.4 if vectors else 0.0,
    )


def encoded(values: np.ndarray) -> EncodedTable:
    """One number a row, as the interval of its rank among equal ones in normalised space."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.concatenate([[0], np.cumsum(counts)]) / len(values)
    edges = ndtri(np.clip(ends, 1e-6, 1 - 1e-6))
    interval = np.stack([edges[place], edges[place + 1]], axis=1)
    return EncodedTable(interval[:, None].astype(np.float32), np.zeros((len(values), 0), np.int32))

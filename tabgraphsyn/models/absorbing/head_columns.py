"""What a network is asked for each unit while rows are made: its own columns of the head, laid out once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional as F

from tabgraphsyn.models.absorbing.columns.units import DIGIT, LEVEL, NUMBER, Unit

if TYPE_CHECKING:
    from tabgraphsyn.models.absorbing.network import AbsorbingNetwork


@dataclass(frozen=True)
class Ask:
    """What one unit is drawn from.

    Attributes:
        unit: which.
        weight, bias: (columns, width) and (columns,) of the head: the unit's own, then those beside.
        beside: columns that say how nearness, or counts, are believed; 0 for none.
        smooth: place among the smooth numbers, -1 for another unit.
        gated: numbers that have a meaning where this level is 0.
        has_partners: whether the number may lie near a multiple of another one.
    """

    unit: Unit
    weight: Tensor
    bias: Tensor
    beside: int
    smooth: int
    gated: list[int]
    has_partners: bool

    def of(self, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """Return the unit's columns of the head and those beside, (rows, columns) each; ``hidden`` is (rows, width)."""
        found = F.linear(hidden, self.weight, self.bias).float()
        cut = found.shape[1] - self.beside
        return found[:, :cut], found[:, cut:]


def asks_of(network: AbsorbingNetwork) -> list[Ask]:
    """Return what is asked for each unit of a network, in the order of all units."""
    units, found = network.units, []
    has_partner = (network.partners.partner >= 0).any(1).tolist()
    gates, levels = network.gates.tolist(), sum(network.token_levels)
    for unit in units.all:
        smooth = units.smooth.index(unit.field) if unit.kind == NUMBER else -1
        beside = slice(0, 0)
        if unit.kind == NUMBER:
            width = 3 * network.components
            own = slice(levels + width * smooth, levels + width * (smooth + 1))
        else:
            start = network.token_start[units.tokens.index(unit)]
            own = slice(start, start + unit.levels)
            if unit.kind == DIGIT:
                beside = network.near[unit.field]
            elif unit.field in network.affinities.of:
                beside = network.trust
        weight, bias = (torch.cat([one[own], one[beside]]).detach() for one in (network.head.weight, network.head.bias))
        found.append(
            Ask(
                unit,
                weight,
                bias,
                beside.stop - beside.start,
                smooth,
                [number for number, gate in enumerate(gates) if unit.kind == LEVEL and gate == unit.field],
                unit.kind != LEVEL and has_partner[unit.field],
            )
        )
    return found

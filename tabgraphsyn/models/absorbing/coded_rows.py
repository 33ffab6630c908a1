"""Rows as the network reads them: the codes of their units, and where each unit stands among embeddings and heads."""

from __future__ import annotations

from itertools import accumulate

import torch
from torch import Tensor, nn

from tabgraphsyn.models.absorbing.around.clean_rows import present
from tabgraphsyn.models.absorbing.columns.units import LEVEL, NUMBER, Unit, Units
from tabgraphsyn.models.absorbing.drafts import Draft
from tabgraphsyn.models.absorbing.numbers.scales import POINTS
from tabgraphsyn.models.batch import EncodedBatch

WIDE = 100
"""Levels of a unit from which on only the rows in which it is masked are asked for it."""


class CodedRows(nn.Module):
    """What of the network is learnt from nothing but the columns: codes of rows, cells of digits, scales of numbers.

    Args:
        units: what is masked and unmasked.
    """

    scale: Tensor
    token_unit: Tensor
    level_start: Tensor
    masked_level: Tensor
    revealed_by: Tensor
    gates: Tensor
    level_unit: Tensor
    level_token: Tensor
    smooth: Tensor
    smooth_unit: Tensor
    token_number: Tensor
    narrow: Tensor

    def __init__(self, units: Units) -> None:
        super().__init__()
        self.units = units
        self._index()
        self.register_buffer("scale", torch.zeros(len(units.layout.numerical), POINTS))
        for number, digits in enumerate(units.digits):
            if digits is not None:
                self.register_buffer(f"edges_{number}", torch.zeros(digits.coarse, digits.fine, 2))
                self.register_buffer(f"parts_{number}", torch.ones(digits.coarse, dtype=torch.int64))
                self.register_buffer(f"usual_{number}", torch.zeros(digits.coarse, digits.fine))

    def _index(self) -> None:
        """Register where each unit stands among codes, masks and columns of the head."""
        units = self.units
        self.token_levels = [unit.levels for unit in units.tokens]
        self.wide = [place for place, unit in enumerate(units.tokens) if unit.kind == LEVEL and unit.levels >= WIDE]
        self.few = [place for place in range(len(units.tokens)) if place not in self.wide]
        ends = list(accumulate(self.token_levels))
        self.token_start = [end - levels for end, levels in zip(ends, self.token_levels, strict=True)]
        places = {unit: place for place, unit in enumerate(units.all)}
        gates = [-1 if field.gate is None else field.gate for field in units.layout.numerical]
        for name, values in (
            ("token_unit", [places[unit] for unit in units.tokens]),
            ("level_start", [start + place for place, start in enumerate(self.token_start)]),
            ("masked_level", [end + place for place, end in enumerate(ends)]),
            ("revealed_by", list(units.revealed_by)),
            ("gates", gates),
            ("level_unit", [places[one] for one in units.levels]),
            ("level_token", [units.tokens.index(one) for one in units.levels]),
            ("smooth", list(units.smooth)),
            ("smooth_unit", [place for place, unit in enumerate(units.all) if unit.kind == NUMBER]),
            ("narrow", self.few),
            ("token_number", [-1 if unit.kind == LEVEL else unit.field for unit in units.tokens]),
        ):
            self.register_buffer(name, torch.tensor(values, dtype=torch.int64), persistent=False)

    def codes(self, batch: EncodedBatch) -> Tensor:
        """Return the codes of clean rows, (rows, tokens) int64."""
        found = []
        written: dict[int, Tensor] = {}
        for unit in self.units.tokens:
            if unit.kind == LEVEL:
                found.append(batch.categorical[:, unit.field])
                continue
            if unit.digit == 0:
                written[unit.field] = self._digits(unit.field, batch.numerical[:, unit.field])
            found.append(written[unit.field][:, unit.digit])
        return torch.stack(found, dim=1) if found else batch.categorical.new_zeros(batch.rows, 0)

    def code(self, batch: EncodedBatch, unit: Unit) -> Tensor:
        """Return the codes of one unit with levels in clean rows, (rows,) int64."""
        if unit.kind == LEVEL:
            return batch.categorical[:, unit.field]
        return self._digits(unit.field, batch.numerical[:, unit.field])[:, unit.digit]

    def _digits(self, number: int, value: Tensor) -> Tensor:
        edges, parts = self.cells(number)
        valid = torch.arange(edges.shape[1], device=edges.device) < parts.unsqueeze(1)
        cells = edges[valid]
        place = torch.searchsorted(((cells[:-1, 1] + cells[1:, 0]) / 2).contiguous(), value.contiguous())
        return valid.nonzero()[place]

    def cells(self, number: int) -> tuple[Tensor, Tensor]:
        """Return edges (coarse, fine, 2) and numbers of parts (coarse,) of a rough number."""
        edges: Tensor = getattr(self, f"edges_{number}")
        parts: Tensor = getattr(self, f"parts_{number}")
        return edges, parts.clamp(1, edges.shape[1])

    def draft(self, batch: EncodedBatch, is_known: Tensor) -> Draft:
        """Return clean rows of which some units are known.

        Shape:
            is_known: (rows, units) bool.
        """
        return Draft(self.codes(batch), batch.numerical, present(batch, self.gates), is_known)

    def numbers_known(self, draft: Draft) -> Tensor:
        """Return which numbers are known and have a meaning, (rows, n_num) bool."""
        return draft.is_known[:, self.revealed_by] & draft.is_present

    def middles(self, unit: Unit, first: Tensor) -> Tensor:
        """Return where a digit's levels lie in normalised space, (rows, levels), or (1, levels) for a first digit.

        Shape:
            first: (rows,) int64, the first digits.
        """
        edges, parts = self.cells(unit.field)
        middle = edges.mean(-1)
        if unit.digit:
            return middle[first]
        is_part = torch.arange(edges.shape[1], device=edges.device) < parts.unsqueeze(1)
        return ((middle * is_part).sum(1) / parts).unsqueeze(0)

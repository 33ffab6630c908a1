"""Rows by unmasking: unit after unit, only the asked unit's head, the first layer updated by the unit that changed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from tabgraphsyn.models.absorbing.columns.units import DIGIT, LEVEL, NUMBER, Unit
from tabgraphsyn.models.absorbing.drafts import Before, Context
from tabgraphsyn.models.absorbing.head_columns import Ask, asks_of
from tabgraphsyn.models.absorbing.network import AbsorbingNetwork
from tabgraphsyn.models.absorbing.numbers.growing import Growing, Weighing
from tabgraphsyn.models.absorbing.numbers.mixture import FEATURES, MixtureHead, chosen_level, features
from tabgraphsyn.models.absorbing.numbers.partners import Peaks
from tabgraphsyn.models.batch import EncodedBatch
from tabgraphsyn.models.denoiser.mlp import ResidualBlock
from tabgraphsyn.models.precision import computing


@dataclass
class Made:
    """Rows in the making.

    Attributes:
        rows: fields that are not known yet hold 0.
        is_known: (rows, units) bool.
        numbers: (rows,) int64, which rows of the table they are; None where nothing depends on it.
        read: columns that are known in all rows -> (rows,) float64, as rules read them: they stay so.
    """

    rows: EncodedBatch
    is_known: Tensor
    numbers: Tensor | None = None
    read: dict[str, np.ndarray] = field(default_factory=dict)


class Heed(Protocol):
    """What rows have to heed while they are unmasked: what follows from known units, and what others may still be."""

    def order(self, groups: Sequence[int]) -> list[int]:
        """Return groups of units in an order in which what follows from others comes after them."""

    def follows(self, made: Made, places: Sequence[int] | None) -> Iterator[tuple[Sequence[int], EncodedBatch, Tensor]]:
        """Yield what follows now that some units, or None: any, became known: places of units, clean rows, which rows.

        What is yielded is in ``made`` before the next one is asked for. Clean rows are all rows; which of them hold
        something is (rows,) bool.
        """

    def allowed(self, unit: Unit, made: Made) -> Tensor | None:
        """Return (rows, levels) or (1, levels) bool: what a unit may be; None for anything."""

    def corrected(self, unit: Unit, code: Tensor, made: Made) -> Tensor:
        """Return (rows,) levels that were drawn, others where they must be others."""

    def within(self, unit: Unit, made: Made) -> tuple[Tensor, Tensor] | None:
        """Return the least and the largest normalised number that a unit may be, (rows,) each; None for any."""

    def add(self, rows: EncodedBatch, numbers: Tensor) -> None:
        """Remember rows that are made, for their siblings; (rows,) int64 says which ones of the table they are."""


class Stepper:
    """Draws rows with one network; what is the same for all rows is computed once.

    Args:
        network: in eval mode.
        heed: what rows have to heed, None for nothing.
        precision: in which the blocks multiply, ``float32`` or ``bf16``.
    """

    def __init__(self, network: AbsorbingNetwork, heed: Heed | None = None, precision: str = "float32") -> None:
        self.network, self.heed, self.precision = network, heed, precision
        units, weight = network.units, network.stem.weight
        dim, tokens, numbers = network.level_dim, len(units.tokens), len(units.layout.numerical)
        self.place = {unit: place for place, unit in enumerate(units.all)}
        self.token = {unit: place for place, unit in enumerate(units.tokens)}
        first = dim * tokens
        self.number_weight = [weight[:, first + FEATURES * n : first + FEATURES * (n + 1)].T for n in range(numbers)]
        self.mask_weight = weight[:, first + FEATURES * numbers :].T.contiguous()
        self.blank = network.stem.bias + self.mask_weight.sum(0)
        self.levels: list[Tensor] = []
        """For each token what its levels add to the first layer of rows where it was masked; the last row adds 0."""
        for place, (unit, levels) in enumerate(zip(units.tokens, network.token_levels, strict=True)):
            first = network.token_start[place] + place
            own = network.embedding.weight[first : first + levels + 1] @ weight[:, dim * place : dim * (place + 1)].T
            self.blank = self.blank + own[-1]
            change = own - own[-1] - self.mask_weight[self.place[unit]]
            change[:-1] += network.ways.of(place)
            self.levels.append(torch.cat([change[:-1], torch.zeros_like(change[-1:])]).detach())
        self.asks: list[Ask] = asks_of(network)
        """What is asked for each unit, in the order of all units."""
        self.blocks = [block.weights() for block in network.blocks if isinstance(block, ResidualBlock)]
        self.weighing = Weighing(network.companions, network.scale)

    @torch.no_grad()
    def rows(
        self,
        context: Context,
        generator: torch.Generator,
        before: Before | None = None,
        given: tuple[EncodedBatch, Tensor] | None = None,
        only: frozenset[Unit] | None = None,
        numbers: Tensor | None = None,
    ) -> EncodedBatch:
        """Return new rows under a context.

        Args:
            context: see ``AbsorbingNetwork.context``.
            generator: on the CPU, so that every device draws the same numbers.
            before: what came before, where rows follow their siblings.
            given: clean rows and (rows, units) bool, which units of them stand.
            only: units that are drawn; the groups of all others stay masked, unless they follow. None: all.
            numbers: (rows,) int64, which rows of the table they are, for what they have to heed.
        """
        making = _Making(self, context, generator, before, numbers)
        if given is not None:
            for place, unit in enumerate(self.network.units.all):
                making.give(unit, given[0], given[1][:, place])
        groups = self.network.units.groups
        order = self.network.order.drawn(generator)
        if self.heed is not None:
            order = self.heed.order(order)
            making.follow(None)
        for number in order:
            if only is None or not only.isdisjoint(groups[number]):
                making.draw(groups[number])
        return making.rows


class _Making:
    """Rows in the making."""

    def __init__(
        self,
        stepper: Stepper,
        context: Context,
        generator: torch.Generator,
        before: Before | None = None,
        numbers: Tensor | None = None,
    ) -> None:
        self.stepper, self.context, self.generator, self.before = stepper, context, generator, before
        self.network = network = stepper.network
        count, device, layout = len(context), context.device, network.units.layout
        self.stem = stepper.blank.expand(count, -1).clone()
        self.rows = EncodedBatch(
            torch.zeros(count, len(layout.numerical), device=device),
            torch.zeros(count, len(layout.categorical), dtype=torch.int64, device=device),
        )
        self.first_digit = torch.zeros(count, len(layout.numerical), dtype=torch.int64, device=device)
        self.is_known = torch.zeros(count, len(network.units.all), dtype=torch.bool, device=device)
        self.is_present = torch.ones(count, len(layout.numerical), dtype=torch.bool, device=device)
        self.number_known = torch.zeros_like(self.is_present)
        self.grown = Growing(stepper.weighing, count, None if before is None else before.numbers)
        self.made = Made(self.rows, self.is_known, numbers)

    def give(self, unit: Unit, rows: EncodedBatch, is_given: Tensor) -> None:
        """Make a unit known where it is given, (rows,) bool, and not known yet."""
        place = self.stepper.place[unit]
        here = is_given & ~self.is_known[:, place]
        if unit.kind != LEVEL:
            here &= self.is_present[:, unit.field]
        if not here.any():
            return
        if unit.kind == NUMBER:
            self._reveal_number(unit.field, rows.numerical[:, unit.field], here)
        else:
            self._reveal_token(unit, self.network.code(rows, unit), here)
        if unit.kind == DIGIT and self._is_last(unit):
            self._reveal_number(unit.field, rows.numerical[:, unit.field], here)
        self.is_known[:, place] |= here

    def follow(self, places: Sequence[int] | None) -> None:
        """Make known what follows from units at some places, or from any, and what follows from that."""
        heed = self.stepper.heed
        for found, rows, here in heed.follows(self.made, places) if heed is not None else ():
            for place in found:
                unit = self.network.units.all[place]
                self.give(unit, rows, here)
                if unit.kind != LEVEL:
                    self._without(place, here & ~self.is_present[:, unit.field])

    def draw(self, group: Sequence[Unit]) -> None:
        """Draw the units of a group where they are not known.

        What a gate lets through is foretold as if the gate did, known or masked: the unit after a gate needs no look
        of its own.
        """
        heeds, places = self.stepper.heed is not None, [self.stepper.place[unit] for unit in group]
        if heeds and self.is_known[:, places].all():
            return
        hidden = self._hidden()
        for number, unit in enumerate(group):
            if number > 1 or (number == 1 and group[0].kind != LEVEL):
                hidden = self._hidden()
            self._draw(unit, hidden)
            if heeds and unit.kind == LEVEL:
                self.follow([places[number]])
        if heeds and len(group) > 1:
            self.follow(places[1:])

    def _hidden(self) -> Tensor:
        with computing(self.stepper.precision, str(self.context.device)):
            stem = self.stem
            if self.network.together.fields:
                known = self.is_known[:, self.network.level_unit]
                stem = self.network.together(stem, self.rows.categorical, known)
            return self.network.hidden(stem, self.context, self.stepper.blocks).float()

    def _draw(self, unit: Unit, hidden: Tensor) -> None:
        place = self.stepper.place[unit]
        here = ~self.is_known[:, place]
        if unit.kind != LEVEL:
            here &= self.is_present[:, unit.field]
        if self.stepper.heed is not None and not here.any():
            self._closed(unit, here)
            return
        uniform = self._uniform()
        if unit.kind == NUMBER:
            normal = torch.randn(len(uniform), generator=self.generator).to(uniform.device)
            self._reveal_number(unit.field, self._number(unit, hidden, uniform, normal), here)
        else:
            code = chosen_level(self._shares(unit, hidden), uniform)
            if self.stepper.heed is not None:
                code = self.stepper.heed.corrected(unit, code, self.made)
            self._reveal_token(unit, code, here)
            if unit.kind == DIGIT and self._is_last(unit):
                self._reveal_number(unit.field, self._within(unit, code), here)
        self._closed(unit, here)

    def _closed(self, unit: Unit, drawn: Tensor) -> None:
        """Make a unit known in all rows; where it was not drawn, (rows,) bool, and is not known it means nothing."""
        place = self.stepper.place[unit]
        if unit.kind != LEVEL and not drawn.all():
            self._without(place, ~drawn)
        self.is_known[:, place] = True

    def _without(self, place: int, rows: Tensor) -> None:
        """Make known of a unit without meaning that it has none, in some rows, (rows,) bool: its gate says so."""
        self._unmask(place, rows & ~self.is_known[:, place])
        self.is_known[:, place] |= rows

    def _unmask(self, place: int, rows: Tensor) -> None:
        """Take a unit's mask out of the first layer of some rows, (rows,) bool."""
        self.stem.addr_(rows.to(self.stem.dtype), self.stepper.mask_weight[place], alpha=-1)

    def _uniform(self) -> Tensor:
        return torch.rand(len(self.context), generator=self.generator).to(self.context.device)

    def _shares(self, unit: Unit, hidden: Tensor) -> Tensor:
        network, ask = self.network, self.stepper.asks[self.stepper.place[unit]]
        logits, beside = ask.of(hidden)
        if unit.kind == DIGIT:
            first, company = self.first_digit[:, unit.field], self.grown.company(unit.field)
            logits = logits + network.for_digits(unit, first, beside, company, self._peaks(ask))
        elif ask.beside:
            is_known = self.is_known[:, network.level_unit]
            told = network.affinities.known(self.rows.categorical, is_known, self.context.said)
            logits = logits + network.affinities(unit.field, beside, *told)
        if unit.digit == 1:
            parts = network.cells(unit.field)[1][self.first_digit[:, unit.field]]
            is_part = torch.arange(unit.levels, device=logits.device) < parts.unsqueeze(1)
            logits = logits.masked_fill(~is_part, -torch.inf)
        allowed = None if self.stepper.heed is None else self.stepper.heed.allowed(unit, self.made)
        if allowed is not None:
            # Where a rule leaves nothing, the network decides.
            logits = logits.masked_fill(~allowed & allowed.any(1, keepdim=True), -torch.inf)
        within = self._limits(unit)
        if within is not None:
            logits = self._in_limits(unit, logits, *within)
        return logits.softmax(1)

    def _limits(self, unit: Unit) -> tuple[Tensor, Tensor] | None:
        heed = self.stepper.heed
        return None if heed is None or unit.kind == LEVEL else heed.within(unit, self.made)

    def _in_limits(self, unit: Unit, logits: Tensor, low: Tensor, high: Tensor) -> Tensor:
        """Return the logits of a digit without those of cells beyond limits, (rows,) each, unless none is left."""
        edges, parts = self.network.cells(unit.field)
        middle, is_part = edges.mean(-1), torch.arange(edges.shape[1], device=edges.device) < parts.unsqueeze(1)
        if unit.digit == 0:  # a coarse cell fits where one of its parts does
            low, high = low.view(-1, 1, 1), high.view(-1, 1, 1)
            fits = ((middle >= low) & (middle <= high) & is_part).any(2)
        else:
            middle = middle[self.first_digit[:, unit.field]]
            fits = (middle >= low.unsqueeze(1)) & (middle <= high.unsqueeze(1)) & logits.isfinite()
        return logits.masked_fill(~fits & fits.any(1, keepdim=True), -torch.inf)

    def _number(self, unit: Unit, hidden: Tensor, uniform: Tensor, normal: Tensor) -> Tensor:
        network, ask = self.network, self.stepper.asks[self.stepper.place[unit]]
        raw, _ = ask.of(hidden)
        shift = self.grown.seen @ network.mixture.ways[ask.smooth].T
        told = raw, shift, self.grown.company(unit.field), self._peaks(ask)
        scale, within = network.scale[unit.field], self._limits(unit)
        drawn = MixtureHead.drawn(*told, scale, (uniform, normal))
        if within is None:
            return drawn
        inside = (drawn >= within[0]) & (drawn <= within[1])
        if inside.all():
            return drawn
        parts = MixtureHead.parts(*told)
        return torch.where(inside, drawn, MixtureHead.draw_within(parts, scale, uniform, normal, *within))

    def _peaks(self, ask: Ask) -> Peaks | None:
        if not ask.has_partners:
            return None
        found = self.network.partners(self.rows.numerical, self.number_known, ask.unit.field)
        return found and found.of(0)

    def _reveal_token(self, unit: Unit, code: Tensor, here: Tensor) -> None:
        ask, levels = self.stepper.asks[self.stepper.place[unit]], self.stepper.levels[self.stepper.token[unit]]
        self.stem += levels.index_select(0, torch.where(here, code, unit.levels))
        held = self.rows.categorical if unit.kind == LEVEL else self.first_digit
        if unit.digit == 0:
            held[:, unit.field] = torch.where(here, code, held[:, unit.field])
        if ask.gated:
            self.is_present[:, ask.gated] = (self.rows.categorical[:, unit.field] == 0).unsqueeze(1)

    def _is_last(self, unit: Unit) -> bool:
        return self.network.units.revealed_by[unit.field] == self.stepper.place[unit]

    def _within(self, unit: Unit, code: Tensor) -> Tensor:
        """Return a rough number within the cell of its digits."""
        edges, _ = self.network.cells(unit.field)
        fine = code if unit.digit == 1 else torch.zeros_like(code)
        cell = edges[self.first_digit[:, unit.field], fine]
        return cell[:, 0] + self._uniform() * (cell[:, 1] - cell[:, 0])

    def _reveal_number(self, number: int, value: Tensor, here: Tensor) -> None:
        own = torch.where(here, value, self.rows.numerical[:, number])
        self.rows.numerical[:, number] = own
        self.number_known[:, number] |= here
        known = self.number_known[:, number]
        value = self.grown.add(number, own, None if known.all() else known)
        seen = features(own.unsqueeze(1), value.unsqueeze(1), here.unsqueeze(1)).squeeze(1)
        self.stem.addmm_(seen, self.stepper.number_weight[number])
        place = self.network.units.revealed_by[number]
        if self.network.units.all[place].kind == NUMBER:
            self._unmask(place, here)

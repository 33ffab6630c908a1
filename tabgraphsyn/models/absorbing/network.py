"""The network of an absorbing diffusion: every masked column from the known ones and from what surrounds the row.

Sources: autoregressive diffusion in any order (Hoogeboom et al. 2022, arXiv 2110.02037); masked diffusion (Sahoo et al.
2024, arXiv 2406.07524). Conditions are added once, before the blocks.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tabgraphsyn.data.layout import TableLayout
from tabgraphsyn.models.absorbing.affinity import Affinities, OwnWays
from tabgraphsyn.models.absorbing.companions import Companions
from tabgraphsyn.models.absorbing.drafts import Around, Before, Context, Draft
from tabgraphsyn.models.absorbing.heads import level_surprises
from tabgraphsyn.models.absorbing.history import HISTORIES, PLACE_FEATURES, place_features
from tabgraphsyn.models.absorbing.numbers import (
    COMPONENTS,
    FEATURES,
    NEAR,
    NEAR_PARTNER,
    PEAKS,
    Company,
    MixtureHead,
    features,
    nearness,
    scaled,
)
from tabgraphsyn.models.absorbing.order import AnyOrder, Order
from tabgraphsyn.models.absorbing.pace import Pace, PaceHead
from tabgraphsyn.models.absorbing.partners import Partners, Peaks
from tabgraphsyn.models.absorbing.rows import RowEncoder, present
from tabgraphsyn.models.absorbing.said import said_fields
from tabgraphsyn.models.absorbing.scales import POINTS
from tabgraphsyn.models.absorbing.together import Together
from tabgraphsyn.models.absorbing.units import LEVEL, NUMBER, Unit, Units
from tabgraphsyn.models.batch import EncodedBatch
from tabgraphsyn.models.denoiser.mlp import ResidualBlock, Weights, residual

WIDE = 100
"""Levels of a unit from which on only the rows in which it is masked are asked for it."""


class AbsorbingNetwork(nn.Module):
    """Predicts every unit of a row.

    Args:
        units: what is masked and unmasked.
        facts: width of the facts around a row. ancestors: layouts of the tables at the ends of the ways up. keys:
            levels of each key into a lookup table.
        has_families: True where rows follow their siblings.
        width: hidden units. layers: residual blocks. dropout: share of hidden units dropped in training.
        level_dim: width of a level's embedding. history_dim: width of the recurrent state.
        pace: how the times of siblings climb, None where they do not.
        partners: of each number, the numbers near multiples of which it may lie.
        history: what rows are told of their siblings, one of ``HISTORIES``.
        order: in which the units are unmasked; None: in any. sets: of levels that say more together, see ``Together``.
        told_by: what fields tell of categorical ones by counts, see ``Affinities``. ahead: categorical fields that
            are drawn before all others.
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

    def __init__(
        self,
        *,
        units: Units,
        facts: int,
        ancestors: Sequence[TableLayout],
        has_families: bool,
        width: int,
        layers: int,
        dropout: float,
        level_dim: int,
        history_dim: int,
        pace: Pace | None = None,
        partners: Sequence[Sequence[int]] = (),
        history: str = "recurrent",
        order: Order | None = None,
        sets: Sequence[tuple[Sequence[int], int]] = (),
        told_by: Sequence[tuple[int, int]] = (),
        ahead: Sequence[int] = (),
        keys: Sequence[int] = (),
    ) -> None:
        super().__init__()
        self.units, self.told = units, facts
        self.order = AnyOrder(len(units.groups)) if order is None else order
        self._index()
        numbers = len(units.layout.numerical)
        self.register_buffer("scale", torch.zeros(numbers, POINTS))
        for number, digits in enumerate(units.digits):
            if digits is not None:
                self.register_buffer(f"edges_{number}", torch.zeros(digits.coarse, digits.fine, 2))
                self.register_buffer(f"parts_{number}", torch.ones(digits.coarse, dtype=torch.int64))
                self.register_buffer(f"usual_{number}", torch.zeros(digits.coarse, digits.fine))
        self.level_dim = level_dim
        self.embedding = nn.Embedding(sum(self.token_levels) + len(self.token_levels) or 1, level_dim)
        nn.init.normal_(self.embedding.weight, std=0.3)
        self.stem = nn.Linear(level_dim * len(self.token_levels) + FEATURES * numbers + len(units.all), width)
        self.ways = OwnWays(units=units, told_by=told_by, width=width)
        self.facts = nn.Linear(facts + PLACE_FEATURES, width)
        self.ancestors = nn.ModuleList(RowEncoder(layout=one, width=width, level_dim=level_dim) for one in ancestors)
        remembers, self.history = HISTORIES[history] if has_families else None, None
        if remembers is not None:
            self.history = remembers(layout=units.layout, width=history_dim, level_dim=level_dim)
            self.remembered = nn.Sequential(
                nn.Linear(self.history.told + PLACE_FEATURES, width), nn.SiLU(), nn.Linear(width, width)
            )
        self.pace = None if pace is None else PaceHead(pace=pace, width=width)
        self.blocks = nn.ModuleList(ResidualBlock(width=width, dropout=dropout) for _ in range(layers))
        self.normalise = nn.LayerNorm(width)
        rough = [number for number, digits in enumerate(units.digits) if digits is not None]
        self.partners = Partners(partners=partners or [()] * numbers)
        self.components = COMPONENTS + PEAKS * self.partners.most
        first = sum(self.token_levels) + 3 * self.components * len(units.smooth)
        near = NEAR + NEAR_PARTNER * self.partners.most
        self.near = {number: slice(first + near * n, first + near * (n + 1)) for n, number in enumerate(rough)}
        self.trust = slice(first + near * len(rough), first + near * len(rough) + len(told_by))
        self.head = nn.Linear(width, self.trust.stop)
        self.head_parts = [*self.token_levels, first - sum(self.token_levels), near * len(rough), len(told_by)]
        self.companions = Companions(numbers=numbers)
        self.mixture = MixtureHead(seen=2 * numbers * (1 if self.history is None else 2), smooth=len(units.smooth))
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)
        sizes = [one.levels for one in units.layout.categorical]
        self.together = Together(sets=sets, levels=sizes, width=width)
        self.affinities = Affinities(told_by=told_by, levels=sizes, said=said_fields(keys, ancestors))
        leading = [units.levels[field] for field in ahead]
        needed = [self.together.needs(group[0]) or group[0] in leading for group in units.groups]
        self.order.ahead = [number for number, is_needed in enumerate(needed) if is_needed]
        if units.smooth:
            MixtureHead.start(self.head.bias.data[sum(self.token_levels) : first].view(-1, 3, self.components))

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

    def before(self, history: Tensor, last: EncodedBatch, has_one: Tensor) -> Before:
        """Return what came before rows: their history, and the numbers of the last sibling in both scales.

        Shape:
            history: (rows, told). has_one: (rows,) bool, there is a sibling before.
        """
        value, _ = scaled(self.scale, last.numerical)
        there = (present(last, self.gates) & has_one.unsqueeze(1)).to(value.dtype)
        return Before(history, torch.cat([last.numerical * there, value * there], dim=1))

    def context(self, around: Around, before: Before | None) -> Context:
        """Return what surrounds rows; ``before`` where rows follow their siblings.

        Where times climb from sibling to sibling, the row's own is not in it: add ``pace.seen_now``.
        """
        place = place_features(around.rank, around.size)
        context: Tensor = self.facts(torch.cat([around.facts, place], dim=1))
        for encoder, (rows, which) in zip(self.ancestors, around.ancestors, strict=True):
            if rows.rows:
                context = context + encoder(rows)[which.clamp(min=0)] * (which >= 0).unsqueeze(1)
        if self.history is not None:
            assert before is not None
            context = context + self.remembered(torch.cat([before.history, place], dim=1))
        if self.pace is not None:
            assert around.clock is not None
            context = context + self.pace.seen_before(around.clock)
        return Context(context, self.affinities.said(around))

    def numbers_known(self, draft: Draft) -> Tensor:
        """Return which numbers are known and have a meaning, (rows, n_num) bool."""
        return draft.is_known[:, self.revealed_by] & draft.is_present

    def stem_of(self, draft: Draft, value: Tensor | None = None) -> Tensor:
        """Return the first layer of a draft, (rows, width); ``value`` as in ``company``."""
        seen = draft.is_known[:, self.token_unit]
        if draft.numbers.shape[1]:
            # A digit without meaning says nothing; that it has none, its gate says.
            seen = seen & (draft.is_present[:, self.token_number.clamp(min=0)] | (self.token_number < 0))
        chosen = torch.where(seen, draft.codes + self.level_start, self.masked_level)
        parts = [self.embedding(chosen).flatten(1), (~draft.is_known).to(self.scale.dtype)]
        if draft.numbers.shape[1]:
            value = scaled(self.scale, draft.numbers)[0] if value is None else value
            parts.insert(1, features(draft.numbers, value, self.numbers_known(draft)).flatten(1))
        levels, known = draft.codes[:, self.level_token], draft.is_known[:, self.level_unit]
        stem = self.together(self.stem(torch.cat(parts, dim=1)), levels, known)
        return self.ways.told(stem, draft.codes, seen)

    def hidden(self, stem: Tensor, context: Context, blocks: Sequence[Weights] | None = None) -> Tensor:
        """Return the last hidden layer, (rows, width).

        Args:
            stem: (rows, width).
            context: of the rows.
            blocks: weights of the blocks where rows are made, look after look; None: as the blocks have them.
        """
        hidden = stem + context.vector
        for block in self.blocks if blocks is None else ():
            hidden = block(hidden)
        for weights in blocks or ():
            hidden = residual(hidden, weights)
        return F.silu(self.normalise(hidden))

    def compile(self, *args: Any, **kwargs: Any) -> None:
        """Compile what training asks of it, as ``nn.Module.compile`` does with a call: it is asked by method."""
        self.__dict__["surprises"] = torch.compile(self.surprises, *args, **kwargs)

    def surprises(self, draft: Draft, context: Context, before: Before | None = None) -> Tensor:
        """Return the negative log likelihood of every unit given the known ones, (rows, units); 0 without meaning.

        What is said of known units is for nobody: the head of many levels is not asked, 0 stands there.
        """
        value, log_slope = scaled(self.scale, draft.numbers)
        hidden = self.hidden(self.stem_of(draft, value), context)
        is_present, known = draft.is_present, self.numbers_known(draft)
        company = self.company(draft.numbers, known, value=value)
        peaks = self.partners(draft.numbers, known)
        # Cut by one operation: gradients of slices are a whole matrix of zeros each.
        weights, biases = self.head.weight.split(self.head_parts), self.head.bias.split(self.head_parts)
        asked = [place for place in range(len(self.head_parts)) if place not in self.wide]
        raw = F.linear(hidden, torch.cat([weights[n] for n in asked]), torch.cat([biases[n] for n in asked])).float()
        *levels, smooth, near, trust = raw.split([self.head_parts[place] for place in asked], dim=1)
        found = raw.new_zeros(len(raw), len(self.units.all))
        known_levels = draft.codes[:, self.level_token], draft.is_known[:, self.level_unit]
        told = trust, *self.affinities.known(*known_levels, context.said)
        if levels:
            levels = self._with_nearness(dict(zip(asked, levels, strict=False)), near, draft, company, peaks)
            pairs = zip(self.few, levels, strict=True)
            levels = [self.affinities.added(self.units.tokens[place], own, *told) for place, own in pairs]
            by_token = level_surprises(levels, draft.codes.index_select(1, self.narrow))
            if draft.numbers.shape[1]:
                number = self.token_number[self.narrow]
                by_token = by_token * (is_present[:, number.clamp(min=0)] | (number < 0))
            found = found.index_copy(1, self.token_unit[self.narrow], by_token)
        for place in self.wide:
            unit = self.token_unit[place]
            rows = (~draft.is_known[:, unit]).nonzero()[:, 0]
            logits = F.linear(hidden.index_select(0, rows), weights[place], biases[place]).float()
            logits = self.affinities.added(
                self.units.tokens[place], logits, *(each.index_select(0, rows) for each in told)
            )
            own = level_surprises([logits], draft.codes[rows, place].unsqueeze(1))[:, 0]
            found = found.index_put((rows, unit), own)
        if self.units.smooth:
            shift, at = self.shifts(draft.numbers, known, before, value), self.smooth
            smooth = smooth.unflatten(1, (-1, 3 * self.components))
            parts = self.mixture.parts(smooth, shift, company.of(at), peaks and peaks.of(at))
            loss = self.mixture.surprise(parts, draft.numbers[:, at], value[:, at], log_slope[:, at])
            found = found.index_copy(1, self.smooth_unit, loss * is_present[:, at])
        return found

    def _with_nearness(
        self, logits: dict[int, Tensor], near: Tensor, draft: Draft, company: Company, peaks: Peaks | None
    ) -> list[Tensor]:
        """Return the logits of some tokens, (rows, levels) each, of digits with what speaks for them by their nearness.

        Shape:
            near: (rows, columns), of the head for rough numbers.
        """
        raw = dict(zip(self.near, near.chunk(len(self.near), dim=1), strict=True)) if self.near else {}
        found = []
        for place, own in logits.items():
            unit = self.units.tokens[place]
            if unit.kind != LEVEL:
                first = draft.codes[:, place - unit.digit]
                told = raw[unit.field], company.of(unit.field), peaks and peaks.of(unit.field)
                own = own + self.for_digits(unit, first, *told)
            found.append(own)
        return found

    def for_digits(self, unit: Unit, first: Tensor, near: Tensor, company: Company, peaks: Peaks | None) -> Tensor:
        """Return what speaks for a digit's levels beside the network: how near they are, and how many rows they have.

        Of a second digit, a level means another value under each first one: what is usual there need not be learnt.

        Shape:
            first: (rows,) int64, the first digits. near: (rows, columns), of the head. company, peaks: of the number.
            Returned: (rows, levels).
        """
        found = nearness(near, company, self.middles(unit, first), peaks)
        usual: Tensor = getattr(self, f"usual_{unit.field}")
        return found + usual[first] if unit.digit else found

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

    def company(
        self, numbers: Tensor, is_known: Tensor, only: int | None = None, value: Tensor | None = None
    ) -> Company:
        """Return what known numbers say of all numbers, or of one.

        Shape:
            numbers, is_known: (rows, n_num). value: (rows, n_num), known numbers on the scale of their values, None: is
            computed. In the company: (rows, n_num, 2), or (rows, 1, 2).
        """
        if not numbers.shape[1]:
            nothing = numbers.new_zeros(len(numbers), 0, 2)
            return Company(nothing, nothing)
        asked = slice(None) if only is None else slice(only, only + 1)
        both = self._on_both_scales(numbers) if value is None else torch.stack([numbers, value], dim=1)
        return Company(*self.companions(both, is_known, asked)).agreed(self.scale[asked])

    def measure(self, rows: EncodedBatch) -> None:
        """Find out what numbers of clean rows share with each other."""
        if rows.numerical.shape[1]:
            self.companions.measure(self._on_both_scales(rows.numerical), present(rows, self.gates))

    def _on_both_scales(self, numbers: Tensor) -> Tensor:
        return torch.stack([numbers, scaled(self.scale, numbers)[0]], dim=1)

    def shifts(self, numbers: Tensor, is_known: Tensor, before: Before | None, value: Tensor | None = None) -> Tensor:
        """Return what known numbers, and those of the last sibling, add to the means of smooth ones.

        Shape:
            numbers, is_known: (rows, n_num). value: see ``company``. Returned: (rows, smooth, 2).
        """
        if value is None:
            value, _ = scaled(self.scale, numbers)
        known = is_known.to(value.dtype)
        seen = [numbers * known, value * known]
        if self.history is not None:
            assert before is not None
            seen.append(before.numbers)
        return self.mixture.shifts(torch.cat(seen, dim=1))

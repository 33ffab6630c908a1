"""What levels say of another one by how often they stand together: which flight number leaves when, and where it goes.

A thousand levels, each with a route, a carrier and an hour of its own, are a table to be looked up. A narrow network
learns such a table slowly and never whole. So it is counted over the training rows, and the network says in each row
how much what each known level tells counts. What few entities hold together counts as if it had never been seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tabgraphsyn.data.layout import EncodedTable, TableLayout
from tabgraphsyn.models.absorbing.together import code_of, held_codes
from tabgraphsyn.models.absorbing.units import LEVEL, Unit, Units

MANY = 256
"""Levels of a field from which on it is a table to be looked up; fewer the network learns."""
LEAST_TOLD = 0.1
"""Nats by which a level of one field must lessen the surprise of the other field in rows of other entities."""
LEAST_LEAD = 1.0
"""Nats, over all fields that it tells of, from which on a field is drawn before all others."""
LEAST_MORE = 0.5
"""Nats, over all other fields, by which the leading field must tell more together with another one."""
MOST_CELLS = 4_000_000
"""Levels of what is known times levels of what is asked, over all of them."""
DOUBTS = (0.2, 1.0, 5.0)
"""Rows of the other field by itself, which each level's own rows are mixed with: whichever tells other rows best."""
START = 0.5
"""How much of what each known level tells counts at first: several say the same again."""


@dataclass(frozen=True)
class Affinity:
    """What one or two categorical fields tell of another one.

    Attributes:
        known: places among the categorical fields.
        asked: the same.
        codes: (places,) int64, ascending: what has a row in the table, see ``code_of``.
        told: nats by which rows of other entities are less surprising, as a mean.
        table: (places, levels of the asked) float32: how much likelier each level is, log.
    """

    known: tuple[int, ...]
    asked: int
    codes: np.ndarray
    told: float
    table: np.ndarray


@dataclass(frozen=True)
class Places:
    """Where rows stand in the tables of each source.

    Shape:
        place: (rows, sources) int64. is_there: (rows, sources) bool, it is known and has a row in the tables.
    """

    place: Tensor
    is_there: Tensor

    def of(self, rows: Tensor) -> Places:
        """Return those of some rows, (n,) int64."""
        return Places(self.place.index_select(0, rows), self.is_there.index_select(0, rows))


class Affinities(nn.Module):
    """What known levels say of a masked one.

    Args:
        told_by: categorical fields that are known, the one that is asked, and how many rows their table has.
        levels: of each categorical field.
    """

    def __init__(self, *, told_by: Sequence[tuple[Sequence[int], int, int]], levels: Sequence[int]) -> None:
        super().__init__()
        self.levels = list(levels)
        self.told_by = [(tuple(known), asked) for known, asked, _ in told_by]
        self.of: dict[int, list[int]] = {}
        """What tells of each field that is asked."""
        for place, (_, asked) in enumerate(self.told_by):
            self.of.setdefault(asked, []).append(place)
        self.sources = list(dict.fromkeys(known for known, _ in self.told_by))
        sizes = {tuple(known): places for known, _, places in told_by}
        for number, source in enumerate(self.sources):
            self.register_buffer(f"codes_{number}", torch.arange(sizes[source]))
        self.start: dict[int, list[int]] = {}
        for asked, here in self.of.items():
            rows = [sizes[self.told_by[place][0]] for place in here]
            self.start[asked] = [sum(rows[:number]) for number in range(len(rows))]
            self.register_buffer(f"table_{asked}", torch.zeros(sum(rows), levels[asked]))

    def places(self, levels: Tensor, is_known: Tensor) -> Places | None:
        """Return where rows stand in the tables of each source; None without any source.

        Shape:
            levels: (rows, n_cat) int64. is_known: (rows, n_cat) bool.
        """
        if not self.sources:
            return None
        at, there = [], []
        for number, source in enumerate(self.sources):
            codes: Tensor = getattr(self, f"codes_{number}")
            fields = list(source)
            own = code_of(levels[:, fields], [self.levels[field] for field in fields])
            place = torch.searchsorted(codes, own).clamp(max=len(codes) - 1)
            at.append(place)
            there.append((codes[place] == own) & is_known[:, fields].all(1))
        return Places(torch.stack(at, 1), torch.stack(there, 1))

    def added(self, unit: Unit, logits: Tensor, raw: Tensor, at: Places | None) -> Tensor:
        """Return the logits of a unit, (rows, levels), with what known levels tell of it.

        Shape:
            raw: (rows, told_by), of the head.
        """
        if at is None or unit.kind != LEVEL or unit.field not in self.of:
            return logits
        return logits + self(unit.field, raw, at)

    def forward(self, asked: int, raw: Tensor, at: Places) -> Tensor:
        """Return what speaks for the levels of a field, (rows, levels).

        Shape:
            raw: (rows, told_by), of the head.
        """
        own = self.of[asked]
        sources = [self.sources.index(self.told_by[place][0]) for place in own]
        table: Tensor = getattr(self, f"table_{asked}")
        chosen = at.place[:, sources] + torch.tensor(self.start[asked], device=raw.device)
        weight = (raw[:, own] + START) * at.is_there[:, sources]
        return F.embedding_bag(chosen, table, mode="sum", per_sample_weights=weight.to(table.dtype))

    def tell(self, found: Sequence[Affinity]) -> None:
        """Say what was counted."""
        tables = {(one.known, one.asked): one for one in found}
        for number, source in enumerate(self.sources):
            one = next(one for one in found if one.known == source)
            getattr(self, f"codes_{number}").copy_(torch.from_numpy(one.codes))
        for asked, places in self.of.items():
            own = [tables[self.told_by[place]].table for place in places]
            getattr(self, f"table_{asked}").copy_(torch.from_numpy(np.concatenate(own)))


class OwnWays(nn.Module):
    """A way into the first layer for each level of a field of many: they say too much for a narrow embedding.

    Args:
        units: of the table.
        told_by: see ``Affinities``; fields that neither tell nor are told need no more than their embedding.
        width: of the first layer.
    """

    def __init__(self, *, units: Units, told_by: Sequence[tuple[Sequence[int], int, int]], width: int) -> None:
        super().__init__()
        told = {field for known, asked, _ in told_by for field in (*known, asked)}
        many = [unit.kind == LEVEL and unit.levels >= MANY and unit.field in told for unit in units.tokens]
        self.tokens = [place for place, is_many in enumerate(many) if is_many]
        self.ways = nn.ModuleList(nn.Embedding(units.tokens[place].levels, width) for place in self.tokens)
        for way in self.ways.parameters():
            nn.init.zeros_(way)

    def told(self, stem: Tensor, codes: Tensor, seen: Tensor) -> Tensor:
        """Return the first layer with what known levels say.

        Shape:
            stem: (rows, width). codes: (rows, tokens) int64. seen: (rows, tokens) bool.
        """
        for place, way in zip(self.tokens, self.ways, strict=True):
            stem = stem + way(codes[:, place]) * seen[:, place].unsqueeze(1)
        return stem

    def of(self, token: int) -> Tensor | float:
        """Return what the levels of a token say, (levels, width); 0 for one of few levels."""
        return list(self.ways.parameters())[self.tokens.index(token)] if token in self.tokens else 0.0


def affinities(
    layout: TableLayout, table: EncodedTable, entities: np.ndarray, min_entities: int = 5
) -> tuple[list[Affinity], list[int]]:
    """Return what fields of many levels and others tell of each other, and the fields that are drawn before all others.

    That is the field of many levels that tells most of the others, if it tells much: drawn after them, it would have to
    fit to what never stood together. What it tells together with one of the others is counted, too.

    Args:
        layout: of the table.
        table: training rows.
        entities: (rows,) int64.
        min_entities: so many must hold levels together before they count.
    """
    sizes = [field.levels for field in layout.categorical]
    counting = _Counting(np.asarray(table.categorical)[:, : len(sizes)].astype(np.int64), sizes, entities, min_entities)
    found: list[Affinity] = []
    for known, asked in permutations(range(len(sizes)), 2):
        if max(sizes[known], sizes[asked]) >= MANY and min(sizes[known], sizes[asked]) > 1:
            found += counting.told((known,), asked, LEAST_TOLD, _room(found))
    lead = _leading(found, sizes)
    if not lead:
        return found, []
    alone = {one.asked: one.told for one in found if one.known == (lead[0],)}
    best: list[Affinity] = []
    most = LEAST_MORE
    for field in range(len(sizes)):
        if field == lead[0] or sizes[field] < 3:
            continue
        both = tuple(sorted((lead[0], field)))
        more: list[Affinity] = []
        for asked in alone:
            if asked != field:
                more += counting.told(both, asked, alone[asked], _room(found + more))
        gain = sum(one.told - alone[one.asked] for one in more)
        if gain > most:
            best, most = more, gain
    return found + best, lead


@dataclass
class _Counting:
    """Counts over training rows.

    Shape:
        levels: (rows, n_cat) int64. entities: (rows,) int64.
    """

    levels: np.ndarray
    sizes: Sequence[int]
    entities: np.ndarray
    min_entities: int

    def told(self, known: tuple[int, ...], asked: int, least: float, room: int) -> list[Affinity]:
        """Return what fields tell of another one; nothing where it is ``least`` nats or less, or has no room."""
        code = code_of(torch.from_numpy(self.levels[:, list(known)]), [self.sizes[one] for one in known]).numpy()
        codes = np.arange(self.sizes[known[0]])
        if len(known) > 1:
            codes = held_codes(code, self.entities, self.min_entities)
        levels = self.sizes[asked]
        if not len(codes) or len(codes) * levels > room:
            return []
        place = np.searchsorted(codes, code).clip(max=len(codes) - 1)
        here = codes[place] == code
        value, place = self.levels[:, asked], np.where(here, place, -1)
        count = self._pairs(place[here] * levels + value[here], self.entities[here], len(codes) * levels)
        count = count.reshape(len(codes), levels)
        rows = np.bincount(place[here], minlength=len(codes)).astype(np.float64)
        alone = (np.bincount(value, minlength=levels) + 1.0) / (len(value) + levels)
        # A row is not told by itself: by the others of its pair.
        others = np.maximum(count[place[here], value[here]] - 1, 0)
        apart = [_likelier(others, rows[place[here]] - 1, alone[value[here]], doubt).sum() for doubt in DOUBTS]
        best = int(np.argmax(apart))
        told = float(apart[best]) / max(len(value), 1)
        if told <= least:
            return []
        table = _likelier(count, rows[:, None], alone, DOUBTS[best]).astype(np.float32)
        return [Affinity(known, asked, codes, told, table)]

    def _pairs(self, pair: np.ndarray, entities: np.ndarray, pairs: int) -> np.ndarray:
        """Return the rows of each pair, (pairs,) float64; none of a pair that few entities hold."""
        count = np.bincount(pair, minlength=pairs)
        own = np.unique(np.stack([pair, entities]), axis=1)[0]
        is_held = np.bincount(own, minlength=pairs) >= self.min_entities
        return np.asarray(np.where(is_held, count, 0), dtype=np.float64)


def _room(found: Sequence[Affinity]) -> int:
    return MOST_CELLS - sum(one.table.size for one in found)


def _likelier(count: np.ndarray, rows: np.ndarray, alone: np.ndarray, doubt: float) -> np.ndarray:
    """Return by how much a level is likelier than by itself, log."""
    return np.asarray(np.log((count / alone + doubt) / (rows + doubt)))


def _leading(found: Sequence[Affinity], sizes: Sequence[int]) -> list[int]:
    """Return the field of many levels that tells most of the others, none where none tells much."""
    told: dict[int, float] = {}
    for one in found:
        if sizes[one.known[0]] >= MANY:
            told[one.known[0]] = told.get(one.known[0], 0.0) + one.told
    best = max(told, key=lambda field: told[field], default=-1)
    return [best] if best >= 0 and told[best] >= LEAST_LEAD else []

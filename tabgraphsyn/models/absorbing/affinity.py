"""What levels say of another one by how often they stand together: which flight number leaves when, and where it goes.

A thousand levels, each with a route, a carrier and an hour of its own, are a table to be looked up. A narrow network
learns such a table slowly and never whole. So it is counted over the training rows, and the network says in each row
how much what each known level tells counts: levels of the row, and those that its keys and ancestors say (``said.py``).
What rows are like under one parent (``data.known.traits``) is counted however few its levels: of a table of a few
thousand rows the network learns rows by heart before it heeds that.
What few entities hold together counts as if it had never been seen.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tabgraphsyn.data.layout import EncodedTable, TableLayout
from tabgraphsyn.models.absorbing.drafts import Around
from tabgraphsyn.models.absorbing.said import Said
from tabgraphsyn.models.absorbing.units import LEVEL, Unit, Units

MANY = 256
"""Levels of a field from which on it is a table to be looked up; fewer the network learns."""
LEAST_TOLD = 0.1
"""Nats by which a level of one field must lessen the surprise of the other field in rows of other entities."""
LEAST_LEAD = 1.0
"""Nats, over all fields that it tells of, from which on a field is drawn before all others."""
MOST_CELLS = 4_000_000
"""Levels of what is known times levels of what is asked, over all of them."""
DOUBTS = (0.2, 1.0, 5.0)
"""Rows of the other field by itself, which each level's own rows are mixed with: whichever tells other rows best."""
START = 0.5
"""How much of what each known level tells counts at first: several say the same again."""


@dataclass(frozen=True)
class Affinity:
    """What a categorical field tells of another one.

    Attributes:
        known: place among the categorical fields and, after them, the fields that are said of the row.
        asked: place among the categorical fields.
        told: nats by which rows of other entities are less surprising, as a mean.
        table: (levels of the known, levels of the asked) float32: how much likelier each level is, log.
    """

    known: int
    asked: int
    told: float
    table: np.ndarray


class Affinities(nn.Module):
    """What known levels say of a masked one.

    Args:
        told_by: fields that are known, and the one that is asked, see ``Affinity``.
        levels: of each categorical field.
        said: fields that are said of the row.
    """

    def __init__(self, *, told_by: Sequence[tuple[int, int]], levels: Sequence[int], said: Sequence[Said] = ()) -> None:
        super().__init__()
        self.told_by = [(known, asked) for known, asked in told_by]
        heard = sorted({known for known, _ in told_by if known >= len(levels)})
        self.heard = [said[field - len(levels)] for field in heard]
        """Fields that are said of the row and tell something."""
        self.column = {field: len(levels) + place for place, field in enumerate(heard)}
        levels = [*levels, *(one.levels for one in said)]
        self.of: dict[int, list[int]] = {}
        """What tells of each field that is asked."""
        for place, (_, asked) in enumerate(self.told_by):
            self.of.setdefault(asked, []).append(place)
        self.start: dict[int, list[int]] = {}
        for asked, here in self.of.items():
            rows = [levels[self.told_by[place][0]] for place in here]
            self.start[asked] = [sum(rows[:number]) for number in range(len(rows))]
            self.register_buffer(f"table_{asked}", torch.zeros(sum(rows), levels[asked]))

    def said(self, around: Around) -> Tensor:
        """Return the levels that are said of some rows and tell something, (rows, heard) int64, -1 for nothing."""
        found = [one.rows(around) for one in self.heard]
        return torch.stack(found, dim=1) if found else around.rank.new_zeros(len(around.rank), 0, dtype=torch.int64)

    def known(self, levels: Tensor, is_known: Tensor, said: Tensor) -> tuple[Tensor, Tensor]:
        """Return levels and which of them are known, those that are said of the rows after the rows' own.

        Shape:
            levels: (rows, n_cat) int64. is_known: (rows, n_cat) bool. said: see ``said``.
        """
        if not self.heard:
            return levels, is_known
        return torch.cat([levels, said.clamp(min=0)], dim=1), torch.cat([is_known, said >= 0], dim=1)

    def added(self, unit: Unit, logits: Tensor, raw: Tensor, levels: Tensor, is_known: Tensor) -> Tensor:
        """Return the logits of a unit, (rows, levels), with what known levels tell of it; see ``forward``."""
        if unit.kind != LEVEL or unit.field not in self.of:
            return logits
        return logits + self(unit.field, raw, levels, is_known)

    def forward(self, asked: int, raw: Tensor, levels: Tensor, is_known: Tensor) -> Tensor:
        """Return what speaks for the levels of a field, (rows, levels).

        Shape:
            raw: (rows, told_by), of the head. levels, is_known: (rows, n_cat + heard), see ``known``.
        """
        own = self.of[asked]
        fields = [self.column.get(known, known) for known in (self.told_by[place][0] for place in own)]
        table: Tensor = getattr(self, f"table_{asked}")
        chosen = levels[:, fields] + torch.tensor(self.start[asked], device=raw.device)
        weight = (raw[:, own] + START) * is_known[:, fields]
        return F.embedding_bag(chosen, table, mode="sum", per_sample_weights=weight.to(table.dtype))

    def tell(self, found: Sequence[Affinity]) -> None:
        """Say what was counted."""
        tables = {(one.known, one.asked): one.table for one in found}
        for asked, places in self.of.items():
            own = [tables[self.told_by[place]] for place in places]
            getattr(self, f"table_{asked}").copy_(torch.from_numpy(np.concatenate(own)))


class OwnWays(nn.Module):
    """A way into the first layer for each level of a field of many: they say too much for a narrow embedding.

    Args:
        units: of the table.
        told_by: see ``Affinities``; fields that neither tell nor are told need no more than their embedding.
        width: of the first layer.
    """

    def __init__(self, *, units: Units, told_by: Sequence[tuple[int, int]], width: int) -> None:
        super().__init__()
        told = {field for pair in told_by for field in pair}
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
    layout: TableLayout,
    table: EncodedTable,
    entities: np.ndarray,
    said: Sequence[tuple[int, Callable[[], np.ndarray]]] = (),
    min_entities: int = 5,
    kin: Collection[int] = (),
) -> tuple[list[Affinity], list[int]]:
    """Return what fields of many levels and others tell of each other, and the fields that are drawn before all others.

    That is the field of many levels that tells most of the others, if it tells much: drawn after them, it would have to
    fit to what never stood together.

    Args:
        layout: of the table.
        table: training rows.
        entities: (rows,) int64.
        said: levels of each field that is said of the rows, and what returns them, (rows,) int64, -1 for nothing.
        min_entities: so many must hold levels together before they count.
        kin: places in ``said`` of what rows like these are like under one parent: counted whatever their levels.
    """
    own = [field.levels for field in layout.categorical]
    sizes = [*own, *(levels for levels, _ in said)]
    counting = _Counting(np.asarray(table.categorical)[:, : len(own)], said, sizes, entities, min_entities)
    found: list[Affinity] = []
    for known, asked in product(range(len(sizes)), range(len(own))):
        if known == asked or min(sizes[known], sizes[asked]) == 1:
            continue
        is_kin = known - len(own) in kin
        if is_kin or max(sizes[known], sizes[asked]) >= MANY:
            room = MOST_CELLS - sum(one.table.size for one in found)
            found += counting.told(known, asked, room, 0.0 if is_kin else LEAST_TOLD)
    return found, _leading(found, own)


@dataclass
class _Counting:
    """Counts over training rows.

    Shape:
        levels: (rows, n_cat) int. entities: (rows,) int64.
    """

    levels: np.ndarray
    said: Sequence[tuple[int, Callable[[], np.ndarray]]]
    sizes: Sequence[int]
    entities: np.ndarray
    min_entities: int

    def told(self, known: int, asked: int, room: int, least: float) -> list[Affinity]:
        """Return what a field tells of another one; nothing where that is little, or has no room."""
        places, levels = self.sizes[known], self.sizes[asked]
        if places * levels > room:
            return []
        place, value, entities = self._column(known), self._column(asked), self.entities
        all_rows, is_said = len(value), place >= 0
        if not is_said.all():
            place, value, entities = place[is_said], value[is_said], entities[is_said]
        count = self._pairs(place * levels + value, places * levels, entities).reshape(places, levels)
        rows = np.bincount(place, minlength=places).astype(np.float64)
        alone = (np.bincount(value, minlength=levels) + 1.0) / (len(value) + levels)
        # A row is not told by itself: by the others of its pair.
        others = np.maximum(count[place, value] - 1, 0)
        apart = [_likelier(others, rows[place] - 1, alone[value], doubt).sum() for doubt in DOUBTS]
        best = int(np.argmax(apart))
        told = float(apart[best]) / max(all_rows, 1)
        if told <= least:
            return []
        return [Affinity(known, asked, told, _likelier(count, rows[:, None], alone, DOUBTS[best]).astype(np.float32))]

    def _column(self, field: int) -> np.ndarray:
        """Return the level of each row, (rows,) int64, -1 where nothing is said."""
        own = self.levels.shape[1]
        found = self.levels[:, field] if field < own else self.said[field - own][1]()
        return found.astype(np.int64)

    def _pairs(self, pair: np.ndarray, pairs: int, entities: np.ndarray) -> np.ndarray:
        """Return the rows of each pair, (pairs,) float64; none of a pair that few entities hold."""
        count = np.bincount(pair, minlength=pairs)
        owner = np.unique(entities, return_inverse=True)[1]
        owners = int(owner.max(initial=0)) + 1
        is_held = np.bincount(np.unique(pair * owners + owner) // owners, minlength=pairs) >= self.min_entities
        return np.asarray(np.where(is_held, count, 0), dtype=np.float64)


def _likelier(count: np.ndarray, rows: np.ndarray, alone: np.ndarray, doubt: float) -> np.ndarray:
    """Return by how much a level is likelier than by itself, log."""
    return np.asarray(np.log((count / alone + doubt) / (rows + doubt)))


def _leading(found: Sequence[Affinity], sizes: Sequence[int]) -> list[int]:
    """Return the field of many levels that tells most of the others, none where none tells much."""
    told: dict[int, float] = {}
    for one in found:
        if one.known < len(sizes) and sizes[one.known] >= MANY:
            told[one.known] = told.get(one.known, 0.0) + one.told
    best = max(told, key=lambda field: told[field], default=-1)
    return [best] if best >= 0 and told[best] >= LEAST_LEAD else []

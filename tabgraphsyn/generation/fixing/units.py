"""Cells and conditions as units of an absorbing model: cells stand, conditions are drawn first until they are met."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from threading import Lock

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from torch import Tensor

from tabgraphsyn.data.codec import TableCodec
from tabgraphsyn.data.codec.column import Draw, EncodedColumn
from tabgraphsyn.data.layout import EncodedTable
from tabgraphsyn.data.seeding import derive_seed
from tabgraphsyn.errors import ConfigError
from tabgraphsyn.generation.fields import above, places_of
from tabgraphsyn.generation.fixing.condition import FILLED, Condition
from tabgraphsyn.generation.fixing.demands import Cells, Demands
from tabgraphsyn.models.absorbing.columns.units import LEVEL, Unit, Units
from tabgraphsyn.models.absorbing.drafts import Before, Context
from tabgraphsyn.models.absorbing.drawing import Stepper
from tabgraphsyn.models.batch import EncodedBatch, EncodedTensors

TRIES = 200
"""Draws of a row's fixed columns before it takes those of another row that was accepted."""
_LOOKS = 8
"""Times a level is decoded to see whether it can meet a condition: some stand for several values."""


def standing(codec: TableCodec, units: Units, demands: Demands) -> tuple[EncodedBatch, Tensor] | None:
    """Return encoded rows and (rows, units) bool, which units of them stand; None where none does.

    What counts from another column (a lag) stands only where that one does too; a number that may repeat another one's
    stands as a number of its own where that one does not. A value that training rows gave no level (a lag of so many
    days) says nothing to the network.
    """
    if not demands.cells or not units.all:
        return None
    rows = demands.rows
    fill = codec.decode(*codec.first_levels(rows), np.random.default_rng(0))
    table = {}
    for name in codec.columns:
        cells, values = demands.cells.get(name), fill.column(name).combine_chunks()
        values = pa.concat_arrays(values.chunks) if isinstance(values, pa.ChunkedArray) else values
        table[name] = values if cells is None else cells.put(values)
    fields, known = codec.encode_known(pa.table(table))
    encoded = EncodedTensors.from_encoded(fields).middle()
    encoded = encoded.wide(len(units.layout.numerical), len(units.layout.categorical))
    stands = torch.zeros(rows, len(units.all), dtype=torch.bool)
    for name, cells in demands.cells.items():
        if name not in codec.columns:
            continue
        has, own = cells.has, codec.columns[name]
        if own.given is not None:
            is_told = demands.cells[own.given].has if own.given in demands.cells else np.zeros(rows, dtype=bool)
            if own.needs_given:
                has = has & is_told
            else:
                _put(encoded, codec.places[name], own.encode(table[name]), ~is_told)
        has = has & known[name]
        for place in places_of(codec, units, name):
            stands[:, place] |= torch.from_numpy(has)
    return encoded, stands


def _put(rows: EncodedBatch, places: tuple[slice, slice], fields: EncodedColumn, here: np.ndarray) -> None:
    """Write a column's fields into some rows, (rows,) bool."""
    own, where = (
        EncodedTensors.from_encoded(EncodedTable(fields.numerical, fields.categorical)).middle(),
        torch.from_numpy(here),
    )
    rows.numerical[where, places[0]] = own.numerical[where]
    rows.categorical[where, places[1]] = own.categorical[where].to(rows.categorical.dtype)


class Conditioned:
    """Draws the columns of conditions first, all of them together, until they are met.

    What is drawn afterwards is drawn for them, so rows follow the model's distribution under the conditions. Levels
    that meet none have probability zero; a number is drawn again.

    Args:
        codec: of the table.
        units: of its network.
        demands: conditions, and how many rows there are.
        seed: of what decoding draws.
    """

    def __init__(self, codec: TableCodec, units: Units, demands: Demands, seed: int) -> None:
        self.codec, self.units, self.conditions, self._seed = codec, units, demands.conditions, seed
        asked = dict.fromkeys(one.column for one in self.conditions)
        needed = {given for name in asked for given in above(codec, name)}
        self.columns = tuple(name for name in codec.decoding_order if name in asked or name in needed)
        self.places = sorted({place for name in self.columns for place in places_of(codec, units, name)})
        self.only = frozenset(units.all[place] for place in self.places)
        self.masks: Mapping[Unit, Tensor] = self._level_masks()
        """Of units, which levels can meet all conditions, (1, levels) bool."""
        self._stands = {name: cells.has for name, cells in demands.cells.items()}
        self.fills = all(one.operator == FILLED for one in self.conditions)
        """Only that cells are filled is asked, which is left undone where no draw does."""
        self._rows, self._lock = demands.rows, Lock()
        self._found: list[tuple[np.ndarray, dict[str, pa.Array]]] = []
        self.drawn = self.accepted = self.borrowed = 0

    def settled(
        self,
        stepper: Stepper,
        context: Context,
        generator: torch.Generator,
        before: Before | None,
        stands: tuple[EncodedBatch, Tensor] | None,
        rows: Tensor,
    ) -> tuple[EncodedBatch, Tensor] | None:
        """See ``generation.unmasking.Wanted``: rows are (n,) int64."""
        if not self.only:
            return stands
        count, device, layout = len(rows), context.device, self.units.layout
        if stands is None:
            numbers = torch.zeros(count, len(layout.numerical), device=device)
            levels = torch.zeros(count, len(layout.categorical), dtype=torch.int64, device=device)
            stands = (
                EncodedBatch(numbers, levels),
                torch.zeros(count, len(self.units.all), dtype=torch.bool, device=device),
            )
        clean, known = EncodedBatch(stands[0].numerical.clone(), stands[0].categorical.clone()), stands[1].clone()
        pending, kept = np.arange(count), np.zeros(0, dtype=np.int64)
        texts: dict[str, list[pa.Array]] = {name: [] for name in self.columns}
        done: list[np.ndarray] = []
        rng = np.random.default_rng(
            derive_seed(self._seed, "conditions", int(torch.randint(2**31, (1,), generator=generator)))
        )
        for _ in range(TRIES):
            here = torch.from_numpy(pending).to(device)
            part = None if before is None else Before(before.history[here], before.numbers[here])
            own = EncodedBatch(stands[0].numerical[here], stands[0].categorical[here]), stands[1][here]
            drawn = stepper.rows(context.take(here), generator, part, own, self.only, rows[pending])
            values = self._decoded(drawn, rng)
            good = self._good(values, rows[pending].numpy())
            self._count(len(pending), int(good.sum()))
            into = here[torch.from_numpy(good).to(device)]
            clean.numerical[into], clean.categorical[into] = drawn.numerical[good], drawn.categorical[good]
            for name in self.columns:
                texts[name].append(values[name].filter(pa.array(good)))
            done.append(pending[good])
            kept, pending = np.concatenate([kept, pending[good]]), pending[~good]
            if not len(pending):
                break
        if len(pending) and self.fills:  # nothing that is drawn fills these cells: a rule, or what stands, says so
            into, last = (torch.from_numpy(one).to(device) for one in (pending, ~good))
            clean.numerical[into], clean.categorical[into] = drawn.numerical[last], drawn.categorical[last]
            for name in self.columns:
                texts[name].append(values[name].filter(pa.array(~good)))
            done.append(pending)
        elif len(pending):
            self._borrow(clean, texts, done, kept, pending, rng)
        for place in self.places:
            known[:, place] = True
        order = np.concatenate(done)
        found = {name: pa.concat_arrays(parts) for name, parts in texts.items()}
        with self._lock:
            self._found.append((rows[order].numpy(), found))
        return self._as_stood(clean, stands), known

    def _as_stood(self, drawn: EncodedBatch, stands: tuple[EncodedBatch, Tensor]) -> EncodedBatch:
        """Return rows that hold what was drawn, and in all other fields what stood."""
        numbers, levels = stands[0].numerical.clone(), stands[0].categorical.clone()
        for name in self.columns:
            own_numbers, own_levels = self.codec.places[name]
            numbers[:, own_numbers] = drawn.numerical[:, own_numbers]
            levels[:, own_levels] = drawn.categorical[:, own_levels]
        return EncodedBatch(numbers, levels)

    def _borrow(
        self,
        clean: EncodedBatch,
        texts: dict[str, list[pa.Array]],
        done: list[np.ndarray],
        kept: np.ndarray,
        pending: np.ndarray,
        rng: np.random.Generator,
    ) -> None:
        if not len(kept):
            share = self.accepted / max(self.drawn, 1)
            wanted = "; ".join(one.text for one in self.conditions)
            raise ConfigError(
                f"--where: {wanted}: none of {TRIES} draws of {len(pending)} rows meets it (so far {share:.2%} of "
                f"{self.drawn:,} draws do). The model hardly knows such rows: ask for a wider range."
            )
        donor = rng.integers(0, len(kept), len(pending))
        source = torch.from_numpy(kept[donor]).to(clean.numerical.device)
        target = torch.from_numpy(pending).to(clean.numerical.device)
        clean.numerical[target], clean.categorical[target] = clean.numerical[source], clean.categorical[source]
        for parts in texts.values():
            parts.append(pa.concat_arrays(parts).take(pa.array(donor)))
        done.append(pending)
        with self._lock:
            self.borrowed += len(pending)

    def _count(self, drawn: int, accepted: int) -> None:
        with self._lock:
            self.drawn += drawn
            self.accepted += accepted

    def _good(self, values: dict[str, pa.Array], rows: np.ndarray) -> np.ndarray:
        good = np.ones(len(rows), dtype=bool)
        for one in self.conditions:
            stands = self._stands.get(one.column)
            met = one.holds(values[one.column])
            good &= met if stands is None else met | stands[rows]
        return good

    def _decoded(self, drawn: EncodedBatch, rng: np.random.Generator) -> dict[str, pa.Array]:
        found: dict[str, pa.Array] = {}
        numbers, levels = drawn.numerical.cpu().numpy(), drawn.categorical.cpu().numpy()
        for name in self.columns:
            codec = self.codec.columns[name]
            own_numbers, own_levels = self.codec.places[name]
            given = found[codec.given] if codec.given is not None else None
            found[name] = codec.decode(numbers[:, own_numbers], levels[:, own_levels], Draw(rng, 0, given))
        return found

    def cells(self) -> dict[str, Cells]:
        """Return what was found, column -> cells."""
        order = np.concatenate([rows for rows, _ in self._found]) if self._found else np.zeros(0, dtype=np.int64)
        place = np.full(self._rows, -1, dtype=np.int64)
        place[order] = np.arange(len(order))
        found = {}
        for name in self.columns if self._found else ():
            values = pa.concat_arrays([one[name] for _, one in self._found])
            has = (place >= 0) & pc.is_valid(values.take(pa.array(np.maximum(place, 0)))).to_numpy(zero_copy_only=False)
            found[name] = Cells(has, values.take(pa.array(place, mask=~has)))
        return found

    def _level_masks(self) -> dict[Unit, Tensor]:
        """Return for columns of one field of levels which of them can meet all conditions."""
        masks: dict[Unit, Tensor] = {}
        for name in dict.fromkeys(one.column for one in self.conditions):
            codec = self.codec.columns[name]
            numbers, levels = self.codec.places[name]
            if levels.stop - levels.start != 1 or codec.given is not None:
                continue
            unit = next(
                self.units.all[place]
                for place in places_of(self.codec, self.units, name)
                if self.units.all[place].kind == LEVEL
            )
            tried = np.repeat(np.arange(unit.levels), _LOOKS)
            rng = np.random.default_rng(0)
            blank = np.zeros((len(tried), numbers.stop - numbers.start), np.float32)
            values = codec.decode(blank, tried[:, None], Draw(rng, 0, None))
            met = np.all([one.holds(values) for one in self._of(name)], axis=0).reshape(-1, _LOOKS).any(axis=1)
            if numbers.stop > numbers.start:  # level 0 says that there is a number, whatever it is
                met[0] = True
            if met.any() and not met.all():
                masks[unit] = torch.from_numpy(met).unsqueeze(0)
        return masks

    def _of(self, column: str) -> Sequence[Condition]:
        return [one for one in self.conditions if one.column == column]

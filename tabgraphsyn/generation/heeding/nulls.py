"""Which values of a row in the making must be missing, or must not be, by the nulls and values of its other columns."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from torch import Tensor

from tabgraphsyn.data.codec.categorical import CategoricalCodec
from tabgraphsyn.data.codes import as_text
from tabgraphsyn.data.rules.rule import Rule
from tabgraphsyn.data.rules.value_kinds import NullBy, NullTogether
from tabgraphsyn.generation.fields import Fields, Nulls
from tabgraphsyn.models.absorbing.drawing import Made

UNKNOWN, FILLED, NULL = -1, 0, 1
_Says = Callable[[Made], Tensor]


class UnmaskedNulls:
    """What is known of the nulls of rows in the making.

    Args:
        fields: of the table.
        rules: of its rows.
        parents: parents' columns, and keys of the rows -> where they are null, (rows of the table,) bool.
    """

    def __init__(self, fields: Fields, rules: Iterable[Rule], parents: Mapping[str, np.ndarray]) -> None:
        self._fields, self._parents = fields, {name: torch.from_numpy(one) for name, one in parents.items()}
        self._partners: dict[str, list[str]] = defaultdict(list)
        self._says: dict[str, list[_Says]] = defaultdict(list)
        self._after: dict[str, set[int]] = defaultdict(set)
        self._beside: dict[int, list[tuple[str, Tensor, Tensor]]] = defaultdict(list)
        for rule in rules:
            if isinstance(rule, NullTogether):
                names = [one.column for one in rule.columns if self._of(one.column) or one.column in self._parents]
                for name in names:
                    self._partners[name] += [one for one in names if one != name]
            elif isinstance(rule, NullBy):
                self._by(rule)

    def _by(self, rule: NullBy) -> None:
        name, by = rule.column.column, rule.by.column
        is_known = name in self._parents
        if not (is_known or self._of(name)) or not self._fields.is_read(by):
            return
        lists = [pa.array(list(one), pa.string()) for one in (rule.null_where, rule.filled_where)]
        places = list(self._fields.units_of(by))
        self._beside_nulls(name, by, places, lists)
        if is_known:
            return

        def says(made: Made) -> Tensor:
            found = torch.full((made.rows.rows,), UNKNOWN)
            here = made.is_known[:, places].all(1).cpu()
            if here.any():
                levels = made.rows.categorical[here.to(made.is_known.device)].cpu().numpy()
                numbers = made.rows.numerical[here.to(made.is_known.device)].cpu().numpy()
                texts = pc.fill_null(as_text(self._fields.values(by, numbers, levels)), "")
                null, filled = (pc.is_in(texts, value_set=one).to_numpy(zero_copy_only=False) for one in lists)
                state = np.where(null, NULL, np.where(filled, FILLED, UNKNOWN))
                state[~self._fields.is_certain(by, levels)] = UNKNOWN
                found[here] = torch.from_numpy(state)
            return found.to(made.is_known.device)

        self._says[name].append(says)
        self._after[name].update(places)

    def _beside_nulls(self, name: str, by: str, places: list[int], lists: list[pa.Array]) -> None:
        """Note which levels of a column go with nulls, and with values, of another one."""
        own = self._fields.codec.columns.get(by)
        if isinstance(own, CategoricalCodec) and not own.has_pool and len(places) == 1:
            words = pc.fill_null(as_text(own.levels.array), "")
            told = (pc.is_in(words, value_set=one).to_numpy(zero_copy_only=False) for one in lists)
            levels = self._fields.units.all[places[0]].levels
            null, filled = (np.concatenate([one, np.zeros(levels - len(one), dtype=bool)]) for one in told)
            self._beside[places[0]].append((name, torch.from_numpy(null), torch.from_numpy(filled)))

    @property
    def columns(self) -> list[str]:
        """Columns whose nulls others tell."""
        return [name for name in {**self._says, **self._partners} if name not in self._parents]

    def allowed(self, place: int, made: Made) -> Tensor | None:
        """Return (rows, levels) bool, which levels go with nulls that are known already, as a key's are; None: all."""
        found: Tensor | None = None
        for column, null, filled in self._beside.get(place, ()):
            state = (self._own if column in self._parents else self.state)(column, made).unsqueeze(1)
            own = ~((state == FILLED) & null.to(state.device)) & ~((state == NULL) & filled.to(state.device))
            found = own if found is None else found & own
        return found

    def after(self, column: str) -> set[int]:
        """Return the places of units that say of a column, or of one that is missing with it, where it is missing."""
        names = (column, *self._partners.get(column, ()))
        return {place for name in names for place in self._after.get(name, ())}

    def reads(self, column: str) -> set[int]:
        """Return the places of units that tell a column's nulls, its own not among them."""
        partners = (self._of(one) for one in self._partners.get(column, ()))
        return self.after(column) | {one.place for one in partners if one is not None}

    def _of(self, column: str) -> Nulls | None:
        """Return where a column's fields say null; None where it has no fields, or is never null."""
        nulls = self._fields.nulls(column) if column in self._fields.codec.columns else None
        return None if nulls is None or nulls.field < 0 else nulls

    def is_never(self, column: str) -> bool:
        """Return whether a column has a value in every row."""
        nulls = self._fields.nulls(column)
        return nulls is not None and nulls.field < 0

    def nulls(self, column: str) -> Nulls | None:
        """Return where a column's fields say that there is no value; None where they never do, or not in one field."""
        return self._of(column)

    def _own(self, column: str, made: Made) -> Tensor:
        if column in self._parents:
            assert made.numbers is not None
            return self._parents[column][made.numbers.cpu()].long().to(made.is_known.device)
        nulls = self._of(column)
        assert nulls is not None
        is_null = nulls.is_null.to(made.is_known.device)[made.rows.categorical[:, nulls.field]].long()
        return torch.where(made.is_known[:, nulls.place], is_null, UNKNOWN)

    def told(self, column: str, made: Made) -> Tensor:
        """Return what others say of a column's nulls, (rows,) int64: UNKNOWN, FILLED or NULL."""
        partners = self._partners.get(column, ())
        says = [*self._says.get(column, ()), *(partial(self._own, one) for one in partners)]
        says += [one for name in partners for one in self._says.get(name, ())]
        found = torch.full((made.rows.rows,), UNKNOWN, device=made.is_known.device)
        for one in says:
            found = torch.where(found == UNKNOWN, one(made), found)
        return found

    def state(self, column: str, made: Made) -> Tensor:
        """Return what the column itself, else others say of its nulls, (rows,) int64: UNKNOWN, FILLED or NULL."""
        if self.is_never(column):
            return torch.full((made.rows.rows,), FILLED, device=made.is_known.device)
        if self._of(column) is None:
            return torch.full((made.rows.rows,), UNKNOWN, device=made.is_known.device)
        own = self._own(column, made)
        return torch.where(own == UNKNOWN, self.told(column, made), own)

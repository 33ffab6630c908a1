"""Traits: what the children of a row are like, as hidden fields of that row, along every key into its table.

Children that are made one by one under their parent's columns alone are mixtures: each film's cast holds all kinds,
each user's ratings all dates. So what families are like is drawn with the parent, once, and all children follow it. A
trait is a *posterior draw*, not the family's own mean: if families' means are normal with variance ``tau2`` around the
mean of all, and rows with ``sigma2`` around their family's, the mean of a family of n rows is known up to
``tau2 * k / (n + k)``, ``k = sigma2 / tau2`` (Rubin 1987, multiple imputation). With that much noise, rows that follow
the trait one by one differ as much within families, and families as much among each other, as the real ones. The level
of a trait, the kind of the family, is drawn likewise (``kinds``).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np
from msgspec import Meta

from tabgraphsyn.data.codec import TableCodec
from tabgraphsyn.data.codec.categorical import CategoricalCodec
from tabgraphsyn.data.known.kinds import Tally, kinds
from tabgraphsyn.data.layout import CategoricalField, EncodedTable, NumericalField, TableLayout
from tabgraphsyn.data.plain import Plain
from tabgraphsyn.data.untrusted import Count, Name, Number, Share

MOST_KINDS, FAMILIES_A_KIND, LEAST_FAMILIES, LEAST_KINDS = 64, 20, 5, 2
"""Levels of a trait, families for each of them on average, and behind each at least."""
MOST_LEVELS = 64
"""A column of more levels says nothing of what a family is like: the families of its levels are too few."""
LEAST_SHARE, SMOOTH_SHARE, SMOOTH_KNOWN = 0.05, 0.2, 0.5
"""Share of a field's variance between families: to be heeded at all, and to be a smooth number of the parent; or how
well families tell their mean, from which on one that is heeded is a smooth number too."""
SHUFFLES, SHUFFLED_ROWS = 39, 50_000
LEAST_SPREAD = 0.1
"""Deviation of a smooth trait around its posterior mean, at least, of the deviation between families."""
MOST_NUMBERS = 8
DEVIATION_WEIGHT = 0.5

Smooth = tuple[Number, Number]


@dataclass(frozen=True)
class Trait(Plain):
    """What the children along one key are like: a level, 0 for no children, and some smooth numbers.

    Attributes:
        relation: name of the relation from the children.
        levels: number of levels, the one of no children among them.
        numbers: fields of the children whose mean in a family is a smooth number.
        shares: of each of these the share of the variance that is between families.
        own_levels: (rows,), only of a published table: the level of each of its rows.
        own_numbers: (rows, numbers), only of a published table: intervals.
    """

    relation: Name
    levels: Annotated[int, Meta(ge=LEAST_KINDS, le=MOST_KINDS + 1)]
    numbers: Annotated[tuple[Name, ...], Meta(max_length=MOST_NUMBERS)]
    shares: Annotated[tuple[Share, ...], Meta(max_length=MOST_NUMBERS)] = ()
    own_levels: tuple[Count, ...] = ()
    own_numbers: tuple[tuple[Smooth, ...], ...] = ()

    def together(self) -> Iterator[tuple[bool, str]]:
        """Yield what must hold: values of all rows or of none."""
        yield len(self.shares) == len(self.numbers), "a share for each number"
        yield len(self.own_levels) == len(self.own_numbers), "a level and numbers for each row"
        yield all(one < self.levels for one in self.own_levels), "levels that the trait has"
        yield all(len(one) == len(self.numbers) for one in self.own_numbers), "an interval for each number"

    def published(self, rows: EncodedTable, children: np.ndarray) -> Trait:
        """Return the trait with the values of a published table's rows; of few children nothing is told.

        Shape:
            children: (rows,) int64.
        """
        is_many = children >= LEAST_FAMILIES
        level = np.where(is_many, rows.categorical[:, 0], 0)
        whole = np.array([-np.sqrt(3), np.sqrt(3)])
        numbers = np.where(is_many[:, None, None], rows.numerical, whole).round(3)
        intervals = tuple(tuple((float(low), float(high)) for low, high in one) for one in numbers)
        return replace(self, own_levels=tuple(level.tolist()), own_numbers=intervals)


def traits_layout(traits: Sequence[Trait]) -> TableLayout:
    """Return the hidden fields of a table."""
    numbers = [NumericalField(f"{one.relation}:{name}") for one in traits for name in one.numbers]
    return TableLayout(tuple(numbers), tuple(CategoricalField(one.relation, one.levels) for one in traits))


def joined(parts: Sequence[EncodedTable], rows: int) -> EncodedTable:
    """Return encoded fields side by side, (rows,) of each."""
    numerical = [np.empty((rows, 0, 2), np.float32), *(one.numerical for one in parts)]
    categorical = [np.empty((rows, 0), np.int32), *(one.categorical for one in parts)]
    return EncodedTable(np.concatenate(numerical, axis=1), np.concatenate(categorical, axis=1))


def published(traits: Sequence[Trait], templates: np.ndarray) -> EncodedTable:
    """Return the hidden fields of published rows; ``templates`` (rows,) int64 says which ones they are."""
    parts = []
    for one in traits:
        numbers = np.asarray(one.own_numbers, dtype=np.float32).reshape(len(one.own_levels), len(one.numbers), 2)
        levels = np.asarray(one.own_levels, dtype=np.int32)[:, None]
        parts.append(EncodedTable(numbers[templates], levels[templates]))
    return joined(parts, len(templates))


@dataclass(frozen=True, eq=False)
class _Field:
    """One thing that children differ in: a number, or the levels of a column.

    Attributes:
        name: of the field.
        owner: (n,) int64, the parent of each child that has it.
        value: (n,) numbers of unit deviation, or levels.
        levels: number of levels, 0 for a number.
        weight: how much it counts beside others.
        is_number: it may be a smooth number.
    """

    name: str
    owner: np.ndarray
    value: np.ndarray
    levels: int = 0
    weight: float = 1.0
    is_number: bool = False

    def sums(self, parents: int, value: np.ndarray | None = None) -> np.ndarray:
        """Return the sum of each family's values, (parents, 1), or how often it has each level, (parents, levels)."""
        own = self.value if value is None else value
        if not self.levels:
            return np.bincount(self.owner, own, minlength=parents)[:, None]
        found = np.bincount(self.owner * self.levels + own, minlength=parents * self.levels)
        return found.reshape(parents, self.levels).astype(np.float64)

    def tally(self, parents: int) -> np.ndarray:
        """Return the sums with, of a number, rows before them and squares after them: see ``Tally``."""
        if self.levels:
            return self.sums(parents)
        powers = [None, self.value, self.value**2]
        return np.stack([np.bincount(self.owner, one, minlength=parents) for one in powers], axis=1)


@dataclass(frozen=True, eq=False)
class _Spread:
    """How a field differs between families and within.

    Attributes:
        sums: see ``_Field``. count: (parents,) float64 rows behind them.
        overall: (1 or levels,) mean of all. between, within: variances, of all levels together.
    """

    sums: np.ndarray
    count: np.ndarray
    overall: np.ndarray
    between: float
    within: float

    @staticmethod
    def of(field: _Field, parents: int) -> _Spread:
        """Return the variances between and within families, by analysis of variance with families of any size."""
        count, sums = np.bincount(field.owner, minlength=parents).astype(np.float64), field.sums(parents)
        rows, families = len(field.value), int((count > 0).sum())
        overall = sums.sum(axis=0) / max(rows, 1)
        if families < 2 or rows <= families:
            return _Spread(sums, count, overall, 0.0, 1.0)
        squares = float(rows if field.levels else (field.value**2).sum())
        told = float((sums**2 / np.maximum(count, 1)[:, None]).sum())
        within = max(squares - told, 0.0) / (rows - families)
        typical = (rows - float((count**2).sum()) / rows) / (families - 1)
        among = (told - rows * float((overall**2).sum())) / (families - 1)
        between = (among - within) / typical if typical > 0 else 0.0
        return _Spread(sums, count, overall, max(between, 0.0), within)

    @property
    def share(self) -> float:
        """Share of the variance that is between families."""
        total = self.between + self.within
        return self.between / total if total > 0 else 0.0

    @property
    def is_smooth(self) -> bool:
        """Whether a family's mean is worth a number of its own."""
        held = self.count / np.maximum(self.count + self.within / max(self.between, 1e-12), 1e-9)
        return self.share >= SMOOTH_SHARE or float(held[self.count > 0].mean()) >= SMOOTH_KNOWN

    def posterior(self) -> tuple[np.ndarray, np.ndarray]:
        """Return what is known of a number in each family: mean and deviation, in deviations between families."""
        k = self.within / self.between
        held = self.count / np.maximum(self.count + k, 1e-9)
        mean = self.sums[:, 0] / np.maximum(self.count, 1)
        return held * (mean - self.overall[0]) / np.sqrt(self.between), np.sqrt(1 - held)

    def drawn(self, rng: np.random.Generator, levels: int) -> np.ndarray:
        """Return what each family may be like, (parents, 1 or levels); shares as if they were Dirichlet's."""
        if not levels:
            mean, deviation = self.posterior()
            return ((mean + deviation * rng.standard_normal(len(mean))) * np.sqrt(self.between))[:, None]
        weight = rng.standard_gamma(self.sums + self.within / self.between * self.overall)
        shares: np.ndarray = weight / np.maximum(weight.sum(axis=1, keepdims=True), 1e-9)
        return shares / np.sqrt(1 - (self.overall**2).sum())


def find_trait(
    relation: str, pointer: np.ndarray, parents: int, codec: TableCodec, children: EncodedTable, left_out: set[str]
) -> tuple[Trait, EncodedTable] | None:
    """Return what families along a key are like and the hidden fields of all parents; None where that is chance.

    Args:
        relation: name of the key.
        pointer: (child rows,) int64, the parent of each child, negative for none.
        parents: number of parents.
        codec: of the children.
        children: their training rows.
        left_out: columns of the children that their keys say.
    """
    families = len(np.unique(pointer[pointer >= 0]))
    fields = [*_fields(pointer, codec, children, left_out)]
    if not fields or families < LEAST_KINDS * LEAST_FAMILIES or families == int((pointer >= 0).sum()):
        return None
    rng = np.random.default_rng(0)
    known = [(one, _Spread.of(one, parents)) for one in fields]
    known = [(one, spread) for one, spread in known if spread.share >= LEAST_SHARE]
    bar = _beyond_chance([one for one, _ in known], parents, rng)
    kept = [(one, spread) for (one, spread), is_real in zip(known, bar, strict=True) if is_real]
    if not kept:
        return None
    numbers = sorted((pair for pair in kept if pair[0].is_number and pair[1].is_smooth), key=lambda p: -p[1].share)
    numbers = numbers[:MOST_NUMBERS]
    count = np.bincount(pointer[pointer >= 0], minlength=parents)
    # What a smooth number says, the kinds need not say again.
    level, levels = _kinds([pair for pair in kept if pair not in numbers], count, families, rng)
    intervals = [_interval(spread) for _, spread in numbers]
    stacked = np.stack(intervals, axis=1) if intervals else np.empty((parents, 0, 2))
    rows = EncodedTable(stacked.astype(np.float32), level[:, None].astype(np.int32))
    shares = tuple(round(spread.share, 3) for _, spread in numbers)
    return Trait(relation, levels, tuple(one.name for one, _ in numbers), shares), rows


def _fields(pointer: np.ndarray, codec: TableCodec, rows: EncodedTable, left_out: set[str]) -> Iterator[_Field]:
    """Yield what children may differ in: numbers, how far they lie from their family's mean, levels."""
    owned, layout = pointer >= 0, codec.layout
    for name, (numbers, categories) in codec.places.items():
        if name in left_out:
            continue
        for place in range(numbers.start, numbers.stop):
            gate = layout.numerical[place].gate
            has = owned if gate is None else owned & (np.asarray(rows.categorical[:, gate]) == 0)
            owner = pointer[has]
            value = np.asarray(rows.numerical[:, place], dtype=np.float64).mean(axis=1)[has]
            if len(value) and value.std() > 1e-6:
                value = value / value.std()
                field = layout.numerical[place].name
                yield _Field(field, owner, value, is_number=True)
                yield from _deviation(field, owner, value)
        for place in range(categories.start, categories.stop):
            size = layout.categorical[place].levels
            level = np.asarray(rows.categorical[:, place], dtype=np.int64)[owned]
            if size <= MOST_LEVELS and len(np.unique(level)) > 1:
                yield _Field(layout.categorical[place].name, pointer[owned], level, size)
        own = codec.columns[name]
        if isinstance(own, CategoricalCodec):
            yield from _stars(name, own, pointer[owned], np.asarray(rows.categorical[:, categories.start])[owned])


def _stars(name: str, codec: CategoricalCodec, owner: np.ndarray, level: np.ndarray) -> Iterator[_Field]:
    """Yield a column of few numbers, such as stars, as a number besides: its mean tells more than shares of levels."""
    values = [
        one if isinstance(one, int | float) and not isinstance(one, bool) else np.nan for one in codec.levels.values
    ]
    known = np.array([*values, np.nan], dtype=np.float64)[np.minimum(level, len(values))]
    has = np.isfinite(known)
    if len(np.unique(known[has])) > 2:
        yield _Field(name, owner[has], known[has] / known[has].std(), is_number=True)


def _deviation(name: str, owner: np.ndarray, value: np.ndarray) -> Iterator[_Field]:
    """Yield how far numbers lie from their family's mean."""
    count = np.bincount(owner)
    mean = np.bincount(owner, value) / np.maximum(count, 1)
    several = count[owner] > 1
    n = count[owner][several]
    far = np.abs(value - mean[owner])[several] * np.sqrt(n / (n - 1))
    if len(far) and far.std() > 1e-6:
        yield _Field(f"{name}~", owner[several], far / far.std(), weight=DEVIATION_WEIGHT)


def _beyond_chance(fields: Sequence[_Field], parents: int, rng: np.random.Generator) -> list[bool]:
    """Return which fields differ between families more than any of them does in shuffled ones."""
    found = []
    for field in fields:
        order = np.argsort(field.owner, kind="stable")[:SHUFFLED_ROWS]
        mean = 0 if field.levels else field.value[order].mean()
        few = replace(field, owner=field.owner[order], value=field.value[order] - mean)
        count = np.maximum(np.bincount(few.owner, minlength=parents), 1)[:, None]
        told = [float((few.sums(parents, rng.permutation(few.value)) ** 2 / count).sum()) for _ in range(SHUFFLES)]
        middle, spread = np.mean(told), np.std(told) + 1e-12
        found.append(((float((few.sums(parents) ** 2 / count).sum()) - middle) / spread, (max(told) - middle) / spread))
    bar = max((highest for _, highest in found), default=0.0)
    return [bool(own > bar) for own, _ in found]


def _interval(spread: _Spread) -> np.ndarray:
    """Return the interval, (parents, 2), that a smooth trait is drawn from: it has the posterior's deviation."""
    mean, deviation = spread.posterior()
    half = np.sqrt(3) * np.maximum(deviation, LEAST_SPREAD)
    return np.stack([mean - half, mean + half], axis=1)


def _kinds(
    kept: Sequence[tuple[_Field, _Spread]], count: np.ndarray, families: int, rng: np.random.Generator
) -> tuple[np.ndarray, int]:
    """Return the kind of each family from 1 on, 0 for no children, (parents,) int64, and the number of levels."""
    here = np.flatnonzero(count > 0)
    wanted = int(min(MOST_KINDS, max(families // FAMILIES_A_KIND, 1))) if kept else 1
    kind = np.zeros(len(here), dtype=np.int64)
    if wanted > 1:
        points = [spread.drawn(rng, field.levels)[here] * field.weight for field, spread in kept]
        tallies = [Tally(field.tally(len(count))[here], not field.levels) for field, _ in kept]
        kind = kinds(tallies, np.concatenate(points, axis=1), wanted, LEAST_FAMILIES, rng)
    level = np.zeros(len(count), dtype=np.int64)
    level[here] = kind + 1
    return level, int(kind.max()) + 2

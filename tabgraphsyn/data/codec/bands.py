"""Words whose meaning is a number's band: 30-39 beside 34.2, under 18, 65+. The band of a known number is its own."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tabgraphsyn.data.formats import MixedFormat
from tabgraphsyn.data.plain import Plain, Spelling
from tabgraphsyn.data.untrusted import Name, Number, Text

ROWS_MIN = 50
BANDS_MIN = 2
_NUMBER = r"(-?\d+(?:[.,]\d+)?)"
_TO = r"(?:-|\u2013|\u2014|to|bis|\.\.|,|;)"
_BELOW_WORDS, _ABOVE_WORDS = "<|<=|\u2264|under|below|up to|unter|bis", ">|>=|\u2265|over|above|from|\u00fcber|ab"
_BETWEEN = re.compile(rf"[\[(]?\s*{_NUMBER}\s*{_TO}\s*{_NUMBER}\s*[\])]?", re.IGNORECASE)
_BELOW = re.compile(rf"(?:{_BELOW_WORDS})\s*{_NUMBER}|{_NUMBER}\s*(?:or less|and under)", re.IGNORECASE)
_ABOVE = re.compile(rf"(?:{_ABOVE_WORDS})\s*{_NUMBER}|{_NUMBER}\s*(?:\+|or more|and over)", re.IGNORECASE)


def _open_at(infinity: float) -> Spelling:
    """Return how an end is spelt in json, which knows no infinity: null."""
    return Spelling(
        Number | None, lambda one: None if np.isinf(one) else one, lambda one: infinity if one is None else float(one)
    )


Low = Annotated[float, _open_at(-np.inf)]
End = Annotated[float, _open_at(np.inf)]


def band(label: str) -> tuple[float, float] | None:
    """Return where a band begins and ends, None for any other word.

    >>> band("18-25"), band("65+"), band("<5"), band("high")
    ((18.0, 25.0), (65.0, inf), (-inf, 5.0), None)
    """
    text = label.strip()
    if found := _BETWEEN.fullmatch(text):
        low, high = (_float(part) for part in found.groups())
        return (low, high) if low <= high else None
    if found := _BELOW.fullmatch(text):
        return -np.inf, _float(found[1] or found[2])
    if found := _ABOVE.fullmatch(text):
        return _float(found[1] or found[2]), np.inf
    return None


def _float(text: str) -> float:
    return float(text.replace(",", "."))


@dataclass(frozen=True)
class BandRule(Plain):
    """``column`` is the band of ``start`` in every row where both are known.

    Attributes:
        column: the bands.
        start: the numbers.
        lows: where each band begins, ascending.
        ends: where each band ends; a number between two bands has none.
        labels: how each is written.
        format: of the numbers, where words stand among them; empty where they are plain.
    """

    kind_key, kind = "rule", "band"
    column: Name
    start: Name
    lows: tuple[Low, ...]
    ends: tuple[End, ...]
    labels: tuple[Text, ...]
    format: MixedFormat | None = None

    def together(self) -> Iterator[tuple[bool, str]]:
        """Yield what must hold: bands in order."""
        lows = [low for low in self.lows[1:] if low is not None]
        yield len(self.lows) == len(self.ends) == len(self.labels) >= 1, "a low, an end and a label for each band"
        yield len(lows) == len(self.lows) - 1 and lows == sorted(lows), "bands in ascending order"

    @property
    def inputs(self) -> tuple[str, ...]:
        """Columns that the rule reads."""
        return (self.start,)

    def holds(self, columns: Mapping[str, pa.Array]) -> bool:
        """Return whether the rule is kept by every row, and by enough of them to count."""
        place, known = self._places(columns[self.start])
        named = pc.is_in(columns[self.column], value_set=pa.array(self.labels, pa.string()))
        both = known & named.to_numpy(zero_copy_only=False)
        if both.sum() < ROWS_MIN or len(set(place[both].tolist())) < BANDS_MIN:
            return False
        expected = np.asarray(self.labels, dtype=object)[place[both]]
        return bool((columns[self.column].filter(pa.array(both)).to_numpy(zero_copy_only=False) == expected).all())

    def restored(self, columns: Mapping[str, pa.Array]) -> pa.Array:
        """Return the bands of known numbers; other rows, and those without a band, keep what they have."""
        old = columns[self.column]
        new, known = self.follows(columns)
        return pc.if_else(pa.array(known & pc.is_valid(old).to_numpy(zero_copy_only=False)), new.cast(old.type), old)

    def follows(self, columns: Mapping[str, pa.Array]) -> tuple[pa.Array, np.ndarray]:
        """Return the bands of numbers, (rows,), and where there is one, (rows,) bool."""
        place, known = self._places(columns[self.start])
        return pa.array(self.labels, pa.string()).take(pa.array(place)), known

    def _places(self, values: pa.Array) -> tuple[np.ndarray, np.ndarray]:
        """Return the band of each number, (rows,) int64, and where there is one."""
        if self.format is not None:
            values = self.format.numbers(values)
        numbers = values.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
        place = np.searchsorted(np.asarray(self.lows), np.nan_to_num(numbers), side="right") - 1
        is_inside = (place >= 0) & (np.nan_to_num(numbers) < np.asarray(self.ends)[place])
        return np.maximum(place, 0), ~np.isnan(numbers) & is_inside


def band_columns(rules: Sequence[Any]) -> dict[str, str]:
    """Return columns of bands and the numbers whose bands they are, of the rules of a codec."""
    return {one.column: one.start for one in rules if isinstance(one, BandRule)}


def find_bands(
    categories: Mapping[str, Sequence[Any]],
    numbers: Mapping[str, MixedFormat | None],
    columns: Mapping[str, pa.Array],
) -> Iterator[BandRule]:
    """Yield the rules that hold in every row, one for each column of bands.

    Args:
        categories: columns of words and which words may be named.
        numbers: columns of numbers, with the format of those that have words among them.
        columns: some training rows of all of them.
    """
    for name, labels in categories.items():
        found = {label: band(label) for label in labels if isinstance(label, str)}
        if len(found) < BANDS_MIN or None in found.values():
            continue
        ordered = sorted((low, label) for label, (low, _) in found.items())  # type: ignore[misc]
        lows, words = zip(*ordered, strict=True)
        if len(set(lows)) < len(lows):
            continue
        ends = _ends([found[word] for word in words])  # type: ignore[misc]
        rules = (BandRule(name, start, tuple(lows), ends, tuple(words), format) for start, format in numbers.items())
        rule = next((rule for rule in rules if rule.holds(columns)), None)
        if rule is not None:
            yield rule


def _ends(bands: Sequence[tuple[float, float]]) -> tuple[float, ...]:
    """Return where bands end: where the next one begins, unless one is missing in between.

    >>> _ends([(20, 29), (30, 39), (60, 69), (70, np.inf)])
    (30, 40, 70, inf)
    """
    gaps = [after[0] - before[1] for before, after in pairwise(bands)]
    widths = sorted(high - low for low, high in bands if np.isfinite(high - low))
    largest = max(1, widths[len(widths) // 2] / 10) if widths else 1
    gap = max((one for one in gaps if 0 <= one <= largest), default=0)
    return tuple(
        after[0] if after is not None and after[0] - before[1] <= gap else before[1] + gap
        for before, after in zip(bands, [*bands[1:], None], strict=True)
    )

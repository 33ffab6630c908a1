"""What a codec's json says of the real data: which values stand in it, and in words."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from tabgraphsyn.data.codec.column import ColumnCodec
from tabgraphsyn.data.codec.kinds import CODECS

DAY_US = 86_400_000_000
_SETTINGS = """
    step decimals low high offset span weights templates rare_counts level_counts merged_values merged_rows head
    tail_ids tail_rows counts word_counts masked_rows bits unit_us scale kind column type given missing midnight
    has_missing person title is_reversed weekday mean deviation format
"""
_NO_VALUES = frozenset(_SETTINGS.split())


def listed_values(raw: Any) -> Iterator[Any]:
    """Yield every value of its column that the json form of a codec holds.

    Settings, ranks and counts are none, nor are parts of values that come together only when decoded (hours, minutes,
    minutes from another time: ``ColumnCodec.lists_values``), nor bounds that are no value's (``_coarse_bounds``).
    """
    if isinstance(raw, Mapping):
        codec = CODECS.get(str(raw.get("kind")), ColumnCodec)
        if not codec.lists_values:
            return
        coarse = _coarse_bounds(raw)
        for key, value in raw.items():
            if key not in _NO_VALUES | codec.settings:
                yield from (one for one in listed_values(value) if one not in coarse)
    elif isinstance(raw, list):
        for value in raw:
            yield from listed_values(value)
    elif raw is not None and not isinstance(raw, bool):
        yield raw


def _coarse_bounds(raw: Mapping[str, Any]) -> set[float]:
    """Return the bounds of a codec of numbers where both are 0 or powers of ten: they say how large numbers get."""
    bounds = raw.get("precision")
    if not isinstance(bounds, Mapping):
        return set()
    ends = {float(bounds.get("minimum", 0.5)), float(bounds.get("maximum", 0.5))}
    return ends if all(one == 0 or math.log10(abs(one)).is_integer() for one in ends) else set()


def listed_times(raw: Any) -> set[int]:
    """Return the times, in microseconds since 1970, that the json form of a codec of times names as such."""
    if isinstance(raw, Mapping) and raw.get("kind") == "datetime":
        return {int(raw["minimum_us"]), int(raw["maximum_us"])}
    return _whole(listed_values(raw))


def listed_days(raw: Any) -> set[int]:
    """Return the days since 1970 that the json form of a codec of times names; days from another time are none."""
    if isinstance(raw, Mapping) and raw.get("kind") == "datetime" and raw.get("given") is None:
        return _whole(listed_values(raw["day"]))
    return set()


def _whole(values: Iterable[Any]) -> set[int]:
    return {int(one) for one in values if isinstance(one, int | float) and float(one).is_integer()}


def in_words(raw: Mapping[str, Any]) -> str:
    """Return in words what the json form of a column's codec says of the real data."""
    levels = raw.get("levels") or raw.get("determinant") or raw.get("vocabulary") or {}
    ranks = raw.get("normalisation", {}).get("ranks", {})
    merged = raw.get("merged_values", 0)
    atoms = len(raw.get("atoms", {}).get("values", ()))
    return CODECS.get(str(raw["kind"]), ColumnCodec).says.format(
        levels=len(levels.get("values", ())),
        merged=f"; {merged} values of fewer ({raw.get('merged_rows')} rows) are left out" if merged else "",
        knots=max(len(ranks.get("values", ())) - 1, 1),
        atoms=f", and {atoms} numbers that many rows repeat" if atoms else "",
        person=str(raw.get("person", "")).replace("_", " "),
    )

"""What a codec's json says of the real data: which values stand in it, and in words."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

DAY_US = 86_400_000_000
_SETTINGS = """
    step decimals low high offset span weights templates rare_counts level_counts merged_values merged_rows head
    tail_ids tail_rows counts word_counts masked_rows bits unit_us scale kind column type given missing midnight
    has_missing person title is_reversed weekday mean deviation format
"""
_NO_VALUES = frozenset(_SETTINGS.split())
_PART_KINDS = frozenset({"clock", "clock_lag"})
"""Codecs that list parts of values only: 1:20 is no value that an hour of 1, or a lag of 120 minutes, names."""
_WORDS = {
    "categorical": "a list of {levels} values that enough entities hold{merged}",
    "digits": "a list of {levels} values that enough entities hold{merged}",
    "constant": "one value, which every row holds",
    "derived": "a list of {levels} values, each with the value that it follows from",
    "numerical": "ends of {knots} groups of numbers, bounds and precision{atoms}",
    "datetime": "groups of days, times of day, and bounds beyond which enough entities lie",
    "clock": "lists of hours and minutes that enough entities hold",
    "clock_lag": "the minutes from another time of the row",
    "identifier": "the shape of ids and how often they repeat, no id",
    "personal": "that it names a person by {person}; every value is made anew",
    "text": "{levels} texts that enough entities hold, and how many words the others have",
    "mixed": "groups of numbers, the forms that they are written in, and words that enough entities use",
    "wide": "groups of large whole numbers and bounds beyond which enough entities lie",
}


def listed_values(raw: Any) -> Iterator[Any]:
    """Yield every value of its column that the json form of a codec holds.

    Settings, ranks and counts are none, nor are parts of values that come together only when decoded (hours, minutes,
    minutes from another time: ``_PART_KINDS``), nor bounds that are no value's (``_coarse_bounds``).
    """
    if isinstance(raw, Mapping):
        if raw.get("kind") in _PART_KINDS:
            return
        coarse = _coarse_bounds(raw)
        for key, value in raw.items():
            if key not in _NO_VALUES:
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
    inner = raw.get("whole", raw)
    levels = inner.get("levels") or inner.get("determinant") or inner.get("vocabulary") or {}
    ranks = raw.get("normalisation", {}).get("ranks", {})
    merged = inner.get("merged_values", 0)
    atoms = len(raw.get("atoms", {}).get("values", ()))
    return _WORDS.get(str(raw["kind"]), "what its codec holds").format(
        levels=len(levels.get("values", ())),
        merged=f"; {merged} values of fewer ({inner.get('merged_rows')} rows) are left out" if merged else "",
        knots=max(len(ranks.get("values", ())) - 1, 1),
        atoms=f", and {atoms} numbers that many rows repeat" if atoms else "",
        person=str(raw.get("person", "")).replace("_", " "),
    )

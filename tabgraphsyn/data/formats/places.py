"""Where clocks change twice a year: what a place's clock is ahead of UTC at a moment."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np

QUARTER_US = 900_000_000
"""Clocks change at a whole quarter of an hour of UTC."""
PLACES = (
    "Europe/Berlin", "Europe/London", "Europe/Helsinki", "America/New_York", "America/Chicago", "America/Denver",
    "America/Los_Angeles", "America/Anchorage", "America/Halifax", "America/St_Johns", "America/Sao_Paulo",
    "America/Santiago", "America/Mexico_City", "Australia/Sydney", "Australia/Adelaide", "Pacific/Auckland",
    "Asia/Jerusalem", "Asia/Tehran", "Asia/Beirut", "Africa/Cairo", "Africa/Casablanca", "Europe/Moscow",
    "Europe/Istanbul",
)  # fmt: skip
"""One place for each set of rules that is in wide use; the first that fits a column is taken."""


def minutes_ahead(moments: np.ndarray, place: str) -> np.ndarray:
    """Return by how many minutes a place's clock is ahead of UTC, (rows,) int64.

    Args:
        moments: (rows,) int64, microseconds since 1970 in UTC.
        place: a name of the time zone database; where the machine has no such database, clocks are UTC's.
    """
    quarters, own = np.unique(moments // QUARTER_US, return_inverse=True)
    return np.array([_ahead(int(one), place) for one in quarters], dtype=np.int64)[own]


def place_of(moments: np.ndarray, minutes: np.ndarray) -> str:
    """Return the first place whose clock is ahead by these minutes at each of these moments, empty for none.

    Args:
        moments: (rows,) int64, microseconds since 1970 in UTC.
        minutes: (rows,) int64.
    """
    pairs = np.unique(np.stack([moments // QUARTER_US, minutes]), axis=1)
    for place in PLACES:
        if all(_ahead(int(quarter), place) == ahead for quarter, ahead in pairs.T):
            return place
    return ""


@lru_cache(maxsize=200_000)
def _ahead(quarter: int, place: str) -> int:
    zone = _zone(place)
    if zone is None:
        return 0
    try:
        moment = datetime.fromtimestamp(quarter * QUARTER_US // 1_000_000, UTC).astimezone(zone)
    except (OverflowError, ValueError):  # a year that no calendar of the machine has
        return 0
    ahead = moment.utcoffset()
    return 0 if ahead is None else int(ahead.total_seconds() // 60)


@lru_cache(maxsize=64)
def _zone(place: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(place)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None

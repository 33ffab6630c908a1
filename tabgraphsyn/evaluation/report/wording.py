"""Numbers as a person reads them."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY_US = 86_400_000_000
NONE = "\N{EN DASH}"
_SPACE = "\N{NO-BREAK SPACE}"
_MINUS = "\N{MINUS SIGN}"


def short(value: float | None, digits: int = 3) -> str:
    """Return ``value`` with ``digits`` significant digits and thousands separators.

    >>> short(1234567.0), short(0.04567), short(12.0), short(None), short(-1.5e-7)
    ('1,234,567', '0.0457', '12', '–', '−1.5e-07')
    """
    if value is None or not math.isfinite(value):
        return NONE
    magnitude = abs(value)
    if magnitude >= 10 ** (digits - 1):
        text = _grouped(magnitude) if magnitude < 1e9 else f"{magnitude:.{digits - 1}e}"
    elif 0 < magnitude < 1e-4:
        text = f"{magnitude:.{digits - 1}g}"
    else:
        text = f"{magnitude:.{digits}g}"
    return f"{_MINUS}{text}" if value < 0 and text.strip("0.") else text


def _grouped(magnitude: float) -> str:
    """Return digits in groups from 10,000 on: a year stays a year."""
    return f"{magnitude:.0f}" if magnitude < 9_999.5 else f"{magnitude:,.0f}"


def count(value: int | None) -> str:
    """Return a whole number with thousands separators.

    >>> count(31234)
    '31,234'
    """
    return NONE if value is None else f"{value:,}"


def percent(share: float | None) -> str:
    """Return a share in percent with the digits that matter.

    >>> [percent(share).replace(_SPACE, " ") for share in (0.5, 0.0123, 0.00004, 0.0, None)]
    ['50 %', '1.2 %', '< 0.01 %', '0 %', '–']
    """
    if share is None or not math.isfinite(share):
        return NONE
    value = 100 * share
    if value == 0:
        return f"0{_SPACE}%"
    if value < 0.01:
        return f"<{_SPACE}0.01{_SPACE}%"
    if value < 1:
        return f"{value:.2f}{_SPACE}%"
    return f"{value:.1f}{_SPACE}%" if value < 10 else f"{value:.0f}{_SPACE}%"


def score(value: float | None) -> str:
    """Return a score in the unit interval with three decimals and no leading zero; others as ``short``.

    >>> score(0.98712), score(1.0), score(12.5), score(None)
    ('.987', '1.00', '12.5', '–')
    """
    if value is None or not math.isfinite(value):
        return NONE
    if 0 <= value < 0.9995:
        return f"{value:.3f}"[1:]
    return "1.00" if 0.9995 <= value <= 1 else short(value)


def interval(ends: tuple[float, float] | None) -> str:
    """Return an interval of scores, or nothing where there is none.

    >>> interval((0.9123, 0.95)), interval(None)
    ('.912 to .950', '')
    """
    return "" if ends is None else f"{score(ends[0])} to {score(ends[1])}"


def moment(microseconds: float, span_us: float) -> str:
    """Return a point in time, as precise as a span of that length asks for.

    >>> moment(0.0, 10 * 366 * 86_400_000_000), moment(0.0, 30 * 86_400_000_000), moment(0.0, 1e9)
    ('1970', '1970-01-01', '1970-01-01 00:00')
    """
    try:
        when = _EPOCH + timedelta(microseconds=round(microseconds))
    except OverflowError:
        return "out of range"
    if span_us > 8 * 365 * _DAY_US:
        return f"{when:%Y}"
    return f"{when:%Y-%m-%d}" if span_us > 4 * _DAY_US else f"{when:%Y-%m-%d %H:%M}"


def duration(seconds: float | None) -> str:
    """Return a duration in the unit that fits.

    >>> duration(4.21), duration(75.0), duration(7300.0), duration(None)
    ('4.2 s', '1 min 15 s', '2 h 1 min', '–')
    """
    if seconds is None:
        return NONE
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def path_text(where: str) -> str:
    """Return a path of relations as a reader says it.

    >>> path_text("flights.origin--airports")
    'flights.origin → airports'
    """
    return where.replace("--", " → ").replace(" > ", ", then ")

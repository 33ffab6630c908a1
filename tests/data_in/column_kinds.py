"""Columns of every kind that files hold, drawn at random: texts, and a pattern that every such text matches."""

from __future__ import annotations

import datetime as dt
import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

UNITS = (" kg", "%", " °C", " mmHg", "€", " kWh", "km")
MONEY = ("$", "€", "£", "CHF ", "R$ ", "US$ ")
OFFSETS = ("Z", "+02:00", "-0530", "+00:00", "+14:00", "-11:00")


@dataclass(frozen=True)
class Drawn:
    """One column: its texts, a pattern of all of them, and whether a text's number is held within the real ones."""

    texts: list[str]
    pattern: str


def fixed(rng: Random, value: float, decimals: int, mark: str = ".", thousands: str = "") -> str:
    """Return a number with a fixed number of decimals."""
    text = f"{value:,.{decimals}f}" if thousands else f"{value:.{decimals}f}"
    return text.replace(",", "\0").replace(".", mark).replace("\0", thousands)


def money(rng: Random, rows: int) -> Drawn:
    """Amounts with a currency, thousands and two decimals, some below zero."""
    sign, (mark, thousands) = rng.choice(MONEY), rng.choice([(".", ","), (",", "."), (".", "'"), (",", " ")])
    values = [rng.lognormvariate(6, 2) * rng.choice([1, 1, 1, -1]) for _ in range(rows)]
    texts = [("-" if value < 0 else "") + sign + fixed(rng, abs(value), 2, mark, thousands) for value in values]
    return Drawn(texts, rf"-?{re.escape(sign)}\d{{1,3}}({re.escape(thousands)}\d{{3}})*{re.escape(mark)}\d\d")


def unit(rng: Random, rows: int) -> Drawn:
    """Measurements with a unit."""
    word, decimals = rng.choice(UNITS), rng.randint(1, 4)
    texts = [fixed(rng, rng.uniform(0, 200), decimals) + word for _ in range(rows)]
    return Drawn(texts, rf"\d+\.\d{{{decimals}}}{re.escape(word)}")


def decimals_beyond_six(rng: Random, rows: int) -> Drawn:
    """Numbers with seven to twelve decimals."""
    places = rng.randint(7, 12)
    texts = [fixed(rng, rng.uniform(0, 9), places) for _ in range(rows)]
    return Drawn(texts, rf"\d\.\d{{{places}}}")


def thousands_only(rng: Random, rows: int) -> Drawn:
    """Whole numbers of which some have a mark of thousands."""
    mark = rng.choice([",", ".", "'"])
    values = [rng.randint(*rng.choice([(0, 999), (1000, 99_999)])) for _ in range(rows)]
    texts = [fixed(rng, value, 0, "!", mark) for value in values]
    return Drawn(texts, rf"\d{{1,3}}({re.escape(mark)}\d{{3}})*")


def decimal_comma(rng: Random, rows: int) -> Drawn:
    """Numbers with a decimal comma."""
    return Drawn([fixed(rng, rng.gauss(0, 300), 2, ",") for _ in range(rows)], r"-?\d+,\d\d")


def accounting(rng: Random, rows: int) -> Drawn:
    """Amounts in brackets where they are below zero."""
    values = [rng.gauss(100, 300) for _ in range(rows)]
    texts = [f"({fixed(rng, -v, 2)})" if v < -0.01 else fixed(rng, abs(v), 2) for v in values]
    return Drawn(texts, r"\(\d+\.\d\d\)|\d+\.\d\d")


def signed(rng: Random, rows: int) -> Drawn:
    """Changes with a plus where they are above zero."""
    texts = [f"{value:+d}" if value else "0" for value in (rng.randint(-400, 400) for _ in range(rows))]
    return Drawn(texts, r"[+-]\d+|0")


def scientific(rng: Random, rows: int) -> Drawn:
    """Numbers with a mantissa and an exponent."""
    places = rng.randint(2, 6)
    return Drawn([f"{rng.lognormvariate(0, 20):.{places}e}" for _ in range(rows)], rf"\d\.\d{{{places}}}e[+-]\d\d+")


def beyond_floats(rng: Random, rows: int) -> Drawn:
    """Whole numbers that a double cannot hold."""
    base = rng.randint(2**54, 2**62)
    return Drawn([str(base + rng.randrange(2 ** rng.choice([20, 40, 60]))) for _ in range(rows)], r"\d{17,19}")


def plates(rng: Random, rows: int) -> Drawn:
    """Wells that look like exponents."""
    return Drawn([f"{rng.randint(0, 9)}E{rng.randint(0, 9)}" for _ in range(rows)], r"\dE\d")


def zip_codes(rng: Random, rows: int) -> Drawn:
    """Codes with leading zeros."""
    some = [f"{rng.randint(501, 9_999):05d}" for _ in range(9)]
    return Drawn([rng.choice(some) for _ in range(rows)], r"0\d{4}")


def stamps(rng: Random, rows: int) -> Drawn:
    """Stamps with or without a zone, with or without a fraction."""
    zone, digits = rng.choice(["", *OFFSETS]), rng.choice([0, 3, 6])
    separator = rng.choice("T ")
    texts = []
    for _ in range(rows):
        at = dt.datetime(2020, 1, 1) + dt.timedelta(microseconds=rng.randrange(90_000_000_000_000))
        fraction = f".{at:%f}"[: digits + 1] if digits else ""
        texts.append(f"{at:%Y-%m-%d}{separator}{at:%H:%M:%S}{fraction}{zone}")
    fraction = rf"\.\d{{{digits}}}" if digits else ""
    return Drawn(texts, rf"\d{{4}}-\d\d-\d\d{separator}\d\d:\d\d:\d\d{fraction}{re.escape(zone)}")


def zones(rng: Random, rows: int) -> Drawn:
    """Stamps of several zones in one column."""
    some = rng.sample(OFFSETS, 3)
    at = [dt.datetime(2022, 1, 1) + dt.timedelta(seconds=rng.randrange(9_000_000)) for _ in range(rows)]
    texts = [f"{one:%Y-%m-%dT%H:%M:%S}{rng.choice(some)}" for one in at]
    return Drawn(texts, rf"\d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\d({'|'.join(map(re.escape, some))})")


def dates(rng: Random, rows: int) -> Drawn:
    """Days in one of many formats; days beyond the twelfth tell day from month."""
    pattern, shape = rng.choice([
        ("%d.%m.%Y", r"\d\d\.\d\d\.\d{4}"), ("%m/%d/%Y", r"\d\d/\d\d/\d{4}"), ("%d/%m/%y", r"\d\d/\d\d/\d\d"),
        ("%-m/%-d/%Y", r"\d{1,2}/\d{1,2}/\d{4}"), ("%d-%b-%Y", r"\d\d-[A-Z][a-z]{2}-\d{4}"), ("%Y%m%d", r"\d{8}"),
        ("%d%m%Y", r"\d{8}"), ("%Y-%m", r"\d{4}-\d\d"), ("%b %d, %Y", r"[A-Z][a-z]{2} \d\d, \d{4}"),
        ("%Y/%m/%d %H:%M", r"\d{4}/\d\d/\d\d \d\d:\d\d"), ("%d.%m.%Y %I:%M %p", r"\d\d\.\d\d\.\d{4} \d\d:\d\d [AP]M"),
    ])  # fmt: skip
    at = [dt.datetime(1990, 1, 1) + dt.timedelta(minutes=rng.randrange(15_000_000)) for _ in range(rows)]
    return Drawn([one.strftime(pattern) for one in at], shape)


def two_formats(rng: Random, rows: int) -> Drawn:
    """Days in two formats side by side."""
    at = [dt.date(2001, 1, 1) + dt.timedelta(days=rng.randrange(7_000)) for _ in range(rows)]
    texts = [one.strftime(rng.choice(["%Y-%m-%d", "%d.%m.%Y"])) for one in at]
    return Drawn(texts, r"\d{4}-\d\d-\d\d|\d\d\.\d\d\.\d{4}")


def clocks(rng: Random, rows: int) -> Drawn:
    """Times of day."""
    pattern, shape = rng.choice([
        ("%H:%M", r"([01]\d|2[0-3]):[0-5]\d"), ("%H:%M:%S", r"([01]\d|2[0-3]):[0-5]\d:[0-5]\d"),
        ("%I:%M %p", r"(0[1-9]|1[0-2]):[0-5]\d [AP]M"), ("%-H:%M", r"(\d|1\d|2[0-3]):[0-5]\d"),
        ("%-I:%M%p", r"([1-9]|1[0-2]):[0-5]\d[ap]m"), ("%I:%M:%S%p", r"(0[1-9]|1[0-2]):[0-5]\d:[0-5]\d[ap]m"),
    ])  # fmt: skip
    at = [dt.datetime(2020, 1, 1) + dt.timedelta(seconds=rng.randrange(86_400)) for _ in range(rows)]
    texts = [one.strftime(pattern) for one in at]
    return Drawn(texts if " " in pattern else [one.lower() for one in texts], shape)


def durations(rng: Random, rows: int) -> Drawn:
    """Spans of time beyond a day, as clocks, as ISO periods and in units with words."""
    seconds = [rng.randrange(1, 400_000) for _ in range(rows)]
    if rng.random() < 0.4:
        minutes = [f"{s // 60 % 60}" for s in seconds]
        hour, minute, shape = rng.choice([
            ("h ", "m", r"\d+h [1-5]?\dm"), (" h ", " min", r"\d+ h [1-5]?\d min"), ("h", "m", r"\d+h[1-5]?\dm"),
        ])  # fmt: skip
        return Drawn([f"{s // 3600}{hour}{m}{minute}" for s, m in zip(seconds, minutes, strict=True)], shape)
    if rng.random() < 0.5:
        return Drawn([f"{s // 3600}:{s // 60 % 60:02d}:{s % 60:02d}" for s in seconds], r"\d+:[0-5]\d:[0-5]\d")
    texts = [f"P{s // 86_400}DT{s // 3600 % 24}H" for s in seconds]
    return Drawn(texts, r"P\d+DT([0-9]|1\d|2[0-3])H")


def words_among_numbers(rng: Random, rows: int) -> Drawn:
    """Laboratory values: numbers, detection limits, words."""
    words = rng.sample(["trace", "n.d.", "<5", "-", "pending", "> 900"], 3)
    texts = [rng.choice(words) if rng.random() < 0.2 else fixed(rng, rng.uniform(5, 900), 1) for _ in range(rows)]
    return Drawn(texts, rf"\d+\.\d|{'|'.join(map(re.escape, words))}")


def two_units(rng: Random, rows: int) -> Drawn:
    """Weights in kilograms and in pounds."""
    sides = [(70, 9, " kg"), (70, 9, " kg"), (150, 20, " lb")]
    texts = [fixed(rng, rng.gauss(mean, sd), 1) + word for mean, sd, word in rng.choices(sides, k=rows)]
    return Drawn(texts, r"\d+\.\d (kg|lb)")


def booleans(rng: Random, rows: int) -> Drawn:
    """Truth in the spelling of a file."""
    true, false = rng.choice([("TRUE", "FALSE"), ("true", "false"), ("True", "False"), ("yes", "no"), ("Y", "N")])
    return Drawn([rng.choice([true, false]) for _ in range(rows)], f"{true}|{false}")


def uuids(rng: Random, rows: int) -> Drawn:
    """UUIDs of the fourth version."""
    texts = [str(uuid.UUID(int=rng.getrandbits(128), version=4)) for _ in range(rows)]
    return Drawn(texts, "[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


def bands(rng: Random, rows: int) -> Drawn:
    """Classes of a number."""
    texts = [f"{lo}-{lo + 9}" for lo in (rng.randrange(2, 8) * 10 for _ in range(rows))]
    return Drawn(texts, r"\d0-\d9")


KINDS: dict[str, Callable[[Random, int], Drawn]] = {
    one.__name__: one
    for one in (
        money, unit, decimals_beyond_six, thousands_only, decimal_comma, accounting, signed, scientific, beyond_floats,
        plates, zip_codes, stamps, zones, dates, two_formats, clocks, durations, words_among_numbers, two_units,
        booleans, uuids, bands,
    )
}  # fmt: skip

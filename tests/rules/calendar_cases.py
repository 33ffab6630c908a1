"""Small databases in which a column goes by the calendar, or is another one cut down to a coarser step."""

import numpy as np
import pandas as pd
import pyarrow as pa
from rule_tables import ROWS, days, family, grown, missing, row

from tabgraphsyn.data.schema import Database


def _on_days(rng: np.random.Generator, span: int) -> tuple[pa.Array, pd.DatetimeIndex]:
    seen = days(rng.integers(0, span, ROWS))
    return seen, pd.DatetimeIndex(seen.to_pandas())


def weekday_in_words(rng: np.random.Generator) -> Database:
    seen, at = _on_days(rng, 900)
    return row(seen=seen, day=pa.array([["Mo", "Tu", "We", "Th", "Fr", "Sa", "Su"][one] for one in at.weekday]))


def year_and_quarter(rng: np.random.Generator) -> Database:
    seen, at = _on_days(rng, 1500)
    return row(seen=seen, quarter=pa.array([f"Q{one.quarter} {one.year}" for one in at]), n=rng.integers(0, 9, ROWS))


def weekend(rng: np.random.Generator) -> Database:
    seen, at = _on_days(rng, 1500)
    return row(seen=seen, year=pa.array(at.year.to_numpy()), is_weekend=pa.array(at.weekday.to_numpy() >= 5))


def _moments(rng: np.random.Generator, count: int = ROWS) -> np.ndarray:
    return 1_600_000_000 + rng.integers(0, 500 * 86_400, count)


def _times(seconds: np.ndarray) -> pa.Array:
    return pa.array(seconds * 1_000_000, pa.timestamp("us"))


def day_and_hour(rng: np.random.Generator) -> Database:
    at = _moments(rng)
    return row(at=_times(at), hour=_times(at // 3_600 * 3_600), day=_times(at // 86_400 * 86_400))


def month_of(rng: np.random.Generator) -> Database:
    at = _moments(rng)
    months = at.astype("datetime64[s]").astype("datetime64[M]").astype("datetime64[us]")
    return row(at=missing(_times(at), rng.random(ROWS) < 0.2), month=pa.array(months, pa.timestamp("us")))


def week_from_sunday(rng: np.random.Generator) -> Database:
    day = rng.integers(18_000, 18_400, ROWS)
    return row(day=_times(day * 86_400), week=_times((day - (day + 4) % 7) * 86_400))


def clicks(rng: np.random.Generator) -> Database:
    ms = _moments(rng) * 1_000 + rng.integers(0, 1_000, ROWS)
    return row(ms=ms, s=ms // 1_000, x=rng.normal(size=ROWS))


def decade(rng: np.random.Generator) -> Database:
    age = rng.integers(18, 95, ROWS)
    return row(age=age, decade=age // 10 * 10, x=rng.normal(size=ROWS))


def whole_price(rng: np.random.Generator) -> Database:
    price = np.round(rng.gamma(2, 60, ROWS), 2)
    return row(price=price, shown=np.round(price), left=rng.integers(0, 9, ROWS))


def started_hours(rng: np.random.Generator) -> Database:
    minutes = rng.integers(1, 900, ROWS)
    return row(minutes=minutes, billed=-(-minutes // 60), x=rng.normal(size=ROWS))


def day_of_parent(rng: np.random.Generator) -> Database:
    whose, _ = grown(rng)
    at = _moments(rng, 120)
    return family(
        {"p_id": whose, "day": _times(at[whose] // 86_400 * 86_400)}, {"id": np.arange(120), "at": _times(at)}
    )

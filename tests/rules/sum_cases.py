"""Tables whose columns add up, multiply or lie months apart, for the search for rules and for declared ones."""

import numpy as np
import pandas as pd
from rule_tables import ROWS, days, family, grown, missing, row

from tabgraphsyn.data.schema import Database


def sum_of_many(rng: np.random.Generator) -> Database:
    parts = {f"part{k}": np.round(rng.gamma(2, 40, ROWS), 2) for k in range(9)}
    return row(**parts, all=np.round(sum(parts.values()), 2), other=rng.normal(size=ROWS))


def sum_rounded(rng: np.random.Generator) -> Database:
    net = np.round(rng.gamma(2, 400, ROWS), 2)
    return row(net=net, gross=np.round(net * 1.19, 2), age=rng.integers(18, 90, ROWS))


def sum_of_times(rng: np.random.Generator) -> Database:
    start, length = rng.integers(0, 700, ROWS), rng.integers(1, 30, ROWS)
    return row(start=days(start), nights=length, end=days(start + length))


def sum_with_gaps(rng: np.random.Generator) -> Database:
    base, bonus = rng.integers(100, 900, ROWS), rng.integers(1, 80, ROWS)
    none = rng.random(ROWS) < 0.5
    return row(base=base, bonus=missing(bonus, none), pay=base + np.where(none, 0, bonus))


def shares(rng: np.random.Generator) -> Database:
    cuts = np.sort(rng.integers(0, 1001, (ROWS, 3)), axis=1)
    parts = np.diff(cuts, axis=1, prepend=0, append=1000) / 1000
    return row(**{f"w{k}": np.round(parts[:, k], 3) for k in range(4)})


def points(rng: np.random.Generator) -> Database:
    wins, draws = rng.integers(0, 30, ROWS), rng.integers(0, 12, ROWS)
    return row(wins=wins, draws=draws, points=3 * wins + draws)


def two_sums(rng: np.random.Generator) -> Database:
    a, b, c = (rng.integers(0, 500, ROWS) for _ in range(3))
    return row(a=a, b=b, half=a + b, c=c, whole=a + b + c)


def products(rng: np.random.Generator) -> Database:
    price, count = np.round(rng.gamma(2, 9, ROWS), 2), rng.integers(1, 30, ROWS)
    return row(price=price, count=count, amount=np.round(price * count, 2))


def products_with_gaps(rng: np.random.Generator) -> Database:
    kilos, price = rng.gamma(2, 9, ROWS).round(3), rng.gamma(2, 9, ROWS).round(2)
    return row(kilos=kilos, price=price, due=missing(np.round(kilos * price, 2), rng.random(ROWS) < 0.2))


def few_of_a_list(rng: np.random.Generator) -> Database:
    price, count = rng.choice([2.5, 4.0, 7.25, 9.99], ROWS), rng.choice([1, 2, 3], ROWS, p=[0.7, 0.2, 0.1])
    return row(count=count, price=price, amount=np.round(price * count, 2))


def two_rates(rng: np.random.Generator) -> Database:
    net, rate = np.round(rng.gamma(2, 40, ROWS), 2), rng.choice([0.07, 0.19], ROWS)
    return row(net=net, rate=rate, tax=np.round(net * rate, 2))


def small_points(rng: np.random.Generator) -> Database:
    throws, worth = rng.integers(1, 4, ROWS), rng.integers(1, 4, ROWS)
    return row(throws=throws, worth=worth, points=throws * worth)


def constant_rate(rng: np.random.Generator) -> Database:
    premium = np.round(rng.gamma(4, 200, ROWS), 2)
    return row(tax=np.round(0.12 * premium, 2), premium=premium)


def odd_rate(rng: np.random.Generator) -> Database:
    wage = np.round(rng.normal(3_200, 700, ROWS), 2)
    return row(wage=wage, part=np.round(wage * 0.01345, 2))


def net_tax_gross(rng: np.random.Generator) -> Database:
    net = np.round(rng.gamma(2, 90, ROWS), 2)
    tax = np.round(net * 0.077, 2)
    return row(gross=np.round(net + tax, 2), net=net, tax=tax)


def year_later(rng: np.random.Generator) -> Database:
    start = pd.Timestamp("2019-01-01") + pd.to_timedelta(rng.integers(0, 1_500, ROWS), "D")
    return row(start=start, end=start + pd.DateOffset(years=1), fee=rng.gamma(2, 40, ROWS))


def day_before(rng: np.random.Generator) -> Database:
    opened = pd.Timestamp("2020-02-01") + pd.to_timedelta(rng.integers(0, 10**8, ROWS), "s")
    until = opened + pd.DateOffset(months=6) - pd.Timedelta(days=1)
    return row(until=missing(until.to_numpy(), rng.random(ROWS) < 0.2), opened=opened)


def term(rng: np.random.Generator) -> Database:
    months = rng.choice([6, 12, 24, 36], ROWS)
    signed = pd.Timestamp("2015-06-30") + pd.to_timedelta(rng.integers(0, 900, ROWS), "D")
    ends = [one + pd.DateOffset(months=int(size)) for one, size in zip(signed, months, strict=True)]
    return row(signed=signed, months=months, ends=pd.DatetimeIndex(ends))


def renewal_of_parent(rng: np.random.Generator) -> Database:
    whose, _ = grown(rng)
    born = pd.Timestamp("2018-03-31") + pd.to_timedelta(rng.integers(0, 800, 120), "D")
    child = {"p_id": whose, "due": (born + pd.DateOffset(months=1))[whose]}
    return family(child, {"id": np.arange(120), "born": born})


def study_day(rng: np.random.Generator) -> Database:
    whose, _ = grown(rng)
    start = pd.Timestamp("2021-03-31") + pd.to_timedelta(rng.integers(0, 300, 120), "D")
    day = rng.integers(1, 180, len(whose))
    seen = (start[whose] + pd.to_timedelta(day - 1, "D")).to_numpy()
    return family({"p_id": whose, "day": day, "seen": seen}, {"id": np.arange(120), "start": start})


def span_of_time(rng: np.random.Generator) -> Database:
    left = pd.Timestamp("2022-10-01") + pd.to_timedelta(rng.integers(0, 10**6, ROWS), "min")
    minutes = rng.integers(5, 2_000, ROWS)
    took = minutes * 60_000_000  # as ingestion stores 3h 20m
    return row(took=took, left=left, there=left + pd.to_timedelta(minutes, "min"))


def sent_back(rng: np.random.Generator) -> Database:
    bought = rng.integers(0, 4, ROWS)
    return row(back=rng.integers(0, bought + 1), bought=bought)


def percent(rng: np.random.Generator) -> Database:
    sum_, rate = np.round(rng.gamma(2, 900, ROWS), 2), np.round(rng.uniform(1, 9, ROWS), 2)
    return row(sum=sum_, rate=rate, interest=np.round(sum_ * rate / 100, 2))


def area(rng: np.random.Generator) -> Database:
    a, b = rng.uniform(1, 9, ROWS), rng.uniform(1, 9, ROWS)
    return row(a=a, b=b, area=a * b)


def discounted(rng: np.random.Generator) -> Database:
    count, price = rng.integers(1, 25, ROWS), np.round(np.exp(rng.normal(3, 1, ROWS)), 2)
    off = rng.choice([0, 0, 0, 5, 10, 15], ROWS)
    return row(count=count, price=price, off=off, net=np.round(count * price * (1 - off / 100), 2))


def taxed(rng: np.random.Generator) -> Database:
    net, rate = np.round(rng.gamma(2, 200, ROWS), 2), rng.choice([0.07, 0.19], ROWS)
    return row(net=net, rate=rate, gross=np.round(net * (1 + rate), 2))


def three_factors(rng: np.random.Generator) -> Database:
    sides = {name: np.round(rng.uniform(0.2, 3, ROWS), 2) for name in ("width", "depth", "height")}
    return row(**sides, volume=sides["width"] * sides["depth"] * sides["height"])


def rounded_product_across(rng: np.random.Generator) -> Database:
    whose, place = grown(rng)
    rate, used = rng.choice([0.3215, 0.2899, 0.2544], 120), rng.gamma(3, 90, len(whose)).round(1)
    due = np.round(rate[whose] * used, 2)
    child = {"p_id": whose, "used": missing(used, place == 0), "due": missing(due, place == 0)}
    return family(child, {"id": np.arange(120), "rate": rate})


def product_across(rng: np.random.Generator) -> Database:
    whose, _ = grown(rng)
    rate = np.round(rng.uniform(20, 90, 120), 2)
    hours = rng.integers(1, 40, len(whose))
    child = {"p_id": whose, "hours": hours, "pay": np.round(rate[whose] * hours, 2)}
    return family(child, {"id": np.arange(120), "rate": rate})

"""Small databases in which one rule holds: three of each kind, none of them anybody's real data."""

from collections.abc import Callable

import calendar_cases
import family_cases
import numpy as np
import pyarrow as pa
import sum_cases
from rule_tables import ROWS, days, family, grown, missing, row

from tabgraphsyn.data.schema import Database


def _orders(rng: np.random.Generator) -> Database:
    low = rng.normal(50, 20, ROWS)
    mid = low + rng.gamma(1, 9, ROWS)
    return row(low=low, mid=mid, high=mid + rng.gamma(1, 9, ROWS))


def _strict(rng: np.random.Generator) -> Database:
    first = rng.integers(0, 12, ROWS)
    return row(first=first, last=first + rng.integers(1, 9, ROWS))


def _order_of_times(rng: np.random.Generator) -> Database:
    asked = rng.integers(0, 900, ROWS)
    none = rng.random(ROWS) < 0.4
    return row(asked=days(asked), answered=missing(days(asked + rng.integers(0, 40, ROWS)).to_numpy(), none))


def _after_parent(rng: np.random.Generator) -> Database:
    whose, _ = grown(rng)
    born = rng.integers(0, 900, 120)
    child = {"p_id": whose, "seen": days(born[whose] + rng.integers(0, 400, len(whose)))}
    return family(child, {"id": np.arange(120), "born": days(born)})


def _one_hot(rng: np.random.Generator) -> Database:
    chosen = rng.choice(4, ROWS, p=[0.5, 0.3, 0.15, 0.05])
    return row(**{f"is_{k}": (chosen == k).astype(int) for k in range(4)}, x=rng.normal(size=ROWS))


def _one_true(rng: np.random.Generator) -> Database:
    chosen = rng.integers(0, 3, ROWS)
    return row(red=chosen == 0, green=chosen == 1, blue=chosen == 2)


def _one_filled(rng: np.random.Generator) -> Database:
    chosen, value = rng.integers(0, 3, ROWS), rng.normal(size=ROWS)
    return row(**{name: missing(value, chosen != k) for k, name in enumerate(("mail", "phone", "post"))})


def _at_most_one(rng: np.random.Generator) -> Database:
    chosen = rng.integers(0, 5, ROWS)
    return row(gold=chosen == 0, silver=chosen == 1, bronze=chosen == 2, age=rng.integers(1, 99, ROWS))


def _debit_or_credit(rng: np.random.Generator) -> Database:
    is_debit, amount = rng.random(ROWS) < 0.4, np.round(rng.gamma(2, 100, ROWS) + 0.01, 2)
    return row(debit=np.where(is_debit, amount, 0.0), credit=np.where(is_debit, 0.0, amount), x=rng.normal(size=ROWS))


def _one_movement(rng: np.random.Generator) -> Database:
    kind, count = rng.integers(0, 4, ROWS), rng.integers(1, 30, ROWS)
    return row(**{name: np.where(kind == k, count, 0) for k, name in enumerate(("taken", "sold", "lost"))})


def _at_most_one_filled(rng: np.random.Generator) -> Database:
    chosen = rng.integers(0, 4, ROWS)
    return row(left=missing(rng.normal(size=ROWS), chosen != 0), right=missing(rng.normal(size=ROWS), chosen != 1))


def _null_by_word(rng: np.random.Generator) -> Database:
    kind = rng.choice(["house", "flat", "plot"], ROWS)
    return row(kind=kind, floor=missing(rng.integers(0, 9, ROWS), kind != "flat"))


def _null_by_number(rng: np.random.Generator) -> Database:
    children = rng.choice([0, 1, 2, 3], ROWS, p=[0.4, 0.3, 0.2, 0.1])
    return row(children=children, school=pa.array(rng.choice(["a", "b"], ROWS), mask=children == 0))


def _null_by_word_without_a_key(rng: np.random.Generator) -> Database:
    state = rng.choice(["sold", "passed", "no bid"], ROWS)
    winner = pa.array(rng.integers(0, 120, ROWS), mask=state != "sold")
    price = missing(rng.gamma(2, 50, ROWS), state != "sold")
    return family({"p_id": winner, "state": state, "price": price}, {"id": np.arange(120)})


def _null_by_word_beside_few_parents(rng: np.random.Generator) -> Database:
    state = rng.choice(["ended", "active"], ROWS)
    ended = pa.array(days(rng.integers(0, 900, ROWS)).to_numpy(zero_copy_only=False), mask=state == "active")
    rows = {"p_id": rng.integers(0, 4, ROWS), "state": state, "ended": ended}
    return family(rows, {"id": np.arange(4), "fee": [9.9, 19.9, 49.9, 99.0]})


def _null_by_half(rng: np.random.Generator) -> Database:
    won = rng.random(ROWS) < 0.5
    return row(won=won, prize=missing(rng.gamma(2, 50, ROWS), ~won | (rng.random(ROWS) < 0.3)))


def _null_together(rng: np.random.Generator) -> Database:
    none = rng.random(ROWS) < 0.2
    words = pa.array(rng.choice(["x", "y"], ROWS), mask=none)
    return row(a=missing(rng.normal(size=ROWS), none), b=words, c=missing(rng.integers(0, 9, ROWS), none))


def _null_together_by_chance_of_each(rng: np.random.Generator) -> Database:
    first, second = rng.random(ROWS) < 0.3, rng.random(ROWS) < 0.4
    made = {f"a{k}": missing(rng.normal(size=ROWS), first) for k in range(2)}
    return row(**made, **{f"b{k}": missing(rng.normal(size=ROWS), second) for k in range(3)})


def _address(rng: np.random.Generator) -> Database:
    none = rng.random(ROWS) < 0.1
    towns, zips = rng.choice(["x", "y"], ROWS), rng.integers(1_000, 9_999, ROWS)
    return row(town=pa.array(towns, mask=none), zip=missing(zips, none), age=rng.integers(1, 99, ROWS))


def _codes(rng: np.random.Generator) -> Database:
    return row(code=[f"K{k:03d}" for k in rng.permutation(900)[:ROWS]], x=rng.normal(size=ROWS))


def _unique_pair(rng: np.random.Generator) -> Database:
    place = rng.permutation(60 * 40)[:ROWS]
    return row(shop=[f"s{k}" for k in place // 40], week=place % 40, sold=rng.poisson(30, ROWS))


def _unique_within(rng: np.random.Generator) -> Database:
    place = rng.permutation(90 * 14)[:ROWS]
    child = {"p_id": place // 14, "room": [f"r{k}" for k in place % 14]}
    return family(child, {"id": np.arange(90)})


def _unique_three(rng: np.random.Generator) -> Database:
    place = rng.permutation(30 * 9 * 9)[:ROWS]
    child = {"p_id": place // 81, "dept": place // 9 % 9, "week": place % 9}
    return family(child, {"id": np.arange(30)})


def _differ(rng: np.random.Generator) -> Database:
    left = rng.integers(0, 12, ROWS)
    right = (left + rng.integers(1, 12, ROWS)) % 12
    teams = {"id": np.arange(12), "town": [f"town{k}" for k in range(12)]}
    return family({"home_id": left, "away_id": right}, teams, {"home_id": "p", "away_id": "p"})


def _differ_words(rng: np.random.Generator) -> Database:
    left = rng.integers(0, 9, ROWS)
    right = (left + rng.integers(1, 9, ROWS)) % 9
    return row(sender=[f"n{k}" for k in left], receiver=[f"n{k}" for k in right])


def _differ_with_gaps(rng: np.random.Generator) -> Database:
    left = rng.integers(0, 6, ROWS)
    right = (left + rng.integers(1, 6, ROWS)) % 6
    words = pa.array([f"n{k}" for k in right], mask=rng.random(ROWS) < 0.3)
    return row(first=[f"n{k}" for k in left], second=words)


def _among(rng: np.random.Generator) -> Database:
    made = _differ_words(rng)["t"].read()
    sides = [made.column(name).to_pylist() for name in ("sender", "receiver")]
    payer = [one[k] for one, k in zip(zip(*sides, strict=True), rng.integers(0, 2, ROWS), strict=True)]
    return row(sender=sides[0], receiver=sides[1], payer=payer)


def _among_keys(rng: np.random.Generator) -> Database:
    columns = _differ(rng)["c"].read().to_pydict()
    home = rng.random(ROWS) < 0.6
    winner = np.where(home, columns["home_id"], columns["away_id"])
    teams = {"id": np.arange(12)}
    keys = {"home_id": "p", "away_id": "p", "winner_id": "p"}
    return family({**columns, "winner_id": missing(winner, rng.random(ROWS) < 0.2)}, teams, keys)


def _among_three(rng: np.random.Generator) -> Database:
    words = rng.integers(0, 20, (ROWS, 3))
    chosen = words[np.arange(ROWS), rng.integers(0, 3, ROWS)]
    names = {f"bid{k}": [f"n{v}" for v in words[:, k]] for k in range(3)}
    return row(**names, taken=[f"n{v}" for v in chosen])


def _fixed(rng: np.random.Generator) -> Database:
    town = rng.integers(0, 30, ROWS)
    return row(town=[f"town{k}" for k in town], land=[f"land{k % 7}" for k in town], x=rng.normal(size=ROWS))


def _fixed_by_two(rng: np.random.Generator) -> Database:
    a, b = rng.integers(0, 5, ROWS), rng.integers(0, 6, ROWS)
    price = rng.permutation(30).reshape(5, 6) * 10
    return row(size=[f"s{k}" for k in a], kind=[f"k{k}" for k in b], price=price[a, b])


def _fixed_by_two_with_gaps(rng: np.random.Generator) -> Database:
    depot, customer = rng.integers(0, 4, ROWS), rng.integers(0, 7, ROWS)
    km = np.where(customer == 6, rng.integers(10, 90, ROWS), rng.permutation(28).reshape(4, 7)[depot, customer] * 10)
    return row(depot=[f"d{k}" for k in depot], customer=[None if k == 6 else f"c{k}" for k in customer], km=km)


def _fixed_where_filled(rng: np.random.Generator) -> Database:
    purpose = rng.integers(0, 6, ROWS)
    way = np.where(purpose == 5, rng.integers(0, 2, ROWS), np.arange(6)[purpose] % 2)
    return row(purpose=[None if k == 5 else f"p{k}" for k in purpose], way=[f"w{k}" for k in way])


def _fixed_by_key(rng: np.random.Generator) -> Database:
    whose, _ = grown(rng, least=4)
    tariff = rng.integers(0, 6, 120)
    return family({"p_id": whose, "tariff": [f"t{k}" for k in tariff[whose]]}, {"id": np.arange(120)})


def _same(rng: np.random.Generator) -> Database:
    value = np.round(rng.normal(50, 9, ROWS), 1)
    return row(seen=value, stored=value, x=rng.normal(size=ROWS))


def _same_as_parent(rng: np.random.Generator) -> Database:
    whose, _ = grown(rng)
    money = rng.choice(["EUR", "USD", "CHF"], 120)
    return family({"p_id": whose, "currency": money[whose]}, {"id": np.arange(120), "currency": money})


def _same_date(rng: np.random.Generator) -> Database:
    whose, _ = grown(rng)
    at = rng.integers(0, 900, 120)
    return family({"p_id": whose, "opened": days(at[whose])}, {"id": np.arange(120), "start": days(at)})


#: Name -> (database, statement that must be found).
CASES: dict[str, tuple[Callable[[np.random.Generator], Database], str]] = {
    "sum of nine": (sum_cases.sum_of_many, "t: all = " + " + ".join(f"part{k}" for k in range(9))),
    "sum with a factor, rounded": (sum_cases.sum_rounded, "t: gross = 1.19 x net"),
    "time and length": (sum_cases.sum_of_times, "t: end = start + nights in days"),
    "sum with gaps": (sum_cases.sum_with_gaps, "t: pay = base + bonus, where missing ones count as 0"),
    "shares": (sum_cases.shares, "t: w0 + w1 + w2 + w3 = 1"),
    "points": (sum_cases.points, "t: points = 3 x wins + draws"),
    "sums of sums": (sum_cases.two_sums, "t: half = a + b"),
    "product": (sum_cases.products, "t: amount = price x count"),
    "percent": (sum_cases.percent, "t: interest = sum x rate x 0.01"),
    "few of a list of prices": (sum_cases.few_of_a_list, "t: amount = count x price"),
    "two rates": (sum_cases.two_rates, "t: tax = net x rate"),
    "small points": (sum_cases.small_points, "t: points = throws x worth"),
    "one rate": (sum_cases.constant_rate, "t: tax = 0.12 x premium"),
    "a rate of many digits": (sum_cases.odd_rate, "t: part = 0.01345 x wage"),
    "the plainest of three rates": (sum_cases.net_tax_gross, "t: tax = 0.077 x net"),
    "a year later": (sum_cases.year_later, "t: end = start + 1 year"),
    "the day before": (sum_cases.day_before, "t: until = opened + 6 months - 1 days"),
    "term in months": (sum_cases.term, "t: ends = signed + months in months"),
    "a month after a parent's": (sum_cases.renewal_of_parent, "c: due = p.born (through p_id) + 1 month"),
    "few in order": (sum_cases.sent_back, "t: back <= bought"),
    "area": (sum_cases.area, "t: area = a x b"),
    "product less a share": (sum_cases.discounted, "t: net = count x price x (1 - off / 100)"),
    "product with a share": (sum_cases.taxed, "t: gross = net x (1 + rate)"),
    "product of three": (sum_cases.three_factors, "t: volume = width x depth x height"),
    "study day": (sum_cases.study_day, "c: seen = p.start (through p_id) + day in days - 1 days"),
    "span of time": (sum_cases.span_of_time, "t: there = took + left"),
    "product with gaps": (sum_cases.products_with_gaps, "t: due = kilos x price"),
    "rounded product across a key": (sum_cases.rounded_product_across, "c: due = used x p.rate (through p_id)"),
    "product across a key": (sum_cases.product_across, "c: pay = hours x p.rate (through p_id)"),
    "chain": (_orders, "t: low <= mid <= high"),
    "strict": (_strict, "t: first < last"),
    "times with gaps": (_order_of_times, "t: asked <= answered"),
    "child after parent": (_after_parent, "c: p.born (through p_id) <= seen"),
    "one hot": (_one_hot, "t: exactly one of is_0, is_1, is_2, is_3 is set"),
    "one true": (_one_true, "t: exactly one of red, green, blue is set"),
    "one filled": (_one_filled, "t: exactly one of mail, phone, post is filled"),
    "at most one": (_at_most_one, "t: at most one of gold, silver, bronze is set"),
    "one amount": (_debit_or_credit, "t: exactly one of debit, credit is set"),
    "at most one amount": (_one_movement, "t: at most one of taken, sold, lost is set"),
    "at most one filled": (_at_most_one_filled, "t: at most one of left, right is filled"),
    "day": (calendar_cases.day_and_hour, "t: day is the day of hour"),
    "hour": (calendar_cases.day_and_hour, "t: hour is the hour of at"),
    "month": (calendar_cases.month_of, "t: month is the month of at"),
    "week": (calendar_cases.week_from_sunday, "t: week is the week of day (from 6 days after Monday)"),
    "seconds": (calendar_cases.clicks, "t: s is (ms / 1000, rounded down)"),
    "decade": (calendar_cases.decade, "t: decade is age rounded down to 10"),
    "whole price": (calendar_cases.whole_price, "t: shown is price rounded to 1"),
    "started hours": (calendar_cases.started_hours, "t: billed is (minutes / 60, rounded up)"),
    "day of a parent": (calendar_cases.day_of_parent, "c: day is the day of p.at (through p_id)"),
    "weekday in words": (calendar_cases.weekday_in_words, "t: day goes by the weekday of seen"),
    "quarter of a year": (calendar_cases.year_and_quarter, "t: quarter goes by the year and quarter of seen"),
    "weekend": (calendar_cases.weekend, "t: is_weekend goes by the weekday of seen"),
    "year": (calendar_cases.weekend, "t: year goes by the year of seen"),
    "missing by a word": (
        _null_by_word,
        "t: floor is missing where kind is 'house', 'plot' and filled where it is 'flat'",
    ),
    "missing by a number": (
        _null_by_number,
        "t: school is missing where children is '0' and filled where it is '1', '2', '3'",
    ),
    "missing with a key": (
        _null_by_word_without_a_key,
        "c: price is missing where state is 'no bid', 'passed' and filled where it is 'sold'",
    ),
    "missing beside few parents": (
        _null_by_word_beside_few_parents,
        "c: ended is missing where state is 'active' and filled where it is 'ended'",
    ),
    "missing in part": (_null_by_half, "t: prize is missing where won is 'false'"),
    "missing together": (_null_together, "t: a, b, c are missing in the same rows"),
    "two groups missing together": (_null_together_by_chance_of_each, "t: b0, b1, b2 are missing in the same rows"),
    "address missing": (_address, "t: town, zip are missing in the same rows"),
    "codes": (_codes, "t: code is unique"),
    "unique pair": (_unique_pair, "t: shop and week together are unique"),
    "unique within a parent": (_unique_within, "c: room is unique within a row of p"),
    "three together": (_unique_three, "c: dept and week together are unique within a row of p"),
    "keys that differ": (_differ, "c: home_id and away_id differ"),
    "words that differ": (_differ_words, "t: sender and receiver differ"),
    "differ with gaps": (_differ_with_gaps, "t: first and second differ"),
    "one of two": (_among, "t: payer is one of sender, receiver"),
    "key of one of two": (_among_keys, "c: winner_id is one of home_id, away_id"),
    "one of three": (_among_three, "t: taken is one of bid0, bid1, bid2"),
    "fixed": (_fixed, "t: town fixes land"),
    "fixed by two": (_fixed_by_two, "t: size and kind together fix price"),
    "fixed by two with gaps": (_fixed_by_two_with_gaps, "t: depot and customer together fix km"),
    "fixed where filled": (_fixed_where_filled, "t: purpose fixes way"),
    "fixed by a key": (_fixed_by_key, "c: p_id fixes tariff"),
    "same": (_same, "t: seen = stored"),
    "same as the parent's": (_same_as_parent, "c: currency = p.currency (through p_id)"),
    "same date": (_same_date, "c: opened = p.start (through p_id)"),
    "numbered": (family_cases.numbered, "c: line numbers the rows of each p 1 to n"),
    "numbered from zero": (family_cases.numbered_from_zero, "c: step numbers the rows of each p 0 to n-1"),
    "numbered in floats": (family_cases.numbered_floats, "c: nr numbers the rows of each p 1 to n"),
    "rising": (family_cases.rising, "c: dose rises within each p, in order of nr"),
    "falling": (family_cases.falling, "c: left falls within each p, in order of at"),
    "rising in the file": (family_cases.rising_in_file, "c: meter rises within each p, in the order of the file"),
    "a week apart": (family_cases.gap_of_a_week, "c: due is 7 days apart within each p"),
    "five apart": (family_cases.gap_of_numbers, "c: mark is 5 apart within each p"),
    "charges": (family_cases.charges, "c: charge adds up to 0 over the rows of each p"),
    "shares of a parent": (family_cases.shares_of_a_parent, "c: share adds up to 100 over the rows of each p"),
    "one is the main one": (family_cases.one_of_each_is_main, "c: is_main adds up to 1 over the rows of each p"),
    "equally apart": (family_cases.gap_of_each, "c: due is equally spaced within each p"),
    "balance": (
        family_cases.balance,
        "c: left is that of the row before under the same p (from 0) plus amount, less it where way is 'fee' or 'out'",
    ),
    "points so far": (
        family_cases.points_so_far,
        "c: total is that of the row before under the same p (from 0) plus points",
    ),
    "stock": (family_cases.stock, "c: left is that of the row before under the same p plus moved"),
    "history": (family_cases.history, "c: was is now of the row before under the same p, and missing in the first"),
    "end to end": (family_cases.end_to_end, "c: first is last of the row before under the same p, in order of first"),
    "reading before": (
        family_cases.reading_before,
        "c: before is read of the row before under the same p, in order of turn, and missing in the first",
    ),
    "total": (family_cases.total, "p: total is the sum of c.amount over its rows"),
    "count": (family_cases.count, "p: members is the number of its rows in c"),
    "latest": (family_cases.latest, "p: last_seen is the largest of c.at over its rows"),
    "between the ends of a parent": (
        family_cases.between_ends,
        "c: p.hired (through p_id) <= since <= p.left (through p_id)",
    ),
    "first visit": (family_cases.first_visit, "p: entry_weight is the first of c.weight over its rows"),
    "last state": (family_cases.last_seen_state, "p: state_now is the last of c.state over its rows"),
    "last status": (
        family_cases.status_of_the_last_step,
        "p: state is the last of c.status over its rows, in order of at",
    ),
    "last balance": (
        family_cases.balance_after_the_last_booking,
        "p: balance_now is the last of c.balance over its rows, in order of at",
    ),
    "first channel": (family_cases.channel_of_the_first_row, "p: came_by is the first of c.channel over its rows"),
    "mean": (family_cases.mean, "p: rating is the mean of c.stars over its rows"),
    "level": (family_cases.level, "t: level = t.level (through above_id) + 1"),
    "after the one above": (family_cases.after_the_one_above, "t: t.hired (through above_id) <= hired"),
    "rounds": (family_cases.rounds_of_a_year, "t: round numbers the rows of one season 1 to n, in order of held"),
    "turns": (family_cases.turns_of_a_shift, "t: turn numbers the rows of one shift 0 to n-1"),
    "lines of a day": (family_cases.lines_of_a_day, "c: line numbers the rows of one p_id and day 1 to n"),
    "after a grandparent": (family_cases.after_a_grandparent, "c: g.opened (through p_id, g_id) <= issued"),
    "copy of a grandparent": (family_cases.copy_of_a_grandparent, "c: currency = g.money (through p_id, g_id)"),
    "deadline of a grandparent": (
        family_cases.deadline_of_a_grandparent,
        "c: until = g.start (through p_id, g_id) + length in days",
    ),
    "deadline": (family_cases.deadline, "c: until = p.start (through p_id) + length in days"),
}  # fmt: skip

"""Small databases in which one rule holds within, or between, the rows of a parent."""

from typing import Any

import numpy as np
from rule_tables import ROWS, database, days, family, grown, missing, three_levels

from tabgraphsyn.data.schema import Database, Relation


def numbered(rng: np.random.Generator) -> Database:
    whose, place = grown(rng)
    mixed = rng.permutation(len(whose))
    return family({"p_id": whose[mixed], "line": place[mixed] + 1}, {"id": np.arange(120)})


def numbered_from_zero(rng: np.random.Generator) -> Database:
    whose, place = grown(rng)
    return family({"p_id": whose, "step": place, "x": rng.normal(size=len(whose))}, {"id": np.arange(120)})


def numbered_floats(rng: np.random.Generator) -> Database:
    whose, place = grown(rng)
    return family({"p_id": whose, "nr": place + 1.0}, {"id": np.arange(120)})


def rising(rng: np.random.Generator) -> Database:
    whose, place = grown(rng)
    dose = place * 5 + rng.choice([0, 2], len(whose)) + rng.integers(0, 9, 120)[whose] * 10
    return family({"p_id": whose, "nr": place + 1, "dose": dose}, {"id": np.arange(120)})


def falling(rng: np.random.Generator) -> Database:
    whose, place = grown(rng, least=3)
    left = 100 - place * rng.integers(1, 9, 120)[whose] - rng.integers(0, 2, len(whose)) * 0
    mixed = rng.permutation(len(whose))
    at = rng.integers(0, 400, 120)[whose] + place * 3 + rng.integers(0, 2, len(whose))
    return family({"p_id": whose[mixed], "at": days(at[mixed]), "left": left[mixed]}, {"id": np.arange(120)})


def rising_in_file(rng: np.random.Generator) -> Database:
    whose, place = grown(rng, least=3)
    meter = rng.integers(0, 500, 120)[whose] + np.floor(place * 3.5)
    return family({"p_id": whose, "meter": meter}, {"id": np.arange(120)})


def gap_of_a_week(rng: np.random.Generator) -> Database:
    whose, place = grown(rng)
    start = rng.integers(0, 900, 120)
    return family({"p_id": whose, "due": days(start[whose] + 7 * place)}, {"id": np.arange(120)})


def gap_of_numbers(rng: np.random.Generator) -> Database:
    whose, place = grown(rng)
    return family({"p_id": whose, "mark": rng.integers(0, 90, 120)[whose] + 5 * place}, {"id": np.arange(120)})


def gap_of_each(rng: np.random.Generator) -> Database:
    whose, place = grown(rng, least=4)
    start, gap = rng.integers(0, 900, 120), rng.integers(1, 30, 120)
    return family({"p_id": whose, "due": days(start[whose] + gap[whose] * place)}, {"id": np.arange(120)})


def charges(rng: np.random.Generator) -> Database:
    whose, place = grown(rng, least=2)
    charge = rng.integers(-300, 300, len(whose))
    first = np.flatnonzero(place == 0)
    charge[first] -= np.bincount(whose, weights=charge).astype(int)[whose[first]]
    return family({"p_id": whose, "charge": charge / 1000}, {"id": np.arange(120)})


def shares_of_a_parent(rng: np.random.Generator) -> Database:
    whose, place = grown(rng, least=2)
    part = rng.integers(1, 9, len(whose))
    first = np.flatnonzero(place == 0)
    part[first] += 100 - np.bincount(whose, weights=part).astype(int)[whose[first]]
    return family({"p_id": whose, "share": part}, {"id": np.arange(120)})


def one_of_each_is_main(rng: np.random.Generator) -> Database:
    whose, place = grown(rng, least=2)
    main = np.zeros(len(whose), dtype=int)
    first = np.flatnonzero(place == 0)
    main[first + rng.integers(0, np.bincount(whose)[whose[first]])] = 1
    return family({"p_id": whose, "is_main": main}, {"id": np.arange(120)})


def balance(rng: np.random.Generator) -> Database:
    whose, _ = grown(rng)
    amount, word = np.round(rng.gamma(2, 30, len(whose)), 2), rng.choice(["in", "out", "fee"], len(whose))
    signed = np.where(word == "in", amount, -amount)
    left = [round(signed[: n + 1][whose[: n + 1] == one].sum(), 2) for n, one in enumerate(whose)]
    return family({"p_id": whose, "amount": amount, "way": word, "left": left}, {"id": np.arange(120)})


def history(rng: np.random.Generator) -> Database:
    whose, place = grown(rng)
    now = rng.choice(["new", "held", "sent", "back"], len(whose))
    was = np.where(place == 0, None, np.roll(now, 1))
    return family({"p_id": whose, "was": was, "now": now}, {"id": np.arange(120)})


def end_to_end(rng: np.random.Generator) -> Database:
    whose, place = grown(rng)
    mixed = rng.permutation(len(whose))  # the file says nothing
    last = np.cumsum(rng.integers(1, 30, len(whose)))
    first = np.where(place == 0, last - 5, np.roll(last, 1))
    return family(
        {"p_id": whose[mixed], "first": days(first[mixed]), "last": days(last[mixed])}, {"id": np.arange(120)}
    )


def reading_before(rng: np.random.Generator) -> Database:
    whose, place = grown(rng)
    read, mixed = np.round(rng.gamma(9, 40, len(whose)), 1), rng.permutation(len(whose))
    before = missing(np.roll(read, 1)[mixed], place[mixed] == 0)
    rows = {"p_id": whose[mixed], "turn": place[mixed] + 1, "read": read[mixed], "before": before}
    return family(rows, {"id": np.arange(120)})


def points_so_far(rng: np.random.Generator) -> Database:
    whose, _ = grown(rng)
    mixed = rng.permutation(len(whose))  # families stand mixed in the file
    whose, points = whose[mixed], rng.integers(0, 9, len(whose))
    total = [points[: n + 1][whose[: n + 1] == one].sum() for n, one in enumerate(whose)]
    return family({"p_id": whose, "points": points, "total": total}, {"id": np.arange(120)})


def stock(rng: np.random.Generator) -> Database:
    whose, _ = grown(rng)
    moved, start = rng.integers(-40, 60, len(whose)), rng.integers(0, 500, 120)
    left = [start[one] + moved[: n + 1][whose[: n + 1] == one].sum() for n, one in enumerate(whose)]
    return family({"p_id": whose, "moved": moved, "left": left}, {"id": np.arange(120)})


def total(rng: np.random.Generator) -> Database:
    whose, _ = grown(rng)
    amount = np.round(rng.gamma(2, 30, len(whose)), 2)
    total = np.round(np.bincount(whose, weights=amount, minlength=130), 2)
    return family({"p_id": whose, "amount": amount}, {"id": np.arange(130), "total": total})


def count(rng: np.random.Generator) -> Database:
    whose, _ = grown(rng)
    return family({"p_id": whose}, {"id": np.arange(130), "members": np.bincount(whose, minlength=130)})


def latest(rng: np.random.Generator) -> Database:
    whose, _ = grown(rng)
    at = rng.integers(0, 900, len(whose))
    last = np.zeros(120, int)
    np.maximum.at(last, whose, at)
    return family({"p_id": whose, "at": days(at)}, {"id": np.arange(120), "last_seen": days(last)})


def between_ends(rng: np.random.Generator) -> Database:
    """Posts of employees: the first one begins when they are hired, all before they leave."""
    whose, place = grown(rng)
    hired = rng.integers(0, 900, 120)
    since = hired[whose] + np.where(place > 0, rng.integers(1, 300, len(whose)), 0)
    left = hired + rng.integers(300, 500, 120)
    return family(
        {"p_id": whose, "since": days(since)}, {"id": np.arange(120), "hired": days(hired), "left": days(left)}
    )


def mean(rng: np.random.Generator) -> Database:
    whose, _ = grown(rng)
    stars = rng.integers(1, 6, len(whose))
    mean = np.bincount(whose, weights=stars) / np.bincount(whose)
    return family({"p_id": whose, "stars": stars}, {"id": np.arange(120), "rating": np.round(mean, 2)})


def first_visit(rng: np.random.Generator) -> Database:
    whose, place = grown(rng)
    weight = np.round(rng.normal(70, 9, len(whose)), 1)
    return family({"p_id": whose, "weight": weight}, {"id": np.arange(120), "entry_weight": weight[place == 0]})


def last_seen_state(rng: np.random.Generator) -> Database:
    whose, _ = grown(rng)
    state, last = rng.integers(0, 5, len(whose)), np.zeros(120, int)
    last[whose] = state  # the last assignment stays
    return family({"p_id": whose, "state": state}, {"id": np.arange(120), "state_now": last})


def tree(rng: np.random.Generator, rows: int = 400) -> dict[str, Any]:
    above = np.array([-1 if k < 15 else rng.integers(0, k) for k in range(rows)])
    level = np.zeros(rows, int)
    for k in range(rows):
        level[k] = 1 if above[k] < 0 else level[above[k]] + 1
    return {"id": np.arange(rows), "above_id": missing(above, above < 0), "level": level}


def level(rng: np.random.Generator) -> Database:
    return database({"t": tree(rng)}, (Relation("t", ("above_id",), "t", ("id",)),))


def after_the_one_above(rng: np.random.Generator) -> Database:
    made = tree(rng)
    at = np.zeros(400, int)
    above = made["above_id"].fill_null(-1).to_numpy()
    for k in range(400):
        at[k] = rng.integers(0, 900) if above[k] < 0 else at[above[k]] + rng.integers(0, 300)
    columns = {"id": made["id"], "above_id": made["above_id"], "hired": days(at)}
    return database({"t": columns}, (Relation("t", ("above_id",), "t", ("id",)),))


def deadline(rng: np.random.Generator) -> Database:
    whose, _ = grown(rng)
    at, length = rng.integers(0, 900, 120), rng.integers(1, 60, len(whose))
    child = {"p_id": whose, "length": length, "until": days(at[whose] + length)}
    return family(child, {"id": np.arange(120), "start": days(at)})


def _levels(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The parent of each row, the grandparent of each parent, and that of each row."""
    whose, above = rng.integers(0, 300, ROWS), rng.integers(0, 120, 300)
    return whose, above, above[whose]


def after_a_grandparent(rng: np.random.Generator) -> Database:
    whose, above, far = _levels(rng)
    opened = rng.integers(0, 900, 120)
    child = {"p_id": whose, "issued": days(opened[far] + rng.integers(0, 300, ROWS))}
    return three_levels(child, {"id": np.arange(300), "g_id": above}, {"id": np.arange(120), "opened": days(opened)})


def copy_of_a_grandparent(rng: np.random.Generator) -> Database:
    whose, above, far = _levels(rng)
    money = rng.choice(["EUR", "USD", "CHF", "SEK"], 120)
    parent = {"id": np.arange(300), "g_id": above, "size": rng.integers(0, 9, 300)}
    return three_levels({"p_id": whose, "currency": money[far]}, parent, {"id": np.arange(120), "money": money})


def deadline_of_a_grandparent(rng: np.random.Generator) -> Database:
    whose, above, far = _levels(rng)
    start, length = rng.integers(0, 900, 120), rng.integers(1, 60, ROWS)
    child = {"p_id": whose, "length": length, "until": days(start[far] + length)}
    return three_levels(child, {"id": np.arange(300), "g_id": above}, {"id": np.arange(120), "start": days(start)})


def rounds_of_a_year(rng: np.random.Generator) -> Database:
    day = np.sort(rng.choice(30 * 365, ROWS, replace=False))
    year = day // 365
    place = np.arange(ROWS) - np.searchsorted(year, year)
    mixed = rng.permutation(ROWS)
    return database({"t": {"season": 1990 + year[mixed], "round": place[mixed] + 1, "held": days(day[mixed])}})


def turns_of_a_shift(rng: np.random.Generator) -> Database:
    shift = rng.integers(0, 90, ROWS)
    order = np.argsort(shift, kind="stable")
    place = np.empty(ROWS, dtype=int)
    place[order] = np.arange(ROWS) - np.searchsorted(shift[order], shift[order])
    return database({"t": {"shift": [f"s{k}" for k in shift], "turn": place, "x": rng.normal(size=ROWS)}})


def lines_of_a_day(rng: np.random.Generator) -> Database:
    whose, day = rng.integers(0, 30, 3 * ROWS), rng.integers(0, 12, 3 * ROWS)
    group = whose * 12 + day
    order = np.argsort(group, kind="stable")
    place = np.empty(len(group), dtype=int)
    place[order] = np.arange(len(group)) - np.searchsorted(group[order], group[order])
    return family({"p_id": whose, "day": [f"d{k}" for k in day], "line": place + 1}, {"id": np.arange(30)})


def _steps_of_tickets(rng: np.random.Generator) -> tuple[dict[str, Any], np.ndarray]:
    """Steps of 130 tickets in mixed order of the file, and the row of each ticket that is its last in time."""
    whose, _ = grown(rng, 130, least=1)
    at = rng.integers(0, 400, 130)[whose] + np.cumsum(rng.integers(1, 9, len(whose)))
    mixed = rng.permutation(len(whose))
    last = np.full(130, -1)
    last[whose[mixed][np.argsort(at[mixed])]] = np.argsort(at[mixed])
    return {"p_id": whose[mixed], "at": days(at[mixed])}, last


def status_of_the_last_step(rng: np.random.Generator) -> Database:
    steps, last = _steps_of_tickets(rng)
    status = rng.choice(["new", "open", "waits", "done"], len(steps["p_id"]))
    return family({**steps, "status": status}, {"id": np.arange(130), "state": status[last]})


def balance_after_the_last_booking(rng: np.random.Generator) -> Database:
    steps, last = _steps_of_tickets(rng)
    balance = np.round(rng.normal(0, 300, len(steps["p_id"])), 2)
    return family({**steps, "balance": balance}, {"id": np.arange(130), "balance_now": balance[last]})


def channel_of_the_first_row(rng: np.random.Generator) -> Database:
    whose, place = grown(rng)
    channel = rng.choice(["web", "shop", "phone"], len(whose))
    return family({"p_id": whose, "channel": channel}, {"id": np.arange(120), "came_by": channel[place == 0]})

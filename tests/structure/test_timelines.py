"""When events stand in time and who takes part in them: found in training rows, kept by new keys of any size."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tabgraphsyn.data.known.timeline import Candidate, Timeline, events, moments
from tabgraphsyn.errors import DataError
from tabgraphsyn.generation.structure.base import KeyPlan, Link, Skeleton, Topology
from tabgraphsyn.generation.structure.degrees import DegreesStructure
from tabgraphsyn.generation.structure.skeleton import SkeletonStructure

DAY = 86_400_000_000
SEASONS, HALLS, NIGHTS, SINGERS, CREWS, ON_STAGE = 20, 12, 8, 90, 40, 9


def theatre(seed: int = 0) -> tuple[KeyPlan, dict[str, np.ndarray], np.ndarray]:
    """Halls with evenings; some singers of the season sing in each, each with one crew a season, and get a notice."""
    rng = np.random.default_rng(seed)
    evenings = SEASONS * NIGHTS
    season = np.repeat(np.arange(SEASONS), NIGHTS)
    hall = np.concatenate([rng.permutation(HALLS)[:NIGHTS] for _ in range(SEASONS)])
    start = rng.integers(0, SEASONS - 1, SINGERS)
    start[: 2 * SEASONS] = np.arange(2 * SEASONS) % SEASONS
    singer, evening, crew = [], [], []
    for each in range(SEASONS):
        active = np.flatnonzero((start <= each) & (each <= start + 2))[: ON_STAGE + 3]
        crews = (rng.integers(0, 2, len(active)) + 2 * each) % CREWS
        for night in np.flatnonzero(season == each):
            on = rng.permutation(len(active))[:ON_STAGE]
            singer += active[on].tolist()
            crew += crews[on].tolist()
            evening += [night] * len(on)
    times = season * 365 * DAY + np.tile(np.arange(NIGHTS) * 14 * DAY, SEASONS)
    shuffled = rng.permutation(evenings)  # the file's order says nothing
    number = np.argsort(shuffled)
    keys = {
        "evening.hall": hall[shuffled],
        "song.evening": number[np.array(evening)],
        "song.singer": np.array(singer),
        "song.crew": np.array(crew),
        "notice.evening": number[np.array(evening)],
        "notice.singer": np.array(singer),
    }
    links = [Link(name, name.partition(".")[0], name.partition(".")[2], (name.partition(".")[2],)) for name in keys]
    plan = KeyPlan(
        tables=("hall", "singer", "crew", "evening", "song", "notice"),
        links=tuple(links),
        driver={
            "hall": None, "singer": None, "crew": None,
            "evening": "evening.hall", "song": "song.evening", "notice": "notice.evening",
        },
        reference=frozenset(),
        real_rows={
            "hall": HALLS, "singer": SINGERS, "crew": CREWS, "evening": evenings,
            "song": len(singer), "notice": len(singer),
        },
        never_null=frozenset(keys),
        timed=frozenset({"song.singer", "song.crew", "notice.singer"}),
    )  # fmt: skip
    return plan, keys, times[shuffled]


def candidate(keys: dict[str, np.ndarray], times: np.ndarray) -> Candidate:
    pairs = {name: (keys[f"{name.partition('.')[0]}.evening"], keys[name]) for name in ("song.singer", "notice.singer")}
    return Candidate("on", times, keys["evening.hall"], pairs)


def test_moments_hold_enough_entities_and_end_at_pauses_and_at_no_time_of_a_row() -> None:
    _, keys, times = theatre()
    at, span = moments(times, keys["evening.hall"], 4)
    held = [len(np.unique(keys["evening.hall"][at == one])) for one in range(len(span))]
    assert min(held) >= 4
    assert len(span) >= SEASONS  # no moment reaches over a summer
    assert all(len(np.unique(times[at == one] // (365 * DAY))) == 1 for one in range(len(span)))
    assert (span[1:, 0] > span[:-1, 1]).all()
    assert not np.isin(span, times).any()


def test_an_evening_is_an_event_and_what_time_says_nothing_of_is_none() -> None:
    _, keys, times = theatre()
    parent_of = {"song.singer": "singer", "notice.singer": "singer"}
    own = candidate(keys, times)
    assert set(own.strength) == set(parent_of)
    assert events({"evening": own}, parent_of) == {"evening": list(parent_of)}
    mixed = replace(own, times=np.random.default_rng(1).permutation(times))
    assert events({"evening": mixed}, parent_of) == {}


def test_of_two_tables_that_take_part_in_each_other_the_one_whose_times_tell_more_is_the_event() -> None:
    _, keys, times = theatre()
    born = np.full(SINGERS, 10**6) * DAY
    np.minimum.at(born, keys["song.singer"], times[keys["song.evening"]])
    born = born - np.random.default_rng(2).integers(20 * 365, 30 * 365, SINGERS) * DAY
    singers = Candidate("born", born, np.arange(SINGERS), {"song.evening": (keys["song.singer"], keys["song.evening"])})
    assert singers.strength
    parent_of = {"song.singer": "singer", "notice.singer": "singer", "song.evening": "evening"}
    assert list(events({"singer": singers, "evening": candidate(keys, times)}, parent_of)) == ["evening"]


def grown(
    keys: dict[str, np.ndarray], plan: KeyPlan, at: np.ndarray, scale: float, hidden: int = 0, seed: int = 4
) -> Skeleton:
    """Return keys that went through their arrays."""
    rows = {**plan.real_rows, "singer": SINGERS - hidden}
    model, read = SkeletonStructure(), SkeletonStructure()
    model.fit(Topology(plan, rows, keys, moments={"evening": at}, hidden={"singer": hidden}))
    read.from_arrays(*model.to_arrays())
    return read.grow(scale=scale, rows=None, seed=seed)


@pytest.mark.parametrize(("scale", "hidden"), [(1, 0), (1, 9), (2, 0), (5, 9)])
def test_new_singers_sing_in_their_seasons_with_one_crew_each_and_notices_are_of_those_who_sang(
    scale: int, hidden: int
) -> None:
    plan, keys, times = theatre()
    at, span = moments(times, keys["evening.hall"], 4)
    skeleton = grown(keys, plan, at, scale, hidden)
    timeline = Timeline("on", ("song.singer",), True, *(tuple(one.tolist()) for one in span.T))
    drawn = timeline.drawn(skeleton.moments["evening"], np.random.default_rng(0))
    season = (drawn + 100 * DAY) // (365 * DAY)  # cut in summer
    evening, singer, crew = (skeleton.pointers[f"song.{one}"] for one in ("evening", "singer", "crew"))
    assert len(season) == scale * len(times) and (singer >= 0).all()
    first, last = np.full(scale * SINGERS, SEASONS), np.full(scale * SINGERS, -1)
    np.minimum.at(first, singer, season[evening])
    np.maximum.at(last, singer, season[evening])
    assert (last - first).max() <= 2
    teams = {(one, when, crew_) for one, when, crew_ in zip(singer, season[evening], crew, strict=True)}
    assert len(teams) == len({(one, when) for one, when, _ in teams})
    pairs = set(zip(evening.tolist(), singer.tolist(), strict=True))
    noticed = zip(
        skeleton.pointers["notice.evening"].tolist(), skeleton.pointers["notice.singer"].tolist(), strict=True
    )
    assert set(noticed) == pairs


def test_rows_of_a_file_in_the_order_of_its_times_stand_so_in_new_keys_of_any_size() -> None:
    plan, keys, times = theatre()
    order = np.argsort(times, kind="stable")
    place = np.argsort(order)
    keys = {**keys, "evening.hall": keys["evening.hall"][order]}
    keys |= {name: place[keys[name]] for name in ("song.evening", "notice.evening")}
    at, _ = moments(times[order], keys["evening.hall"], 4)
    for scale in (0.5, 3):
        skeleton = grown(keys, plan, at, scale)
        assert (np.diff(skeleton.moments["evening"]) >= 0).all()
        assert (skeleton.pointers["song.singer"] < skeleton.rows["singer"]).all()
        if scale > 1:
            came, left = np.full(skeleton.rows["singer"], len(at)), np.full(skeleton.rows["singer"], -1)
            when = skeleton.moments["evening"][skeleton.pointers["song.evening"]]
            np.minimum.at(came, skeleton.pointers["song.singer"], when)
            np.maximum.at(left, skeleton.pointers["song.singer"], when)
            assert (left - came).max() <= NIGHTS  # three seasons of two moments each


def test_who_is_held_out_may_have_keys_of_their_own() -> None:
    plan, keys, times = theatre()
    at, _ = moments(times, keys["evening.hall"], 4)
    keys["singer.school"] = np.append(np.arange(SINGERS - 9) % 30, np.full(9, -2))
    plan = replace(
        plan,
        tables=("school", *plan.tables),
        links=(*plan.links, Link("singer.school", "singer", "school", ("school",))),
        driver={**plan.driver, "school": None, "singer": "singer.school"},
        reference=frozenset({"school"}),
        real_rows={**plan.real_rows, "school": 30},
        never_null=plan.never_null | {"singer.school"},
    )
    skeleton = grown(keys, plan, at, 2, hidden=9)
    pairs = [
        set(zip(skeleton.pointers[f"{one}.evening"].tolist(), skeleton.pointers[f"{one}.singer"].tolist(), strict=True))
        for one in ("song", "notice")
    ]
    assert pairs[0] == pairs[1]
    assert ((skeleton.pointers["singer.school"] >= 0) & (skeleton.pointers["singer.school"] < 30)).all()


def test_counts_alone_leave_out_who_is_held_out() -> None:
    plan, keys, times = theatre()
    at, _ = moments(times, keys["evening.hall"], 4)
    model = DegreesStructure()
    rows = {**plan.real_rows, "singer": SINGERS - 9}
    model.fit(Topology(plan, rows, keys, moments={"evening": at}, hidden={"singer": 9}))
    skeleton = model.grow(scale=1, rows=None, seed=0)
    assert int(skeleton.pointers["song.singer"].max()) < skeleton.rows["singer"]


def test_moments_and_hidden_rows_of_a_strange_file_are_refused() -> None:
    plan, keys, times = theatre()
    at, _ = moments(times, keys["evening.hall"], 4)
    model = SkeletonStructure()
    model.fit(Topology(plan, dict(plan.real_rows), keys, moments={"evening": at}))
    arrays, state = model.to_arrays()
    for wrong, told in (
        ({"moment of evening": arrays["moment of evening"][1:]}, {}),
        ({"moment of evening": -arrays["moment of evening"] - 1}, {}),
        ({}, {"hidden": {"hall": 3}}),
        ({}, {"timed": ["evening", "song"]}),
    ):
        with pytest.raises(DataError, match="structure"):
            SkeletonStructure().from_arrays({**arrays, **wrong}, {**state, **told})

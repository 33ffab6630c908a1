"""Who takes part in events of a time where fewer are asked than there are, and where counts alone are kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from tabgraphsyn.data.known.timeline import Timeline, moments
from tabgraphsyn.errors import DataError
from tabgraphsyn.generation.structure.base import Between, Skeleton, StructureModel, Topology, UniqueLinks
from tabgraphsyn.generation.structure.degrees import DegreesStructure
from tabgraphsyn.generation.structure.skeleton import SkeletonStructure
from tabgraphsyn.generation.structure.stretches import moments_between
from tests.structure.test_timelines import CREWS, DAY, SEASONS, SINGERS, theatre

LEAST = 4


def topology(seed: int = 0, hidden: int = 0) -> tuple[Topology, np.ndarray]:
    """Return the theatre's keys, and the season of each moment, (moments,)."""
    plan, keys, times = theatre(seed)
    at, span = moments(times, keys["evening.hall"], LEAST)
    unique = tuple(UniqueLinks(one, (f"{one}.evening", f"{one}.singer")) for one in ("song", "notice"))
    rows = {**plan.real_rows, "singer": SINGERS - hidden}
    entities = {"singer": np.arange(SINGERS - hidden), "crew": np.arange(CREWS)}
    timeline = Timeline("on", ("song.singer",), True, *(tuple(one.tolist()) for one in span.T))
    middle = (np.array(timeline.first) + np.array(timeline.last)) // 2
    found = Topology(
        replace(plan, unique=unique),
        rows,
        keys,
        moments={"evening": at},
        hidden={"singer": hidden},
        entities=entities,
        min_entities=LEAST,
    )
    return found, (middle + 100 * DAY) // (365 * DAY)


def figures(pointers: Mapping[str, np.ndarray], season: np.ndarray) -> dict[str, float]:
    """Return what a visitor of the theatre would look at; (evenings,) seasons."""
    evening, singer, crew = (pointers[f"song.{one}"] for one in ("evening", "singer", "crew"))
    at = season[evening]
    first, last = np.full(singer.max() + 1, SEASONS), np.full(singer.max() + 1, -1)
    np.minimum.at(first, singer, at)
    np.maximum.at(last, singer, at)
    pairs = set(zip(evening.tolist(), singer.tolist(), strict=True))
    noticed = set(zip(pointers["notice.evening"].tolist(), pointers["notice.singer"].tolist(), strict=True))
    by_season = {(one, when) for one, when in zip(singer, at, strict=True)}
    with_crew = {(one, when, each) for one, when, each in zip(singer, at, crew, strict=True)}
    return {
        "career": float((last - first + 1)[last >= 0].mean()),
        "on stage": float(np.bincount(evening)[np.unique(evening)].mean()),
        "noticed": len(noticed & pairs) / max(len(noticed), 1),
        "twice": 1 - len(pairs) / len(singer),
        "crews": len(with_crew) / len(by_season),
        "singers a season": len(by_season) / len(np.unique(at)),
    }


def grown(model: StructureModel, scale: float, seed: int, hidden: int = 0) -> tuple[Skeleton, dict[str, float]]:
    found, season = topology(hidden=hidden)
    model.fit(found)
    read = type(model)()
    read.from_arrays(*model.to_arrays())
    skeleton = read.grow(scale=scale, rows=None, seed=seed)
    return skeleton, figures(skeleton.pointers, season[skeleton.moments["evening"]])


@pytest.mark.parametrize(("scale", "hidden"), [(0.5, 0), (0.5, 9), (0.25, 9), (0.8, 0)])
def test_half_of_a_theatre_is_that_of_half_the_seasons(scale: float, hidden: int) -> None:
    found, season = topology()
    real = figures(found.pointers, season[found.moments["evening"]])
    skeleton, new = grown(SkeletonStructure(), scale, 3, hidden)
    assert skeleton.rows["singer"] == round(scale * SINGERS)
    assert abs(skeleton.rows["evening"] / (scale * len(found.moments["evening"])) - 1) < 0.2
    assert abs(new["on stage"] / real["on stage"] - 1) < 0.2
    assert abs(new["career"] / real["career"] - 1) < 0.35
    assert new["crews"] < 1.1 and new["noticed"] > 0.99 and new["twice"] == 0
    assert abs(new["singers a season"] / real["singers a season"] - 1) < 0.25
    assert not skeleton.dropped


@pytest.mark.parametrize("scale", [0.5, 1, 2])
def test_from_counts_alone_singers_sing_in_their_seasons(scale: float) -> None:
    found, season = topology()
    real = figures(found.pointers, season[found.moments["evening"]])
    skeleton, new = grown(DegreesStructure(), scale, 5)
    assert skeleton.rows["singer"] == round(scale * SINGERS)
    assert abs(new["on stage"] / real["on stage"] - 1) < 0.2
    assert new["career"] < 2 * real["career"]  # any of SEASONS otherwise
    assert new["noticed"] > 0.95 and new["twice"] == 0
    assert new["crews"] < 1.9


def test_counts_hold_enough_entities_and_no_key() -> None:
    found, _ = topology()
    model = DegreesStructure()
    model.fit(found)
    arrays, _ = model.to_arrays()
    assert arrays["singer/stays"][:, 6].min() >= LEAST
    there = arrays["singer/present"]
    assert there[there > 0].min() >= LEAST
    assert all(len(one) != len(found.pointers["song.singer"]) for one in arrays.values())


def test_counts_of_a_strange_file_are_refused() -> None:
    model = DegreesStructure()
    model.fit(topology()[0])
    arrays, state = model.to_arrays()
    for wrong, told in (
        ({"singer/stays": arrays["singer/stays"][:, :5]}, {}),
        ({"singer/present": arrays["singer/present"][1:]}, {}),
        ({"evening/moments": arrays["evening/moments"] + 1}, {}),
        ({}, {"along": {**state["along"], "singer": "song.evening"}}),
        ({}, {"habits": [{**state["habits"][0], "of": "evening.hall"}]}),
        ({}, {"happenings": {}}),
    ):
        with pytest.raises(DataError, match="structure"):
            DegreesStructure().from_arrays({**arrays, **wrong}, {**state, **told})


def test_two_clubs_still_play_each_other() -> None:
    found, _ = topology()
    rng = np.random.default_rng(1)
    evenings = len(found.moments["evening"])
    home = found.pointers["evening.hall"]
    guest = (home + rng.integers(1, 6, evenings)) % 12
    plan = found.plan
    plan = replace(
        plan,
        links=(*plan.links, replace(plan.link["evening.hall"], name="evening.guest", columns=("guest",))),
        never_null=plan.never_null | {"evening.guest"},
        between=(Between("differ", "evening", ("evening.hall", "evening.guest")),),
    )
    model = SkeletonStructure()
    model.fit(replace(found, plan=plan, pointers={**found.pointers, "evening.guest": guest}))
    skeleton = model.grow(scale=0.17, rows=None, seed=2)
    assert skeleton.rows["hall"] == 2 and skeleton.rows["evening"] > 10 and not skeleton.dropped
    assert (skeleton.pointers["evening.hall"] != skeleton.pointers["evening.guest"]).all()


def test_a_stretch_holds_its_share_of_the_rows() -> None:
    count = np.array([5, 5, 20, 5, 5, 10])
    for begin in (0.0, 0.2, 0.5):
        first, last = moments_between(count, begin, 0.5)
        assert 0 <= first <= last < len(count)
        assert abs(count[first : last + 1].sum() - 25) <= count.max()

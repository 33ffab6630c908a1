"""By what a file is sorted: found in any direction, with nulls at either end, and not where nothing says so."""

import numpy as np
import pyarrow as pa
import pytest

from tabgraphsyn.data.file_order import FileKey, as_families_stand, find_file_order, in_file_order, sorting_key


def found(**columns: np.ndarray) -> list[tuple[str, bool, bool]]:
    order = find_file_order({FileKey(name): value for name, value in columns.items()})
    return [(one.name, one.falling, one.nulls_first) for one in order]


def test_a_log_is_sorted_by_its_times_and_ratings_by_stars_then_users() -> None:
    rng = np.random.default_rng(1)
    time = np.sort(rng.random(3_000)) * 1e6
    assert found(level=rng.integers(0, 4, 3_000), time=time, size=rng.normal(size=3_000)) == [("time", False, False)]
    stars, user = rng.integers(1, 6, 5_000).astype(float), rng.integers(0, 400, 5_000).astype(float)
    order = np.lexsort((user, -stars))
    assert found(user=user[order], stars=stars[order]) == [("stars", True, False), ("user", False, False)]


def test_a_few_rows_out_of_place_do_not_hide_an_order_but_a_walk_is_none() -> None:
    rng = np.random.default_rng(2)
    time = np.sort(rng.random(4_000))
    late = rng.choice(4_000, 40, replace=False)
    time[late] = rng.random(40)
    assert [name for name, *_ in found(time=time)] == ["time"]
    assert found(walk=np.cumsum(rng.normal(size=4_000)), cycle=np.arange(4_000.0) % 700) == []


def test_too_few_rows_and_a_flag_of_some_rows_at_the_end_say_nothing() -> None:
    flag = np.zeros(400)
    flag[-3:] = 1
    assert found(flag=flag, same=np.ones(400)) == []
    assert found(time=np.arange(30.0)) == []


@pytest.mark.parametrize("nulls_first", [True, False])
def test_missing_values_stand_where_the_file_has_them(nulls_first: bool) -> None:
    day = np.repeat(np.arange(60.0), 6)
    left = np.tile(
        [0.0, 1.0, 2.0, 3.0, np.nan, np.nan] if not nulls_first else [np.nan, np.nan, 0.0, 1.0, 2.0, 3.0], 60
    )
    assert found(left=left, day=day) == [("day", False, False), ("left", False, nulls_first)]
    shuffled = np.random.default_rng(0).permutation(360)
    keys = {"day": day[shuffled], "left": left[shuffled]}
    order = in_file_order([FileKey("day"), FileKey("left", nulls_first=nulls_first)], keys, 360)
    np.testing.assert_array_equal(keys["left"][order], left)


def test_keys_of_values_of_every_type_are_in_their_order() -> None:
    for values in (["b", None, "a"], [True, None, False], [2.5, None, -1.0], [7, None, 3]):
        key = sorting_key(pa.array(values))
        assert key is not None
        high, lost, low = key
        assert high > low and np.isnan(lost)
    days = sorting_key(pa.array([86_400_000_000, None, 0], pa.timestamp("us")))
    assert days is not None and days[0] > days[2]
    assert sorting_key(pa.array([b"b", b"a"])) is None


def test_families_keep_their_own_order_in_the_places_that_they_get() -> None:
    rng = np.random.default_rng(3)
    family, order = rng.integers(-1, 6, 200), rng.permutation(200)
    kept = as_families_stand(order, family)
    np.testing.assert_array_equal(family[kept], family[order])
    for one in range(6):
        assert (np.diff(kept[family[kept] == one]) > 0).all()
    assert sorted(kept) == list(range(200))
